"""What is one character to whoever edits a line: Unicode's grapheme clusters (https://unicode.org/reports/tr29/).

A family of emoji, a flag, a letter with its accents or a syllable of Hangul is deleted, and passed by, as a whole.
"""

from __future__ import annotations

from wcwidth import grapheme_boundary_before, iter_graphemes

# No character is longer: a line without a blank in it is not looked at from its beginning for each key.
_REACH = 1_000


def before(text: str, position: int, count: int = 1) -> int:
    """Return where the character before `position` begins, or the one so many before it."""
    for _ in range(count):
        start = max(0, position - _REACH)
        position = start + grapheme_boundary_before(text[start:position], position - start)
    return position


def after(text: str, position: int, count: int = 1) -> int:
    """Return where the character at `position` ends, or the one so many behind it."""
    for _ in range(count):
        position += len(next(iter_graphemes(text[position : position + _REACH]), ""))
    return position


def whole(text: str, position: int, *, forward: bool) -> int:
    """Return `position`, or, where that is in the middle of a character, the end of it or its beginning."""
    if not 0 < position < len(text):
        return position
    start = before(text, position + 1)
    return after(text, start) if forward and start < position else start
