"""One WebSocket: JSON out, messages in, by the ways, within the limits and with the errors of every other call.

https://www.rfc-editor.org/rfc/rfc6455. The key is in a header of the handshake and nowhere else, and no redirect is
followed. Pings keep the connection alive, and find out that it is not, whether an answer is on it or it waits for one.
What the reader does not take stays in the socket. Imported by who opens one: most programs open none.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Mapping
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    ConnectionClosed,
    ConnectionClosedOK,
    InvalidHandshake,
    InvalidMessage,
    InvalidStatus,
    InvalidURI,
    WebSocketException,
)
from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import Event, State

from llmterm import log
from llmterm.address import without_user
from llmterm.errors import ConfigError, LimitError, NetworkError, ProtocolError, ProviderError, StreamTimeoutError
from llmterm.messages import StreamLimits
from llmterm.pulse import Pulse
from llmterm.redaction import redact
from llmterm.transport.body import SLICE, Body
from llmterm.transport.call import Call
from llmterm.transport.failures import refused, unreached
from llmterm.transport.proxies import Proxy
from llmterm.transport.tunnel import TunnelRefusedError, tunnel

# How long a server may take to say goodbye, too.
_CLOSE_SECONDS = 0.5
_LONGEST_REASON = 200
# The library's own log would have the headers, and with them the key.
_SILENT = logging.Logger("llmterm.websocket", logging.CRITICAL)


class _Direct(connect):
    """Follows no redirect: the key would go with it."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class _Connection(ClientConnection):
    """Takes the server's pings for signs of life, as comments between events are; answers to our own are none."""

    pulse: Pulse | None = None

    def process_event(self, event: Event) -> None:
        if self.pulse is not None and isinstance(event, Frame) and event.opcode is Opcode.PING:
            self.pulse.heard = asyncio.get_running_loop().time()
        super().process_event(event)


class WebSocket:
    """A connection that stands. One reader, and one writer, at a time; let go of it by `aclose` or `break_off`."""

    def __init__(self, connection: _Connection, call: Call, limits: StreamLimits) -> None:
        self._connection = connection
        self._call = call
        self._most_bytes = limits.max_event_bytes

    @classmethod
    async def open(
        cls,
        call: Call,
        limits: StreamLimits,
        headers: Mapping[str, str],
        *,
        proxy: Proxy | None,
        certificates: ssl.SSLContext | None,
    ) -> Self:
        """Connect to where `call` goes, through an HTTP `proxy` if there is one. Raises our errors only.

        `certificates` are what the server has to show; None where nothing is encrypted.
        """
        url = without_user(call.url)
        try:
            async with asyncio.timeout(limits.connect_timeout):
                sock = None if proxy is None else await tunnel(proxy, url)
                try:
                    connection = await _Direct(
                        url.replace("http", "ws", 1),
                        additional_headers=headers,
                        user_agent_header=None,  # it is among the headers
                        proxy=None,
                        sock=sock,
                        compression=None,  # it makes servers and proxies hold back what should arrive token by token
                        open_timeout=None,
                        close_timeout=_CLOSE_SECONDS,
                        max_size=limits.max_event_bytes,
                        logger=_SILENT,
                        create_connection=_Connection,
                        ssl=certificates,
                    )
                except BaseException:
                    if sock is not None:
                        sock.close()
                    raise
        except TimeoutError:
            what = f"{call.who}: no connection to {call.way} within {limits.connect_timeout:g} s"
            raise StreamTimeoutError(what, timer="connect", provider=call.who, model=call.model) from None
        except (OSError, WebSocketException, TunnelRefusedError) as error:
            raise _not_open(call, error) from None
        log.event("websocket", provider=call.who, address=call.address)
        assert isinstance(connection, _Connection)
        return cls(connection, call, limits)

    def beat(self, pulse: Pulse) -> None:
        """Tell `pulse` of the server's pings from now on."""
        self._connection.pulse = pulse

    @property
    def alive(self) -> bool:
        """Whether nothing is known of its end."""
        return self._connection.state is State.OPEN

    async def send(self, payload: Mapping[str, Any]) -> None:
        """Send `payload` as one message, in fragments where it is long. Raises NetworkError. Who is cancelled here has
        to break off."""
        body = await Body.of(payload)
        message = b"".join(body.pieces()) if body.size <= SLICE else _fragments(body)
        try:
            await self._connection.send(message, text=True)
        except ConnectionClosed as error:
            raise self._over(error) from None

    async def receive(self) -> bytes:
        """Wait for the next message; an empty one is the end, where the server has said goodbye.

        Raises NetworkError, and LimitError for a message that is too large.
        """
        try:
            return await self._connection.recv(decode=False)
        except ConnectionClosedOK:
            return b""
        except ConnectionClosed as error:
            raise self._over(error) from None

    async def aclose(self) -> None:
        """Say goodbye, and close it."""
        await self._connection.close()

    async def break_off(self) -> None:
        """Close it at once, whatever is on its way."""
        self._connection.transport.abort()
        await self._connection.wait_closed()

    def _over(self, error: ConnectionClosed) -> ProviderError:
        call = self._call
        about: dict[str, Any] = {"provider": call.who, "model": call.model}
        if error.rcvd is None and error.sent is not None and error.sent.code == CloseCode.MESSAGE_TOO_BIG:
            hint = "the server does not speak this protocol"
            return LimitError(f"{call.who}: an event larger than {self._most_bytes} bytes", hint=hint, **about)
        said = "" if error.rcvd is None else redact(" ".join(error.rcvd.reason.split()), call.secrets)
        why = f": {said[:_LONGEST_REASON]}" if said.isprintable() and said else ""
        return NetworkError(f"{call.who}: the connection to {call.way} broke{why}", **about)


async def _fragments(body: Body) -> AsyncIterator[bytes]:
    async for piece in body:
        yield piece
        await asyncio.sleep(0)


def _not_open(call: Call, error: OSError | WebSocketException | TunnelRefusedError) -> ProviderError | ConfigError:
    """Return our error for a connection that does not come about."""
    detail = redact(str(error), call.secrets) or type(error).__name__
    about: dict[str, Any] = {"provider": call.who, "model": call.model}
    match error:
        case InvalidStatus(response=response):
            return refused(call, response.status_code, dict(response.headers.raw_items()), bytes(response.body or b""))
        case OSError() | TunnelRefusedError():
            return unreached(call, detail)
        case InvalidURI():
            return ConfigError(f"{call.who}: {call.way} is no address of an API: {detail}", hint="check the base URL")
        case InvalidMessage(__cause__=EOFError()):
            return NetworkError(f"{call.who}: the connection to {call.way} broke: {detail}", **about)
        case InvalidHandshake():
            return ProtocolError(f"{call.who}: no WebSocket at {call.way}: {detail}", **about)
        case _:
            return NetworkError(f"{call.who}: the connection to {call.way} broke: {detail}", **about)
