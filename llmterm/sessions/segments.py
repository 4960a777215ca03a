"""The segments of messages as rows, and back: made of their rows when somebody looks at them.

A long session has thousands, and whoever opens it looks at a few. They are equal to a tuple of the same segments.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import overload

from llmterm.messages import EndReason, Segment, Timing, Usage
from llmterm.sessions.database import Row, Transaction, readable

_REASONS = {reason.value: reason for reason in EndReason}
# Where the reason why it ended stands in a row, and what it has cost.
_REASON, _COST = 7, 15
_COLUMNS = 24


class StoredSegments(Sequence[Segment]):
    """The segments of one message."""

    __slots__ = ("_made", "_rows")

    def __init__(self, *rows: Row) -> None:
        """`rows` are those of the table. Raises ValueError for one that holds an unknown reason."""
        self._rows = rows
        self._made: tuple[Segment, ...] | None = None
        for row in rows:
            if row[_REASON] not in _REASONS:
                raise ValueError(f"a segment that ended by {row[_REASON]!r}")

    def and_one(self, row: Row) -> StoredSegments:
        return StoredSegments(*self._rows, row)

    @property
    def cost(self) -> float | None:
        """What they have cost together, None where no cost is known."""
        return together(row[_COST] for row in self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Segment]:
        return iter(self._all())

    @overload
    def __getitem__(self, index: int) -> Segment: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Segment, ...]: ...
    def __getitem__(self, index: int | slice) -> Segment | tuple[Segment, ...]:
        return self._all()[index]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, tuple | StoredSegments) and self._all() == tuple(other)

    def __hash__(self) -> int:
        return hash(self._all())

    def __repr__(self) -> str:
        return repr(self._all())

    def _all(self) -> tuple[Segment, ...]:
        if self._made is None:
            self._made = tuple(map(_segment, self._rows))
        return self._made


def read_segments(tx: Transaction, ids: list[int]) -> dict[int, StoredSegments]:
    """Return the segments of those messages, by message."""
    found: dict[int, StoredSegments] = {}
    for row in tx.blobs(
        "SELECT segments.* FROM json_each(?) AS asked CROSS JOIN segments ON message_id = asked.value", json.dumps(ids)
    ):
        message_id = row[0]
        found[message_id] = found[message_id].and_one(row) if message_id in found else StoredSegments(row)
    return found


def together(costs: Iterable[float | None]) -> float | None:
    """Return the sum of those costs that are known, None where none is."""
    known = [cost for cost in costs if cost is not None]
    return sum(known) if known else None


def cost_of(segments: Sequence[Segment]) -> float | None:
    """Return what the segments have cost together, None where no cost is known; without making them."""
    return segments.cost if isinstance(segments, StoredSegments) else together(each.cost for each in segments)


def insert_segments(tx: Transaction, message_id: int, segments: Sequence[Segment]) -> None:
    tx.change_each(
        f"INSERT INTO segments VALUES ({', '.join('?' * _COLUMNS)})",
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
                each.usage.cached_tokens,
                each.usage.cache_write_tokens,
                each.usage.cost,
                each.input_cost,
                each.saved,
            )
            for position, each in enumerate(segments)
        ],
    )


def _segment(row: Row) -> Segment:
    _, _, provider, model, mode, start, end, reason, asked, answered, estimated, first_token, *rest = readable(row)
    duration, guidance, retries, cost, seam, cut, added, cached, written, stated, input_cost, saved = rest
    return Segment(
        provider=provider,
        model=model,
        mode=mode,
        start=start,
        end=end,
        end_reason=_REASONS[reason],
        usage=Usage(
            input_tokens=asked,
            output_tokens=answered,
            cached_tokens=cached,
            cache_write_tokens=written,
            estimated=bool(estimated),
            cost=stated,
        ),
        timing=Timing(first_token_ms=first_token, duration_ms=duration, retries=retries),
        guidance=guidance,
        cost=cost,
        input_cost=input_cost,
        saved=saved,
        seam=seam,
        cut=cut,
        added=added,
    )
