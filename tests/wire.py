"""A real HTTP server in a thread that plays the model's side, as scripted by a test.

Each request is handed to the server's `script` as an `Exchange`, which sends what it likes, when it likes. What the
client sent and when it hung up can be waited for from the test's thread or loop.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Self, TypeAlias

PATIENCE = 60.0

Script: TypeAlias = "Callable[[Exchange], Awaitable[None]]"


class Exchange:
    """One request and its answer, on the server's loop."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.method = self.path = ""
        self.headers: dict[str, str] = {}
        self.data = b""
        self.body: dict[str, Any] = {}
        self.sent = ""

    async def read_request(self) -> bool:
        line = await self._reader.readline()
        if not line:
            return False
        self.method, self.path = line.decode().split()[:2]
        while header := (await self._reader.readline()).decode().strip():
            name, _, value = header.partition(":")
            self.headers[name.lower()] = value.strip()
        raw = await self._reader.readexactly(int(self.headers.get("content-length", "0")))
        self.data = raw
        self.body = json.loads(raw) if raw and "multipart" not in self.headers.get("content-type", "") else {}
        return True

    @property
    def question(self) -> str:
        """The text of the last message that the client sent."""
        text = self.body["messages"][-1]["content"]
        assert isinstance(text, str)
        return text

    async def start(self, status: int = 200, content_type: str = "text/event-stream", **headers: str) -> None:
        lines = [f"HTTP/1.1 {status} X", f"content-type: {content_type}", "transfer-encoding: chunked"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self._writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        await self._writer.drain()

    async def raw(self, data: bytes) -> None:
        self._writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        await self._writer.drain()

    async def head(self, status: int = 200, **headers: str) -> None:
        """Begin an answer whose body is sent as it is, with `send`."""
        lines = [f"HTTP/1.1 {status} X", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
        await self.send(("\r\n".join(lines) + "\r\n\r\n").encode())

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def text(self, text: str) -> None:
        """Send a delta in the OpenAI wire's form."""
        self.sent += text
        await self.raw(delta(text))

    async def end(self, reason: str = "stop") -> None:
        await self.raw(finish(reason))
        await self.close()

    async def close(self) -> None:
        """End the body properly."""
        self._writer.write(b"0\r\n\r\n")
        await self._writer.drain()

    def drop(self) -> None:
        """Break the connection."""
        self._writer.transport.abort()

    async def forward(self, port: int) -> list[bytes]:
        """Be a way to another server of this machine; return what has gone along it, when that is over."""

        async def along(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(ConnectionError):
                while data := await reader.read(65536):
                    seen.append(data)
                    writer.write(data)
            writer.close()

        seen: list[bytes] = []
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(along(self._reader, writer), along(reader, self._writer))
        return seen

    async def hung_up(self) -> None:
        """Wait until the client has closed its side."""
        with suppress(ConnectionError):
            await self._reader.read()

    async def refuse(self, status: int, body: object, content_type: str = "application/json", **headers: str) -> None:
        await self.start(status, content_type, **headers)
        await self.raw(json.dumps(body).encode())
        await self.close()


def delta(text: str) -> bytes:
    return _event({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]})


def thought(text: str) -> bytes:
    return _event({"choices": [{"index": 0, "delta": {"reasoning_content": text}, "finish_reason": None}]})


def finish(reason: str = "stop", output_tokens: int = 7) -> bytes:
    usage = {"prompt_tokens": 5, "completion_tokens": output_tokens}
    return (
        _event({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
        + _event({"choices": [], "usage": usage})
        + b"data: [DONE]\n\n"
    )


def _event(value: object) -> bytes:
    return b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n"


def say(*texts: str, reason: str = "stop") -> Script:
    """Return a script that answers everything with `texts`, a chunk each."""

    async def script(exchange: Exchange) -> None:
        await exchange.start()
        for text in texts:
            await exchange.text(text)
        await exchange.end(reason)

    return script


class Gate:
    """Keeps a script waiting until the test opens it, or the test until the script does: each has its own loop."""

    def __init__(self) -> None:
        self._opened: Future[None] = Future()

    def open(self) -> None:
        if not self._opened.done():
            self._opened.set_result(None)

    async def wait(self) -> None:
        # Shielded: one that is cancelled at the gate must not take it from the others.
        await asyncio.shield(asyncio.wrap_future(self._opened))


class WireServer:
    """Listens on loopback, or at the path `socket`, in a thread of its own, for the length of a `with`."""

    def __init__(self, script: Script, *, socket: str = "") -> None:
        self.script = script
        self.socket = socket
        self.exchanges: list[Exchange] = []
        self.open_connections = 0
        self.failures: list[BaseException] = []
        self._loop = asyncio.new_event_loop()
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = self.run(self._listen())
        return self

    def __exit__(self, *exc: object) -> None:
        self.run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        assert not self.failures, self.failures

    @property
    def port(self) -> int:
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def address(self) -> str:
        return "http://localhost" if self.socket else f"http://127.0.0.1:{self.port}"

    @property
    def base_url(self) -> str:
        return f"{self.address}/v1"

    def run(self, job: Any) -> Any:
        """Run a coroutine on the server's loop and return its result."""
        return asyncio.run_coroutine_threadsafe(job, self._loop).result(PATIENCE)

    def call(self, function: Callable[[], object]) -> None:
        """Have the server's loop call a function."""
        self._loop.call_soon_threadsafe(function)

    def wait(self, condition: Callable[[], bool], timeout: float = PATIENCE) -> None:
        """Wait until `condition` holds; it is looked at whenever a connection comes, goes or asks."""
        with self._changed:
            assert self._changed.wait_for(condition, timeout), "the client did not do what was waited for"

    async def wait_async(self, condition: Callable[[], bool]) -> None:
        await asyncio.to_thread(self.wait, condition)

    async def _listen(self) -> asyncio.Server:
        if self.socket:
            return await asyncio.start_unix_server(self._serve, self.socket)
        return await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._note(1)
        try:
            while True:
                exchange = Exchange(reader, writer)
                if not await exchange.read_request():
                    break
                await self._answer(exchange, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        except BaseException as error:
            self.failures.append(error)
        finally:
            self._tasks.discard(task)
            writer.close()
            self._note(-1)

    async def _answer(self, exchange: Exchange, _reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        self.exchanges.append(exchange)
        self._note(0)
        await self.script(exchange)

    def _note(self, connections: int) -> None:
        with self._changed:
            self.open_connections += connections
            self._changed.notify_all()

    async def _stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(list(self._tasks))
