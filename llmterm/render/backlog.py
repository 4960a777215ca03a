"""Text that has come and was not looked at yet, given up in pieces without a copy of the rest."""

from __future__ import annotations

from collections import deque


class Backlog:
    def __init__(self) -> None:
        self._pieces: deque[str] = deque()
        # How much of the first piece was taken.
        self._start = 0

    def __bool__(self) -> bool:
        return bool(self._pieces)

    def feed(self, text: str) -> None:
        if text:
            self._pieces.append(text)

    def take(self, most: int) -> str:
        """Return what came first, at most so many characters."""
        taken: list[str] = []
        while self._pieces and most > 0:
            piece = self._pieces[0][self._start : self._start + most]
            taken.append(piece)
            most -= len(piece)
            self._start += len(piece)
            if self._start == len(self._pieces[0]):
                self._pieces.popleft()
                self._start = 0
        return "".join(taken)

    def take_all(self) -> str:
        text = "".join(self._pieces)[self._start :]
        self._pieces.clear()
        self._start = 0
        return text
