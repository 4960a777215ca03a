"""A provider that does what a test tells it, step by step, and remembers what it gave out."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from llmterm.messages import Continuation, Cursor, Finished, Request, StreamEvent, StreamLimits, TextDelta, Usage
from llmterm.progress import Progress
from llmterm.providers.attachments import Accepts


class ScriptedStream:
    """Events are given out in the batches in which they are put in; an exception put in is raised."""

    def __init__(self, provider: ScriptedProvider) -> None:
        self._provider = provider
        self._batches: asyncio.Queue[Sequence[StreamEvent] | Exception] = asyncio.Queue()
        self._over = False
        self.closed = self.detached = False

    def put(self, *events: StreamEvent) -> None:
        self._batches.put_nowait(events)

    def fail(self, error: Exception) -> None:
        self._batches.put_nowait(error)

    async def read(self) -> Sequence[StreamEvent]:
        assert not self.closed
        if self._over:
            return ()
        batch = await self._batches.get()
        if isinstance(batch, Exception):
            raise batch
        for event in batch:
            if isinstance(event, TextDelta):
                self._provider.given += event.text
            if isinstance(event, Finished):
                self._over = True
        return batch

    def rest(self) -> Sequence[StreamEvent]:
        """Everything that was put in up to now has been received."""
        events: list[StreamEvent] = []
        while not self._batches.empty() and not self._over:
            batch = self._batches.get_nowait()
            if isinstance(batch, Exception):
                break
            for event in batch:
                events.append(event)
                if isinstance(event, TextDelta):
                    self._provider.given += event.text
                if isinstance(event, Finished):
                    self._over = True
        return events

    async def aclose(self) -> None:
        self.closed = True

    async def detach(self) -> None:
        self.detached = self.closed = True

    async def steer(self, word: str) -> ScriptedStream | None:
        """Wait for what the test has follow, where anything can."""
        self._provider.words.append(word)
        return await self._provider.followers.get() if self._provider.steerable else None


class ScriptedProvider:
    """Keeps every request and every stream it was asked for; `given` is all the text that was read from it."""

    name = "scripted"

    def __init__(self, mode: Continuation = "prefill") -> None:
        self.mode = mode
        self.stops = False
        self.stopped: list[Cursor] = []
        self.requests: list[Request] = []
        self.streams: list[ScriptedStream] = []
        self.given = ""
        self.refuse: Exception | None = None
        self.steerable = False
        self.words: list[str] = []  # that an answer was steered by
        self.followers: asyncio.Queue[ScriptedStream | None] = asyncio.Queue()
        self.opened = asyncio.Event()

    def continuation(self, model: str) -> Continuation:
        return self.mode

    def says_stop(self, model: str) -> bool:
        return self.stops

    def accepts(self, model: str) -> Accepts:
        return Accepts()

    def cannot_prefill(self, model: str) -> None:
        self.mode = "instruct"

    def stop(self, cursor: Cursor) -> None:
        self.stopped.append(cursor)

    def preparation(self, model: str) -> str:
        return ""

    def cost(self, model: str, usage: Usage) -> float | None:
        return None

    async def models(self) -> Sequence[str]:
        return ["scripted-1"]

    async def open(self, request: Request, limits: StreamLimits, progress: Progress) -> ScriptedStream:
        self.requests.append(request)
        await asyncio.sleep(0)
        if self.refuse is not None:
            raise self.refuse
        stream = ScriptedStream(self)
        self.streams.append(stream)
        self.opened.set()
        return stream

    @property
    def stream(self) -> ScriptedStream:
        return self.streams[-1]

    async def aclose(self) -> None:
        pass
