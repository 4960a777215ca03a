"""A server in a thread that answers over WebSockets, and over HTTP beside them, as scripted by a test.

The scripts are those of `tests.wire`: what they send of an answer goes out as messages, an event each. The protocol is
the library's, `websockets.server`, on the same connections that HTTP comes in on.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from websockets.datastructures import Headers
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

from tests.wire import Exchange, Script, WireServer

_LAST = ("response.completed", "response.incomplete", "response.failed", "error")


class Socket:
    """One connection after its handshake, on the server's loop."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Exchange) -> None:
        self.writer = writer
        self.headers = request.headers
        self.path = request.path
        self.asked: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self.steered: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.gone = asyncio.Event()
        self.pings = 0
        self.answered = 0  # for scripts to count
        self._reader = reader
        self._protocol = ServerProtocol()
        self._protocol.receive_data(Request(request.path, Headers(request.headers)).serialize())
        [head] = self._protocol.events_received()
        assert isinstance(head, Request)
        self._protocol.send_response(self._protocol.accept(head))
        self._flush()

    async def send(self, *messages: str) -> None:
        for message in messages:
            self._protocol.send_text(message.encode())
        self._flush()
        with suppress(ConnectionError):
            await self.writer.drain()

    def ping(self) -> None:
        self._protocol.send_ping(b"")
        self._flush()

    def close(self, code: int = 1000, reason: str = "") -> None:
        self._protocol.send_close(code, reason)
        self._flush()

    async def receive(self) -> None:
        """Take in what the client sends, until it is gone."""
        message = b""
        while data := await self._read():
            self._protocol.receive_data(data)
            for frame in self._protocol.events_received():
                assert isinstance(frame, Frame)
                self.pings += frame.opcode is Opcode.PING
                if frame.opcode not in (Opcode.TEXT, Opcode.CONT):
                    continue
                message += frame.data
                if frame.fin:
                    self._told(json.loads(message))
                    message = b""
            self._flush()
        self.gone.set()
        self.asked.put_nowait(None)

    def _told(self, event: dict[str, Any]) -> None:
        (self.steered if event["type"] == "response.steer" else self.asked).put_nowait(event)

    async def _read(self) -> bytes:
        with suppress(ConnectionError):
            return await self._reader.read(65536)
        return b""

    def _flush(self) -> None:
        data = self._protocol.data_to_send()
        self.writer.write(b"".join(data))
        if b"" in data and self.writer.can_write_eof():
            self.writer.write_eof()


class SocketExchange(Exchange):
    """One question on a WebSocket, and its answer. `body` is what was asked."""

    def __init__(self, socket: Socket, asked: dict[str, Any], number: int) -> None:
        """It is the question of that `number` to the server, from 0."""
        self.number = number
        self.socket = socket
        self.method, self.path, self.headers = "WS", socket.path, socket.headers
        self.data = json.dumps(asked).encode()
        self.body = asked
        self.sent = ""
        self._left = b""
        self._over = False

    async def start(self, status: int = 200, content_type: str = "text/event-stream", **headers: str) -> None:
        pass

    async def raw(self, data: bytes) -> None:
        self._left += data
        *blocks, self._left = self._left.split(b"\n\n")
        messages = [message for block in blocks for message in _messages(block)]
        self._over = self._over or any(f'"type": "{kind}"' in message for kind in _LAST for message in messages)
        await self.socket.send(*messages)
        if any(block.startswith(b":") for block in blocks):
            self.socket.ping()

    async def event(self, kind: str, **about: Any) -> None:
        """Send an event as it is."""
        self._over = self._over or kind in _LAST
        await self.socket.send(json.dumps({"type": kind, **about}))

    async def steer(self) -> dict[str, Any]:
        """Wait for what the answer is steered by."""
        return await self.socket.steered.get()

    async def close(self) -> None:
        """End the answer; where it has no end of its own, with the connection."""
        await self.raw(b"\n\n")
        if not self._over:
            self.socket.close()

    async def send(self, data: bytes) -> None:
        raise AssertionError("this is no HTTP")

    def drop(self) -> None:
        self.socket.writer.transport.abort()

    async def hung_up(self) -> None:
        await self.socket.gone.wait()

    async def refuse(self, status: int, body: object, content_type: str = "application/json", **headers: str) -> None:
        error = body["error"] if isinstance(body, dict) and "error" in body else body
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        await self.event("error", status=status, error=error, headers=names)


class SocketServer(WireServer):
    """`sockets` are all WebSockets there were. Without `upgrades` there is none to be had. It is a proxy to itself."""

    def __init__(self, script: Script, *, upgrades: bool = True, certificate: ssl.SSLContext | None = None) -> None:
        """With a `certificate` all is encrypted."""
        super().__init__(script)
        self._certificate = certificate
        self.sockets: list[Socket] = []
        self.upgrades = upgrades

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._certificate)

    async def _answer(self, exchange: Exchange, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if exchange.method == "CONNECT":
            self.exchanges.append(exchange)
            await exchange.head(200)
            return
        if not (self.upgrades and exchange.headers.get("upgrade") == "websocket"):
            await super()._answer(exchange, reader, writer)
            return
        socket = Socket(reader, writer, exchange)
        self.sockets.append(socket)
        self._note(0)
        receiving = asyncio.create_task(socket.receive())
        try:
            while (asked := await socket.asked.get()) is not None:
                question = SocketExchange(socket, asked, len(self.exchanges))
                self.exchanges.append(question)
                self._note(0)
                await self.script(question)
        finally:
            receiving.cancel()
            await asyncio.wait({receiving})
        raise ConnectionResetError


def _messages(block: bytes) -> Iterator[str]:
    lines = [line[5:].strip() for line in block.splitlines() if line.startswith(b"data:")]
    if lines and lines != [b"[DONE]"]:
        yield b"\n".join(lines).decode()
