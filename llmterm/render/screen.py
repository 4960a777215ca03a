"""Two regions of a terminal: lines that are permanent, and below them a live area that is drawn again and again.

Permanent lines are written once and then belong to the terminal's scrollback. The live area always fits on the screen;
only what changed in it is written, as one string, inside synchronized output (DECSET 2026, which terminals without it
ignore). Where the area is after the window changed its size can only be estimated: the estimate never reaches above it,
so that at worst some remnants of the area stay behind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from llmterm.render.cells import height
from llmterm.render.drawn import bare, clip, patch

_BEGIN, _END = "\x1b[?2026h", "\x1b[?2026l"
_HIDE, _SHOW = "\x1b[?25l", "\x1b[?25h"
# Characters of a frame that take a terminal no time.
_LITTLE = 200
# From the beginning of a row. Not from its first cell: tmux takes a screen that is cleared from its first cell on for
# one that is over, and keeps a copy of it in the scrollback.
CLEAR_DOWN = "\x1b[K\x1b[1C\x1b[J\r"


class Screen:
    """Writes to a terminal whose cursor stands at the beginning of an empty line.

    `write` is called once per frame; `size` gives columns and rows; `cell_len` is the width of plain text in cells;
    `reflows` says whether the terminal wraps lines anew when its width changes. Lines may contain styles and
    links (SGR and OSC 8 sequences), and no other controls.
    """

    def __init__(
        self,
        *,
        write: Callable[[str], None],
        size: Callable[[], tuple[int, int]],
        cell_len: Callable[[str], int],
        reflows: Callable[[], bool] = lambda: False,
        moves: bool = True,
    ) -> None:
        """`moves`: rows are moved, not written again; not where they may stand elsewhere before that is told."""
        self._write = write
        self._size = size
        self._cell_len = cell_len
        self._reflows = reflows
        self._moves = moves
        # The live area as it was written, and where in it the cursor stands: shown in the footer, where something is
        # typed; else hidden, at the beginning of the last line, where it stays when a terminal wraps that line anew.
        self._area: list[str] = []
        self._at = (0, 0)
        # How many of its first lines are the live ones, if all of these are in it, and how many of its last the footer.
        self._whole = 0
        self._foot = 0
        # After a change of size the lines are still known, but not what they look like.
        self._rows_above: int | None = None
        self._hidden = False
        self._drawn_at = (0, 0)
        self._displaced = False

    def paint(
        self,
        permanent: Sequence[str],
        live: Sequence[str],
        footer: Sequence[str],
        cursor: tuple[int, int] | None = None,
    ) -> None:
        """Draw a frame: `permanent` for good, above as much of the end of `live` as fits, and `footer`.

        `cursor` is a row of `footer` and a column in it, both from 0: it is shown there, else nowhere.
        """
        columns, rows = self._dimensions()
        bottom = footer[:rows]
        room = max(0, rows - len(bottom) - 1)
        area = [clip(line, columns, self._cell_len) for line in [*live[max(0, len(live) - room) :], *bottom]]
        at = None
        if cursor is not None and area:
            row = min(len(area) - len(bottom) + cursor[0], len(area) - 1)
            at = max(0, row), min(cursor[1], columns - 1)
        self._draw(permanent, area, at, len(bottom))
        self._whole = len(live) if len(live) <= room else 0

    def clear(self) -> None:
        """Remove the live area; the cursor is shown, at its top."""
        self._draw([], [], None, 0)

    def blank(self) -> None:
        """Begin anew on a screen with nothing on it."""
        self.clear()
        self._write("\x1b[H\x1b[2J")

    def displaced(self) -> None:
        """Take note that the terminal has had another size, if only for a moment: its rows may stand elsewhere."""
        self._displaced = True

    def resized(self) -> int:
        """Take note that the terminal has a new size; a frame notices it by itself.

        Return how many live lines have left a screen that became lower: they stay in the scrollback. None are counted
        where those on the screen were not the first of the block.
        """
        columns, rows = self._dimensions()
        if not self._area:
            return 0
        row, column = self._at
        above = [self._rows(line, columns) for line in self._area[:row]]
        # Behind the end of a line nothing is wrapped.
        end = self._cell_len(bare(self._area[row]))
        within = max(0, min(column, end) - 1) // columns if self._reflows() else 0
        gone, height = 0, sum(above) + within
        while height > rows - 1 and gone < len(above):
            height -= above[gone]
            gone += 1
        self._rows_above = height
        return min(gone, self._whole)

    def _draw(self, permanent: Sequence[str], area: list[str], at: tuple[int, int] | None, foot: int) -> None:
        if self._displaced or self._dimensions() != self._drawn_at:
            self.resized()
            self._displaced = False
        known = self._rows_above is None
        to = at if at is not None else (max(0, len(area) - 1), 0)
        if known and not permanent and area == self._area and self._hidden == (at is None and bool(area)):
            if to != self._at:
                self._write(_moved(self._at, to))
                self._at = to
            return
        lines = [*permanent, *area]
        pen = self._changed(lines, len(permanent), foot) if known and self._area else self._anew(lines)
        if area:
            pen.put(len(permanent) + to[0], "")
            pen.text += _right(to[1])
        elif pen.row < len(lines):
            pen.put(len(lines) - 1, "")
            pen.text += "\r\n"
        shown = at is not None or not area
        # While little is written nobody sees the cursor where that is, also on a terminal that knows no frames.
        hide = _HIDE if not self._hidden and (not shown or len(pen.text) > _LITTLE) else ""
        show = _SHOW if shown and (self._hidden or hide) else ""
        self._area, self._at, self._foot, self._rows_above = area, to, foot, None
        self._hidden = not shown
        self._drawn_at = self._dimensions()
        self._write(f"{_BEGIN}{hide}{pen.text}{show}{_END}")

    def _changed(self, lines: Sequence[str], permanent: int, foot: int) -> _Pen:
        """Write what makes the live area, whose rows are known, into `lines`, the first of them permanent."""
        pen = _Pen(*self._at)
        columns, rows = self._dimensions()
        old = self._area
        if self._moves and foot == self._foot and len(lines) <= rows:
            old = pen.shift(old, len(old) - foot, len(lines) - len(old))
        for row, line in enumerate(lines):
            if row >= len(old):
                pen.append(row, line)
            elif row < permanent and self._height(line, columns) > 1:
                # It takes rows that others stand on.
                pen.put(row, CLEAR_DOWN + "\r\n".join(lines[row:]))
                pen.row = len(lines) - 1
                return pen
            elif line != old[row]:
                pen.put(row, patch(old[row], line))
        if len(lines) < len(old):
            pen.put(len(lines), CLEAR_DOWN)
        return pen

    def _anew(self, lines: Sequence[str]) -> _Pen:
        """Write all of `lines` over the live area."""
        pen = _Pen(len(lines) - 1, 1)
        up = self._at[0] if self._rows_above is None and self._area else self._rows_above or 0
        pen.text = f"\r{_up(up)}{CLEAR_DOWN}" + "\r\n".join(lines)
        if not lines:
            pen.row = 0
        return pen

    def _rows(self, line: str, columns: int) -> int:
        """Return how many rows a line takes that is on the screen."""
        return height(bare(line), columns if self._reflows() else self._drawn_at[0])

    def _height(self, line: str, columns: int) -> int:
        """Return how many rows a line takes that was written without regard for the width."""
        return max(1, -(-self._cell_len(bare(line)) // columns))

    def _dimensions(self) -> tuple[int, int]:
        columns, rows = self._size()
        return max(1, columns), max(1, rows)


class _Pen:
    """What is written, and the row of the live area that the cursor is in then."""

    def __init__(self, row: int, column: int) -> None:
        self.text = ""
        self.row = row
        self._at_start = column == 0
        self._clear = False

    def put(self, row: int, text: str) -> None:
        """Write `text` from the beginning of `row`, one that is there."""
        down = row - self.row
        if down in (1, 2):
            self.text += "\r\n" * down
        else:
            self.text += "" if self._at_start else "\r"
            self.text += f"\x1b[{down}B" if down > 0 else _up(-down)
        self.text += text
        self.row, self._at_start = row, not text

    def shift(self, area: list[str], row: int, rows: int) -> list[str]:
        """Move what stands from `row` on down by so many rows, or up where they are fewer than none, as it is.

        Return the rows of the area as they are then (IL and DL of ECMA-48, 8.3.67 and 8.3.32).
        """
        if row == len(area) or not rows or row + rows < 0:
            return area
        if rows < 0:
            self.put(row + rows, f"\x1b[{-rows}M")
            return area[: row + rows] + area[row:]
        self.put(len(area) - 1, "")
        # What is inserted pushes off the screen what is at its bottom: nothing, then.
        self.text += f"\r\n{CLEAR_DOWN}" + "\r\n" * (rows - 1)
        self.row, self._at_start = len(area) - 1 + rows, True
        self.put(row, f"\x1b[{rows}L")
        return [*area[:row], *[""] * rows, *area[row:]]

    def append(self, row: int, text: str) -> None:
        """Write `text` on `row`, one below the last."""
        self.put(row - 1, "")
        # Nothing should be below the area; a window that changed its size and back between two frames left something.
        self.text += f"\r\n{'' if self._clear else CLEAR_DOWN}{text}"
        self._clear = True
        self.row, self._at_start = row, not text


def _up(rows: int) -> str:
    return f"\x1b[{rows}A" if rows else ""


def _right(columns: int) -> str:
    return f"\x1b[{columns}C" if columns else ""


def _moved(old: tuple[int, int], new: tuple[int, int]) -> str:
    """Return what takes the cursor from a row and column to others."""
    down = new[0] - old[0]
    rows = f"\x1b[{down}B" if down > 0 else _up(-down)
    if new[1] == old[1]:
        return rows
    return f"{rows}\r{_right(new[1])}"
