"""The size of the terminal's window, and whether it can be relied on.

While a window is being resized its size is old news: a multiplexer lays its lines out at once, and tells the program
in it later. What is drawn in between lands elsewhere. So drawing waits until the size has stayed the same for a while.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class WindowSize:
    """`size` gives columns and rows, `clock` seconds; `settles` is for how many of them a size must be the same."""

    def __init__(self, size: Callable[[], tuple[int, int]], clock: Callable[[], float], *, settles: float) -> None:
        self._size = size
        self._clock = clock
        self._settles = settles
        self._seen = size()
        self._since = clock() - settles

    def unsteady(self) -> float:
        """Return for how many seconds more it may not be drawn: 0 unless the size has just changed."""
        size, now = self._size(), self._clock()
        if size != self._seen:
            self._seen, self._since = size, now
        return max(0.0, self._since + self._settles - now)

    async def steady(self) -> None:
        """Wait until it may be drawn."""
        while left := self.unsteady():  # noqa: ASYNC110 - nothing says that a window keeps its size
            await asyncio.sleep(left)
