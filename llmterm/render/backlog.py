"""Text that has come and was not looked at yet, given up in pieces, made safe, without a copy of the rest."""

from __future__ import annotations

from collections import deque

from llmterm.render.sanitize import Sanitizer


class Backlog:
    """What is made safe at once is what is taken at once: a long answer may come in one piece."""

    def __init__(self) -> None:
        self._pieces: deque[str] = deque()
        # How much of the first piece was taken.
        self._start = 0
        self._size = 0
        self._sanitizer = Sanitizer()

    def __bool__(self) -> bool:
        return bool(self._pieces)

    def feed(self, text: str) -> None:
        if text:
            self._pieces.append(text)
            self._size += len(text)

    def take(self, most: int) -> str:
        """Return what came first: about so many characters, or all there is."""
        taken = ""
        while self._pieces and len(taken) < most:
            taken += self._sanitizer.feed(self._raw(most - len(taken)))
        return taken

    def take_all(self) -> str:
        return self.take(self._size)

    def close(self) -> str:
        """Return what was still held back; no more text comes."""
        return self._sanitizer.close()

    def _raw(self, most: int) -> str:
        if self._size <= most:  # as most often: chunks are small, and there are many
            text = "".join(self._pieces)[self._start :]
            self._pieces.clear()
            self._start = self._size = 0
            return text
        self._size -= most
        raw: list[str] = []
        while self._pieces and most > 0:
            piece = self._pieces[0][self._start : self._start + most]
            raw.append(piece)
            most -= len(piece)
            self._start += len(piece)
            if self._start == len(self._pieces[0]):
                self._pieces.popleft()
                self._start = 0
        return "".join(raw)
