"""Keeps the sessions of a chat on the record, in a thread that waits for the disk and for others in the loop's place.

What is in hand is what counts: the loop says what has changed, and how all of it is now, and goes on. It goes on while
the store is locked, full, read-only or gone as well, and where the file was deleted or replaced, of whose rows nothing
is known any more; then all of it is written at the next chance, as a whole.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from threading import Lock
from typing import TypeVar

from llmterm.errors import SessionError, StoreError
from llmterm.lane import Driver, Lane
from llmterm.sessions import SessionStore
from llmterm.sessions.kept import Record
from llmterm.sessions.whole import HeldSession

T = TypeVar("T")

# How often a store that failed is tried again while nothing else happens.
_CATCHING_UP_SECONDS = 1.0
# How long who wants to be sure waits at the most: a store that is locked fails sooner, a disk may never answer.
_PATIENCE = 2.0
_SILENT = StoreError("the store does not answer", hint="is its disk there?")


Write = Callable[[SessionStore, Record], object]


@dataclass(slots=True, eq=False)
class Change:
    """A step of a session that is written at once where that can be; `held` is all of the session after it.

    `otherwise` is what the record is to know where it was not written. What another process has changed is refused,
    unless the change is about this session's `own` answer, or nobody waits to hear of that any more.
    """

    held: HeldSession
    write: Write
    otherwise: Callable[[Record], None] | None = None
    own: bool = False
    settled: bool = False


class Keeper:
    """Writes to `store`. `behind`: not all of the session that is in hand is on the record; `lost`: nor will it be."""

    def __init__(self, store: SessionStore, record: Record, driver: Driver | None = None) -> None:
        """`store` is used in a thread alone, and `record` is where the session is.

        With a `driver` both its thread and the store are others', too: it stays open.
        """
        self._store = store
        self._shares = driver is not None
        # How often others had written into the file when it was looked at last.
        self._seen = store.touches
        self._lane = Lane("llmterm-record", idle=self._keep_up, seconds=_CATCHING_UP_SECONDS, driver=driver)
        self._lock = Lock()
        # What the thread knows: the session in hand, and where it is.
        self._record = record
        self._held: HeldSession | None = None
        self.behind = False
        self._elsewhere = False
        # Sessions that were left before they could be written.
        self._left: tuple[HeldSession, ...] = ()
        # Why something is not kept; what is to be said of that, and of what is.
        self._trouble = SessionError("nothing is wrong")
        self._untold: deque[SessionError] = deque()
        self._news: deque[str] = deque()
        self._bug: Exception | None = None
        self._silent = False
        self.lost = False

    @property
    def owes(self) -> bool:
        """Whether anything that was said is not on the record, as far as that is known."""
        return self.behind or bool(self._left)

    # On the loop

    def put(self, change: Change, *, instead_of: object = None) -> None:
        """Have it written, without waiting; in the place of the last one for the same, if that is not written yet."""
        change.own = True
        self._lane.put(lambda: self._caught(lambda: self._attempt(change)), instead_of=instead_of)

    async def attempt(self, change: Change) -> bool:
        """Write to the record, and tell whether that was done; else all of it is written at the next chance.

        What another process has changed is refused, as a SessionError.
        """
        outcome = self._lane.run(lambda: self._attempt(change))
        await asyncio.wait({outcome}, timeout=_PATIENCE)
        if not outcome.done():
            with self._lock:
                change.own = True  # it was not refused, and can not be any more
                settled = change.settled
            if not settled:
                self._heard(silent=True)
                return False
        return await outcome

    async def use(self, use: Callable[[SessionStore], T]) -> T:
        """Return what the store has once all is written that was said; raises what it raises."""
        return await self._lane.run(lambda: use(self._store))

    async def settled(self) -> None:
        """Wait until all that was said is written, or is known not to be. Raises what was a bug in that."""
        outcome = self._lane.run(bool)
        await asyncio.wait({outcome}, timeout=_PATIENCE)
        self._heard(silent=not outcome.done())
        bug, self._bug = self._bug, None
        if bug is not None:
            raise bug

    def turn(self, record: Record, held: HeldSession) -> None:
        """Go over to another session; what is owed of the one in hand is written when that can be."""
        self._lane.put(lambda: self._caught(lambda: self._turn(record, held)))

    async def rest(self) -> None:
        """Let go of the file until the next change, once all is written: it can be copied, moved and replaced then."""
        self._lane.put(lambda: self._caught(self._store.rest))
        await self.settled()

    async def require(self, session_id: str) -> None:
        """Raise SessionError where not all of that session is on the record."""
        await self.use(lambda _: self._catch_up())
        if (self.behind and session_id == self._record.id) or session_id in [each.id for each in self._left]:
            trouble = self._trouble
            raise SessionError(f"session {session_id} is not kept yet: {trouble.message}", hint=trouble.hint)

    def require_usable(self) -> None:
        """Raise StoreError where the store is none that can ever be used: no waiting helps."""
        if self.owes and isinstance(self._trouble, StoreError) and self._trouble.lasting:
            raise self._trouble

    def untold(self) -> str:
        """Return why something is not kept, if that was not said yet."""
        trouble = self._untold.popleft() if self._untold else None
        if trouble is None or not (self.owes or trouble is _SILENT):
            return ""
        hints = (trouble.hint, "the chat goes on, and tries again")
        return str(StoreError(f"not kept yet: {trouble.message}", hint="; ".join(filter(None, hints))))

    def news(self) -> list[str]:
        """Return what there is to say about the record, once."""
        return [self._news.popleft() for _ in range(len(self._news))]

    def abandon(self) -> None:
        """Owe nothing more: another process has the session, and what was said in it."""
        self._lane.put(self._abandon)

    async def last_chance(self, seconds: float) -> None:
        """Put on the record what is not there yet, wait that long for a store that somebody else keeps locked, and end.

        It is waited for also where the task is cancelled meanwhile. Raises StoreError for what is lost now.
        """
        outcome = self._lane.run(lambda: self._last_chance(seconds))
        deadline = asyncio.get_running_loop().time() + seconds + _PATIENCE
        cancelled = False
        while not outcome.done() and (left := deadline - asyncio.get_running_loop().time()) > 0:
            try:
                await asyncio.wait({outcome}, timeout=left)
            except asyncio.CancelledError:
                cancelled = True
        self._lane.close()
        if cancelled:
            raise asyncio.CancelledError
        self.lost = True
        if not outcome.done():
            raise StoreError(f"what was said last could not be kept: {_SILENT.message}", hint=_SILENT.hint)
        outcome.result()
        self.lost = False

    def _heard(self, *, silent: bool) -> None:
        if silent and not self._silent:
            self._untold.append(_SILENT)
        self._silent = silent

    # In the thread

    def _caught(self, work: Callable[[], object]) -> None:
        try:
            work()
        except Exception as error:
            self._bug = error

    def _attempt(self, change: Change) -> bool:
        kept = self._catch_up() and self._written(change)
        self._held = change.held
        if not kept and change.otherwise is not None:
            change.otherwise(self._record)
        change.settled = True
        return kept

    def _written(self, change: Change) -> bool:
        try:
            change.write(self._store, self._record)
        except SessionError as error:
            with self._lock:
                if not (change.own or isinstance(error, StoreError)):
                    change.settled = True
                    raise
            if not self.owes:
                self._untold.append(error)
            self.behind, self._trouble = True, error
        return not self.behind

    def _catch_up(self) -> bool:
        """Put on the record what is not there yet; tell whether the session in hand is."""
        store, record = self._store, self._record
        try:
            moved = store.moved(record.id, record.head, since=self._seen)
            self._seen = store.touches
            if moved:
                self._follow()
            if not self.owes:
                return True
            while self._left:
                store.put(self._left[0])
                self._left = self._left[1:]
            if self.behind:
                self._settle(self._placed())
        except SessionError as error:
            self._trouble = error
            return not self.behind
        self._news.append("what was said is kept now")
        return True

    def _follow(self) -> None:
        """The file was deleted or replaced: nothing is known of the one that is there now."""
        self._store.accept()
        self._seen = self._store.touches
        self._left = tuple(replace(each, elsewhere=True) for each in self._left)
        if self._record.id is not None and self._held is not None and self._held.whole:
            self._elsewhere = self.behind = True
            self._news.append(f"{self._store.path} was deleted, or another file was put in its place")

    def _placed(self) -> HeldSession:
        """Return the session in hand, and where it is on the record."""
        held, record = self._held, self._record
        assert held is not None
        return replace(
            held,
            id=record.id,
            rows=dict(record.rows),
            head=record.head,
            # Of an answer that is in hand, and of one that is over or dropped, which the record may not know.
            obsolete=record.obsolete | record.answers,
            elsewhere=self._elsewhere,
        )

    def _settle(self, held: HeldSession) -> None:
        """Write the session as it is in hand, and take note of where it is then."""
        record, before = self._record, self._record.id
        put, log = self._store.put(held)
        if None not in (before, put.id) and put.id != before:
            self._news.append(f"session {before} was changed elsewhere: this one is {put.id} now")
        record.id, record.head, record.rows = put.id, put.head, dict(put.rows)
        record.obsolete, record.answer, record.log = {}, put.answer, log
        self.behind = self._elsewhere = False
        if put.id is not None:
            record.forks = self._store.forks(put.id)
        else:
            record.forks = {}

    def _abandon(self) -> None:
        self.behind, self._left = False, ()

    def _turn(self, record: Record, held: HeldSession) -> None:
        if not self._catch_up():
            self._left = (*self._left, self._placed())
        self._record, self._held = record, held
        self.behind = self._elsewhere = False

    def _keep_up(self) -> None:
        """Look after the record while nothing else happens."""
        self._caught(self._catch_up)
        answer = self._held.answer if self._held is not None else None
        if not self._shares and (answer is None or answer.reason is not None):
            self._caught(self._store.rest)

    def _last_chance(self, seconds: float) -> None:
        try:
            self._catch_up()
            if self.owes:
                with self._store.patient(seconds):
                    self._catch_up()
        finally:
            if not self._shares:
                with suppress(StoreError):
                    self._store.close()
        if self.owes:
            trouble = self._trouble
            raise StoreError(f"what was said last could not be kept: {trouble.message}", hint=trouble.hint)
