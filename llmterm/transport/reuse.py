"""Sends a request, and tells a connection that broke from one that was closed while it was kept.

A server may close an idle connection at any moment, also in the one in which the next request goes out on it: that
request was sent for nothing. Only the request's own connection can tell; what others are open says nothing of it.

Connections are made a few at a time: a server's queue of those that it has not accepted yet is short, and who finds it
full is not heard again for a second. Whoever waits for his turn here is on no clock yet: where thousands begin at once,
and this machine is slow, that is no silence of the server's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Self, TypeVar

import httpx2

from llmterm.errors import StaleConnectionError
from llmterm.transport.call import Call

T = TypeVar("T")

# So many connections are made at a time; a server's queue is for 100 at least, in all that are in use.
CONNECTING = 64
_CONNECTING = (".connect_tcp.started", ".connect_unix_socket.started")
# There is a connection: a new one, or one that was kept.
_CONNECTED = (".connect_tcp.complete", ".connect_unix_socket.complete", ".send_request_headers.started")


class ConnectingTurn:
    """A turn to make a connection, in `async with`, which waits for it; it is given back once there is one."""

    def __init__(self, turns: asyncio.Semaphore) -> None:
        self._turns = turns
        self._mine = False

    async def __aenter__(self) -> Self:
        await self._turns.acquire()
        self._mine = True
        return self

    async def __aexit__(self, *_: object) -> None:
        self.give_back()

    def give_back(self) -> None:
        if self._mine:
            self._mine = False
            self._turns.release()


class _Trace:
    """What the HTTP library tells of one request (https://www.encode.io/httpcore/extensions/#trace)."""

    def __init__(self, turn: ConnectingTurn) -> None:
        self.reused = True
        self.garbled = False
        self._turn = turn

    async def __call__(self, event: str, info: dict[str, Any]) -> None:
        if event.endswith(_CONNECTING):
            self.reused = False
        elif event.endswith(_CONNECTED):
            self._turn.give_back()
        elif event == "http11.receive_response_headers.failed":
            # The parser has found something to fail at; where there is nothing, nothing is the cause.
            self.garbled = info["exception"].__cause__ is not None


async def sent(
    client: httpx2.AsyncClient, request: httpx2.Request, call: Call, turn: ConnectingTurn
) -> httpx2.Response:
    """Send `request` once and return the response, whose body is still to be read; redirects are not followed.

    Raises StaleConnectionError where the connection had served before, and ended with no answer on it; otherwise what
    the client raises. What has come of a head that breaks off is not told by the library, and counts as no answer.
    """
    trace = request.extensions["trace"] = _Trace(turn)
    try:
        return await client.send(request, stream=True, follow_redirects=False)
    except (httpx2.RemoteProtocolError, httpx2.ReadError, httpx2.WriteError) as error:
        if not trace.reused or (trace.garbled and isinstance(error, httpx2.RemoteProtocolError)):
            raise
    raise StaleConnectionError(
        f"{call.who}: {call.way} had closed the connection that was kept to it", provider=call.who, model=call.model
    )


async def again_if_stale(send: Callable[[], Awaitable[T]]) -> T:
    """Return what `send` does, of which the second time is the last; for requests whose tries nobody counts."""
    try:
        return await send()
    except StaleConnectionError:
        return await send()
