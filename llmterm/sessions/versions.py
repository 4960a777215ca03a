"""Versions of a conversation: messages that stand beside each other, and which of them it goes through.

Pure: rows in, rows out. A row is that of a message in the store, 0 where it has none.
"""

from __future__ import annotations

import sys
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeVar

T = TypeVar("T")


class Fork(NamedTuple):
    """The rows of messages that follow the same one, the oldest first.

    `at` is how many messages of the conversation are before them, and `current` which of them is the next one, from 0;
    None where the conversation has gone back to before them. `last` is the row that was gone on with last.
    """

    at: int
    rows: tuple[int, ...]
    current: int | None
    last: int


def forks_of(path: Sequence[T], beside: Mapping[int, tuple[int, ...]], row_of: Callable[[T], int]) -> list[Fork]:
    """Return where the conversation on `path` could go otherwise, the last place first.

    It may be long: only of some of it the row is asked for.

    `beside` has the messages that stand beside each other by the row they follow, also those after its end; the later
    ones were gone on with later.
    """
    found = []
    # A message is newer than what it follows, and one without a row newer than all that have one.
    for row, rows in sorted(beside.items(), reverse=True):
        at = bisect_right(path, row, key=lambda each: row_of(each) or sys.maxsize) if row else 0
        if row and not (at and row_of(path[at - 1]) == row):
            continue  # that is on another path
        oldest_first = tuple(sorted(rows))
        if at == len(path):
            found.append(Fork(at=at, rows=oldest_first, current=None, last=rows[-1]))
        elif row_of(path[at]) in rows and len(rows) > 1:
            current = oldest_first.index(row_of(path[at]))
            found.append(Fork(at=at, rows=oldest_first, current=current, last=rows[-1]))
    return found


def neighbour(forks: Sequence[Fork], step: int) -> int | None:
    """Return the version before (-1) or after (1) the current one, None where there is none.

    Where the last place has none it is that of an earlier one: going back from the last of all, all of them are seen.
    After the end it is the one that was gone on with last: going on from where one has gone back.
    """
    for fork in forks:
        if fork.current is None and step > 0:
            return fork.last
        if fork.current is not None and 0 <= fork.current + step < len(fork.rows):
            return fork.rows[fork.current + step]
    return None
