"""A turn that records itself: all that is written of an answer to the store is written here.

The record is one more reader of the turn's events. It learns from them who writes, and how he was asked, and it writes
down what comes at least every quarter of a second; nothing waits for it but who asks for `kept`. A store that fails is
told once, as an event of the turn, and tried again: the answer is worth more than its copy.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Protocol, Self, assert_never

from llmterm.events import Notice, Retraction, SegmentEnded, SegmentStarted, StateChanged, TurnEvent
from llmterm.messages import EndReason, Message, Mode, Reply, Status, TextDelta, ThinkingDelta, UsageReport
from llmterm.states import AT_REST, TurnState
from llmterm.turn import Turn

# A quarter of a second may be lost, less what a timer, the telling of readers and the thread that writes may be late:
# it takes turns with a loop that draws.
_SECONDS = 0.15


class Record(Protocol):
    """The row of one answer. Nothing raises or waits here: what cannot be written now is written at the next chance."""

    def journal(self, reply: Reply) -> None:
        """It streams, and is that long by now."""
        ...

    def pause(self, reply: Reply, reason: EndReason) -> None:
        """It rests, and is `reply` now."""
        ...

    def resume(self, *, provider: str, model: str, mode: Mode, guidance: str) -> None:
        """It streams again."""
        ...

    def move(self, *, provider: str, model: str, mode: Mode) -> None:
        """What comes is from there, and asked for in that way: nobody else has begun it."""
        ...

    def finish(self, reply: Reply, status: Status) -> Message:
        """It is over, and this message now."""
        ...

    def discard(self) -> None:
        """Nothing came of it."""
        ...

    async def settled(self) -> None:
        """Wait until all of it is written, or is known not to be. Raises what was a bug in that."""
        ...

    def untold(self) -> str:
        """Return why the record is behind, once; "" where it is not."""
        ...


class RecordedTurn:
    """A turn and its record, which inside `async with` follows it. `finish` is the end of both.

    A turn that is done is not over for its record before that: it can still be cut where it was shown.
    """

    def __init__(self, turn: Turn, record: Record) -> None:
        """`turn` is ready, or rests as it is on the record."""
        self.turn = turn
        self._record = record
        self._reader = turn.reader()
        # Whether the answer is at rest as far as the record knows, and when at the latest it is to be written.
        self._rests = turn.state in AT_REST
        self._due: float | None = None
        self._over = False
        if self._rests:
            self._reader.skip()

    async def __aenter__(self) -> Self:
        self._following = asyncio.create_task(self._follow(), name="llmterm-record")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._following.cancel()
        await asyncio.wait({self._following})
        if not self._over and (self._take_in() or self._due is not None):
            self._write()
        self._reader.leave()

    async def kept(self) -> None:
        """Wait until all there is now is written: the whole answer where it rests, what came so far where it streams.

        A store that fails is not waited for.
        """
        self._require_sound()
        self._take_in()
        self._write()
        await self._record.settled()
        self._tell()

    async def finish(self) -> Message | None:
        """Close the record of an answer that is over; return it once it is written, unless nothing of it came."""
        self._require_sound()
        self._take_in()
        self._over = True
        stopped, reply = self.turn.state is TurnState.CANCELLED, self.turn.reply
        if stopped and not reply.body and not reply.thoughts:
            self._record.discard()
            return None
        message = self._record.finish(reply, "interrupted" if stopped else "complete")
        await self._record.settled()
        return message

    def _require_sound(self) -> None:
        """Raise what has ended the following: a bug of ours, which must not pass for a record."""
        if self._following.done():
            self._following.result()

    async def _follow(self) -> None:
        loop = asyncio.get_running_loop()
        while not self._over:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(self._due):
                    await self._reader.arrived()
            if self._take_in() or (self._due is not None and loop.time() >= self._due):
                self._write()

    def _take_in(self) -> bool:
        """Read what has come; return whether it is to be written at once."""
        changed = False
        for entry in self._reader.pending():
            changed = self._note(entry.event) or changed
        self._tell()
        return changed and self.turn.state in AT_REST

    def _note(self, event: TurnEvent) -> bool:
        """Take in an event; return whether the answer has changed in a way that is no growing."""
        match event:
            case TextDelta() | ThinkingDelta():
                self._due = self._due or asyncio.get_running_loop().time() + _SECONDS
            case SegmentStarted(provider=provider, model=model, mode=mode, guidance=guidance) if self._rests:
                self._record.resume(provider=provider, model=model, mode=mode, guidance=guidance)
                self._rests = False
            case SegmentStarted(provider=provider, model=model, mode=mode):
                self._record.move(provider=provider, model=model, mode=mode)
            case StateChanged(state, reason) if state in AT_REST and self.turn.state is TurnState.STREAMING:
                self._pause(reason)  # it was resumed in the same breath
            case StateChanged() | Retraction():
                return True
            case Notice() | UsageReport() | SegmentEnded():
                pass
            case _:
                assert_never(event)
        return False

    def _write(self) -> None:
        self._due = None
        if self.turn.state in AT_REST:
            self._pause(self.turn.reason)
        elif self.turn.state is not TurnState.CANCELLED:
            self._record.journal(self.turn.reply)
        self._tell()

    def _pause(self, reason: EndReason | None) -> None:
        self._record.pause(self.turn.reply, reason or self.turn.reason)
        self._rests = True

    def _tell(self) -> None:
        if trouble := self._record.untold():
            self.turn.note(Notice(trouble, failure=True))
