"""A session put on the record as a whole, by the program that has it open, where step by step was not possible.

What is there already stays as it is, as long as it is what was last known of it. Where somebody else has changed the
session since, or another file is in the store's place, nothing of theirs is touched: it becomes a session of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from llmterm.conversation import Conversation
from llmterm.messages import EndReason, Message, Mode, Options, Reply, Status
from llmterm.sessions.answer import insert_open, settle
from llmterm.sessions.database import Transaction
from llmterm.sessions.lookup import new_id
from llmterm.sessions.owner import Owner
from llmterm.sessions.record import OpenAnswer, Replacement, StoredSession
from llmterm.sessions.removing import remove
from llmterm.sessions.replacing import put_back, put_in_place
from llmterm.sessions.rows import insert_message, path_ids, read_path, replace_reply, time_column
from llmterm.sessions.titles import title_of


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldAnswer:
    """An answer that is not over. `reason` is why it rests, None while it streams.

    `row` and `revision` are those of its record, 0 where it has none that can be relied on.
    """

    provider: str
    model: str
    options: Options
    mode: Mode = "fresh"
    guidance: str = ""
    reply: Reply = field(default_factory=Reply)
    reason: EndReason | None = None
    row: int = 0
    revision: int = 0
    piped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldSession:
    """A session as a program has it in hand. `id` is None where nothing of it was stored yet.

    The first `stored` of its `messages` are on the record, whose last row was `head`. `asked` is a question that is
    not answered yet, in the place of all after the first `keep` messages if that is a number; `asked_row` its row.
    `elsewhere`: those rows are of another file than the store is now.
    """

    id: str | None
    title: str
    system: str
    messages: tuple[Message, ...]
    stored: int
    head: int
    asked: Message | None = None
    asked_row: int = 0
    keep: int | None = None
    answer: HeldAnswer | None = None
    elsewhere: bool = False

    def session(self, at: datetime) -> StoredSession:
        """Return what the record would be."""
        asked = (self.asked,) if self.asked is not None else ()
        held = self.answer
        answer = (
            None
            if held is None
            else OpenAnswer(
                message_id=held.row,
                provider=held.provider,
                model=held.model,
                options=held.options,
                message=held.reply.message("interrupted"),
                reason=held.reason or EndReason.OTHER,
            )
        )
        return StoredSession(
            id=self.id or "",
            title=self.title,
            created_at=at,
            updated_at=at,
            conversation=Conversation(system=self.system, messages=(*self.messages[: self.keep], *asked)),
            answer=answer,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """Where a session is on the record: see `HeldSession`. `answer` is the row of an open answer, 0 for none."""

    id: str | None
    head: int = 0
    asked_row: int = 0
    replacement: Replacement | None = None
    answer: int = 0


def put_whole(tx: Transaction, held: HeldSession, *, owner: Owner, at: datetime) -> Put:
    """Have the record be what `held` is."""
    now = time_column(at)
    stored = _found(tx, held, now)
    if not held.messages and held.asked is None:
        if stored is not None:
            tx.change("DELETE FROM sessions WHERE id = ?", held.id)
        return Put(id=None)
    session_id = held.id
    if stored is None:
        session_id = _made(tx, held, now)
    assert session_id is not None
    tx.change("UPDATE sessions SET title = ?, system = ? WHERE id = ?", held.title, held.system, session_id)
    for message in held.messages[stored or 0 :]:
        _insert(tx, session_id, message, now)
    put = Put(id=session_id)
    if held.asked is not None and held.keep is not None:
        replacement = put_in_place(tx, session_id, held.keep, held.asked, now, None)
        put = replace(put, replacement=replacement, asked_row=replacement.message_id)
    elif held.asked is not None:
        put = replace(put, asked_row=_insert(tx, session_id, held.asked, now))
    if held.answer is not None:
        put = replace(put, answer=_insert_answer(tx, session_id, held.answer, owner, at))
    (head,) = tx.row("SELECT head_id FROM sessions WHERE id = ?", session_id) or (0,)
    return replace(put, head=head or 0)


def _found(tx: Transaction, held: HeldSession, now: str) -> int | None:
    """Return how many of the messages are on the record, and nothing after them; None where it is not this one's."""
    row = tx.row("SELECT head_id FROM sessions WHERE id = ?", held.id)
    if row is None:
        return None
    head = row[0] or 0
    if held.elsewhere:
        # An earlier state of this session, as out of a backup, is gone on with.
        path = [message for _, message in read_path(tx, head)]
        earlier = tuple(path) == held.messages[: len(path)] and not _is_open(tx, head)
        return len(path) if earlier else None
    if head != held.head or not _still_ours(tx, head, held.answer):
        return None
    if held.asked_row:
        put_back(tx, held.asked_row, now)
    (head,) = tx.row("SELECT head_id FROM sessions WHERE id = ?", held.id) or (None,)
    path_now = path_ids(tx, head)
    if len(path_now) > held.stored:
        remove(tx, path_now[held.stored][0])
    return min(held.stored, len(path_now))


def _is_open(tx: Transaction, message_id: int) -> bool:
    return tx.row("SELECT 1 FROM open_answers WHERE message_id = ?", message_id) is not None


def _still_ours(tx: Transaction, head: int, answer: HeldAnswer | None) -> bool:
    """Tell whether nobody else has gone on with the answer that is open at the head, if one is."""
    row = tx.row("SELECT revision FROM open_answers WHERE message_id = ?", head)
    if answer is None or not answer.row:
        return True
    return row is not None and row[0] == answer.revision


def _made(tx: Transaction, held: HeldSession, now: str) -> str:
    taken = held.id is None or tx.row("SELECT 1 FROM sessions WHERE id = ?", held.id) is not None
    session_id = new_id(tx) if taken or held.id is None else held.id
    tx.change(
        "INSERT INTO sessions (id, title, system, created_at, updated_at) VALUES (?, ?, ?, ?, ?)",
        *(session_id, held.title, held.system, now, now),
    )
    return session_id


def _insert(tx: Transaction, session_id: str, message: Message, now: str) -> int:
    if message.role == "user":
        tx.change("UPDATE sessions SET title = ? WHERE id = ? AND title = ''", title_of(message.text), session_id)
    return insert_message(tx, session_id, message, now)


def _insert_answer(tx: Transaction, session_id: str, answer: HeldAnswer, owner: Owner, at: datetime) -> int:
    status: Status = "interrupted"
    message_id = insert_message(tx, session_id, Message(role="assistant", status=status), time_column(at))
    insert_open(
        tx,
        message_id,
        provider=answer.provider,
        model=answer.model,
        options=answer.options,
        owner=owner,
        at=at,
        piped=answer.piped,
    )
    reply = answer.reply
    if answer.reason is not None:
        settle(tx, message_id, reply, answer.reason)
        return message_id
    # What the segment being written has said stands in the journal: if this process dies it gets its own record.
    start = reply.segments[-1].end if reply.segments else 0
    text, thinking = reply.text[start:], "" if reply.segments else reply.thinking
    if reply.segments:
        replace_reply(tx, message_id, reply.cut(len(text)), status)
    tx.change(
        "UPDATE open_answers SET mode = ?, guidance = ? WHERE message_id = ?",
        *(answer.mode, answer.guidance, message_id),
    )
    tx.change("INSERT INTO journal VALUES (?, 0, ?, ?, ?)", message_id, time_column(at), text, thinking)
    return message_id
