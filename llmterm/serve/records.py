"""The store as the service has it: read by threads that nobody waits for, and written by one."""

from __future__ import annotations

from contextlib import closing

from llmterm.lane import Driver, Lane
from llmterm.serve.refusals import NoSuchTurnError
from llmterm.serve.served import turn_id
from llmterm.serve.wanted import Wanted
from llmterm.sessions import SessionStore, StoredSession
from llmterm.sessions.current import CurrentSession, Writer
from llmterm.sessions.record import LAST
from llmterm.threads import in_thread


class Records:
    def __init__(self, store: SessionStore) -> None:
        self._store = store
        # One thread writes all sessions: SQLite has one writer at a time anyway.
        self._writer = Writer(Driver("llmterm-records"), store.another())
        # Its thread is the same as long as this is open, as the connection wants it.
        self._lane = Lane("llmterm-records", driver=self._writer.driver)
        self._lane.put(_nothing)

    def session(self, *, system: str, kept: bool = True) -> CurrentSession:
        """Return a session in which nothing was said yet."""
        return CurrentSession(self._store, system=system, kept=kept, shared=self._writer)

    def opened(self, stored: StoredSession) -> CurrentSession:
        session = self.session(system=stored.conversation.system)
        session.open(stored)
        return session

    async def load(self, session_id: str, *, seized: bool = False) -> StoredSession:
        """Return a session that is to be gone on with. Raises SessionError.

        `seized`: whoever streams its answer, as far as the store knows, does so no more.
        """

        def load() -> StoredSession:
            with closing(self._store.another()) as store:
                if seized:
                    store.seize(session_id)
                return store.load(session_id, last=LAST)

        return await in_thread(load)

    async def peek(self, session_id: str) -> StoredSession:
        """Return a session that is only looked at. Raises SessionError."""

        def peek() -> StoredSession:
            with closing(self._store.another()) as store:
                return store.load(session_id, peek=True)

        return await in_thread(peek)

    async def begin(self, wanted: Wanted) -> str:
        """Return the session that ends with what the question follows. Raises NoSuchTurnError, SessionError."""
        return await in_thread(self._begun, wanted)

    async def close(self) -> None:
        await self._lane.run(self._writer.store.close)
        self._lane.close()

    def _begun(self, wanted: Wanted) -> str:
        with closing(self._store.another()) as store:
            if not wanted.session:
                with store.together():
                    session_id = store.create(system=wanted.system or "")
                    for message in wanted.before:
                        store.add(session_id, message)
                return session_id
            stored = store.load(wanted.session, peek=True)
            if wanted.after not in stored.rows:
                raise NoSuchTurnError(f"there is no turn {turn_id(wanted.session, wanted.after)}")
            size = stored.rows.index(wanted.after) + 1
            return stored.id if size == len(stored.rows) else store.branch(stored.id, size)


def _nothing() -> None:
    pass
