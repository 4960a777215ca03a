"""A provider whose generations go on without a reader, one event at a read: what a cursor is for, without a network."""

from __future__ import annotations

from collections.abc import Sequence

from llmterm.errors import CursorRefusedError, NetworkError
from llmterm.messages import (
    Continuation,
    Cursor,
    CursorMoved,
    EndReason,
    Finished,
    Request,
    StreamEvent,
    StreamLimits,
    Usage,
    UsageReport,
)
from llmterm.progress import Progress
from llmterm.providers.attachments import Accepts

# What each generation takes.
TOOK = Usage(input_tokens=100, output_tokens=50)


class GenerationStream:
    """Reads a generation on behind so many of its events, up to where `provider.breaks` says that it breaks.

    Before the first it says that it has begun.
    """

    def __init__(self, provider: GenerationProvider, number: int, at: int) -> None:
        self._provider = provider
        self._number = number
        self._at = at
        self._events = provider.generations[number]

    async def read(self) -> Sequence[StreamEvent]:
        if self._at == self._provider.breaks:
            self._provider.breaks = None
            raise NetworkError("the connection broke")
        if self._at > len(self._events):
            return ()
        return self._next()

    def _next(self) -> Sequence[StreamEvent]:
        at = self._at
        self._at += 1
        if at < 0:
            return [CursorMoved({"number": self._number, "after": 0})]  # it has begun
        if at == len(self._events):
            return [UsageReport(TOOK), Finished(EndReason.STOP)]
        return [self._events[at], CursorMoved({"number": self._number, "after": at + 1})]

    def rest(self) -> Sequence[StreamEvent]:
        """Of what had not been read one more has come."""
        return self._next() if self._at <= len(self._events) and self._provider.bursts else ()

    async def aclose(self) -> None:
        if self._at <= len(self._events):
            self._provider.ended.append(self._number)

    async def detach(self) -> None:
        pass

    async def steer(self, word: str) -> None:
        pass


class GenerationProvider:
    """Answers every question with the next of `answers`. `bursts`: whenever a reader leaves, something has just come.

    `kept` says whether it has still what it has made. `ended` are those that were stopped before their end.
    """

    name = "generating"

    def __init__(self, *answers: Sequence[StreamEvent]) -> None:
        self.answers = [*answers]
        self.generations: list[Sequence[StreamEvent]] = []
        self.requests: list[Request] = []
        self.ended: list[int] = []
        self.breaks: int | None = None
        self.bursts = False
        self.kept = True

    def continuation(self, model: str) -> Continuation:
        return "instruct"

    def says_stop(self, model: str) -> bool:
        return False

    def accepts(self, model: str) -> Accepts:
        return Accepts()

    def cannot_prefill(self, model: str) -> None:
        pass

    def stop(self, cursor: Cursor) -> None:
        self.ended.append(cursor.place["number"])

    def preparation(self, model: str) -> str:
        return ""

    def cost(self, model: str, usage: Usage) -> float | None:
        return usage.input_tokens + usage.output_tokens

    async def models(self) -> Sequence[str]:
        return ["m"]

    async def open(self, request: Request, limits: StreamLimits, progress: Progress) -> GenerationStream:
        self.requests.append(request)
        if (cursor := request.cursor) is not None:
            if not self.kept:
                raise CursorRefusedError("it is not kept any more")
            return GenerationStream(self, cursor.place["number"], cursor.place["after"])
        self.generations.append(self.answers.pop(0))
        return GenerationStream(self, len(self.generations) - 1, -1)

    async def aclose(self) -> None:
        pass
