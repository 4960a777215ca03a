"""What the answer so far leaves behind for its continuation, read in pieces.

An answer of some megabytes takes a quarter of a second to read. Whoever reads it does other things in between.
"""

from __future__ import annotations

from collections.abc import Generator

from llmterm.marker import MarkerScanner
from llmterm.messages import Rope
from llmterm.openblock import End, Fences

# Characters: about half a millisecond.
PIECE = 8_192


class Recall:
    """Of `before`, once all of it was `read`: its `end`, and the marker's scanner as it stands there."""

    def __init__(self, before: Rope, marker: str | None) -> None:
        self.before = before
        self.scanner = MarkerScanner(marker) if marker else None
        self._fences = Fences()

    def read(self) -> Generator[None, None, Recall]:
        """Read a piece at each step, and return this when all is read."""
        for part in self.before.parts:
            for start in range(0, len(part), PIECE):
                piece = part[start : start + PIECE]
                self._fences.feed(piece)
                if self.scanner is not None:
                    self.scanner.recall(piece)
                yield
        return self

    @property
    def end(self) -> End:
        return self._fences.end
