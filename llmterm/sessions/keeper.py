"""Keeps the sessions of a chat on the record: at once, or where the store fails, at the next chance and as a whole.

What is in hand is what counts. It goes on while the store is locked, full, read-only or gone; the same where the file
was deleted or replaced, of whose rows nothing is known any more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from llmterm.errors import SessionError, StoreError
from llmterm.sessions import AnswerLog, SessionStore
from llmterm.sessions.whole import HeldSession, Put


class Holder(Protocol):
    """Who has a session in hand."""

    store: SessionStore
    id: str | None

    @property
    def head(self) -> int:
        """The last row of its record, 0 for none."""
        ...

    def held(self, *, elsewhere: bool) -> HeldSession:
        """Return the session as it is in hand; `elsewhere` where the rows it knows are of another file."""
        ...

    def settle(self, put: Put, log: AnswerLog | None) -> None:
        """Take note of where the session is on the record."""
        ...


class Keeper:
    """Writes for `holder`. `behind`: not all of the session that it has in hand is on the record."""

    def __init__(self, holder: Holder) -> None:
        self._holder = holder
        self.behind = False
        self._elsewhere = False
        # Why something is not kept, and whether that was said.
        self._trouble = SessionError("nothing is wrong")
        self._untold = False
        # Sessions that were left before they could be written.
        self._left: list[HeldSession] = []
        self._news: list[str] = []

    @property
    def owes(self) -> bool:
        """Whether anything that was said is not on the record."""
        return self.behind or bool(self._left)

    def attempt(self, write: Callable[[], object], *, own: bool = False) -> bool:
        """Write to the record, and tell whether that was done; else all of it is written at the next chance.

        What another process has changed is refused, as a SessionError; or, where it is about this session's `own`
        answer, kept beside it.
        """
        if not self.catch_up():
            return False
        try:
            write()
        except SessionError as error:
            if not (own or isinstance(error, StoreError)):
                raise
            self._untold = self._untold or not self.owes
            self.behind, self._trouble = True, error
        return not self.behind

    def catch_up(self) -> bool:
        """Put on the record what is not there yet; tell whether the session in hand is."""
        store = self._holder.store
        try:
            if store.moved(self._holder.id, self._holder.head):
                self._follow(store)
            if not self.owes:
                return True
            while self._left:
                store.put(self._left[0])
                del self._left[0]
            if self.behind:
                self._settle(*store.put(self._holder.held(elsewhere=self._elsewhere)))
        except SessionError as error:
            self._trouble = error
            return not self.behind
        self._news.append("what was said is kept now")
        return True

    def leave(self) -> None:
        """Go on without the session in hand, which is written when that can be."""
        if not self.catch_up():
            self._left.append(self._holder.held(elsewhere=self._elsewhere))
        self.behind = self._elsewhere = False

    def require(self, session_id: str) -> None:
        """Raise SessionError where not all of that session is on the record."""
        self.catch_up()
        if (self.behind and session_id == self._holder.id) or session_id in [each.id for each in self._left]:
            trouble = self._trouble
            raise SessionError(f"session {session_id} is not kept yet: {trouble.message}", hint=trouble.hint)

    def require_usable(self) -> None:
        """Raise StoreError where the store is none that can ever be used: no waiting helps."""
        if self.owes and isinstance(self._trouble, StoreError) and self._trouble.lasting:
            raise self._trouble

    def untold(self) -> str:
        """Return why something is not kept, if that was not said yet."""
        untold, self._untold = self._untold, False
        if not (untold and self.owes):
            return ""
        hints = (self._trouble.hint, "the chat goes on, and tries again")
        return str(StoreError(f"not kept yet: {self._trouble.message}", hint="; ".join(filter(None, hints))))

    def news(self) -> list[str]:
        """Return what there is to say about the record, once."""
        news, self._news = self._news, []
        return news

    def last_chance(self, seconds: float) -> None:
        """Put on the record what is not there yet, and wait that long for a store that somebody else keeps locked.

        Raises StoreError for what is lost now.
        """
        self.catch_up()
        if not self.owes:
            return
        with self._holder.store.patient(seconds):
            self.catch_up()
        if self.owes:
            raise StoreError(f"what was said last could not be kept: {self._trouble.message}", hint=self._trouble.hint)

    def _follow(self, store: SessionStore) -> None:
        """The file was deleted or replaced: nothing is known of the one that is there now."""
        store.accept()
        self._left = [replace(each, elsewhere=True) for each in self._left]
        if self._holder.id is not None:
            self._elsewhere = self.behind = True
            self._news.append(f"{store.path} was deleted, or another file was put in its place")

    def _settle(self, put: Put, log: AnswerLog | None) -> None:
        before = self._holder.id
        if None not in (before, put.id) and put.id != before:
            self._news.append(f"session {before} was changed elsewhere: this one is {put.id} now")
        self._holder.settle(put, log)
        self.behind = self._elsewhere = False
