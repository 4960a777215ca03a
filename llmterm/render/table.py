"""A table's cells as rows of a terminal: columns as wide as they must be, and not a character cut off.

Where the columns do not fit, the widest give way and their cells wrap, between words as long as that is enough; a line
stands between rows of which one has several lines. Where even that leaves nothing readable, each row becomes a short
list of "header: cell".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.style import Style

from llmterm.render.cells import cell_len, longest_word, usual_len
from llmterm.render.styled import Runs, plain, strip, wrap

_GAP = "  "
_RULE = "─"
_NARROWEST = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """`align` is as the style of markdown-it's cells says it, for example "text-align:right"."""

    head: Runs
    align: str = ""


def table(columns: Sequence[Column], rows: Sequence[Sequence[Runs]], width: int, rule: Style) -> list[Runs]:
    """Lay out a table within `width` cells; `rule` is the style of lines."""
    count = max(len(columns), *map(len, rows), 0)
    whole = [*columns, *[Column(head=[])] * (count - len(columns))]
    body = [[*row, *[[]] * (count - len(row))] for row in rows]
    heads = [column.head for column in whole]
    cells = [*zip(heads, *body, strict=True)]
    natural = [max(map(_natural, column)) for column in cells]
    room = width - len(_GAP) * (count - 1)
    widths = (
        natural if sum(natural) <= room else _widths(natural, [max(map(_longest, column)) for column in cells], room)
    )
    if not widths:
        return _records(heads, body, width)
    lines = _row(heads, widths, whole, width)
    lines.append([(_RULE * (sum(widths) + len(_GAP) * (count - 1)), rule)])
    between: Runs = [(_GAP.join(_RULE * size for size in widths), rule)]
    before = 0
    for row in body:
        wrapped = _row(row, widths, whole, width)
        lines += [between, *wrapped] if before and max(before, len(wrapped)) > 1 else wrapped
        before = len(wrapped)
    return lines


def _natural(cell: Runs) -> int:
    return max(1, *map(cell_len, plain(cell).split("\n")))


def _longest(cell: Runs) -> int:
    return longest_word(plain(cell))


def _widths(natural: Sequence[int], least: Sequence[int], room: int) -> list[int]:
    """Let the widest columns give way until all fit, none below its longest word if that is possible.

    Return none if too little would be left of them.
    """
    if room < len(natural):
        return []
    floors = [min(size, words) for size, words in zip(natural, least, strict=True)]
    if sum(floors) > room:
        floors = [min(floor, room // len(natural)) for floor in floors]
    widest = min(max(natural), room)
    while widest >= _NARROWEST and sum(_given(natural, floors, widest)) > room:
        widest -= 1
    widths = _given(natural, floors, widest)
    spare = room - sum(widths)
    if spare < 0:
        return []
    for index, size in enumerate(natural):
        if spare and widths[index] == widest < size:
            widths[index] += 1
            spare -= 1
    return widths


def _given(natural: Sequence[int], floors: Sequence[int], widest: int) -> list[int]:
    return [max(floor, min(size, widest)) for size, floor in zip(natural, floors, strict=True)]


def _row(cells: Sequence[Runs], widths: Sequence[int], columns: Sequence[Column], room: int) -> list[Runs]:
    wrapped = [wrap(cell, width) for cell, width in zip(cells, widths, strict=True)]
    lines: list[Runs] = []
    for index in range(max(map(len, wrapped))):
        pieces = [strip(rows[index]) if index < len(rows) else [] for rows in wrapped]
        line = _joined(pieces, widths, columns, usual_len)
        # Where all the width is needed, a row must not be too long on a terminal to which its characters are wider.
        lines.append(line if cell_len(plain(line)) <= room else _joined(pieces, widths, columns, cell_len))
    return lines


def _joined(
    pieces: Sequence[Runs], widths: Sequence[int], columns: Sequence[Column], measure: Callable[[str], int]
) -> Runs:
    line: Runs = []
    for piece, width, column in zip(pieces, widths, columns, strict=True):
        line += [(_GAP, Style.null())] if line else []
        line += _aligned(piece, max(0, width - measure(plain(piece))), column.align)
    return line


def _aligned(row: Runs, spare: int, align: str) -> Runs:
    left = spare if align.endswith("right") else spare // 2 if align.endswith("center") else 0
    return [(" " * left, Style.null()), *row, (" " * (spare - left), Style.null())]


def _records(heads: Sequence[Runs], body: Sequence[Sequence[Runs]], width: int) -> list[Runs]:
    lines: list[Runs] = []
    for row in body or [heads]:
        lines += [[]] if lines else []
        for head, cell in zip(heads, row, strict=True):
            named: Runs = [*head, (": ", Style.null())] if head and body else []
            if head or cell:
                lines += wrap(named + list(cell), width)
    return lines
