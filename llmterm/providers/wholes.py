"""What is new in each of several texts that a server calls the whole answer.

Most send one. Of several each is the next piece, or all of the answer so far; the second one tells, which begins with
the first and has more, or has not. Pure.
"""

from __future__ import annotations

from typing import Literal


class Wholes:
    def __init__(self) -> None:
        self._last = ""
        self._way: Literal["", "grows", "pieces"] = ""

    def unsaid(self, text: str) -> str:
        """Return what of the next whole text was not in those before it."""
        if self._way == "pieces" or not text.startswith(self._last) or (text == self._last and not self._way):
            self._way = "pieces"
            return text
        if self._last:
            self._way = "grows"
        new = text.removeprefix(self._last)
        self._last = text
        return new
