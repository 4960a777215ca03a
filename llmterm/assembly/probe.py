"""Looks for an Ollama, for a moment only: nobody waits for a chat, or a key, because of what sits at its port.

Whatever answers there may be endless, dribble, or say nothing: its words are bounded in bytes, and all of it in time.
"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import closing, suppress
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from llmterm.address import basic, joined
from llmterm.untrusted import parsed

_MOST_BYTES = 4 << 20
_PIECE = 64 * 1024


def tags(url: str, seconds: float) -> Any:
    """Return what the Ollama at `url` says of its models, within so many seconds in all; None for nothing of use.

    No proxy comes between. Asked in a thread, as nothing else ends a wait for a name or for a header that dribbles.
    """
    # The transport costs more than the question.
    from http.client import HTTPConnection, HTTPException, HTTPSConnection

    found: list[Any] = []
    sockets: list[socket.socket] = []
    try:
        parts, asked = urlsplit(url), urlsplit(joined(url, "/api/tags"))
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=seconds)
    except (ValueError, HTTPException):  # no address
        return None
    deadline = time.monotonic() + seconds

    def ask() -> None:
        with suppress(OSError, ValueError, HTTPException), closing(connection):
            connection.connect()
            sockets.append(connection.sock)
            connection.request("GET", urlunsplit(("", "", asked.path, asked.query, "")), headers=basic(url))
            body = bytearray()
            with connection.getresponse() as response:
                while piece := response.read1(_PIECE):
                    body += piece
                    if len(body) > _MOST_BYTES or time.monotonic() > deadline:
                        return
            if response.status == 200:
                found.append(parsed(body))

    thread = threading.Thread(target=ask, daemon=True, name="llmterm-probe")
    thread.start()
    thread.join(seconds)
    for each in sockets:
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)  # whatever the thread still waits for is over
    return found[0] if found else None
