"""Limits that several processes keep to together: one of them grants permits, the others lease them in lots.

A lot is what its lessee uses in a moment, and good for a moment: what is not used by then is given back, so that no
process sits on what others wait for, and none saves up for a burst. Who ends with permits of a lot has used them, as
far as anybody can tell; at such a rate they are there again after that moment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Protocol

from llmterm.progress import Progress

# A lot is so many requests like the one it is leased for, as far as its lessee can use them in a second.
_LOT, _LOT_SECONDS = 20, 1.0
# How long a lot is good for, in seconds.
_GOOD_SECONDS = 2.0
_MINUTE = 60.0
_NOTHING = 1e-9  # what rounding leaves of a permit


class Lots:
    """Grants what there is of each limit, which has a name, to so many lessees. Who comes first is served first.

    Each has a minute's worth at the beginning, unless others may have used it already: then it begins with nothing.
    """

    def __init__(self, lessees: int, *, full: bool = True) -> None:
        self._lessees = lessees
        self._full = full
        self._stocks: dict[str, _Stock] = {}

    async def lease(self, name: str, per_minute: int, amount: float) -> float:
        """Wait until there is `amount`, or a minute's worth if that is less, and return that or somewhat more."""
        if name not in self._stocks:
            self._stocks[name] = _Stock(per_minute, per_minute if self._full else 0)
        return await self._stocks[name].lease(amount, self._lessees)

    def give_back(self, name: str, amount: float) -> None:
        """Take what was not used."""
        if name in self._stocks:
            self._stocks[name].add(amount)


class _Stock:
    def __init__(self, per_minute: int, there: float) -> None:
        self._most = float(per_minute)
        self._per_second = per_minute / _MINUTE
        self._there = float(there)
        self._counted = asyncio.get_running_loop().time()
        self._line = asyncio.Lock()

    async def lease(self, amount: float, lessees: int) -> float:
        amount = min(max(0.0, amount), self._most)
        async with self._line:
            if (missing := amount - self._count()) > _NOTHING:
                await asyncio.sleep(missing / self._per_second)
                self._count()
            lot = min(self._there, max(amount, lot_of(amount, self._per_second, lessees)))
            self._there -= lot
            return lot

    def add(self, amount: float) -> None:
        self._there = min(self._most, self._count() + amount)

    def _count(self) -> float:
        now = asyncio.get_running_loop().time()
        self._there = min(self._most, self._there + (now - self._counted) * self._per_second)
        self._counted = now
        return self._there


def lot_of(amount: float, per_second: float, lessees: int) -> float:
    """Return how large a lot is that is leased for `amount`."""
    return min(amount * _LOT, per_second * _LOT_SECONDS / lessees)


class Lender(Protocol):
    """Where permits of one limit are leased. `give_back` is not waited for."""

    def lease(self, amount: float) -> Awaitable[float]: ...
    def give_back(self, amount: float) -> None: ...


class Leased:
    """The permits of one limit that a process has. Who draws first is served first, with one lease at a time."""

    def __init__(self, lender: Lender) -> None:
        self._lender = lender
        self._left = 0.0
        self._line = asyncio.Lock()
        self._end: asyncio.TimerHandle | None = None

    async def draw(self, amount: float, why: str, progress: Progress) -> None:
        """Wait until `amount` can be used. Nobody sees why a process of a cluster waits."""
        async with self._line:
            if (missing := max(0.0, amount) - self._left) > _NOTHING:
                self._left += await self._lender.lease(missing)
                if self._end is not None:
                    self._end.cancel()
                self._end = asyncio.get_running_loop().call_later(_GOOD_SECONDS, self._return)
            self._left = max(0.0, self._left - max(0.0, amount))

    def _return(self) -> None:
        left, self._left = self._left, 0.0
        if left:
            self._lender.give_back(left)
