"""The place where a continued answer meets what was there before.

A literal continuation is asked for without the white space that the answer so far ends in, because several
providers refuse it. `WhitespaceSeam` puts it back: the white space stays where it was, and the continuation's own
beginning is taken off as far as it says the same again.
"""

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
