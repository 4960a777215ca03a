"""The line that is being typed, as rows of the screen with a cursor in them. Pure.

All of a short text is shown, of a longer one what is around the cursor: the cost of a key does not grow with the text.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from llmterm.render.cells import breaks, usual_len
from llmterm.render.sanitize import clean

_TAB = "    "
_MARKED, _UNMARKED = "\x1b[7m", "\x1b[27m"


class Draft(NamedTuple):
    """Rows, none wider than the window, and the row and column of the cursor."""

    rows: list[str]
    cursor: tuple[int, int]


def drafted(
    text: str, position: int, columns: int, most: int, *, mark: str = "> ", selected: tuple[int, int] | None = None
) -> Draft:
    """Lay out `text` in at most so many rows, with the cursor before its character at `position`.

    `mark` stands before the first row, blanks of the same width before the others; `selected` is a range of `text`.
    """
    width = max(1, columns - len(mark) - 1)
    start, end = _around(text, position, most, width * most)
    shown, at = _shown(text[start:end]), len(_shown(text[start:position]))
    rows = _rows(shown, width)
    row = max(index for index, (first, _) in enumerate(rows) if first <= at)
    first = min(max(0, row - most // 2), max(0, len(rows) - most))
    marked = (0, 0)
    if selected is not None:
        marked = len(_shown(text[start : max(start, selected[0])])), len(_shown(text[start : max(start, selected[1])]))
    lines = [_part(shown, *span, marked) for span in rows[first : first + most]]
    blank = " " * len(mark)
    lines = [(mark if not start and not first + number else blank) + line for number, line in enumerate(lines)]
    return Draft(lines, (row - first, len(mark) + min(width, usual_len(shown[rows[row][0] : at]))))


def _around(text: str, position: int, lines: int, reach: int) -> tuple[int, int]:
    """Return the part of `text` that may be seen: so many lines, and characters, to each side of the cursor."""
    first, last = max(0, position - reach), min(len(text), position + reach)
    start = end = position
    for _ in range(lines + 1):
        found = text.rfind("\n", first, start)
        if found < 0:
            start = first - 1
            break
        start = found
    for _ in range(lines + 1):
        found = text.find("\n", end, last)
        if found < 0:
            end = last + 1
            break
        end = found + 1
    return start + 1, end - 1


def _shown(text: str) -> str:
    return clean(text).replace("\t", _TAB)


def _rows(shown: str, width: int) -> list[tuple[int, int]]:
    """Return where each row begins and ends in `shown`."""
    spans: list[tuple[int, int]] = []
    start = 0
    for line in shown.split("\n"):
        spans += [(start + one, start + two) for one, two in pairwise([0, *breaks(line, width), len(line)])]
        start += len(line) + 1
    return spans


def _part(shown: str, start: int, end: int, marked: tuple[int, int]) -> str:
    """Return a row, with what is marked of it in reverse."""
    one, two = max(start, marked[0]), min(end, marked[1])
    if one >= two:
        return shown[start:end]
    return f"{shown[start:one]}{_MARKED}{shown[one:two]}{_UNMARKED}{shown[two:end]}"
