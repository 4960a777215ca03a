"""The tree that the messages of a session form, and its head: the way from there to the root is the conversation.

Asking again adds a message beside another one and moves the head; giving up moves it back. What is on no such way is a
version that can be gone back to. Only what says nothing is taken out here.
"""

from __future__ import annotations

from collections.abc import Iterable

from llmterm.sessions.database import Transaction
from llmterm.sessions.record import Version
from llmterm.sessions.rows import read_message
from llmterm.sessions.titles import followed

# How much of a message is read where several are to be told apart, in characters: more than a line of a terminal has,
# as not all that is written is shown.
_BEGINNING = 500
# Of the messages beside each other, the one that was gone on with last, unless they were given up: `used` counts up,
# and is below zero of what was given up.
_LAST_USED = (
    "SELECT id FROM messages WHERE session_id = ? AND parent_id IS ? AND used > 0 ORDER BY used DESC, id DESC LIMIT 1"
)


def head_of(tx: Transaction, session_id: str) -> int:
    """Return the row of the last message, 0 where there is none."""
    (head,) = tx.row("SELECT head_id FROM sessions WHERE id = ?", session_id) or (None,)
    return head or 0


def set_head(tx: Transaction, session_id: str, head: int) -> None:
    """Have the conversation end with that message, 0 for none; a title that its first question has given follows it."""
    before = head_of(tx, session_id)
    (title,) = tx.row("SELECT title FROM sessions WHERE id = ?", session_id) or ("",)
    named = title if _same_beginning(tx, session_id, before, head) else _renamed(tx, title, before, head)
    tx.change("UPDATE sessions SET head_id = ?, title = ? WHERE id = ?", head or None, named, session_id)


def _same_beginning(tx: Transaction, session_id: str, before: int, head: int) -> bool:
    """Tell whether the first message is surely the same, without going all the way to it."""
    if not (before and head):
        return before == head
    (beginnings,) = tx.row("SELECT count(*) FROM messages WHERE session_id = ? AND parent_id IS NULL", session_id) or (
        0,
    )
    return bool(beginnings == 1)


def _renamed(tx: Transaction, title: str, before: int, head: int) -> str:
    return followed(title, _first_question(tx, before), _first_question(tx, head))


def _first_question(tx: Transaction, head: int) -> str | None:
    row = tx.row(
        "WITH RECURSIVE path (id) AS ("
        " SELECT ? UNION SELECT parent_id FROM path JOIN messages USING (id) WHERE parent_id IS NOT NULL"
        ") SELECT id FROM path JOIN messages USING (id) WHERE parent_id IS NULL AND role = 'user'",
        head,
    )
    message = read_message(tx, row[0]) if row is not None else None
    return message.text if message is not None else None


def read_forks(tx: Transaction, session_id: str) -> dict[int, tuple[int, ...]]:
    """Return, by the row they follow, the messages that stand beside each other, and what stands after the head: last
    those that were gone on with last.
    """
    found: dict[int, tuple[int, ...]] = {}
    if tx.row(
        "SELECT 1 FROM sessions JOIN messages AS head ON head.id = head_id WHERE sessions.id = ?"
        " AND depth = (SELECT count(*) FROM messages WHERE session_id = sessions.id)",
        session_id,
    ):
        return found  # all there is is one path
    for after, row in tx.rows(
        "WITH forked (after) AS ("
        " SELECT coalesce(parent_id, 0) FROM messages WHERE session_id = ? GROUP BY parent_id HAVING count(*) > 1"
        " UNION SELECT coalesce(head_id, 0) FROM sessions WHERE id = ?"
        ") SELECT coalesce(parent_id, 0), id FROM messages"
        " WHERE session_id = ? AND coalesce(parent_id, 0) IN forked ORDER BY abs(used), id",
        *(session_id, session_id, session_id),
    ):
        found[after] = (*found.get(after, ()), row)
    return found


def read_version(tx: Transaction, row: int) -> Version:
    """Return how the message begins, and who wrote it."""
    parts = tx.rows(
        "SELECT substr(text, 1, ?) FROM messages WHERE id = ? UNION ALL"
        " SELECT * FROM (SELECT substr(text, 1, ?) FROM pieces WHERE message_id = ? ORDER BY seq LIMIT 1) UNION ALL"
        " SELECT * FROM (SELECT substr(text, 1, ?) FROM journal WHERE message_id = ? ORDER BY seq LIMIT 9)",
        *(_BEGINNING, row) * 3,
    )
    text = "".join(part for (part,) in parts)[:_BEGINNING]
    written = tx.rows("SELECT provider, model FROM segments WHERE message_id = ? ORDER BY position", row)
    writing = tx.rows("SELECT provider, model FROM open_answers WHERE message_id = ?", row)
    models = tuple(dict.fromkeys(f"{provider}/{model}" for provider, model in (*written, *writing)))
    return Version(row=row, text=text, models=models, open=bool(writing))


def use(tx: Transaction, message_id: int) -> None:
    """Note that it is this one, of those beside it, that is gone on with."""
    tx.change(
        "UPDATE messages AS mine SET used = 1 + (SELECT max(abs(used)) FROM messages AS other"
        " WHERE other.session_id = mine.session_id AND other.parent_id IS mine.parent_id) WHERE id = ?",
        message_id,
    )


def end_of(tx: Transaction, session_id: str, message_id: int) -> int:
    """Return where a conversation that goes through that message ends: below it, as it was gone on with last."""
    last = message_id
    while (row := tx.row(_LAST_USED, session_id, last)) is not None and row[0] > last:
        last = row[0]
    return last


def remove_leaves(tx: Transaction, session_id: str, rows: Iterable[int]) -> None:
    """Delete those of the messages that nothing follows but others of them."""
    for row in sorted(rows, reverse=True):
        tx.change(
            "DELETE FROM messages WHERE id = ? AND session_id = ?"
            " AND NOT EXISTS (SELECT 1 FROM messages WHERE parent_id = ?)",
            *(row, session_id, row),
        )


def leave_behind(tx: Transaction, session_id: str, head: int) -> None:
    """Note that what comes after the head was given up."""
    tx.change("UPDATE messages SET used = -abs(used) WHERE session_id = ? AND parent_id IS ?", session_id, head or None)


def before(tx: Transaction, session_id: str, answer: int) -> int:
    """Return where the session was before that answer was asked for: at another one, also to the question in whose
    place its own was put; else the question.
    """
    question = _parent(tx, answer)
    other = _other(tx, session_id, question, answer)
    if other or not question:
        return other or question
    replaced = _other(tx, session_id, _parent(tx, question), question)
    return end_of(tx, session_id, replaced) if replaced else question


def _parent(tx: Transaction, message_id: int) -> int:
    (parent,) = tx.row("SELECT parent_id FROM messages WHERE id = ?", message_id) or (None,)
    return parent or 0


def _other(tx: Transaction, session_id: str, after: int, message_id: int) -> int:
    """Return the message beside that one, of the same side, which was gone on with last; 0 for none."""
    (other,) = tx.row(
        "SELECT id FROM messages WHERE session_id = ? AND parent_id IS ? AND used > 0 AND id != ?"
        " AND role = (SELECT role FROM messages WHERE id = ?) ORDER BY used DESC, id DESC LIMIT 1",
        *(session_id, after or None, message_id, message_id),
    ) or (0,)
    return int(other)


def leave(tx: Transaction, session_id: str, answer: int) -> None:
    """Where the session ends with that answer, have it be where it was before."""
    if head_of(tx, session_id) == answer:
        to = before(tx, session_id, answer)
        tx.change("UPDATE messages SET used = -abs(used) WHERE id IN (?, ?)", answer, _parent(tx, answer))
        set_head(tx, session_id, to)
