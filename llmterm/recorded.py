"""A turn that records itself: all that is written of an answer to the store is written here.

Whoever has an answer to show, on a screen or through a pipe, plays the turn inside `async with`, and writes nothing
himself:

- at the beginning the question, or the answer of earlier that is gone on with, is opened on the record, and the turn
  started;
- meanwhile the record is one more reader of the turn's events. It learns from them who writes, and how he was asked,
  when the answer rests, is changed and resumed, and it writes down what comes at least every quarter of a second;
- at the end it is settled by the state that the turn is in: one that streams is paused, as the program is being ended;
  one that is over is finished, or discarded where nothing came of it; one that rests can be gone on with later; and
  where the answer has failed before anything came the question is off the record, and the session as it was before.

Nothing waits for the disk but who asks for `kept` or `finish`. A store that fails is told once, as an event of the
turn, and tried again: the answer is worth more than its copy.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import Enum
from types import TracebackType
from typing import Protocol, Self, assert_never

from llmterm.errors import LlmtermError, SessionError
from llmterm.events import Notice, Retraction, SegmentEnded, SegmentStarted, StateChanged, TurnEvent
from llmterm.messages import EndReason, Message, Mode, Reply, Status, TextDelta, ThinkingDelta, UsageReport
from llmterm.sessions import OpenAnswer
from llmterm.sessions.whole import HeldAnswer
from llmterm.states import AT_REST, TurnState
from llmterm.turn import Turn

# A quarter of a second may be lost, less what a timer, the telling of readers and the thread that writes may be late:
# it takes turns with a loop that draws.
KEPT_SECONDS = 0.15


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


class Session(Protocol):
    """Where an answer belongs."""

    @property
    def key(self) -> str:
        """What its requests have in common and no other has, "" where no other request is expected to follow."""
        ...

    @property
    def replacing(self) -> bool:
        """Whether what is being asked is in the place of an earlier question, or the same once more."""
        ...

    @property
    def again(self) -> bool:
        """Whether it is the same once more: its earlier answer is there."""
        ...

    async def ask(self, question: Message, who: HeldAnswer) -> Record:
        """Put the question on the record. Raises SessionError where that is refused: all is as it was then."""
        ...

    async def reopen(self, answer: OpenAnswer) -> Record:
        """Go on with the record of an answer. Raises SessionError where somebody else has."""
        ...

    def say(self, *messages: Message) -> None:
        """Have what was said, and is over, be part of the session."""
        ...

    async def withdraw(self) -> None:
        """Have the session be as it was before the question. Raises SessionError where somebody else has changed it."""
        ...


class Standing(Enum):
    """What an answer is on the record, and its question with it."""

    OPEN = "it streams, or rests, and can be gone on with"
    SAID = "it is over, and part of the session; where nothing came of it the question alone is"
    ELSEWHERE = "another program goes on with it, and with its record"
    WITHDRAWN = "nothing came of it, and the session is as it was before the question"


class RecordedTurn:
    """A turn and its record, which inside `async with` follows it.

    A turn that is done is not over for its record before `finish`, or the end: until then it can still be cut where it
    was shown. `rested` tells whether the answer has ever been at rest with something to go on from.
    """

    def __init__(
        self,
        turn: Turn,
        session: Session,
        asked: Message | OpenAnswer,
        every: Callable[[], float] = lambda: KEPT_SECONDS,
    ) -> None:
        """`turn` is ready, and answers the question `asked`; or it rests as that answer does on the record.

        What comes is written after as many seconds as `every` gives, at the latest.
        """
        self.turn = turn
        self.standing = Standing.OPEN
        self.rested = turn.state in AT_REST
        self._session = session
        self._asked = asked
        self._every = every
        self._reader = turn.reader()
        # Whether the answer is at rest as far as the record knows, and when at the latest it is to be written.
        self._rests = self.rested
        self._parted = False  # a part of the answer has ended, and nothing has been said of that
        self._due: float | None = None
        self._cursor = turn.reply.cursor
        self._over = asyncio.Event()
        if self._rests:
            self._reader.skip()

    async def __aenter__(self) -> Self:
        """Open the record, and start a turn that is ready. Raises SessionError where the session has changed."""
        turn, asked = self.turn, self._asked
        if isinstance(asked, OpenAnswer):
            self._record = await self._session.reopen(asked)
        else:
            who = HeldAnswer(provider=turn.provider.name, model=turn.request.model, options=turn.request.options)
            self._record = await self._session.ask(asked, who)
        turn.belong(self._session.key)
        if turn.state is TurnState.READY:
            turn.start()
        self._following = asyncio.create_task(self._follow(), name="llmterm-record")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.turn.detach(EndReason.CRASH)  # one that is over or at rest stays so
        self._following.cancel()
        await asyncio.wait({self._following})
        try:
            await self._settle()
        finally:
            self._reader.leave()
        if error is None:
            self._require_sound()

    async def kept(self) -> None:
        """Wait until all there is now is written: the whole answer where it rests, what came so far where it streams.

        A store that fails is not waited for.
        """
        self._require_sound()
        self._take_in()
        self._write()
        await self._record.settled()
        self._tell()

    async def over(self) -> None:
        """Wait until nothing more can come of the turn."""
        await self._over.wait()

    async def finish(self) -> None:
        """Close the record of an answer that is over, now; it is written then."""
        self._require_sound()
        self._take_in()
        await self._finish()

    def hand_over(self) -> None:
        """Write nothing more of it: another program has its record."""
        self.standing = Standing.ELSEWHERE

    async def _settle(self) -> None:
        """Have the record say what has become of the answer, where that was not said yet."""
        turn, came = self.turn, self.turn.reply.body or self.turn.reply.thoughts
        self._take_in()
        match turn.state:
            case _ if self.standing is not Standing.OPEN:
                pass
            case TurnState.DONE | TurnState.CANCELLED:
                await self._finish()
            case TurnState.FAILED if not self.rested and isinstance(turn.error, LlmtermError):
                await self._withdraw()
            case _ if self._session.again and not came:
                await self._withdraw()  # its earlier answer is more
            case _:
                self._write()

    async def _finish(self) -> None:
        session, reply = self._session, self.turn.reply
        question = () if isinstance(self._asked, OpenAnswer) else (self._asked,)
        stopped = self.turn.state is TurnState.CANCELLED
        self.standing = Standing.SAID
        if not stopped or reply.body or reply.thoughts:
            session.say(*question, self._record.finish(reply, "interrupted" if stopped else "complete"))
            await self._record.settled()
            return
        self._record.discard()
        if session.replacing:
            await self._withdraw()
        elif question:
            session.say(*question)

    async def _withdraw(self) -> None:
        self.standing = Standing.WITHDRAWN
        try:
            await self._session.withdraw()
        except SessionError as error:
            self.turn.note(Notice(str(error), failure=True))

    def _require_sound(self) -> None:
        """Raise what has ended the following: a bug of ours, which must not pass for a record."""
        if self._following.done() and not self._following.cancelled():
            self._following.result()

    async def _follow(self) -> None:
        loop = asyncio.get_running_loop()
        while self.standing is Standing.OPEN:
            if self._due is None:
                await self._reader.woken()
            else:  # more text is nothing to be woken for
                await self._reader.marked(self._due)
            if self._take_in() or (self._due is not None and loop.time() >= self._due):
                self._write()

    def _take_in(self) -> bool:
        """Read what has come; return whether it is to be written at once."""
        changed = False
        for entry in self._reader.pending():
            changed = self._note(entry.event) or changed
        if self.turn.reply.cursor != self._cursor:
            self._cursor = self.turn.reply.cursor
            self._due = self._due or asyncio.get_running_loop().time() + self._every()
        self._tell()
        return changed and self.turn.state in AT_REST

    def _note(self, event: TurnEvent) -> bool:
        """Take in an event; return whether the answer has changed in a way that is no growing."""
        match event:
            case TextDelta() | ThinkingDelta():
                self._due = self._due or asyncio.get_running_loop().time() + self._every()
            case SegmentStarted():
                self._begin(event)
            case SegmentEnded():
                self._parted = True
            case StateChanged(state, reason):
                self._parted = False
                self.rested = self.rested or state is TurnState.PAUSED
                if self.turn.over:
                    self._over.set()
                if state in AT_REST and self.turn.state is TurnState.STREAMING:
                    self._pause(reason)  # it was resumed in the same breath
                    return False
                return True
            case Retraction():
                return True
            case Notice() | UsageReport():
                pass
            case _:
                assert_never(event)
        return False

    def _begin(self, part: SegmentStarted) -> None:
        if self._parted and not self._rests:
            self._pause(EndReason.PAUSE)  # it was steered: what came before is a part by itself
        record, who = self._record, {"provider": part.provider, "model": part.model}
        if self._rests:
            record.resume(**who, mode=part.mode, guidance=part.guidance)
        else:
            record.move(**who, mode=part.mode)
        self._rests = self._parted = False

    def _write(self) -> None:
        self._due = None
        if self.standing is Standing.ELSEWHERE:
            return
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
