"""A way through an HTTP proxy, by CONNECT, for what is no HTTP: https://www.rfc-editor.org/rfc/rfc9110#CONNECT.

Whoever is cancelled on the way leaves nothing of it.
"""

from __future__ import annotations

import asyncio
import base64
import re
import socket
from urllib.parse import urlsplit

from llmterm.transport.proxies import Proxy

_PORTS = {"http": 80, "https": 443}
_LONGEST_HEAD = 64 * 1024


class TunnelRefusedError(Exception):
    """The proxy does not let it pass; `str()` is its status and its reason."""


async def tunnel(proxy: Proxy, url: str) -> socket.socket:
    """Return a socket whose other end is the server of `url`. Raises OSError and TunnelRefusedError."""
    at, to = urlsplit(proxy.address), urlsplit(url)
    host = f"[{to.hostname}]" if ":" in (to.hostname or "") else to.hostname
    place = f"{host}:{to.port or _PORTS[to.scheme]}"
    lines = [f"CONNECT {place} HTTP/1.1", f"Host: {place}"]
    if proxy.user or proxy.password:
        word = base64.b64encode(f"{proxy.user}:{proxy.password}".encode()).decode()
        lines.append(f"Proxy-Authorization: Basic {word}")
    sock = await _connected(at.hostname or "", at.port or _PORTS[at.scheme])
    try:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(sock, "\r\n".join([*lines, "", ""]).encode())
        head = b""
        while b"\r\n\r\n" not in head and len(head) < _LONGEST_HEAD:
            data = await loop.sock_recv(sock, 4096)  # nobody says more before he is spoken to
            if not data:
                raise ConnectionError("the proxy has closed the connection")
            head += data
        _require_passage(head)
    except BaseException:
        sock.close()
        raise
    return sock


async def _connected(host: str, port: int) -> socket.socket:
    """Return a socket to the first of the addresses of `host` that answers. Raises OSError."""
    loop = asyncio.get_running_loop()
    failure = OSError("it has no address")
    for family, kind, protocol, _, address in await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setblocking(False)
            await loop.sock_connect(sock, address)
        except OSError as error:
            failure = error
            sock.close()
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise failure


def _require_passage(head: bytes) -> None:
    first = head.partition(b"\r\n")[0].decode("latin-1")
    answer = re.fullmatch(r"HTTP/1\.[01] (\d\d\d)(?: (.*))?", first)
    if answer is None:
        raise TunnelRefusedError("the proxy speaks no HTTP")
    if not answer[1].startswith("2"):
        raise TunnelRefusedError(f"{answer[1]} {answer[2] or ''}".strip())
