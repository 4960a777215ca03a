"""An answer that is asked for when it is first read, and again, as its endpoint sees fit, until something of it comes.

Asking is part of the first `read`, so that a pause during a wait, or between headers and first token, is like any
other: what has come is in `rest`, and `aclose` ends the rest.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from llmterm.errors import LlmtermError
from llmterm.messages import Carried, Cited, StreamEvent, UsageReport
from llmterm.progress import Progress
from llmterm.providers import EventStream
from llmterm.transport import Endpoint


class RetryingStream:
    """An `EventStream` over the streams that `open` gives for a key, of which the first with content counts."""

    def __init__(
        self, endpoint: Endpoint, open: Callable[[str], Awaitable[EventStream]], *, tokens: int, progress: Progress
    ) -> None:
        """`tokens`: about what the request takes of a limit of tokens."""
        self._endpoint = endpoint
        self._open = open
        self._tokens = tokens
        self._progress = progress
        self._stream: EventStream | None = None
        self._early: list[StreamEvent] = []
        self._begun = False

    async def read(self) -> Sequence[StreamEvent]:
        if self._begun and self._stream is not None:
            return await self._stream.read()
        await self._endpoint.begin(self._attempt, tokens=self._tokens, progress=self._progress)
        self._begun = True
        return self._take_early()

    def rest(self) -> Sequence[StreamEvent]:
        return [*self._take_early(), *(self._stream.rest() if self._stream is not None else ())]

    async def aclose(self) -> None:
        with self._leaving():
            if self._stream is not None:
                await self._stream.aclose()

    async def detach(self) -> None:
        with self._leaving():
            if self._stream is not None:
                await self._stream.detach()

    async def steer(self, word: str) -> RetryingStream | None:
        stream = await self._stream.steer(word) if self._begun and self._stream is not None else None
        if stream is None:
            return None
        following = RetryingStream(self._endpoint, self._open, tokens=self._tokens, progress=self._progress)
        following._stream = stream
        following._begun, self._begun = self._begun, False  # with the place among the concurrent ones
        return following

    @contextmanager
    def _leaving(self) -> Iterator[None]:
        held, self._begun = self._begun, False
        try:
            yield
        finally:
            if held:
                self._endpoint.leave()

    async def _attempt(self, key: str) -> None:
        """Open a stream and read until there is more of it than figures or sources; one that fails is closed.

        A generation that can be read on has begun before its first word.
        """
        self._stream = None
        stream = self._stream = await self._open(key)
        try:
            while all(isinstance(event, UsageReport | Carried | Cited) for event in self._early):
                events = await stream.read()
                self._early += events
                if not events:
                    break
        except LlmtermError:
            self._stream = None
            self._early.clear()
            with suppress(LlmtermError):
                await stream.detach()  # what was to be read on is not to end, as it is tried again
            raise

    def _take_early(self) -> list[StreamEvent]:
        early, self._early = self._early, []
        return early
