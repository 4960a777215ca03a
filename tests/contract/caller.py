"""A provider, built as the program builds it, and the scripted server that it talks to.

All that tells the provider where its server is, and with which key, are the variables that its SDK reads. `local` has
none: its wire is driven over a unix socket, as `LocalProvider` does it, with the scripted server in llama.cpp's place.
"""

from __future__ import annotations

import socket
import tempfile
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Self, TypeVar

import pytest

from llmterm.assembly.roster import registry
from llmterm.config import Settings
from llmterm.conversation import Conversation
from llmterm.errors import LlmtermError
from llmterm.messages import (
    Continuation,
    Cursor,
    EndReason,
    Finished,
    Options,
    Request,
    StreamEvent,
    StreamLimits,
    TextDelta,
    ThinkingDelta,
    Usage,
    UsageReport,
)
from llmterm.progress import Progress
from llmterm.providers import EventStream, Provider
from llmterm.providers.attachments import Accepts
from llmterm.providers.openai import wire
from llmterm.providers.stream import WireStream
from llmterm.transport import Call, Transport
from tests.contract.dialects import LOCAL, Dialect, Responses, configured
from tests.sockets import SocketServer
from tests.wire import Exchange, Script, WireServer

E = TypeVar("E", bound=LlmtermError)

# Every key of the suite begins like this, so that half a key is found as well.
KEY_MARK = "sk-contract"
KEY = f"{KEY_MARK}-0123456789abcdef"


@contextmanager
def fails(kind: type[E], match: str | None = None) -> Iterator[pytest.ExceptionInfo[E]]:
    """Expect one of our errors, and that no key can be seen in it or in what it came from."""
    with pytest.raises(kind, match=match) as caught:
        yield caught
    error: BaseException | None = caught.value
    shown = ["".join(traceback.format_exception(caught.value))]
    while error is not None:
        shown += [str(error), repr(error), repr(vars(error)), repr(error.args)]
        error = error.__cause__ or error.__context__
    assert KEY_MARK not in "".join(shown)


class InstantProgress(Progress):
    """Keeps what would be waited for, and does not wait. `said` has the lines worth keeping."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self.waits: list[tuple[float, str]] = []

    def say(self, line: str) -> None:
        self.said.append(line)

    async def wait(self, seconds: float, why: str) -> None:
        self.waits.append((seconds, why))


class LocalWire:
    """The part of `LocalProvider` behind a loaded engine: its wire, at a server that is there already.

    Its own provider switches off the timers of silence; here they are left on, for what the wire does about them.
    """

    name = "local"

    def __init__(self, server: WireServer) -> None:
        self._transport = Transport(socket=server.socket or None)
        self._address = server.address
        self._wire = wire(continuation="prefill")

    def continuation(self, model: str) -> Continuation:
        return "prefill"

    def says_stop(self, model: str) -> bool:
        return False

    def accepts(self, model: str) -> Accepts:
        return Accepts()

    def cannot_prefill(self, model: str) -> None:
        pass

    def stop(self, cursor: Cursor) -> None:
        pass

    def preparation(self, model: str) -> str:
        return ""

    async def open(self, request: Request, limits: StreamLimits, progress: Progress) -> WireStream:
        call = Call(
            who=self.name,
            model=request.model,
            url=f"{self._address}{LOCAL.path}",
            payload=self._wire.payload(request),
            headers={"authorization": f"Bearer {KEY}"},
            secrets=(KEY,),
        )
        return WireStream(await self._transport.open(call, limits), self._wire)

    def cost(self, model: str, usage: Usage) -> None:
        pass

    async def models(self) -> Sequence[str]:
        return []

    async def aclose(self) -> None:
        await self._transport.aclose()


class Answer:
    """An answer on its way, and all that has come of it. Close it in any case."""

    def __init__(self, stream: EventStream) -> None:
        self.events: list[StreamEvent] = []
        self._stream = stream

    async def read(self) -> Sequence[StreamEvent]:
        events = await self._stream.read()
        self.events += events
        return events

    async def until(self, text: str) -> None:
        """Read until this is the text, and no more."""
        while len(self.text) < len(text):
            assert await self.read(), "the answer is over"
        assert self.text == text

    async def to_end(self) -> Answer:
        """Read it all. A stream has one end, which comes last and stays."""
        while await self.read():
            pass
        ends = [isinstance(event, Finished) for event in self.events]
        assert ends.index(True) == len(ends) - 1
        assert not await self.read()
        return self

    async def aclose(self) -> None:
        await self._stream.aclose()

    @property
    def text(self) -> str:
        return "".join(event.text for event in self.events if isinstance(event, TextDelta))

    @property
    def thinking(self) -> str:
        return "".join(event.text for event in self.events if isinstance(event, ThinkingDelta))

    @property
    def usage(self) -> Usage | None:
        return next((event.usage for event in reversed(self.events) if isinstance(event, UsageReport)), None)

    @property
    def reason(self) -> EndReason | None:
        return next((event.reason for event in self.events if isinstance(event, Finished)), None)


def environment(dialect: Dialect, server: WireServer) -> dict[str, str]:
    """Return the variables of the provider's SDK that have it ask `server`, and nothing besides."""
    keys = dict.fromkeys(dialect.key_variables[:1], KEY)
    return {dialect.url_variable: f"{server.address}{dialect.url_path}", **keys} if dialect.url_variable else {}


def settings_of(dialect: Dialect, settings: Settings | None = None, **said: Any) -> Settings:
    """Return the settings with which a dialect is spoken, and that of its provider besides."""
    settings = settings or Settings()
    if dialect.name == "local":
        return settings
    remotes = settings.providers.remotes
    remote = replace(remotes[dialect.name], **configured(dialect), **said)
    return replace(settings, providers=replace(settings.providers, remotes={**remotes, dialect.name: remote}))


class Caller:
    """Use it in an `async with`. `progress` is that of all its questions."""

    def __init__(
        self,
        dialect: Dialect,
        script: Script,
        *,
        settings: Settings | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """`environ` comes on top of the variables of the SDK."""
        self.dialect = dialect
        self.progress = InstantProgress()
        self._script = script
        self._settings = settings or Settings()
        self._environ = environ or {}
        self._stack = ExitStack()

    async def __aenter__(self) -> Self:
        self.server = self._stack.enter_context(self._serve())
        self.provider = self._build()
        return self

    async def __aexit__(self, *exc: object) -> None:
        try:
            await self.provider.aclose()
        finally:
            self._stack.close()

    def _build(self) -> Provider:
        if self.dialect.name == "local":
            return LocalWire(self.server)
        environ = {**environment(self.dialect, self.server), **self._environ}
        return registry(settings_of(self.dialect, self._settings), environ).get(self.dialect.name)

    def _serve(self) -> WireServer:
        if self.dialect == Responses("websocket"):
            return SocketServer(self._script)
        return WireServer(self._script, socket=self._socket())

    def _socket(self) -> str:
        if self.dialect.name != "local" or not hasattr(socket, "AF_UNIX"):
            return ""
        # Short: the path of a socket has room for some hundred characters.
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="llmterm-"))
        return str(Path(folder) / "llama.sock")

    def request(self, question: str = "q", options: Options | None = None) -> Request:
        return Conversation().ask(question).request(model=self.dialect.model, options=options or Options())

    async def open(
        self, question: str = "q", *, limits: StreamLimits | None = None, options: Options | None = None
    ) -> Answer:
        request = self.request(question, options)
        return Answer(await self.provider.open(request, limits or StreamLimits(), self.progress))

    async def ask(
        self, question: str = "q", *, limits: StreamLimits | None = None, options: Options | None = None
    ) -> Answer:
        """Ask, read to the end, close."""
        answer = await self.open(question, limits=limits, options=options)
        try:
            return await answer.to_end()
        finally:
            await answer.aclose()


async def refuse(
    exchange: Exchange, dialect: Dialect, status: int, words: str, *, headers: Mapping[str, str] | None = None
) -> None:
    """Refuse the request as the provider would, its words followed by the key: some really repeat it."""
    body = dialect.refusal(status, f"{words} ({dialect.key(exchange.headers)})")
    # Content types lie: errors to a streaming request come with the type of streams.
    await exchange.refuse(status, body, content_type=dialect.content_type, **(headers or {}))


def answering(dialect: Dialect, *frames: bytes, end: bool = True) -> Script:
    """Return a script that answers everything with these frames, a chunk each, and then ends the body or breaks it."""

    async def script(exchange: Exchange) -> None:
        await exchange.start(content_type=dialect.content_type)
        for frame in filter(None, frames):
            await exchange.raw(frame)
        if end:
            await exchange.close()
        else:
            exchange.drop()

    return script
