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
        reflows: bool = False,
    ) -> None:
        self._write = write
        self._size = size
        self._cell_len = cell_len
        self._reflows = reflows
        # The live area as it was written. While it is up, the cursor is hidden, at the beginning of its last line:
        # there it stays when a terminal wraps that line anew.
        self._area: list[str] = []
        # How many of its first lines are the live ones, if all of these are in it.
        self._whole = 0
        # After `settle` and until the next frame the cursor is shown, on the line below these.
        self._settled: list[str] = []
        self._below = False
        # After a change of size the lines are still known, but not what they look like.
        self._rows_above: int | None = None
        self._hidden = False
        self._drawn_at = (0, 0)

    def paint(self, permanent: Sequence[str], live: Sequence[str], footer: Sequence[str]) -> None:
        """Draw a frame: `permanent` for good, above as much of the end of `live` as fits, and `footer`."""
        columns, rows = self._dimensions()
        bottom = footer[:rows]
        room = max(0, rows - len(bottom) - 1)
        area = [clip(line, columns, self._cell_len) for line in [*live[max(0, len(live) - room) :], *bottom]]
        self._settled = []
        self._draw(permanent, area)
        self._whole = len(live) if len(live) <= room else 0

    def settle(self, live: Sequence[str]) -> None:
        """Draw all of `live`, without a footer, and leave the cursor, shown, on the line below, for a prompt."""
        self._draw(live, [])
        self._settled, self._whole = list(live), 0

    def reopen(self, *, below: int = 1) -> int:
        """Make the settled lines the live area again; the cursor must be where `settle` left it.

        Return how many of the first ones cannot be reached, as they have scrolled away: these are permanent. `below`
        is how many rows were taken below them, in which the cursor was.
        """
        columns, rows = self._dimensions()
        reach = rows - max(1, below)
        count = len(self._settled)
        while count and (taken := self._rows(self._settled[count - 1], columns)) <= reach:
            count -= 1
            reach -= taken
        self._area, self._settled = self._settled[count:], []
        self._below = bool(self._area)
        return count

    def clear(self) -> None:
        """Remove the live area; the cursor is shown, at its top."""
        self._settled = []
        self._draw([], [])

    def blank(self) -> None:
        """Begin anew on a screen with nothing on it."""
        self._write("\x1b[H\x1b[2J")

    def resized(self) -> list[str]:
        """Take note that the terminal has a new size; a frame notices it by itself.

        Return the first live lines that have left a screen that became lower: they stay in the scrollback. None are
        returned where they are not the first of the block.
        """
        columns, rows = self._dimensions()
        if not self._area:
            return []
        above = [self._rows(line, columns) for line in (self._area if self._below else self._area[:-1])]
        gone, height = 0, sum(above)
        while height > rows - 1:
            height -= above[gone]
            gone += 1
        self._rows_above = height
        return self._area[: min(gone, self._whole)]

    def _draw(self, permanent: Sequence[str], area: list[str]) -> None:
        if self._dimensions() != self._drawn_at:
            self.resized()
        known = self._rows_above is None and not self._below
        if known and not permanent and area == self._area:
            return
        lines = [*permanent, *area]
        if known and self._area:
            text = self._changed(lines, len(permanent))
        else:
            text = self._anew(lines) + ("\r" if area else "\r\n" if lines else "")
        hide = _HIDE if area and not self._hidden else ""
        show = _SHOW if self._hidden and not area else ""
        parts = [_BEGIN, hide, text, show, _END]
        self._area, self._below, self._rows_above = area, False, None
        self._hidden = bool(area)
        self._drawn_at = self._dimensions()
        self._write("".join(parts))

    def _changed(self, lines: Sequence[str], permanent: int) -> str:
        """Return what makes the live area, whose rows are known, into `lines`, the first of them permanent."""
        old = self._area
        pen = _Pen(len(old) - 1)
        columns = self._dimensions()[0]
        for row, line in enumerate(lines):
            if row >= len(old):
                pen.append(row, line)
            elif row < permanent and self._height(line, columns) > 1:
                # It takes rows that others stand on.
                pen.put(row, CLEAR_DOWN + "\r\n".join(lines[row:]))
                return pen.text + ("\r\n" if len(lines) == permanent else "")
            elif line != old[row]:
                pen.put(row, patch(old[row], line))
        if len(lines) < len(old):
            pen.put(len(lines), CLEAR_DOWN)
        if len(lines) > permanent:
            pen.put(len(lines) - 1, "")
        elif len(lines) >= len(old):
            pen.append(len(lines), "")
        return pen.text

    def _anew(self, lines: Sequence[str]) -> str:
        """Return what writes all of `lines` over the live area."""
        up = self._rows_above
        if up is None:
            columns = self._dimensions()[0]
            up = sum(self._rows(line, columns) for line in self._area) if self._below else 0
        rows = "\r\n".join(lines)
        return f"\r{_up(up)}{CLEAR_DOWN}{rows}"

    def _rows(self, line: str, columns: int) -> int:
        """Return how many rows a line takes that is on the screen."""
        return height(bare(line), columns if self._reflows else self._drawn_at[0])

    def _height(self, line: str, columns: int) -> int:
        """Return how many rows a line takes that was written without regard for the width."""
        return max(1, -(-self._cell_len(bare(line)) // columns))

    def _dimensions(self) -> tuple[int, int]:
        columns, rows = self._size()
        return max(1, columns), max(1, rows)


class _Pen:
    """What is written, and the row of the live area that the cursor is in then."""

    def __init__(self, row: int) -> None:
        self.text = ""
        self._row = row
        self._at_start = True
        self._clear = False

    def put(self, row: int, text: str) -> None:
        """Write `text` from the beginning of `row`, one that is there."""
        down = row - self._row
        if down in (1, 2):
            self.text += "\r\n" * down
        else:
            self.text += "" if self._at_start else "\r"
            self.text += f"\x1b[{down}B" if down > 0 else _up(-down)
        self.text += text
        self._row, self._at_start = row, not text

    def append(self, row: int, text: str) -> None:
        """Write `text` on `row`, one below the last."""
        self.put(row - 1, "")
        # Nothing should be below the area; a window that changed its size and back between two frames left something.
        self.text += f"\r\n{'' if self._clear else CLEAR_DOWN}{text}"
        self._clear = True
        self._row, self._at_start = row, not text


def _up(rows: int) -> str:
    return f"\x1b[{rows}A" if rows else ""
