"""A question asked in the place of others, which stay in the tree beside it until it is answered.

Only the way from the head to the root is the conversation: what was replaced is in no list, count, search or export,
and back in all of them where the new question came to nothing. The way back is on the disk: it outlives the process.
"""

from __future__ import annotations

from llmterm.errors import SessionError
from llmterm.messages import Message
from llmterm.sessions.database import Transaction
from llmterm.sessions.lookup import require_closed
from llmterm.sessions.owner import Owner
from llmterm.sessions.record import Replacement
from llmterm.sessions.removing import remove, remove_below
from llmterm.sessions.rows import insert_message, path_ids, read_message
from llmterm.sessions.titles import title_of


def put_in_place(
    tx: Transaction, session_id: str, keep: int, question: Message, now: str, head: int | None
) -> Replacement:
    """Have the question follow the first `keep` messages of the session."""
    require_closed(tx, session_id, head)
    title, head_id = tx.row("SELECT title, head_id FROM sessions WHERE id = ?", session_id) or ("", None)
    path = path_ids(tx, head_id)
    if not 0 <= keep < len(path):
        raise SessionError(
            f"session {session_id} has {len(path)} messages, and none to replace after {keep}",
            hint="was it changed in another llmterm? /load opens it again",
        )
    first_id, _ = path[keep]
    first = read_message(tx, first_id) if keep == 0 else None
    named = title_of(question.text) if first is not None and title == title_of(first.text) else title
    tx.change(
        "UPDATE sessions SET head_id = ?, title = ? WHERE id = ?",
        path[keep - 1][0] if keep else None,
        named,
        session_id,
    )
    message_id = insert_message(tx, session_id, question, now)
    tx.change("INSERT INTO replacements VALUES (?, ?, ?, ?, ?)", message_id, first_id, head_id, named, title)
    return Replacement(message_id=message_id, head_id=head_id, title=named)


def put_back(tx: Transaction, question_id: int | None, now: str) -> str | None:
    """Have what the question replaces in its place again, and return the title as it is now; None if it does not."""
    row = tx.row(
        "SELECT message_id, session_id, head_id, title, title_before FROM replacements JOIN messages ON id = message_id"
        " WHERE message_id = ?",
        question_id,
    )
    if row is None:
        return None
    message_id, session_id, head_id, named, title_before = row
    remove(tx, message_id)
    tx.change(
        "UPDATE sessions SET head_id = ?, title = CASE title WHEN ? THEN ? ELSE title END, updated_at = ? WHERE id = ?",
        *(head_id, named, title_before, now, session_id),
    )
    (title,) = tx.row("SELECT title FROM sessions WHERE id = ?", session_id) or ("",)
    return str(title)


def drop(tx: Transaction, question_id: int | None) -> None:
    """Delete what the question replaces: there is no way back any more."""
    row = tx.row("SELECT first_id FROM replacements WHERE message_id = ?", question_id)
    if row is not None:
        remove_below(tx, row[0])


def abandoned(tx: Transaction, session_id: str) -> int | None:
    """Return the question at the end of the session, if it replaces another, and its process ended before a word came.

    One that was left at a pause is not: somebody has decided on that.
    """
    row = tx.row(
        "SELECT replacements.message_id, replacements.message_id = messages.id, owner_pid, owner_host, owner_born"
        " FROM sessions JOIN messages ON messages.id = sessions.head_id"
        " JOIN replacements ON replacements.message_id IN (messages.id, messages.parent_id)"
        " LEFT JOIN open_answers ON open_answers.message_id = messages.id"
        " WHERE sessions.id = ? AND (replacements.message_id = messages.id OR state = 'streaming'"
        " AND text = '' AND thinking = '' AND NOT EXISTS (SELECT 1 FROM journal WHERE message_id = messages.id)"
        " AND NOT EXISTS (SELECT 1 FROM pieces WHERE message_id = messages.id))",
        session_id,
    )
    if row is None:
        return None
    question_id, unanswered, pid, host, born = row
    return question_id if unanswered or not Owner(pid=pid, host=host, born=born).alive() else None
