"""A question asked in the place of others, which stay in the tree beside it until it is answered.

Only the way from the head to the root is the conversation: what was replaced is in no list, count, search or export,
and back in all of them where the new question came to nothing.
"""

from __future__ import annotations

from llmterm.errors import SessionError
from llmterm.messages import Message
from llmterm.sessions.answer import remove, remove_below
from llmterm.sessions.database import Transaction
from llmterm.sessions.lookup import require_closed
from llmterm.sessions.record import Replacement
from llmterm.sessions.rows import insert_message, read_path
from llmterm.sessions.titles import title_of


def put_in_place(tx: Transaction, session_id: str, keep: int, question: Message, now: str) -> Replacement:
    """Have the question follow the first `keep` messages of the session."""
    require_closed(tx, session_id)
    title, head_id = tx.row("SELECT title, head_id FROM sessions WHERE id = ?", session_id) or ("", None)
    path = read_path(tx, head_id) if head_id else []
    if not 0 <= keep < len(path):
        raise SessionError(
            f"session {session_id} has {len(path)} messages, and none to replace after {keep}",
            hint="was it changed in another llmterm? /load opens it again",
        )
    first_id, first = path[keep]
    named = title_of(question.text) if keep == 0 and title == title_of(first.text) else title
    tx.change(
        "UPDATE sessions SET head_id = ?, title = ? WHERE id = ?",
        path[keep - 1][0] if keep else None,
        named,
        session_id,
    )
    message_id = insert_message(tx, session_id, question, now)
    return Replacement(message_id=message_id, first_id=first_id, head_id=head_id, title=named, title_before=title)


def put_back(tx: Transaction, session_id: str, replacement: Replacement, now: str) -> str:
    """Put what was replaced in its place again, remove what was there instead, and return the title as it is now."""
    if not tx.row("SELECT 1 FROM messages WHERE id = ? AND session_id = ?", replacement.head_id, session_id):
        raise SessionError(f"what was replaced in session {session_id!r} is not there any more")
    remove(tx, replacement.message_id)
    tx.change(
        "UPDATE sessions SET head_id = ?, title = CASE title WHEN ? THEN ? ELSE title END, updated_at = ? WHERE id = ?",
        *(replacement.head_id, replacement.title, replacement.title_before, now, session_id),
    )
    (title,) = tx.row("SELECT title FROM sessions WHERE id = ?", session_id) or ("",)
    return str(title)


def drop(tx: Transaction, replacement: Replacement) -> None:
    """Delete what was replaced."""
    remove_below(tx, replacement.first_id)
