"""A connection of the HTTP server under the application, which does not wait for ever.

uvicorn waits as long as they like for those who open a connection and say nothing, or nothing more, and for those who
read nothing of what is sent to them: both cost memory and a descriptor each, and need no token.
"""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# Bytes that a request may have before its body begins: nothing else bounds them.
_HEAD_LIMIT = 64 * 1024


class Patience(NamedTuple):
    """Seconds that a `request` may say nothing before it is whole, and that a `reader` may take nothing."""

    request: float
    reader: float


class Connection(HttpToolsProtocol):
    def __init__(self, *args: Any, patience: Patience, **more: Any) -> None:
        super().__init__(*args, **more)
        self._patience = patience
        self._silent: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None
        # Bytes of a request whose head is not whole; None while none is awaited.
        self._head: int | None = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._listen()

    def connection_lost(self, exc: Exception | None) -> None:
        self._heard()
        self._taken()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._head is not None:
            self._head += len(data)
        super().data_received(data)
        if self._head is not None and self._head > _HEAD_LIMIT and not self.transport.is_closing():
            self.send_400_response("The head of that request is too long.")

    def on_message_begin(self) -> None:
        self._listen()
        self._head = self._head or 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._heard()
        self._head = None
        super().on_headers_complete()
        if not self.parser.should_upgrade():
            self._listen()

    def on_body(self, body: bytes) -> None:
        self._listen()
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._heard()
        super().on_message_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stalled = self.loop.call_later(self._patience.reader, self.transport.abort)

    def resume_writing(self) -> None:
        self._taken()
        super().resume_writing()

    def _listen(self) -> None:
        """Wait from now on for more of a request, and not for ever."""
        self._heard()
        self._silent = self.loop.call_later(self._patience.request, self._give_up)

    def _heard(self) -> None:
        if self._silent is not None:
            self._silent.cancel()
            self._silent = None

    def _taken(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _give_up(self) -> None:
        """Close the connection, unless an answer goes out by it: the next request may come as slowly as it likes."""
        if self.cycle is None or self.cycle.response_complete or self.cycle.more_body:
            self.transport.abort()
