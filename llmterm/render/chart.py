"""Figures for a terminal of a given width: a table, and horizontal bars.

Every row fits the width, and whatever text it holds is made safe. A narrow terminal shows fewer columns of a table,
and where even that is too much, each row becomes a short list of "head: cell".
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rich.console import Console
from rich.style import Style
from rich.table import Table
from rich.text import Text

from llmterm.render.cells import cell_len, chop, usual_len, wrap
from llmterm.render.sanitize import clean
from llmterm.render.styled import Runs, paint

_PLAIN = Style.null()
_HEAD = Style(bold=True)
_BAR = Style(color="cyan")
_EIGHTHS = " ▏▎▍▌▋▊▉"
_FULL = "█"
_GAP = 2
# Labels and bars that would get less room than this are not worth having beside something else.
_SHORTEST_LABEL = 8
_SHORTEST_BAR = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """`head` may have several lines. `spare`: left out where there is no room for all, the last such column first."""

    head: str
    cells: Sequence[str]
    spare: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """`figure` is how `value` is written."""

    label: str
    value: int
    figure: str


def table(labels: Column, figures: Sequence[Column], width: int, *, color: bool) -> list[str]:
    """Lay out a table; labels may wrap, figures do not."""
    columns = [_safe(labels), *map(_safe, figures)]
    while _width(columns) > width and any(column.spare for column in columns):
        columns.remove([column for column in columns if column.spare][-1])
    names = min(_SHORTEST_LABEL, _widest(columns[0]))
    # Rich counts the usual cells of a text: a row may take as many more as its label does at most.
    room = width - max((cell_len(cell) - usual_len(cell) for cell in columns[0].cells), default=0)
    if _width(columns[1:]) + _GAP + names > room:
        return _records([_safe(labels), *map(_safe, figures)], width)
    grid = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, header_style=_HEAD)
    grid.add_column(Text(columns[0].head), overflow="fold", vertical="bottom")
    for column in columns[1:]:
        grid.add_column(Text(column.head), justify="right", no_wrap=True, vertical="bottom")
    for cells in zip(*(column.cells for column in columns), strict=True):
        grid.add_row(*map(Text, cells))
    # Widths and styles are given, so nothing depends on what terminal rich believes this to be.
    console = Console(file=io.StringIO(), width=room, height=1, legacy_windows=False, color_system="standard")
    lines = console.render_lines(grid, console.options.update(height=None), pad=False)
    return [paint([(part.text, part.style or _PLAIN) for part in line], color=color) for line in lines]


def bars(title: str, rows: Sequence[Bar], width: int, *, color: bool) -> list[str]:
    """Draw a bar for each row, the longest as long as there is room, below a title."""
    lines = [paint([(line, _HEAD)], color=color) for line in wrap(title, width)]
    names = min(max((cell_len(_flat(row.label)) for row in rows), default=0), width // 2)
    room = width - names - _GAP - 1 - max((len(row.figure) for row in rows), default=0)
    if room < _SHORTEST_BAR:
        return lines + [line for row in rows for line in wrap(f"{_flat(row.label)}: {row.figure}", width)]
    top = max((row.value for row in rows), default=0)
    for row in rows:
        label = _clip(_flat(row.label), names)
        bar = _bar(row.value, top, room)
        runs: Runs = [(label + " " * (names - cell_len(label) + _GAP), _PLAIN), (bar, _BAR)]
        lines.append(paint([*runs, (f" {row.figure}" if bar else row.figure, _PLAIN)], color=color))
    return lines


def _bar(value: int, top: int, room: int) -> str:
    """Return a bar in steps of an eighth of a cell; whatever is not nothing can be seen."""
    if value <= 0:
        return ""
    full, eighths = divmod(max(1, value * room * 8 // top), 8)
    return _FULL * full + (_EIGHTHS[eighths] if eighths else "")


def _records(columns: Sequence[Column], width: int) -> list[str]:
    lines: list[str] = []
    labels, *figures = columns
    for index, label in enumerate(labels.cells):
        lines += ["", *wrap(label, width)] if lines else wrap(label, width)
        for column in figures:
            lines += wrap(f"{_flat(column.head)}: {column.cells[index]}", width)
    return lines


def _safe(column: Column) -> Column:
    return replace(column, cells=[_flat(cell) for cell in column.cells])


def _flat(text: str) -> str:
    return " ".join(clean(text).split())


def _widest(column: Column) -> int:
    return max(map(cell_len, [*column.head.split("\n"), *column.cells]))


def _width(columns: Sequence[Column]) -> int:
    return sum(map(_widest, columns)) + _GAP * (len(columns) - 1)


def _clip(text: str, width: int) -> str:
    return text if cell_len(text) <= width else chop(text, width - 1)[0] + "…"
