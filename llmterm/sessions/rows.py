"""Messages, segments and options as rows, and back.

Knows the columns and nothing of sessions' rules.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import MAXYEAR, UTC, datetime
from itertools import zip_longest
from typing import cast, get_args

from llmterm.messages import EndReason, Message, Options, Reply, Role, Rope, Segment, Status, Timing, Usage
from llmterm.sessions.attachments import insert_attachments, read_attachments
from llmterm.sessions.database import Row, Transaction
from llmterm.sessions.parts import column, parts, written

# The messages from a head to its root. A parent is always older than its child, so their ids are in the order of the
# conversation; UNION, not UNION ALL: a file in which somebody has made a circle of them must not hold up a reader.
PATH = """
    WITH RECURSIVE path (id) AS (
        SELECT ?
        UNION
        SELECT parent_id FROM path JOIN messages USING (id) WHERE parent_id IS NOT NULL
    )
"""
_ONE = "WITH path (id) AS (SELECT ?)"

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
    _insert_segments(tx, message_id, message.segments)
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
    _insert_segments(tx, message_id, reply.segments)


def _pieces(rope: Rope) -> Iterator[str]:
    for part in rope.parts:
        for start in range(0, len(part), Rope.LARGEST):
            yield part[start : start + Rope.LARGEST]


def path_ids(tx: Transaction, head_id: int | None) -> list[tuple[int, str]]:
    """Return the ids and roles of the messages from the root to the head."""
    return [
        (row[0], row[1])
        for row in tx.rows(f"{PATH} SELECT id, role FROM path JOIN messages USING (id) ORDER BY id", head_id)
    ]


def read_path(tx: Transaction, head_id: int) -> list[tuple[int, Message]]:
    """Return the messages from the root to the head, each with its id."""
    return _read(tx, PATH, head_id)


def read_message(tx: Transaction, message_id: int) -> Message | None:
    """Return one message, None where there is none of that id."""
    return next((message for _, message in _read(tx, _ONE, message_id)), None)


def _read(tx: Transaction, path: str, head_id: int) -> list[tuple[int, Message]]:
    segments: dict[int, list[Segment]] = {}
    for message_id, _, *columns in tx.rows(
        f"{path} SELECT segments.* FROM path JOIN segments ON message_id = path.id ORDER BY message_id, position",
        head_id,
    ):
        segments.setdefault(message_id, []).append(_segment(tuple(columns)))
    pieces: dict[int, list[Row]] = {}
    for message_id, *columns in tx.rows(
        f"{path} SELECT message_id, text, thinking FROM path JOIN pieces ON message_id = path.id"
        " ORDER BY message_id, seq",
        head_id,
    ):
        pieces.setdefault(message_id, []).append(tuple(columns))
    attachments = read_attachments(tx, path, head_id)
    rows = tx.rows(
        f"{path} SELECT id, role, text, thinking, status, provider_data FROM path JOIN messages USING (id) ORDER BY id",
        head_id,
    )
    return [
        (
            message_id,
            Message(
                role=_role(role),
                parts=parts(
                    data,
                    "".join((text, *(piece for piece, _ in pieces.get(message_id, ())))),
                    "".join((thinking, *(piece for _, piece in pieces.get(message_id, ())))),
                    attachments.get(message_id, ()),
                ),
                status=status,
                segments=tuple(segments.get(message_id, ())),
            ),
        )
        for message_id, role, text, thinking, status, data in rows
    ]


def _role(column: str) -> Role:
    if column not in get_args(Role):
        raise ValueError(f"a message of {column!r}")
    return cast(Role, column)


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


def _insert_segments(tx: Transaction, message_id: int, segments: tuple[Segment, ...]) -> None:
    tx.change_each(
        "INSERT INTO segments VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                message_id,
                position,
                each.provider,
                each.model,
                each.mode,
                each.start,
                each.end,
                each.end_reason,
                each.usage.input_tokens,
                each.usage.output_tokens,
                each.usage.estimated,
                each.timing.first_token_ms,
                each.timing.duration_ms,
                each.guidance,
                each.timing.retries,
                each.cost,
                each.seam,
                each.cut,
                each.added,
            )
            for position, each in enumerate(segments)
        ],
    )


def _segment(columns: Row) -> Segment:
    provider, model, mode, start, end, end_reason, asked, answered, estimated, first_token, *rest = columns
    duration, guidance, retries, cost, seam, cut, added = rest
    return Segment(
        provider=provider,
        model=model,
        mode=mode,
        start=start,
        end=end,
        end_reason=EndReason(end_reason),
        usage=Usage(input_tokens=asked, output_tokens=answered, estimated=bool(estimated)),
        timing=Timing(first_token_ms=first_token, duration_ms=duration, retries=retries),
        guidance=guidance,
        cost=cost,
        seam=seam,
        cut=cut,
        added=added,
    )
