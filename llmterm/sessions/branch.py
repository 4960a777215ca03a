"""A session that begins as another one did: a copy, so that each can be exported and deleted without the other.

What is copied was answered once: it belongs to the figures of the branch, and not to the sums over all sessions.
"""

from __future__ import annotations

from llmterm.errors import SessionError
from llmterm.sessions.database import Transaction
from llmterm.sessions.lookup import new_id, unknown
from llmterm.sessions.rows import insert_message, read_path
from llmterm.sessions.titles import title_of_branch


def copy_session(tx: Transaction, session_id: str, keep: int, now: str) -> str:
    """Make a session of the first `keep` messages of another, and return its id."""
    row = tx.row("SELECT title, system, head_id FROM sessions WHERE id = ?", session_id)
    if row is None:
        raise unknown(session_id)
    title, system, head_id = row
    path = list(zip(*read_path(tx, head_id), strict=True)) if head_id else []
    if path and tx.row("SELECT 1 FROM open_answers WHERE message_id = ?", head_id):
        path.pop()
    if not 0 <= keep <= len(path):
        raise SessionError(
            f"session {session_id} has {len(path)} messages to branch after, not {keep}",
            hint="an answer that is not over has to be kept or discarded first",
        )
    titles = {taken for (taken,) in tx.rows("SELECT title FROM sessions")}
    branch_id = new_id(tx)
    tx.change(
        "INSERT INTO sessions (id, title, system, created_at, updated_at) VALUES (?, ?, ?, ?, ?)",
        *(branch_id, title_of_branch(title, titles), system, now, now),
    )
    times: dict[int, str] = dict(tx.rows("SELECT id, created_at FROM messages WHERE session_id = ?", session_id))
    last = 0
    for message_id, message in path[:keep]:
        last = insert_message(tx, branch_id, message, times[message_id], after=last)
    tx.change("UPDATE messages SET copied = 1 WHERE session_id = ?", branch_id)
    tx.change("UPDATE sessions SET head_id = ? WHERE id = ?", last or None, branch_id)
    return branch_id
