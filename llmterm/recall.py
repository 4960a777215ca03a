"""What the answer so far leaves behind for its continuation, read in pieces.

An answer of some megabytes takes a quarter of a second to read. Whoever reads it does other things in between.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable

from llmterm.marker import MarkerScanner
from llmterm.messages import Rope
from llmterm.openblock import End, Fences

# Characters: about half a millisecond.
PIECE = 8_192


class Recall:
    """Of `before`, once all of it was `read`: its `end`, and the marker's scanner as it stands there.

    `ends` has that end, and those of the text up to each of some `stops`.
    """

    def __init__(self, before: Rope, marker: str | None, stops: Iterable[int] = ()) -> None:
        self.before = before
        self.scanner = MarkerScanner(marker) if marker else None
        self.ends: dict[int, End] = {}
        self._stops = sorted(stops, reverse=True)
        self._fences = Fences()
        self._read = 0

    def read(self) -> Generator[None, None, Recall]:
        """Read a piece at each step, and return this when all is read."""
        for part in self.before.parts:
            for start in range(0, len(part), PIECE):
                piece = part[start : start + PIECE]
                self._take(piece)
                if self.scanner is not None:
                    self.scanner.recall(piece)
                yield
        self.ends[self._read] = self.end
        return self

    def _take(self, piece: str) -> None:
        start = self._read
        self._read += len(piece)
        while self._stops and self._stops[-1] <= self._read:
            stop = self._stops.pop()
            self._fences.feed(piece[: stop - start])
            piece, start = piece[stop - start :], stop
            self.ends[stop] = self.end
        self._fences.feed(piece)

    @property
    def end(self) -> End:
        return self._fences.end
