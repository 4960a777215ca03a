"""A session as it is stored: read with its messages, its open answer and its forks."""

from __future__ import annotations

from llmterm.conversation import Conversation
from llmterm.messages import EndReason
from llmterm.sessions.answer import read_open
from llmterm.sessions.database import Transaction
from llmterm.sessions.lookup import busy
from llmterm.sessions.record import StoredSession
from llmterm.sessions.rows import read_earlier, read_path, read_time
from llmterm.sessions.tree import before, read_forks


def read_session(tx: Transaction, session_id: str, *, peek: bool, last: int | None) -> StoredSession:
    """Return the session of that id, with all its messages or only the `last`.

    Refuses one that a living process is answering, unless it is only to be looked at: `peek`.
    """
    ((title, system, created_at, updated_at, head_id),) = tx.rows(
        "SELECT title, system, created_at, updated_at, head_id FROM sessions WHERE id = ?", session_id
    )
    rows, messages = read_path(tx, head_id or 0, last)
    forks = read_forks(tx, session_id)
    earlier = read_earlier(tx, rows[0], alone=not forks) if last is not None and rows else None
    row = read_open(tx, rows[-1], messages[-1]) if rows else None
    if row is not None:
        rows.pop()
        messages.pop()
        if row.state == "streaming" and not peek:
            raise busy(session_id, row.owner)
    return StoredSession(
        id=session_id,
        title=title,
        created_at=read_time(created_at),
        updated_at=read_time(updated_at),
        conversation=Conversation(system=system, messages=tuple(messages)),
        answer=row.answer if row else None,
        rows=tuple(rows),
        head=head_id or 0,
        forks=forks,
        earlier=earlier,
    )


def came_to_nothing(tx: Transaction, stored: StoredSession) -> bool:
    """Tell whether the session was cut before a word of its last answer came, and was elsewhere before."""
    answer = stored.answer
    if answer is None or answer.reason is not EndReason.CRASH or answer.message.body or answer.message.thoughts:
        return False
    return before(tx, stored.id, answer.message_id) not in (0, *stored.rows[-1:])
