"""The list of sessions: a line for each, without reading what was said in it."""

from __future__ import annotations

from llmterm.sessions.answer import state_of
from llmterm.sessions.database import Transaction
from llmterm.sessions.owner import Owner
from llmterm.sessions.record import SessionInfo
from llmterm.sessions.rows import read_time
from llmterm.sessions.titles import title_of

# Characters of a first question that are read: a title is shorter, but may have blank lines before it.
_BEGINNING = 200


def read_infos(tx: Transaction, limit: int | None, *, opened: bool, begins: bool = False) -> list[SessionInfo]:
    """Return all sessions or that many, only those with an open answer if `opened`, the one changed last first.

    How each `begins` takes as long again as all the rest.
    """
    first = (
        f"(SELECT substr(text, 1, {_BEGINNING}) FROM messages WHERE session_id = sessions.id AND parent_id IS NULL"
        " ORDER BY id DESC LIMIT 1)"
    )
    among = "open_answers CROSS JOIN sessions ON message_id = head_id" if opened else "sessions"
    rows = tx.rows(
        "SELECT sessions.id, title, sessions.created_at, updated_at, coalesce(depth, 0),"
        f" state, owner_pid, owner_host, owner_born, piped, {first if begins else 'NULL'}"
        f" FROM (SELECT sessions.* FROM {among}"
        " ORDER BY change DESC LIMIT ?) AS sessions"
        " LEFT JOIN messages ON messages.id = head_id"
        " LEFT JOIN open_answers ON message_id = head_id"
        " ORDER BY change DESC",
        -1 if limit is None else max(0, limit),
    )
    return [
        SessionInfo(
            id=session_id,
            title=title,
            created_at=read_time(created_at),
            updated_at=read_time(updated_at),
            messages=count,
            state=state_of(state, Owner(pid=pid, host=host, born=born)) if state else "complete",
            piped=bool(piped),
            begins=title_of(said or ""),
        )
        for session_id, title, created_at, updated_at, count, state, pid, host, born, piped, said in rows
    ]
