"""Two regions of a terminal: lines that are permanent, and below them a live area that is drawn again and again.

Permanent lines are written once and then belong to the terminal's scrollback. The live area always fits on the screen;
only what changed in it is written, as one string, inside synchronized output (DECSET 2026, which terminals without it
ignore). Where the area is after the window changed its size can only be estimated: the estimate never reaches above it,
so that at worst some remnants of the area stay behind.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

_BEGIN, _END = "\x1b[?2026h", "\x1b[?2026l"
_HIDE, _SHOW = "\x1b[?25l", "\x1b[?25h"
_CLEAR_DOWN = "\x1b[J"
_RESET = "\x1b[0m"
_SGR = re.compile(r"(\x1b\[[0-9;]*m)")


class Screen:
    """Writes to a terminal whose cursor stands at the beginning of an empty line.

    `write` is called once per frame; `size` gives columns and rows; `cell_len` is the width of plain text in cells;
    `reflows` says whether the terminal wraps lines anew when its width changes. Lines may contain SGR sequences and
    no other controls.
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
        # After `settle` and until the next frame the cursor is shown, on the line below the lines that can be reached.
        self._settled: list[str] = []
        self._below = False
        # After a change of size the lines are still known, but not what they look like.
        self._rows_above: int | None = None
        self._drawn_at = (0, 0)

    def paint(self, permanent: Sequence[str], live: Sequence[str], footer: Sequence[str]) -> None:
        """Draw a frame: `permanent` for good, above as much of the end of `live` as fits, and `footer`."""
        columns, rows = self._dimensions()
        bottom = footer[:rows]
        room = max(0, rows - len(bottom) - 1)
        area = [self._clip(line, columns) for line in [*live[max(0, len(live) - room) :], *bottom]]
        self._settled = []
        self._draw(permanent, area)

    def settle(self, live: Sequence[str], *, below: int = 4) -> int:
        """Draw all of `live`, without a footer, and leave the cursor, shown, on the line below, for a prompt.

        Return how many of the first lines cannot be reached any more when the prompt, of at most `below` rows, is
        gone: these are permanent. The others can be taken back by `reopen`.
        """
        columns, rows = self._dimensions()
        self._draw(live, [])
        reach = rows - max(1, below)
        count = len(live)
        while count and self._height(live[count - 1], columns) <= reach:
            count -= 1
            reach -= self._height(live[count], columns)
        self._settled = list(live[count:])
        return count

    def reopen(self) -> None:
        """Make the settled lines the live area again; the cursor must be where `settle` left it."""
        self._area, self._settled = self._settled, []
        self._below = bool(self._area)

    def clear(self) -> None:
        """Remove the live area; the cursor is shown, at its top."""
        self._settled = []
        self._draw([], [])

    def resized(self) -> None:
        """Take note that the terminal has a new size; a frame notices it by itself."""
        columns, rows = self._dimensions()
        self._settled = []
        if not self._area:
            return
        above = self._area if self._below else self._area[:-1]
        height = sum(self._height(line, columns) for line in above) if self._reflows else len(above)
        # At the bottom of a screen that became lower the area's top may have left it: never move further than that.
        self._rows_above = min(height, rows - 1)

    def _draw(self, permanent: Sequence[str], area: list[str]) -> None:
        if self._dimensions() != self._drawn_at:
            self.resized()
        if not permanent and area == self._area and not self._below and self._rows_above is None:
            return
        lines = [*permanent, *area]
        kept = 0 if self._rows_above is not None else _common(self._area, lines)
        if area:
            # The last line is written anyhow: it is where the cursor ends up.
            kept = min(kept, len(lines) - 1)
        up = self._rows_up(kept)
        parts = [_BEGIN, _HIDE if area else "", "\r", f"\x1b[{up}A" if up > 0 else "", "\r\n" if up < 0 else ""]
        parts += [_CLEAR_DOWN, "\r\n".join(lines[kept:])]
        parts += ["\r" if area else "\r\n" if len(lines) > kept else "", "" if area else _SHOW, _END]
        self._area, self._below, self._rows_above = area, False, None
        self._drawn_at = self._dimensions()
        self._write("".join(parts))

    def _rows_up(self, kept: int) -> int:
        """Return how far above the cursor the first line to write is; the cursor's line counts 0, the one below -1."""
        if self._rows_above is not None:
            return self._rows_above
        if self._below:
            columns = self._dimensions()[0]
            return sum(self._height(line, columns) for line in self._area[kept:])
        return len(self._area) - 1 - kept if self._area else 0

    def _height(self, line: str, columns: int) -> int:
        """Return how many rows a line takes that was written without regard for the width."""
        return max(1, -(-self._cell_len(_SGR.sub("", line)) // columns))

    def _clip(self, line: str, columns: int) -> str:
        if (line.isascii() and len(line) <= columns) or self._cell_len(_SGR.sub("", line)) <= columns:
            return line
        kept: list[str] = []
        for part in _SGR.split(line):
            if _SGR.fullmatch(part):
                kept.append(part)
                continue
            for character in part:
                # An emoji variation selector may widen the character before it.
                columns -= self._cell_len(character) + (character == "\ufe0f")
                if columns < 0:
                    return "".join([*kept, _RESET if _SGR.search(line) else ""])
                kept.append(character)
        return "".join(kept)

    def _dimensions(self) -> tuple[int, int]:
        columns, rows = self._size()
        return max(1, columns), max(1, rows)


def _common(old: Sequence[str], new: Sequence[str]) -> int:
    """Return how many lines at the beginning are the same."""
    count = 0
    for before, after in zip(old, new, strict=False):
        if before != after:
            break
        count += 1
    return count
