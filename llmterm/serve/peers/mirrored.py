"""A turn that lives at another instance, as it is read here; and the log that goes on here once nobody has it."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from llmterm import tokens
from llmterm.errors import LlmtermError, ProviderError
from llmterm.eventlog import EventLog, Reader
from llmterm.events import Entry, SegmentEnded, SegmentStarted, StateChanged
from llmterm.messages import EndReason, Reply, Segment, Timing, Usage
from llmterm.serve.audience import Audience
from llmterm.states import TurnState

_FAILURES = (EndReason.NETWORK, EndReason.TIMEOUT, EndReason.ERROR)
# Seconds that what another instance has done may take to be told here.
_PATIENCE = 5.0


class MirroredTurn:
    """Its log has what was told, at the same places. What is to be done with it is done where it lives."""

    def __init__(self, turn_id: str, session_id: str | None, first: int) -> None:
        """Its log is counted from `first`, as the one that is mirrored."""
        self.id = turn_id
        self.session_id = session_id
        self.log = EventLog(first=first)
        self.audience = Audience()
        self.lost = False
        self.reason: EndReason | None = None
        self.words = ""
        self.model = ("", "")
        # What is being written: who was asked, and where in the text that began.
        self._writing: tuple[SegmentStarted, int] | None = None

    @property
    def state(self) -> TurnState:
        return self.log.state

    @property
    def over(self) -> bool:
        return self.state in (TurnState.DONE, TurnState.CANCELLED)

    @property
    def reply(self) -> Reply:
        return self.log.reply

    @property
    def places(self) -> range:
        return range(self.log.first, self.log.seq + 1)

    @property
    def error(self) -> LlmtermError | None:
        """Why it has failed, as far as its readers are told."""
        if self.words and (self.state is TurnState.FAILED or self.reason in _FAILURES):
            return ProviderError(self.words)
        return None

    def reader(self, after: int = 0) -> Reader:
        return self.audience.joined(self.log.reader(after))

    def take(self, entry: Entry) -> None:
        """Take in what was told, unless it was taken in already."""
        if entry.seq <= self.log.seq:
            return
        self.log.take(entry)
        match entry.event:
            case StateChanged(_, reason, words):
                self.reason, self.words = reason, words
            case SegmentStarted(provider=provider, model=model) as started:
                self.model = (provider, model)
                self._writing = (started, len(self.reply.body))
            case SegmentEnded():
                self._writing = None
            case _:
                pass

    async def reached(self, seq: int) -> None:
        """Wait until what was told up to that place is here; not for ever."""
        reader = self.log.reader(self.log.seq)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(_PATIENCE):
                    while self.log.seq < seq:
                        reader.skip()
                        await reader.arrived()
        finally:
            reader.leave()

    def rest(self) -> None:
        """Have it rest where it was cut, as whoever made it is no more."""
        if self.state is not TurnState.STREAMING:
            return
        if self._writing is not None:
            self.take(Entry(self.log.seq + 1, SegmentEnded(self._cut(*self._writing))))
        self.take(Entry(self.log.seq + 1, StateChanged(TurnState.PAUSED, EndReason.CRASH)))

    def _cut(self, started: SegmentStarted, start: int) -> Segment | None:
        """Return the record of what was being written; None where nothing came."""
        body = self.reply.body
        start = min(start, len(body))
        if start == len(body) and not started.guidance:
            return None
        return Segment(
            provider=started.provider,
            model=started.model,
            mode=started.mode,
            start=start,
            end=len(body),
            end_reason=EndReason.CRASH,
            usage=Usage(output_tokens=tokens.of_answer(0, body, start), estimated=True),
            timing=Timing(duration_ms=0),
            guidance=started.guidance,
        )
