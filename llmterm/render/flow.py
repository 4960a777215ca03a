"""Text that only grows, as rows: wrapped, without markup, and with single blank lines at most.

A line that wraps is finished up to its last row, so the cost does not grow with the length of a line.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from llmterm.render.cells import breaks


class Flow:
    """`paint` styles a row; `cut` tells where to cut one line for a width."""

    def __init__(self, paint: Callable[[str], str], cut: Callable[[str, int], list[int]] = breaks) -> None:
        self._paint = paint
        self._cut = cut
        self._incoming: list[str] = []
        self._tail = ""
        self._started = False
        self._blank = False

    @property
    def behind(self) -> bool:
        """Whether more has come than `advance` was to take."""
        return bool(self._incoming)

    def feed(self, text: str) -> None:
        self._incoming.append(text.replace("\t", "    "))

    def advance(self, width: int, most: int | None = None) -> list[str]:
        """Return the rows that are finished, of as many as `most` characters that have come."""
        text = "".join(self._incoming)
        self._tail += text[:most]
        self._incoming = [text[most:]] if most is not None and len(text) > most else []
        *whole, last = self._tail.split("\n")
        rows: list[str] = []
        for line in whole:
            rows += self._rows(line, [0, *self._cut(line, width), len(line)])
        cuts = self._cut(last, width)
        rows += self._rows(last, [0, *cuts])
        self._tail = last[cuts[-1] :] if cuts else last
        return rows

    def live(self) -> list[str]:
        """Return the row that may still grow; `advance` comes first."""
        return [*self._gap(), self._paint(self._tail.rstrip())] if self._tail.strip() else []

    def settle(self, count: int) -> None:
        """Take note that the first `count` lines of `live()` are permanent; what follows begins a new row."""
        if not count:
            return
        if count == len(self.live()):
            self._tail = ""
            self._started = True
        self._blank = False

    def close(self, width: int) -> list[str]:
        self.feed("\n")
        return self.advance(width)

    def _rows(self, line: str, cuts: list[int]) -> list[str]:
        rows: list[str] = []
        for start, end in pairwise(cuts):
            row = line[start:end].rstrip()
            if row:
                rows += [*self._gap(), self._paint(row)]
                self._started = True
            self._blank = not row
        return rows

    def _gap(self) -> list[str]:
        return [""] if self._blank and self._started else []
