"""The store: sessions made, found, listed, read and deleted.

The messages of a session form a tree, see `tree`. Nothing can be added after an answer that is open, and any number of
them can be. Changes that are told the `head` they are for, see `StoredSession`, are refused once another process has
made one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from llmterm.errors import SessionError, StoreError
from llmterm.messages import Message, Options, Reply
from llmterm.sessions.answer import (
    AnswerLog,
    Clock,
    give_up,
    insert_open,
    is_ours,
    of_session,
    read_open,
    settle,
    touch,
)
from llmterm.sessions.attachments import replace_attachments
from llmterm.sessions.database import Database, Transaction
from llmterm.sessions.infos import read_infos
from llmterm.sessions.lookup import (
    find,
    gone_on_with,
    matching,
    new_id,
    require_closed,
    require_head,
    require_left,
    require_message,
    unknown,
)
from llmterm.sessions.owner import Owner
from llmterm.sessions.record import Earlier, Hit, OpenAnswer, SessionInfo, StoredSession, Version
from llmterm.sessions.rows import (
    insert_message,
    read_message,
    read_path,
    replace_reply,
    time_column,
)
from llmterm.sessions.stored import came_to_nothing, read_session
from llmterm.sessions.titles import clean_title, title_of
from llmterm.sessions.tree import (
    end_of,
    head_of,
    leave_behind,
    read_forks,
    read_version,
    remove_leaves,
    set_head,
    use,
)

if TYPE_CHECKING:
    from llmterm.sessions.cache import AnswerCache
    from llmterm.sessions.figures import Figures
    from llmterm.sessions.whole import HeldSession, Put

FILE_NAME = "sessions.db"


class SessionStore:
    """All sessions of one folder. Nothing is touched before the first call; every method raises SessionError."""

    def __init__(
        self, folder: Path, *, clock: Clock | None = None, owner: Owner | None = None, timeout: float = 5.0
    ) -> None:
        """`timeout`: seconds to wait for another process that is writing."""
        self.path = folder / FILE_NAME
        self._timeout = timeout
        self._database = Database(self.path, timeout=timeout)
        self._clock = clock or _now
        self._given_owner = owner

    def another(self, *, timeout: float | None = None) -> Self:
        """Return a store of the same file with a connection of its own: for another thread."""
        timeout = self._timeout if timeout is None else timeout
        return type(self)(self.path.parent, clock=self._clock, owner=self._given_owner, timeout=timeout)

    @cached_property
    def _owner(self) -> Owner:
        return self._given_owner or Owner.current()  # which reads a file, or asks the system

    def create(self, *, system: str = "", title: str = "") -> str:
        """Make an empty session and return its id."""
        now = time_column(self._clock())
        with self._database.writing() as tx:
            session_id = new_id(tx)
            tx.change(
                "INSERT INTO sessions (id, title, system, created_at, updated_at) VALUES (?, ?, ?, ?, ?)",
                *(session_id, clean_title(title), system, now, now),
            )
        return session_id

    def add(self, session_id: str, message: Message, *, after: int | None = None, head: int | None = None) -> int:
        """Put the message after the last one, or after the row `after`, 0 for the beginning; return its row.

        It is the last one now; what else follows that row stays beside it. The first question names a session without a
        title, and one that was named by another first question.
        """
        with self._database.writing() as tx:
            last = require_closed(tx, session_id, head, after=after)
            row = self._insert(tx, session_id, message, last)
            if message.role == "user":
                named = title_of(message.text)
                tx.change("UPDATE sessions SET title = ? WHERE id = ? AND title = ''", named, session_id)
            return row

    def begin(
        self,
        session_id: str,
        *,
        provider: str,
        model: str,
        options: Options,
        piped: bool = False,
        after: int | None = None,
        head: int | None = None,
    ) -> AnswerLog:
        """Open an answer to the last message, or to the row `after`; others to it stay beside it.

        It counts as streaming from now on, and as `piped` until a resume.
        """
        empty = Message(role="assistant", status="interrupted")
        with self._database.writing() as tx:
            message_id = self._insert(tx, session_id, empty, require_closed(tx, session_id, head, after=after))
            insert_open(
                tx,
                message_id,
                provider=provider,
                model=model,
                options=options,
                owner=self._owner,
                at=self._clock(),
                piped=piped,
            )
        return self._log(message_id, 0, Reply())

    def _insert(self, tx: Transaction, session_id: str, message: Message, after: int) -> int:
        now = time_column(self._clock())
        row = insert_message(tx, session_id, message, now, after=after)
        set_head(tx, session_id, row)
        tx.change("UPDATE sessions SET updated_at = ? WHERE id = ?", now, session_id)
        return row

    def move(self, session_id: str, to: int, *, head: int | None = None, gives_up: bool = True) -> str:
        """Have the session end with that message, 0 for none, and return its title. What comes after it stays; where
        that is not given up, who goes through the message again gets there again."""
        with self._database.writing() as tx:
            require_closed(tx, session_id, head)
            require_closed(tx, session_id, after=to)
            if gives_up:
                leave_behind(tx, session_id, to)
            return self._move(tx, session_id, to)

    def switch(
        self, session_id: str, to: int, *, head: int | None = None, last: int | None = None, leaving: bool = False
    ) -> StoredSession:
        """Go over to another version: have the session go through that message to where it was last.

        `leaving` allows that while the last answer is not over, which rests beside the others then.
        Raises SessionError where the version is an answer which another process is giving right now.
        """
        with self._database.writing() as tx:
            if leaving:
                require_head(tx, session_id, head)
            else:
                require_closed(tx, session_id, head)
            require_message(tx, session_id, to)
            use(tx, to)
            self._move(tx, session_id, end_of(tx, session_id, to))
            return read_session(tx, session_id, peek=False, last=last)

    def _move(self, tx: Transaction, session_id: str, to: int) -> str:
        set_head(tx, session_id, to)
        tx.change("UPDATE sessions SET updated_at = ? WHERE id = ?", time_column(self._clock()), session_id)
        (title,) = tx.row("SELECT title FROM sessions WHERE id = ?", session_id) or ("",)
        return str(title)

    def withdraw(
        self,
        session_id: str,
        rows: Sequence[int],
        to: int,
        *,
        answer: AnswerLog | None = None,
        head: int | None = None,
    ) -> str:
        """Have the session end with the row `to` again, as if those after it had never been asked; return its title.

        They are taken out: nothing came of them. What something else follows stays. Refused where another process has
        gone on with the `answer` that is among them.
        """
        with self._database.writing() as tx:
            require_head(tx, session_id, head)
            if answer is not None and not is_ours(tx, answer.message_id, answer.revision):
                raise gone_on_with(session_id)
            title = self._move(tx, session_id, to)
            remove_leaves(tx, session_id, rows)
            return title

    def reopen(self, answer: OpenAnswer) -> AnswerLog:
        """Return the log of an answer that `load` has found open; until its `resume` it counts as paused."""
        with self._database.writing() as tx:
            message = read_message(tx, answer.message_id)
            row = read_open(tx, answer.message_id, message) if message else None
            if row is None or row.answer != answer or row.state == "streaming":
                raise SessionError("the answer has changed since it was read", hint="open the session again")
            settle(tx, answer.message_id, answer.reply, answer.reason)
            # It rests with this process now, and cannot be deleted under it.
            tx.change(
                "UPDATE open_answers SET revision = revision + 1, owner_pid = ?, owner_host = ?, owner_born = ?"
                " WHERE message_id = ?",
                *(self._owner.pid, self._owner.host, self._owner.born, answer.message_id),
            )
        return self._log(answer.message_id, answer.revision + 1, answer.reply)

    def seize(self, session_id: str) -> None:
        """Have the last answer be one that was cut, where it is not over, though its process lives: that has lost it.

        What that one still writes is refused.
        """
        with self._database.writing() as tx:
            tx.change(
                "UPDATE open_answers SET revision = revision + 1, owner_pid = 0"
                " WHERE state = 'streaming' AND message_id = (SELECT head_id FROM sessions WHERE id = ?)",
                session_id,
            )

    def open_again(self, session_id: str, options: Options, *, last: int | None = None) -> StoredSession:
        """Make the last answer, which was stopped, one at rest that can be gone on with, and return the session.

        It goes on with `options`: those it was asked for with are not kept once an answer is over.
        """
        with self._database.writing() as tx:
            head_id = require_closed(tx, session_id)
            message = read_message(tx, head_id)
            if message is None or message.status != "interrupted" or not message.segments:
                raise SessionError("the last answer was not stopped", hint="only such a one can be gone on with")
            end = message.segments[-1]
            insert_open(
                tx,
                head_id,
                provider=end.provider,
                model=end.model,
                options=options,
                owner=self._owner,
                at=self._clock(),
                piped=False,
            )
            settle(tx, head_id, Reply.of(message), end.end_reason)
        return self.load(session_id, last=last)

    def set_system(self, session_id: str, system: str) -> None:
        with self._database.writing() as tx:
            if not tx.change("UPDATE sessions SET system = ? WHERE id = ?", system, session_id):
                raise unknown(session_id)

    def set_title(self, session_id: str, text: str) -> str:
        """Give the session a title, shortened to a line of a list, and return it as it is now."""
        named = clean_title(text)
        if not named:
            raise SessionError("a title cannot be empty", hint="give it a word or two")
        with self._database.writing() as tx:
            if not tx.change("UPDATE sessions SET title = ? WHERE id = ?", named, session_id):
                raise unknown(session_id)
        return named

    def find(self, session_id: str) -> str:
        """Return the full id that `session_id`, an id or the beginning of one, stands for."""
        with self._database.reading() as tx:
            return find(tx, session_id)

    def matching(self, typed: str, *, limit: int | None = None) -> list[tuple[str, str]]:
        """Return ids and titles of the sessions that `typed` may mean, the one changed last first.

        It may be the beginning of an id, or words of the title.
        """
        with self._database.reading() as tx:
            return matching(tx, typed, limit)

    def load(self, session_id: str, *, peek: bool = False, last: int | None = None) -> StoredSession:
        """Return the session, given its id or the beginning of it, with all its messages or only the `last`.

        Refuses one that a living process is answering, unless it is only to be looked at: `peek`. Otherwise an answer
        that was cut before a word came makes room for what was there before.
        """
        with self._database.reading() as tx:
            session_id = find(tx, session_id)
            stored = read_session(tx, session_id, peek=peek, last=last)
            if peek or not came_to_nothing(tx, stored):
                return stored
        # Where that cannot be written now, the next one who loads it does.
        with suppress(StoreError), self._database.writing() as tx:
            if read_session(tx, session_id, peek=True, last=last) == stored:
                give_up(tx, stored.head)
                return read_session(tx, session_id, peek=peek, last=last)
        return stored

    def earlier(self, session_id: str, earlier: Earlier) -> tuple[list[int], list[Message]]:
        """Return the rows and the messages that a session was opened without."""
        with self._database.reading() as tx:
            rows, messages = read_path(tx, earlier.last)
            if len(rows) != earlier.messages or of_session(tx, earlier.last) != session_id:
                raise SessionError(
                    f"session {session_id} is not what it was", hint=f"/load {session_id} opens it again"
                )
            return rows, messages

    def latest(self) -> str | None:
        """Return the id of the session that was changed last."""
        with self._database.reading() as tx:
            row = tx.row("SELECT id FROM sessions ORDER BY change DESC LIMIT 1")
        return row[0] if row else None

    def infos(self, limit: int | None = None, *, opened: bool = False, begins: bool = False) -> list[SessionInfo]:
        """Return all sessions or that many, only those with an open answer if `opened`, the one changed last first.

        They tell how each of them `begins` only where that is wanted.
        """
        with self._database.reading() as tx:
            return read_infos(tx, limit, opened=opened, begins=begins)

    def search(self, words: str, *, limit: int = 20) -> list[Hit]:
        """Return the sessions whose title and messages have all the words, upper or lower case, the newest first."""
        from llmterm.sessions.index import bring_up_to_date  # not for every start
        from llmterm.sessions.search import read_hits

        bring_up_to_date(self._database)
        with self._database.reading() as tx:
            return read_hits(tx, words, limit)

    def figures(self, session: str | None = None, *, since: date | None = None) -> list[Figures]:
        """Return what each model did, in all sessions or in that one (an id or its beginning), most output first.

        Only what was said on the day `since` or after it counts, where there is one.
        """
        from llmterm.sessions.figures import read_figures  # not for every start

        with self._database.reading() as tx:
            return read_figures(tx, None if session is None else find(tx, session), since)

    def answers(self) -> AnswerCache:
        """Return the cache of whole answers, which outlive their sessions."""
        from llmterm.sessions.cache import AnswerCache  # off by default

        return AnswerCache(self._database, clock=self._clock)

    def delete(self, session_id: str) -> None:
        """Delete the session, given its id or the beginning of it, leaving nothing of its text in the file.

        Cached answers go as well, as any of them may be one of this session's.
        """
        from llmterm.sessions.index import forget  # not for every start

        with self._database.writing() as tx:
            session_id = find(tx, session_id)
            require_left(tx, session_id, self._owner)
            tx.change("DELETE FROM sessions WHERE id = ?", session_id)
            tx.change("DELETE FROM answers")
            forget(tx)
        self._database.forget()

    def branch(self, session_id: str, keep: int) -> str:
        """Make a session that begins with the first `keep` messages of this one, and return its id.

        An answer that is not over is no message yet.
        """
        from llmterm.sessions.branch import copy_session  # not for every start

        with self._database.writing() as tx:
            return copy_session(tx, session_id, keep, time_column(self._clock()))

    def drop_empty(self, session_id: str) -> bool:
        """Delete the session if nothing was said in it; tell whether it was so."""
        with self._database.writing() as tx:
            return bool(
                tx.change(
                    "DELETE FROM sessions WHERE id = ? AND NOT EXISTS (SELECT 1 FROM messages WHERE session_id = ?)",
                    *(session_id, session_id),
                )
            )

    def rewrite(
        self, session_id: str, message: Message, *, before: Message | None = None, head: int | None = None
    ) -> None:
        """Put `message` in the place of the last one, which has to be an answer that is over.

        Refused where that does not say what it said `before`: another process has gone on with it.
        """
        with self._database.writing() as tx:
            head_id = require_closed(tx, session_id, head)
            last = read_message(tx, head_id)
            if before is not None and (last is None or (last.body, last.status) != (before.body, before.status)):
                raise gone_on_with(session_id)
            if last is None or last.role != "assistant":
                raise SessionError(f"session {session_id} has no answer at its end", hint="only one can be rewritten")
            replace_reply(tx, head_id, Reply.of(message), message.status)
            replace_attachments(tx, head_id, message.attachments)
            touch(tx, head_id, self._clock())

    def put(self, held: HeldSession) -> tuple[Put, AnswerLog | None]:
        """Have the record be what a program has in hand, and return where it is and how to go on with its answer.

        Where another process has changed the session, and where its id means another one, a new one is made of it.
        """
        from llmterm.sessions.whole import put_whole  # only after something has failed

        with self._database.writing() as tx:
            put = put_whole(tx, held, owner=self._owner, at=self._clock())
        if held.answer is None:
            return put, None
        log = AnswerLog(
            self._database,
            put.answer,
            owner=self._owner,
            clock=self._clock,
            revision=0,
            written=held.answer.reply,
            seq=held.answer.reason is None,
        )
        return put, log

    def patient(self, seconds: float) -> AbstractContextManager[None]:
        """Wait that long for other processes, inside."""
        return self._database.patient(seconds)

    def forks(self, session_id: str) -> Mapping[int, tuple[int, ...]]:
        """Return the rows of messages that stand beside each other, by the row they follow: see `StoredSession`."""
        with self._database.reading() as tx:
            return read_forks(tx, session_id)

    def versions(self, rows: Sequence[int]) -> list[Version]:
        """Return how those messages begin, and who wrote them."""
        with self._database.reading() as tx:
            return [read_version(tx, row) for row in rows]

    def head(self, session_id: str) -> int:
        """Return the row of the last message, 0 where there is none."""
        with self._database.reading() as tx:
            return head_of(tx, session_id)

    @property
    def touches(self) -> int:
        """How often somebody else was seen to have written into the file itself."""
        return self._database.touches

    def moved(self, session_id: str | None = None, head: int = 0, *, since: int = 0) -> bool:
        """Tell whether the file is not there any more, or another one: what was known of its rows is worth nothing.

        One that was copied over it is known by the message `head` of the session, if that was put into it; it is looked
        for where the file was touched `since`.
        """
        if self._database.moved():
            return True
        if not head or self._database.touches == since:
            return False
        with self._database.reading() as tx:
            row = tx.row("SELECT session_id FROM messages WHERE id = ?", head)
            (last,) = tx.row("SELECT seq FROM sqlite_sequence WHERE name = 'messages'") or (0,)
        # The ids of a file only grow: one that is not there, though it was given, is of a message that was deleted.
        return bool(row[0] != session_id if row is not None else last < head)

    def together(self) -> AbstractContextManager[None]:
        """Write all that is written inside at once, or nothing of it: a disk is waited for once."""
        return self._database.together()

    def rest(self) -> None:
        """Let go of the file until the next call: it can be copied, moved and replaced."""
        self._database.rest()

    def accept(self) -> None:
        """Go on with the file that is there now."""
        self._database.accept()

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def _log(self, message_id: int, revision: int, written: Reply) -> AnswerLog:
        return AnswerLog(
            self._database, message_id, owner=self._owner, clock=self._clock, revision=revision, written=written
        )


def _now() -> datetime:
    return datetime.now(UTC)
