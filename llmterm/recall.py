"""What the answer so far leaves behind for its continuation, read in pieces.

An answer of some megabytes takes a quarter of a second to read. Whoever reads it does other things in between.
"""

from __future__ import annotations

from collections.abc import Iterator

from llmterm.marker import MarkerScanner
from llmterm.messages import Rope
from llmterm.openblock import End, Fences

# Characters: about a millisecond.
PIECE = 16_384


class Recall:
    """Of `before`, once all `pieces` were read: its `end`, and the marker's scanner as it stands there."""

    def __init__(self, before: Rope, marker: str | None) -> None:
        self.before = before
        self.scanner = MarkerScanner(marker) if marker else None
        self._fences = Fences()

    def pieces(self) -> Iterator[None]:
        """Read a piece at each step."""
        for part in self.before.parts:
            for start in range(0, len(part), PIECE):
                piece = part[start : start + PIECE]
                self._fences.feed(piece)
                if self.scanner is not None:
                    self.scanner.recall(piece)
                yield

    @property
    def end(self) -> End:
        return self._fences.end
