"""Lines of an open block that are permanent on the screen although the block goes on.

A pause prints a block whole, even when it is higher than the screen; what scrolled away cannot be drawn over. When the
block is laid out again later, those lines must not appear a second time.
"""

from __future__ import annotations

from llmterm.render.drawn import bare, behind


class Settled:
    """Remembers lines, without their styles, and leaves them out."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def add(self, lines: list[str]) -> None:
        self._lines += list(map(bare, lines))

    def clear(self) -> None:
        self._lines = []

    def skip(self, lines: list[str]) -> list[str]:
        """Return the lines below the settled ones; where the layout has changed since, repeat rather than lose."""
        if not self._lines:
            return lines
        plain = list(map(bare, lines))
        if plain[: len(self._lines)] == self._lines:
            return lines[len(self._lines) :]
        seen = "".join("".join(self._lines).split())
        index = 0
        while seen and index < len(plain):
            row = "".join(plain[index].split())
            if not seen.startswith(row):
                rest = lines[index]
                if row.startswith(seen):
                    rest = behind(rest, len(seen)) or rest
                return [rest, *lines[index + 1 :]]
            seen = seen[len(row) :]
            index += 1
        return lines[index:]
