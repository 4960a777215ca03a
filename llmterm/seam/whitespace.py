"""White space at the end of an answer that was not sent, and that a continuation may say again."""

from __future__ import annotations


class WhitespaceSeam:
    """Joins a continuation to text of which the trailing white space `owed` was not sent."""

    def __init__(self, owed: str) -> None:
        self._owed = owed

    def feed(self, text: str) -> str:
        while self._owed and text:
            if text[0] != self._owed[0]:
                self._owed = ""
                break
            self._owed, text = self._owed[1:], text[1:]
        return text


def said_again(owed: str, text: str) -> int:
    """Return how much of the white space `owed` the beginning of `text` says again: the longest end of it."""
    longest = min(len(owed), len(text))
    return next((size for size in range(longest, 0, -1) if owed.endswith(text[:size])), 0)
