"""One answer on disk while it is not over: appended to as it streams, whole at every pause, closed at the end.

Journalling writes only what is new, so its cost over an answer is linear. Each change of state counts up a revision,
and an `AnswerLog` whose revision is not the row's any more is refused: two processes can never mix their texts in one
answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import reduce
from typing import NamedTuple

from llmterm import tokens
from llmterm.errors import SessionError
from llmterm.messages import (
    SAME_GENERATION,
    Cursor,
    EndReason,
    Message,
    Mode,
    Options,
    Reply,
    Rope,
    Segment,
    Status,
    Timing,
    Usage,
)
from llmterm.sessions.database import Database, Transaction
from llmterm.sessions.owner import Owner
from llmterm.sessions.record import OpenAnswer, SessionState
from llmterm.sessions.rows import (
    cursor_column,
    options_column,
    read_cursor,
    read_message,
    read_options,
    read_time,
    replace_reply,
    time_column,
)
from llmterm.sessions.tree import leave, remove_leaves

Clock = Callable[[], datetime]

_GONE = "open the session again to see what became of it"


class AnswerLog:
    """How one answer is written. Made by `SessionStore.begin` and `SessionStore.reopen`.

    Every method raises SessionError once the answer is over, deleted, or in the hands of another process.
    """

    def __init__(
        self,
        database: Database,
        message_id: int,
        *,
        owner: Owner,
        clock: Clock,
        revision: int,
        written: Reply,
        seq: int = 0,
    ) -> None:
        """`written` is what is on the disk, the last of it as the line `seq - 1` of the journal."""
        self.message_id = message_id
        self._database = database
        self._owner = owner
        self._clock = clock
        self._revision = revision
        self._seq = seq
        self._text = len(written.body)  # characters on the disk
        self._thinking = len(written.thoughts)
        self._cursor = written.cursor

    @property
    def revision(self) -> int:
        """That of the row, unless somebody else has changed it."""
        return self._revision

    def journal(self, reply: Reply) -> None:
        """Append what is new since the last call; a reply that got shorter waits for `pause` or `finish`.

        With the text is written where it is gone on with: what is behind that comes again.
        """
        text = reply.body.slice(self._text, len(reply.body))
        thinking = reply.thoughts.slice(self._thinking, len(reply.thoughts))
        if not text and not thinking and reply.cursor == self._cursor:
            return
        with self._database.writing() as tx:
            written = tx.change(
                "INSERT INTO journal SELECT message_id, ?, ?, ?, ? FROM open_answers"
                " WHERE message_id = ? AND revision = ? AND state = 'streaming'",
                *(self._seq, time_column(self._clock()), text, thinking, self.message_id, self._revision),
            )
            if not written:
                raise self._lost()
            if reply.cursor != self._cursor:
                place(tx, self.message_id, reply.cursor)
        self._seq += 1
        self._text += len(text)
        self._thinking += len(thinking)
        self._cursor = reply.cursor

    def pause(self, reply: Reply, reason: EndReason) -> None:
        """Store the reply as it stands, longer or shorter than what was journalled. Any number of times."""
        with self._database.writing() as tx:
            self._advance(tx)
            settle(tx, self.message_id, reply, reason)
            touch(tx, self.message_id, self._clock())
        self._revision += 1
        self._text = len(reply.body)
        self._thinking = len(reply.thoughts)
        self._cursor = reply.cursor

    def resume(self, *, provider: str, model: str, mode: Mode = "instruct", guidance: str = "") -> None:
        """Note that the answer streams again. `mode` and `guidance` are kept in case this process dies."""
        now = self._clock()
        with self._database.writing() as tx:
            self._advance(tx)
            tx.change(
                "UPDATE open_answers SET state = 'streaming', provider = ?, model = ?, mode = ?, guidance = ?,"
                " piped = 0, began_at = ?, owner_pid = ?, owner_host = ?, owner_born = ? WHERE message_id = ?",
                *(provider, model, mode, guidance, time_column(now)),
                *(self._owner.pid, self._owner.host, self._owner.born, self.message_id),
            )
            self._begin(tx, mode)
            touch(tx, self.message_id, now)
        self._revision += 1

    def move(self, *, provider: str, model: str, mode: Mode = "fresh") -> None:
        """Note that what comes is from another provider than the one that was asked first, or asked for otherwise."""
        with self._database.writing() as tx:
            if not tx.change(
                "UPDATE open_answers SET provider = ?, model = ?, mode = ? WHERE message_id = ? AND revision = ?",
                *(provider, model, mode, self.message_id, self._revision),
            ):
                raise self._lost()
            self._begin(tx, mode)

    def finish(self, reply: Reply, status: Status = "complete") -> None:
        """Store the answer for good."""
        with self._database.writing() as tx:
            self._advance(tx)
            close(tx, self.message_id, reply, status)
            touch(tx, self.message_id, self._clock())
        self._revision += 1

    def discard(self) -> None:
        """Have the conversation end with the question again, or with another answer to it.

        What came of the answer stays beside that, as one that was stopped; where nothing came, nothing does.
        """
        with self._database.writing() as tx:
            self._advance(tx)
            touch(tx, self.message_id, self._clock())
            give_up(tx, self.message_id)
        self._revision += 1

    def _begin(self, tx: Transaction, mode: Mode) -> None:
        """Forget the cursor of another generation than the one that comes."""
        if mode not in SAME_GENERATION and self._cursor is not None:
            place(tx, self.message_id, None)
            self._cursor = None

    def _advance(self, tx: Transaction) -> None:
        if not tx.change(
            "UPDATE open_answers SET revision = revision + 1 WHERE message_id = ? AND revision = ?",
            *(self.message_id, self._revision),
        ):
            raise self._lost()

    def _lost(self) -> SessionError:
        return SessionError("this answer is paused, over, or in the hands of another llmterm", hint=_GONE)


class OpenRow(NamedTuple):
    """An open answer as stored, and what its row knows besides."""

    answer: OpenAnswer
    state: SessionState
    owner: Owner


def insert_open(
    tx: Transaction,
    message_id: int,
    *,
    provider: str,
    model: str,
    options: Options,
    owner: Owner,
    at: datetime,
    piped: bool,
) -> None:
    tx.change(
        "INSERT INTO open_answers VALUES (?, 0, 'streaming', 'crash', ?, ?, ?, 'fresh', '', ?, ?, ?, ?, ?, NULL)",
        *(message_id, provider, model, options_column(options), time_column(at)),
        *(owner.pid, owner.host, owner.born, piped),
    )


def state_of(state: str, owner: Owner) -> SessionState:
    """Return what a stored state means now."""
    if state == "paused":
        return "paused"
    return "streaming" if owner.alive() else "cut"


def read_open(tx: Transaction, message_id: int, message: Message) -> OpenRow | None:
    """Return the open answer that `message` is the row of, with the journal taken in; None if it is over."""
    row = tx.row(
        "SELECT revision, state, reason, provider, model, options, mode, guidance, began_at,"
        " owner_pid, owner_host, owner_born, cursor FROM open_answers WHERE message_id = ?",
        message_id,
    )
    if row is None:
        return None
    revision, stored, reason, provider, model, options, mode, guidance, began_at, pid, host, born, cursor = row
    owner = Owner(pid=pid, host=host, born=born)
    state = state_of(stored, owner)
    ends: dict[SessionState, EndReason] = {"cut": EndReason.CRASH, "streaming": EndReason.OTHER}
    end = ends.get(state, EndReason(reason))
    lines = tx.rows("SELECT written_at, text, thinking FROM journal WHERE message_id = ? ORDER BY seq", message_id)
    start = len(message.body)
    message = message.saying(
        reduce(Rope.add, (text for _, text, _ in lines), message.body),
        thinking=reduce(Rope.add, (thinking for _, _, thinking in lines), message.thoughts),
    )
    if state != "paused" and (lines or guidance or (cursor and mode not in SAME_GENERATION)):
        last = read_time(lines[-1][0] if lines else began_at)
        segment = Segment(
            provider=provider,
            model=model,
            mode=mode,
            start=start,
            end=len(message.body),
            end_reason=end,
            usage=Usage(output_tokens=tokens.of_answer(0, message.body, start), estimated=True),
            timing=Timing(duration_ms=max(0, (last - read_time(began_at)) // timedelta(milliseconds=1))),
            guidance=guidance,
        )
        message = replace(message, segments=(*message.segments, segment))
    answer = OpenAnswer(
        message_id=message_id,
        provider=provider,
        model=model,
        options=read_options(options),
        message=message,
        reason=end,
        revision=revision,
        cursor=read_cursor(cursor),
    )
    return OpenRow(answer=answer, state=state, owner=owner)


def settle(tx: Transaction, message_id: int, reply: Reply, reason: EndReason) -> None:
    """Make a paused answer whole: nothing of it is left in the journal."""
    replace_reply(tx, message_id, reply, "interrupted")
    tx.change("DELETE FROM journal WHERE message_id = ?", message_id)
    tx.change("UPDATE open_answers SET state = 'paused', reason = ? WHERE message_id = ?", reason, message_id)
    place(tx, message_id, reply.cursor)


def place(tx: Transaction, message_id: int, cursor: Cursor | None) -> None:
    """Note where an open answer is gone on with by the same generation."""
    tx.change("UPDATE open_answers SET cursor = ? WHERE message_id = ?", cursor_column(cursor), message_id)


def close(tx: Transaction, message_id: int, reply: Reply, status: Status) -> None:
    """Have the answer be over."""
    replace_reply(tx, message_id, reply, status)
    tx.change("DELETE FROM open_answers WHERE message_id = ?", message_id)


def give_up(tx: Transaction, message_id: int) -> None:
    """End an open answer that is not to be gone on with: see `AnswerLog.discard`."""
    session_id, message = of_session(tx, message_id), read_message(tx, message_id)
    row = read_open(tx, message_id, message) if message is not None else None
    if row is None:
        return
    leave(tx, session_id, message_id)
    reply = Reply.of(row.answer.message)
    if reply.body or reply.thoughts:
        close(tx, message_id, reply, "interrupted")
    else:
        remove_leaves(tx, session_id, [message_id])


def is_ours(tx: Transaction, message_id: int, revision: int) -> bool:
    """Tell whether an answer is as whoever knows that revision of it has left it, or not there any more."""
    row = tx.row(
        "SELECT revision FROM messages LEFT JOIN open_answers ON message_id = messages.id WHERE messages.id = ?",
        message_id,
    )
    return row is None or row[0] == revision


def of_session(tx: Transaction, message_id: int) -> str:
    """Return the id of the session that the message is in."""
    (session_id,) = tx.row("SELECT session_id FROM messages WHERE id = ?", message_id) or ("",)
    return str(session_id)


def touch(tx: Transaction, message_id: int, moment: datetime) -> None:
    """Note that the session of the message was changed."""
    tx.change("UPDATE sessions SET updated_at = ? WHERE id = ?", time_column(moment), of_session(tx, message_id))
