"""Who reads a turn, and whether anybody still wants it."""

from __future__ import annotations

import asyncio
from weakref import WeakSet

from llmterm.eventlog import Reader

# For how many seconds an answer that is over, or rests, and that nobody reads, is kept in memory: then its record is
# what there is of it.
LINGERS = 300.0


class Audience:
    def __init__(self) -> None:
        self._readers: WeakSet[Reader] = WeakSet()
        self.used()

    def used(self) -> None:
        """Somebody has had to do with it, in the loop's time."""
        self.used_at = asyncio.get_running_loop().time()

    def joined(self, reader: Reader) -> Reader:
        """Have somebody read; return the reader."""
        self._readers.add(reader)
        return reader

    def dismiss(self) -> None:
        """Tell all readers no more: they are to come back, and find it elsewhere."""
        for each in [*self._readers]:
            each.leave()

    @property
    def reads(self) -> bool:
        """Whether anybody reads it."""
        return any(not each.has_left for each in self._readers)

    @property
    def left(self) -> bool:
        """Whether nobody reads it, or has had to do with it for a while."""
        return not self.reads and asyncio.get_running_loop().time() - self.used_at > LINGERS
