"""A provider that stands between a turn and another provider, sees what passes, and can stop it after a character."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

from llmterm.messages import Request, StreamEvent, StreamLimits, TextDelta, UsageReport
from llmterm.progress import Progress
from llmterm.providers import EventStream, Provider
from llmterm.providers.around import ProviderAround


class Watched(ProviderAround):
    """`raw` is the text of the last stream as it came, `ends` where each of its chunks ended in the answer.

    With `until`, the length of an answer, nothing beyond it passes; `reached` is set when all before it was taken.
    """

    def __init__(self, provider: Provider) -> None:
        super().__init__(provider)
        self.until: int | None = None
        self.reached = asyncio.Event()
        self.raw = ""
        self.ends: list[int] = []

    async def open(self, request: Request, limits: StreamLimits, progress: Progress) -> EventStream:
        self.raw, self.ends = "", []
        part = request.messages[-1] if request.messages[-1].role == "assistant" else None
        return _WatchedStream(self, await self._provider.open(request, limits, progress), len(part.text) if part else 0)


class _WatchedStream:
    def __init__(self, watched: Watched, stream: EventStream, start: int) -> None:
        """`start` is how long the answer is before this stream's text."""
        self._watched = watched
        self._stream = stream
        self._end = start

    @property
    def _full(self) -> bool:
        return self._watched.until is not None and self._end >= self._watched.until

    async def read(self) -> Sequence[StreamEvent]:
        if self._full:
            self._watched.reached.set()
            await asyncio.Event().wait()
        return list(self._passing(await self._stream.read()))

    def rest(self) -> Sequence[StreamEvent]:
        return list(self._passing(self._stream.rest()))

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def detach(self) -> None:
        await self._stream.detach()

    async def steer(self, word: str) -> None:
        pass

    def _passing(self, events: Sequence[StreamEvent]) -> Iterator[StreamEvent]:
        """Yield what passes: the tokens up to a text go with it."""
        passes = not self._full
        for event in events:
            if not isinstance(event, UsageReport):
                passes = not self._full
            if passes:
                yield self._pass(event)

    def _pass(self, event: StreamEvent) -> StreamEvent:
        if not isinstance(event, TextDelta):
            return event
        until = self._watched.until
        text = event.text if until is None else event.text[: until - self._end]
        self._end += len(text)
        self._watched.raw += text
        self._watched.ends.append(self._end)
        return TextDelta(text, event.chunks)
