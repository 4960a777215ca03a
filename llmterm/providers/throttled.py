"""A provider that is held back to so many tokens a second, for readers whose eyes, or whose pipes, are slow."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence

from llmterm.messages import (
    Request,
    Rope,
    StreamEvent,
    StreamLimits,
    TextDelta,
    ThinkingDelta,
)
from llmterm.progress import Progress
from llmterm.providers import EventStream, Provider
from llmterm.providers.around import ProviderAround
from llmterm.streams import throttle
from llmterm.tokens import of_answer


class ThrottledProvider(ProviderAround):
    """Answers as `provider` does, but no faster than `per_second` tokens."""

    def __init__(self, provider: Provider, per_second: float) -> None:
        super().__init__(provider)
        self._per_second = per_second

    async def open(self, request: Request, limits: StreamLimits, progress: Progress) -> EventStream:
        return ThrottledStream(await self._provider.open(request, limits, progress), self._per_second)


class ThrottledStream:
    """An `EventStream` whose reads take their time. What waits here is not lost where one is cancelled."""

    def __init__(self, stream: EventStream, per_second: float) -> None:
        self._stream = stream
        self._waiting: deque[Sequence[StreamEvent]] = deque()
        self._paced = throttle(self._tokens(), per_second)

    async def read(self) -> Sequence[StreamEvent]:
        try:
            events = await anext(self._paced)
        except StopAsyncIteration:
            return ()
        self._waiting.popleft()
        return events

    def rest(self) -> Sequence[StreamEvent]:
        waiting = [event for events in self._waiting for event in events]
        self._waiting.clear()
        return (*waiting, *self._stream.rest())

    async def aclose(self) -> None:
        await self._paced.aclose()
        await self._stream.aclose()

    async def detach(self) -> None:
        await self._paced.aclose()
        await self._stream.detach()

    async def steer(self, word: str) -> None:
        pass  # what follows would be as fast as it comes

    async def _tokens(self) -> AsyncGenerator[Sequence[StreamEvent], None]:
        """Yield what comes, token by token; each waits until it was read."""
        while events := await self._stream.read():
            self._waiting.extend(by_token(events))
            while self._waiting:
                yield self._waiting[0]


def by_token(events: Iterable[StreamEvent]) -> list[list[StreamEvent]]:
    """Return the events in groups of about a token each: its text, and what comes with it."""
    groups: list[list[StreamEvent]] = []
    for event in events:
        match event:
            case TextDelta(text, chunks) | ThinkingDelta(text, chunks):
                groups += ([type(event)(*piece)] for piece in _pieces(text, chunks))
            case _ if groups:
                groups[-1].append(event)
            case _:
                groups.append([event])
    return groups


def _pieces(text: str, chunks: int) -> Iterator[tuple[str, int]]:
    """Yield a text that came in so many chunks in pieces of a token each, with how many chunks each counts for."""
    size = -(-len(text) // max(1, of_answer(chunks, Rope.of(text)))) or 1
    starts = range(0, max(1, len(text)), size)
    for number, start in enumerate(starts, 1):
        counts = chunks if number == len(starts) else min(1, chunks)
        chunks -= counts
        yield text[start : start + size], counts
