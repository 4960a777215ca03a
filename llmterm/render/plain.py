"""An answer as plain text that only ever goes on: no colour, no cursor movement, nothing taken back.

For dumb terminals, screen readers and logs. Markdown stays as the model wrote it.
"""

from __future__ import annotations

from llmterm.render.sanitize import Sanitizer


class PlainRenderer:
    """Takes model text and thinking, gives back pieces to write one after the other."""

    def __init__(self) -> None:
        self._text = Sanitizer()
        self._thinking = Sanitizer()
        self._pieces: list[str] = []
        self._speaking: Sanitizer | None = None
        self._line_ends = 0

    def feed(self, text: str) -> None:
        self._add(self._text, self._text.feed(text))

    def think(self, text: str) -> None:
        self._add(self._thinking, self._thinking.feed(text))

    def advance(self) -> list[str]:
        """Return what has come since the last call."""
        pieces, self._pieces = self._pieces, []
        return pieces

    def close(self) -> list[str]:
        """Return the rest; the answer is over."""
        for source in (self._thinking, self._text):
            self._add(source, source.close())
        return self.advance()

    def _add(self, source: Sanitizer, piece: str) -> None:
        if not piece:
            return
        if self._speaking not in (None, source):
            self._write("\n" * (2 - self._line_ends))
        self._speaking = source
        self._write(piece)

    def _write(self, piece: str) -> None:
        self._pieces.append(piece)
        ends = len(piece) - len(piece.rstrip("\n"))
        self._line_ends = min(2, ends + self._line_ends if ends == len(piece) else ends)
