"""A session put on the record as a whole, by the program that has it open, where step by step was not possible.

What is there already stays as it is, as long as it is what was last known of it. Where somebody else has changed the
session since, or another file is in the store's place, nothing of theirs is touched: it becomes a session of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from llmterm.conversation import Conversation, plain
from llmterm.messages import EndReason, Message, Mode, Options, Reply, Status
from llmterm.sessions.answer import insert_open, is_ours, place, settle
from llmterm.sessions.database import Transaction
from llmterm.sessions.lookup import new_id
from llmterm.sessions.owner import Owner
from llmterm.sessions.record import OpenAnswer, StoredSession
from llmterm.sessions.rows import insert_message, read_path, replace_reply, time_column
from llmterm.sessions.tree import head_of, leave_behind, remove_leaves


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldAnswer:
    """An answer that is not over. `reason` is why it rests, None while it streams."""

    provider: str
    model: str
    options: Options
    mode: Mode = "fresh"
    guidance: str = ""
    reply: Reply = field(default_factory=Reply)
    reason: EndReason | None = None
    piped: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class HeldMessage:
    """A message in hand. It is itself, whatever it says. `plain` is what of it goes along with every question."""

    message: Message
    plain: Message = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "plain", plain(self.message))


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldSession:
    """A session as a program has it in hand. `id` is None where nothing of it was stored yet.

    `path` is the conversation, from the beginning to what `answer`, if there is one, answers; what the paths `beside`
    it have besides are versions that were left. `rows` are those of the messages that are on its record, `head` was the
    last of it, and the rows `obsolete` are not worth keeping: nothing came of them, or what they say is in hand. With
    them is the revision of those that are answers: somebody else has gone on with one that has another. `elsewhere`:
    all those rows are of another file than the store is now. Not `whole`: what is before the path is on its
    record alone.
    """

    id: str | None
    title: str
    system: str
    path: tuple[HeldMessage, ...] = ()
    beside: tuple[tuple[HeldMessage, ...], ...] = ()
    rows: Mapping[HeldMessage, int] = field(default_factory=dict)
    head: int = 0
    obsolete: Mapping[int, int | None] = field(default_factory=dict)
    answer: HeldAnswer | None = None
    elsewhere: bool = False
    whole: bool = True

    def session(self, at: datetime) -> StoredSession:
        """Return what the record would be."""
        held = self.answer
        answer = (
            None
            if held is None
            else OpenAnswer(
                message_id=0,
                provider=held.provider,
                model=held.model,
                options=held.options,
                message=held.reply.message("interrupted"),
                reason=held.reason or EndReason.OTHER,
                cursor=held.reply.cursor,
            )
        )
        return StoredSession(
            id=self.id or "",
            title=self.title,
            created_at=at,
            updated_at=at,
            conversation=Conversation(system=self.system, messages=tuple(each.message for each in self.path)),
            answer=answer,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """Where a session is on the record: see `HeldSession`. `answer` is the row of an open answer, 0 for none."""

    id: str | None
    head: int = 0
    rows: Mapping[HeldMessage, int] = field(default_factory=dict)
    answer: int = 0


def put_whole(tx: Transaction, held: HeldSession, *, owner: Owner, at: datetime) -> Put:
    """Have the record be what `held` is."""
    now = time_column(at)
    rows, session_id = _found(tx, held), held.id
    if rows is not None and not held.elsewhere:
        remove_leaves(tx, held.id or "", held.obsolete)
    if not held.path and not any(held.beside) and _is_empty(tx, held.id if rows is not None else None):
        if rows is not None:
            tx.change("DELETE FROM sessions WHERE id = ?", held.id)
        return Put(id=None)
    if rows is None or session_id is None:
        session_id, rows = _made(tx, held, now), {}
    last = 0
    for path in (*held.beside, held.path):
        last = 0
        for each in path:
            if each not in rows:
                rows[each] = insert_message(tx, session_id, each.message, now, after=last)
            last = rows[each]
    leave_behind(tx, session_id, last)
    answer = _insert_answer(tx, session_id, held.answer, last, owner, at) if held.answer is not None else 0
    tx.change(
        "UPDATE sessions SET head_id = ?, title = ?, system = ?, updated_at = ? WHERE id = ?",
        *(answer or last or None, held.title, held.system, now, session_id),
    )
    return Put(id=session_id, head=answer or last, rows=rows, answer=answer)


def _found(tx: Transaction, held: HeldSession) -> dict[HeldMessage, int] | None:
    """Return the rows of those messages that are on the record; None where that is not this session's."""
    if tx.row("SELECT 1 FROM sessions WHERE id = ?", held.id) is None:
        return None
    head = head_of(tx, held.id or "")
    if held.elsewhere:
        # An earlier state of this session, as out of a backup, is gone on with.
        ids, path = read_path(tx, head)
        said = tuple(each.message for each in held.path[: len(path)])
        if said != tuple(path) or _is_open(tx, head):
            return None
        return dict(zip(held.path, ids, strict=False))
    answers = ((row, revision) for row, revision in held.obsolete.items() if revision is not None)
    if head != held.head or not all(is_ours(tx, row, revision) for row, revision in answers):
        return None
    return {each: held.rows[each] for path in (*held.beside, held.path) for each in path if each in held.rows}


def _is_empty(tx: Transaction, session_id: str | None) -> bool:
    return tx.row("SELECT 1 FROM messages WHERE session_id = ?", session_id) is None


def _is_open(tx: Transaction, message_id: int) -> bool:
    return tx.row("SELECT 1 FROM open_answers WHERE message_id = ?", message_id) is not None


def _made(tx: Transaction, held: HeldSession, now: str) -> str:
    taken = held.id is None or tx.row("SELECT 1 FROM sessions WHERE id = ?", held.id) is not None
    session_id = new_id(tx) if taken or held.id is None else held.id
    tx.change(
        "INSERT INTO sessions (id, title, system, created_at, updated_at) VALUES (?, ?, ?, ?, ?)",
        *(session_id, held.title, held.system, now, now),
    )
    return session_id


def _insert_answer(tx: Transaction, session_id: str, answer: HeldAnswer, after: int, owner: Owner, at: datetime) -> int:
    status: Status = "interrupted"
    empty = Message(role="assistant", status=status)
    message_id = insert_message(tx, session_id, empty, time_column(at), after=after)
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
    text, thinking = reply.body.slice(start, len(reply.body)), "" if reply.segments else reply.thinking
    if reply.segments:
        replace_reply(tx, message_id, reply.cut(len(text)), status)
    tx.change(
        "UPDATE open_answers SET mode = ?, guidance = ? WHERE message_id = ?",
        *(answer.mode, answer.guidance, message_id),
    )
    place(tx, message_id, reply.cursor)
    tx.change("INSERT INTO journal VALUES (?, 0, ?, ?, ?)", message_id, time_column(at), text, thinking)
    return message_id
