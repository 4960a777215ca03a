"""Tells a key that is pressed from one that is held down.

A terminal sends the same for both: a held key comes again after its delay, at most a second, and from then on every 25
to 40 ms. So a press is new where the key has rested for longer than the delay; one that comes sooner is only certain
to be a press when nothing has followed it for longer than a repetition takes. Pure but for that memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from enum import Enum

from llmterm.keys import Key

# The longest delay before the first repetition, and how soon the next one comes at the latest, in seconds.
_DELAY_SECONDS = 1.0
LET_GO_SECONDS = 0.15


class Press(Enum):
    NEW = "new"
    DOUBTFUL = "doubtful"
    """A repetition if the key comes again within `LET_GO_SECONDS`, else a press."""
    REPEATED = "repeated"


class Autorepeat:
    """Remembers when each key came last. `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last: dict[str, tuple[float, Press]] = {}

    def press(self, name: str) -> Press:
        """Note that the key of that name has come."""
        now = self._clock()
        before, what = self._last.get(name, (float("-inf"), Press.NEW))
        if now - before > _DELAY_SECONDS:
            press = Press.NEW
        elif what is Press.NEW or now - before >= LET_GO_SECONDS:
            press = Press.DOUBTFUL
        else:
            press = Press.REPEATED
        self._last[name] = now, press
        return press

    def count(self, name: str) -> None:
        """Note that the key of that name has come and was taken for a press, whatever came before."""
        self._last[name] = self._clock(), Press.NEW

    async def pressed(self, key: Key, read: Callable[[], Awaitable[Key]]) -> tuple[bool, Key | None]:
        """Return whether `key`, which has just come, was pressed, and the key behind it that was read to know that."""
        press = self.press(key.name)
        if press is not Press.DOUBTFUL:
            return press is Press.NEW, None
        while True:
            try:
                async with asyncio.timeout(LET_GO_SECONDS):
                    following = await read()
            except TimeoutError:
                return press is Press.DOUBTFUL, None
            if following.name != key.name:
                if press is Press.DOUBTFUL:
                    self.count(key.name)
                return press is Press.DOUBTFUL, following
            press = self.press(key.name)
