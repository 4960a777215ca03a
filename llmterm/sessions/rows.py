"""Messages, segments and options as rows, and back.

Knows the columns and nothing of sessions' rules.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import MAXYEAR, UTC, datetime
from itertools import zip_longest
from operator import eq, itemgetter
from typing import get_args

from llmterm.messages import Message, Options, Reply, Role, Rope, Status
from llmterm.sessions.attachments import insert_attachments, read_attachments
from llmterm.sessions.database import Row, Transaction, as_text
from llmterm.sessions.parts import column, parts, written
from llmterm.sessions.segments import insert_segments, read_segments

# The messages from a head to its root. A parent is always older than its child, so they come newest first; and in a
# file in which somebody has made a circle of them a reader comes to an end.
PATH = """
    WITH RECURSIVE path (id) AS (
        SELECT ?
        UNION ALL
        SELECT parent_id FROM path CROSS JOIN messages USING (id) WHERE parent_id < messages.id
    )
"""
_COLUMNS = "SELECT id, parent_id, role, text, thinking, status, provider_data FROM"
_ROLES = frozenset(get_args(Role))

# What a time that cannot be read is shown as.
_UNKNOWN = datetime(1970, 1, 1, tzinfo=UTC)


def insert_message(tx: Transaction, session_id: str, message: Message, at: str, *, after: int) -> int:
    """Put the message under the row `after`, 0 for the beginning, and return its id. The head stays where it is."""
    parent = after or None
    message_id = tx.insert(
        "INSERT INTO messages"
        " (session_id, parent_id, role, text, thinking, status, provider_data, created_at, depth, used)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1 + coalesce((SELECT depth FROM messages WHERE id = ?), 0),"
        " 1 + coalesce((SELECT max(used) FROM messages WHERE session_id = ? AND parent_id IS ?), 0))",
        *(session_id, parent, message.role, message.text, message.thinking, message.status),
        *(column(message), at, parent, session_id, parent),
    )
    insert_segments(tx, message_id, message.segments)
    insert_attachments(tx, message_id, message.attachments)
    return message_id


def replace_reply(tx: Transaction, message_id: int, reply: Reply, status: Status) -> None:
    """Put the reply in the place of what the row held. A long one goes in pieces, so that it is not copied whole."""
    tx.change("DELETE FROM pieces WHERE message_id = ?", message_id)
    tx.change("DELETE FROM segments WHERE message_id = ?", message_id)
    short = len(reply.body) + len(reply.thoughts) <= Rope.LARGEST
    text, thinking = (reply.text, reply.thinking) if short else ("", "")
    tx.change(
        "UPDATE messages SET text = ?, thinking = ?, status = ?, provider_data = ? WHERE id = ?",
        *(text, thinking, status, written(reply.provider_data), message_id),
    )
    if not short:
        pairs = zip_longest(_pieces(reply.body), _pieces(reply.thoughts), fillvalue="")
        tx.change_each(
            "INSERT INTO pieces VALUES (?, ?, ?, ?)", ((message_id, seq, *pair) for seq, pair in enumerate(pairs))
        )
    insert_segments(tx, message_id, reply.segments)


def _pieces(rope: Rope) -> Iterator[str]:
    for part in rope.parts:
        for start in range(0, len(part), Rope.LARGEST):
            yield part[start : start + Rope.LARGEST]


def read_path(tx: Transaction, head_id: int) -> tuple[list[int], list[Message]]:
    """Return the messages from the root to the head, and their ids."""
    # Where nothing stands beside it the path is all there is of the session: twice as quick to find.
    alone = tx.row(
        "SELECT session_id FROM messages AS head WHERE id = ?"
        " AND depth = (SELECT count(*) FROM messages WHERE session_id = head.session_id)",
        head_id,
    )
    with undisturbed():
        if alone is not None:
            rows = tx.blobs(f"{_COLUMNS} messages WHERE session_id = ? ORDER BY parent_id", *alone)
            if all(map(eq, map(itemgetter(1), rows[1:]), map(itemgetter(0), rows))):
                return _messages(tx, rows)
        rows = tx.blobs(f"{PATH} {_COLUMNS} path CROSS JOIN messages USING (id)", head_id)
        return _messages(tx, rows[::-1])


def read_message(tx: Transaction, message_id: int) -> Message | None:
    """Return one message, None where there is none of that id."""
    _, found = _messages(tx, tx.blobs(f"{_COLUMNS} messages WHERE id = ?", message_id))
    return found[0] if found else None


@contextmanager
def undisturbed() -> Iterator[None]:
    """Make many values that all stay without the collector of garbage looking through them again and again."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def _messages(tx: Transaction, rows: list[Row]) -> tuple[list[int], list[Message]]:
    """Return the messages of `rows`, as `_COLUMNS` gives them, and their ids."""
    ids = [row[0] for row in rows]
    segments = read_segments(tx, ids)
    # A message that is in pieces has nothing in its own row.
    pieces = _pieces_of(tx, [row[0] for row in rows if not (row[3] or row[4])])
    attachments = read_attachments(tx, ids)
    found: list[Message] = []
    for message_id, _, role, said, thought, status, data in rows:
        if role not in _ROLES:
            raise ValueError(f"a message of {role!r}")
        if not (type(said) is type(thought) is type(data) is str):  # hardly ever
            said, thought, data = map(as_text, (said, thought, data))
        if message_id in pieces:
            said, thought = map("".join, zip(*pieces[message_id], strict=True))
        said_in = parts(data, said, thought, attachments.get(message_id, ()))
        found.append(Message(role=role, parts=said_in, status=status, segments=segments.get(message_id, ())))
    return ids, found


def _pieces_of(tx: Transaction, ids: list[int]) -> dict[int, list[tuple[str, str]]]:
    found: dict[int, list[tuple[str, str]]] = {}
    for message_id, _, text, thinking in _of(tx, "message_id, seq, text, thinking FROM {} pieces", ids):
        found.setdefault(message_id, []).append((text, thinking))
    return found


def _of(tx: Transaction, what: str, ids: list[int]) -> list[Row]:
    """Return those rows of a table that are of the messages `ids`, in their order."""
    asked = "json_each(?) AS asked CROSS JOIN"
    return tx.rows(f"SELECT {what.format(asked)} ON message_id = asked.value", json.dumps(ids)) if ids else []


def options_column(options: Options) -> str:
    return written(asdict(options))


def read_options(column: str) -> Options:
    values = json.loads(column)
    return Options(**{**values, "stop": tuple(values["stop"])})


def time_column(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def read_time(column: object) -> datetime:
    """Return a stored time; the beginning of 1970 for what is none, or one that no time zone has room for."""
    try:
        moment = datetime.fromisoformat(str(column))
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return _UNKNOWN
    return moment if 1 < moment.year < MAXYEAR else _UNKNOWN
