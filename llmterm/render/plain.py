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
        self._last: Sanitizer | None = None
        self._written = ""

    def feed(self, text: str) -> None:
        self._take(self._text, text)

    def think(self, text: str) -> None:
        self._take(self._thinking, text)

    def advance(self) -> list[str]:
        """Return what has come since the last call."""
        pieces, self._pieces = self._pieces, []
        return pieces

    def close(self) -> list[str]:
        """Return the rest; the answer is over."""
        self._add(self._thinking.close() + self._text.close())
        return self.advance()

    def _take(self, source: Sanitizer, text: str) -> None:
        piece = source.feed(text)
        if self._last not in (None, source) and piece:
            self._add("\n" * (2 - len(self._written) + len(self._written.rstrip("\n"))))
        if piece:
            self._last = source
        self._add(piece)

    def _add(self, piece: str) -> None:
        if piece:
            self._pieces.append(piece)
            self._written = (self._written + piece)[-2:]
