"""One question and several answers to it at once, on the record: they stand beside each other, as its versions.

All is written in one thread, which waits for a disk and for other processes in the loop's place, in the order in which
it was said. What cannot be written is told once, and tried again with what comes next of the same answer, and at the
end: each step that ends an answer says all of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import NoReturn

from llmterm.errors import SessionError, StoreError
from llmterm.lane import Lane
from llmterm.messages import Message
from llmterm.sessions import AnswerLog, OpenAnswer, SessionStore, StoredSession
from llmterm.sessions.answer_record import AnswerRecord, Step
from llmterm.sessions.record import LAST
from llmterm.sessions.whole import HeldAnswer

# How long an answer that begins, or rests, waits for the disk: as long as in a chat.
_PATIENCE = 2.0


class SeveralAnswers:
    """The question of a session, which it begins where `asked` is 0, the row of a question that is there."""

    def __init__(
        self, store: SessionStore, *, system: str = "", session_id: str | None = None, asked: int = 0, piped: bool
    ) -> None:
        """`store` is used in a thread alone. `piped`: the answers are asked for through a pipe."""
        self.id = session_id
        self.piped = piped
        self.answers: list[AnswerBeside] = []
        self._store = store
        self._lane = Lane("llmterm-versions")
        self._system = system
        self._own = not asked
        self._question = asked
        self._trouble: SessionError | None = None
        self._told = False
        self._bug: Exception | None = None

    def answer(self) -> AnswerBeside:
        """Return the record of one more answer."""
        self.answers.append(AnswerBeside(self))
        return self.answers[-1]

    async def keep(self, row: int) -> StoredSession:
        """Have the session go through that message, and return it. Raises SessionError where it is not there."""
        return await self._lane.run(lambda: self._store.switch(self.id or "", row, last=LAST, leaving=True))

    async def aclose(self) -> None:
        """Write what is still to be written; a question without any answer is not kept. Raises StoreError."""
        outcome = self._lane.run(self._end)
        self._lane.close()
        await outcome
        if self._bug is not None:
            raise self._bug

    async def settled(self) -> bool:
        """Wait until all is written that was said, or is known not to be; tell whether that came soon."""
        done, _ = await asyncio.wait({self._lane.run(bool)}, timeout=_PATIENCE)
        return bool(done)

    def untold(self) -> str:
        """Return why something is not kept, once."""
        if self._trouble is None or self._told:
            return ""
        self._told = True
        return f"not kept yet: {self._trouble}"

    def put(self, work: Callable[[], object], growing: object = None) -> None:
        self._lane.put(lambda: self._tried(work), instead_of=growing)

    async def run(self, work: Callable[[], object]) -> None:
        """Have it done, and wait for that, but not for a disk that does not answer."""
        await asyncio.wait({self._lane.run(lambda: self._tried(work))}, timeout=_PATIENCE)

    # In the thread

    def begin(self, question: Message, held: HeldAnswer) -> AnswerLog:
        store = self._store
        if self.id is None:
            self.id = store.create(system=self._system)
        if not self._question:
            self._question = store.add(self.id, question)
        return store.begin(
            self.id,
            provider=held.provider,
            model=held.model,
            options=held.options,
            piped=held.piped,
            after=self._question,
        )

    def _tried(self, work: Callable[[], object]) -> bool:
        try:
            work()
        except SessionError as error:
            self._trouble = error
            return False
        except Exception as error:  # a bug, which is to end the program, and not the thread
            self._bug = error
            return False
        return True

    def _end(self) -> None:
        try:
            kept = [self._tried(answer.catch_up) for answer in self.answers]
            if self._own and self.id is not None and not any(answer.row for answer in self.answers):
                self._store.withdraw(self.id, [self._question], 0)
                self._store.drop_empty(self.id)
                self.id = None
        finally:
            self._store.close()
        if not all(kept) and self._trouble is not None:
            raise StoreError(f"not all answers could be kept: {self._trouble.message}", hint=self._trouble.hint)


class AnswerBeside:
    """The record of one of the answers: the session of its turn, as far as that is about nothing else."""

    # Its question is asked once more, and not in the place of another.
    replacing = False
    again = True

    def __init__(self, several: SeveralAnswers) -> None:
        self._several = several
        self._question = Message(role="user")
        self._record: AnswerRecord | None = None
        self._log: AnswerLog | None = None
        # The last step that could not be written; each says all that those before it do.
        self._owed: Step | None = None

    @property
    def key(self) -> str:
        """What the requests of its session have in common, "" where no other is expected to follow."""
        return "" if self._several.piped else self._several.id or ""

    @property
    def row(self) -> int:
        """Its row, 0 where there is none, or none any more."""
        return self._log.message_id if self._log is not None and not self._dropped else 0

    async def ask(self, question: Message, who: HeldAnswer) -> AnswerRecord:
        self._question = question
        self._record = AnswerRecord(self, replace(who, piped=self._several.piped))
        await self._several.run(self._begin)
        return self._record

    async def reopen(self, answer: OpenAnswer) -> NoReturn:
        raise SessionError("an answer of several is gone on with in a chat", hint="llmterm chat --continue")

    def say(self, *messages: Message) -> None:
        pass  # it is on the record, and nobody has the session in hand

    async def withdraw(self) -> None:
        if self._record is not None:
            self._record.discard()
            await self._several.settled()

    def write_answer(self, step: Step, *, growing: object = None) -> None:
        self._several.put(lambda: self._write(step), growing)

    async def settled(self) -> None:
        await self._several.settled()

    def untold(self) -> str:
        return self._several.untold()

    @property
    def _dropped(self) -> bool:
        return self._record is not None and self._record.dropped

    # In the thread

    def catch_up(self) -> None:
        """Write what could not be written."""
        if self._record is None or (self._log is None and self._dropped):
            return
        log = self._begin()
        if self._owed is not None:
            self._owed(log)
            self._owed = None

    def _begin(self) -> AnswerLog:
        if self._log is None:
            assert self._record is not None
            self._log = self._several.begin(self._question, self._record.held)
        return self._log

    def _write(self, step: Step) -> None:
        self._owed = step
        self.catch_up()
