"""Permits that are leased in lots: no more are used than there are, whoever leases them, keeps them or ends."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmterm.progress import Progress
from llmterm.transport.limits import RateLimits
from llmterm.transport.lots import Leased, Lots, lot_of
from tests.clock import instant, now


class Counter:
    """Leases from `lots`, and counts what it asked for."""

    def __init__(self, lots: Lots, per_minute: int) -> None:
        self.leases = 0
        self._lots = lots
        self._per_minute = per_minute

    def lease(self, amount: float) -> Awaitable[float]:
        self.leases += 1
        return self._lots.lease("x", self._per_minute, amount)

    def give_back(self, amount: float) -> None:
        self._lots.give_back("x", amount)


@given(
    per_minute=st.integers(1, 30_000),
    lessees=st.integers(1, 20),
    amount=st.sampled_from([1.0, 3.5, 900.0]),
    seed=st.integers(0, 1000),
)
@settings(max_examples=50)
def test_no_more_is_used_than_there_is(per_minute: int, lessees: int, amount: float, seed: int) -> None:
    """Whoever rests with permits in hand, or ends with them, in any order: a minute's worth, and what comes again."""
    used = list[tuple[float, float]]()

    async def one(lots: Lots, dice: random.Random) -> None:
        leased = Leased(Counter(lots, per_minute))
        for _ in range(dice.randint(0, 30)):
            await leased.draw(amount, "", Progress())
            used.append((now(), min(amount, per_minute)))
            await asyncio.sleep(dice.choice([0, 0, 0.1, 5]))

    @instant
    async def run() -> None:
        lots, dice = Lots(lessees), random.Random(seed)
        await asyncio.gather(*(one(lots, dice) for _ in range(lessees)))

    run()

    total = 0.0
    for moment, each in sorted(used):
        total += each
        assert total <= per_minute * (1 + moment / 60) + 1e-3


@instant
async def test_what_is_not_used_in_a_moment_is_given_back() -> None:
    """Another has it then, without waiting."""
    lots = Lots(1)
    first, second = Counter(lots, 1200), Counter(lots, 1200)
    leased = Leased(first)
    await leased.draw(1, "", Progress())
    await lots.lease("x", 1200, 1180)  # all but the rest of the lot
    await asyncio.sleep(2.5)  # meanwhile 50 come again, and 19 come back

    began = now()
    assert await second.lease(69) >= 69
    assert now() - began == pytest.approx(0, abs=0.01)
    await leased.draw(1, "", Progress())

    assert first.leases == 2


@instant
async def test_lot_serves_many_requests() -> None:
    """At 500 a second, one lease serves twenty; at one a second each is leased by itself, and nobody hoards."""
    many, few = Counter(Lots(10), 30_000), Counter(Lots(10), 60)
    for each in (Leased(many), Leased(few)):
        for _ in range(100):
            await each.draw(1, "", Progress())

    assert (many.leases, few.leases) == (5, 100)


@given(st.floats(0, 1e6), st.floats(0.01, 1e5), st.integers(1, 500))
def test_lots_of_all_lessees_are_no_more_than_comes_in_a_second(amount: float, second: float, lessees: int) -> None:
    assert lot_of(amount, second, lessees) * lessees <= second * (1 + 1e-9)


@instant
async def test_limiter_that_has_forgotten_begins_with_nothing() -> None:
    """What was used before it was restarted is not there once more."""
    lots = Lots(1, full=False)

    await lots.lease("x", 60, 1)

    assert now() == pytest.approx(1)


@instant
async def test_requests_and_tokens_are_drawn_from_what_was_leased() -> None:
    """A request that asks for more tokens than a minute has takes a minute's worth."""
    lots = Lots(1)

    class Lender(Counter):
        def __init__(self, kind: str, per_minute: int) -> None:
            super().__init__(lots, per_minute)
            self.kind = kind

        def lease(self, amount: float) -> Awaitable[float]:
            return lots.lease(self.kind, self._per_minute, amount)

    limits = RateLimits(5, 60, 1000, permits=lambda kind, rate: Leased(Lender(kind, rate)))

    await limits.enter(5000, Progress())
    assert now() == 0
    await limits.enter(500, Progress())

    assert now() == pytest.approx(30, abs=0.1)
