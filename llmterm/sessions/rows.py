"""Messages, segments and options as rows, and back.

Knows the columns and nothing of sessions' rules.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import MAXYEAR, UTC, datetime
from itertools import zip_longest
from typing import get_args

from llmterm.loading import loading
from llmterm.messages import Cursor, Message, Options, Reply, Role, Rope, Status
from llmterm.messages.plain import plain, read
from llmterm.sessions.attachments import insert_attachments, read_attachments
from llmterm.sessions.database import Row, Transaction, as_text
from llmterm.sessions.parts import column, parts, written
from llmterm.sessions.record import Earlier
from llmterm.sessions.segments import insert_segments, read_segments

# The messages from a head, the first value, to its root, or as many of them as the second says, -1 for all. A parent is
# always older than its child, so they come newest first; and in a file in which somebody has made a circle of them a
# reader comes to an end.
PATH = """
    WITH RECURSIVE path (id) AS (
        SELECT ?
        UNION ALL
        SELECT parent_id FROM path CROSS JOIN messages USING (id) WHERE parent_id < messages.id
        LIMIT ?
    )
"""
# Messages that are read at a time: a long session that is read in a thread leaves the others their turn.
_PORTION = 1000
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
        " 1 + coalesce((SELECT max(abs(used)) FROM messages WHERE session_id = ? AND parent_id IS ?), 0))",
        *(session_id, parent, message.role, *_whole(message), message.status),
        *(column(message), at, parent, session_id, parent),
    )
    _insert_pieces(tx, message_id, message)
    insert_segments(tx, message_id, message.segments)
    insert_attachments(tx, message_id, message.attachments)
    return message_id


def replace_reply(tx: Transaction, message_id: int, reply: Reply, status: Status) -> None:
    """Put the reply in the place of what the row held."""
    tx.change("DELETE FROM pieces WHERE message_id = ?", message_id)
    tx.change("DELETE FROM segments WHERE message_id = ?", message_id)
    tx.change(
        "UPDATE messages SET text = ?, thinking = ?, status = ?, provider_data = ? WHERE id = ?",
        *(*_whole(reply), status, written(reply.provider_data), message_id),
    )
    _insert_pieces(tx, message_id, reply)
    insert_segments(tx, message_id, reply.segments)


def _whole(said: Message | Reply) -> tuple[str, str]:
    """Return the text and the thinking for the message's own row: nothing where they are long, and go in pieces."""
    return ("", "") if _is_long(said) else (said.text, said.thinking)


def _insert_pieces(tx: Transaction, message_id: int, said: Message | Reply) -> None:
    if _is_long(said):
        pairs = zip_longest(_pieces(said.body), _pieces(said.thoughts), fillvalue="")
        tx.change_each(
            "INSERT INTO pieces VALUES (?, ?, ?, ?)", ((message_id, seq, *pair) for seq, pair in enumerate(pairs))
        )


def _is_long(said: Message | Reply) -> bool:
    """Tell whether to put it on the record as one would copy all of it at once."""
    return len(said.body) + len(said.thoughts) > Rope.LARGEST


def _pieces(rope: Rope) -> Iterator[str]:
    for part in rope.parts:
        for start in range(0, len(part), Rope.LARGEST):
            yield part[start : start + Rope.LARGEST]


def read_path(tx: Transaction, head_id: int, most: int | None = None) -> tuple[list[int], list[Message]]:
    """Return the messages from the root to the head, or the last `most` of them, and their ids."""
    portions: list[tuple[list[int], list[Message]]] = []
    with loading():  # what is read mostly stays, and a search for garbage in it would hold up everybody
        while head_id and most != 0:
            size = _PORTION if most is None else min(most, _PORTION)
            rows = tx.blobs(f"{PATH} {_COLUMNS} path CROSS JOIN messages USING (id)", head_id, size)
            portions.append(_messages(tx, rows[::-1]))
            most = most and most - size
            head_id = _before(*rows[-1][:2]) if len(rows) == size else 0
    portions.reverse()
    return [row for rows, _ in portions for row in rows], [each for _, messages in portions for each in messages]


def _before(row: int, parent: int | None) -> int:
    """Return the row of the message before, 0 for none."""
    return parent if parent is not None and parent < row else 0


def read_earlier(tx: Transaction, first: int, *, alone: bool) -> Earlier | None:
    """Return what there is before the message `first`, without reading it; None where that is the beginning.

    `alone`: nothing stands beside the messages of that session.
    """
    row = tx.row(
        "SELECT before.session_id, before.id, before.depth FROM messages JOIN messages AS before"
        " ON before.id = messages.parent_id WHERE messages.id = ? AND before.id < messages.id",
        first,
    )
    if row is None:
        return None
    session_id, last, messages = row
    ((cost,),) = (
        # All that there is of the session is added up much sooner than what is on a path.
        tx.rows(
            "SELECT sum(cost) FROM messages CROSS JOIN segments ON message_id = id WHERE session_id = ? AND id <= ?",
            *(session_id, last),
        )
        if alone
        else tx.rows(f"{PATH} SELECT sum(cost) FROM path CROSS JOIN segments ON message_id = id", last, -1)
    )
    return Earlier(last=last, messages=messages, cost=cost)


def read_message(tx: Transaction, message_id: int) -> Message | None:
    """Return one message, None where there is none of that id."""
    _, found = _messages(tx, tx.blobs(f"{_COLUMNS} messages WHERE id = ?", message_id))
    return found[0] if found else None


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
        text, thinking = map(Rope, zip(*pieces.get(message_id, ((said, thought),)), strict=True))
        said_in = parts(data, text, thinking, attachments.get(message_id, ()))
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


def cursor_column(cursor: Cursor | None) -> str | None:
    return None if cursor is None else written(plain(cursor))


def read_cursor(column: str | None) -> Cursor | None:
    """Return a stored cursor; None for what is none: all that is lost is that the answer is not asked for again."""
    try:
        return None if column is None else read(Cursor, json.loads(column))
    except (ValueError, TypeError):
        return None


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
