"""Where one driver and one limiter bend, by simulation: a batch on as many machines as you like, in seconds.

What each costs is measured by `cluster` on a small one. A machine answers 50 at once; a slot takes a permit, which its
worker has leased in a lot or has to lease, and answers for a time by chance; the answers of a twentieth of a second go
to the driver together, and as many questions come back. Driver and limiter serve one after the other.
"""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass
from itertools import count
from typing import Literal, TypeAlias

from benchmarks.measure import Row
from llmterm.transport.lots import lot_of

# Seconds of a processor: the driver's for a question, the limiter's for a lease; and there and back.
DRIVER, LEASE, TRIP = 0.00036, 0.00096, 0.0022
_SLOTS, _BACKLOG, _GATHERED = 50, 100, 0.05
_WARM, _END = 10.0, 25.0
_Kind: TypeAlias = Literal["answered", "leased", "exchanged"]


@dataclass(slots=True)
class Queue:
    """Serves one after the other, and counts how long it does."""

    free: float = 0.0
    busy: float = 0.0

    def serve(self, now: float, seconds: float) -> float:
        """Return when it is done with what comes now."""
        self.free = max(self.free, now) + seconds
        self.busy += seconds
        return self.free


@dataclass(slots=True)
class Worker:
    backlog: int = _BACKLOG + _SLOTS
    idle: int = _SLOTS
    permits: int = 0
    leasing: bool = False
    outbox: int = 0
    exchanging: int = 0


class Simulation:
    """So many machines, answers of so many seconds, and leases of so many permits."""

    def __init__(self, machines: int, seconds: float, lot: int) -> None:
        self.driver, self.limiter = Queue(), Queue()
        self.answers = 0
        self._seconds = seconds
        self._lot = lot
        self._workers = [Worker() for _ in range(machines)]
        self._dice = random.Random(machines)
        self._events: list[tuple[float, int, _Kind, Worker]] = []
        self._number = count()

    def run(self) -> float:
        """Return how many answers a second there are."""
        for worker in self._workers:
            self._begin(0.0, worker)
        while self._events and self._events[0][0] < _END:
            now, _, kind, worker = heapq.heappop(self._events)
            match kind:
                case "answered":
                    worker.outbox += 1
                    worker.idle += 1
                case "leased":
                    worker.leasing = False
                    worker.permits += self._lot
                case "exchanged":
                    self.answers += worker.exchanging if now > _WARM else 0
                    worker.backlog += worker.exchanging
                    worker.exchanging = 0
            self._begin(now, worker)
        return self.answers / (_END - _WARM)

    def _begin(self, now: float, worker: Worker) -> None:
        """Have a worker do all that it can do now."""
        while worker.idle and worker.backlog and worker.permits:
            worker.idle, worker.backlog, worker.permits = worker.idle - 1, worker.backlog - 1, worker.permits - 1
            self._later(now + self._dice.expovariate(1 / self._seconds), "answered", worker)
        if worker.idle and worker.backlog and not worker.leasing:
            worker.leasing = True
            self._later(self.limiter.serve(now, LEASE) + TRIP, "leased", worker)
        if worker.outbox and not worker.exchanging:
            worker.exchanging, worker.outbox = worker.outbox, 0
            done = self.driver.serve(now + _GATHERED, worker.exchanging * DRIVER)
            self._later(done + TRIP, "exchanged", worker)

    def _later(self, moment: float, kind: _Kind, worker: Worker) -> None:
        heapq.heappush(self._events, (moment, next(self._number), kind, worker))


def run() -> list[Row]:
    return [
        row
        for seconds in (2.0, 10.0)
        for machines in (10, 50, 100, 200, 400)
        for row in (_row(machines, seconds, 1), _row(machines, seconds, _lot(machines, seconds)))
    ]


def _lot(machines: int, seconds: float) -> int:
    """Return the lots of a limit that is what all of them can answer."""
    return max(1, int(lot_of(1, machines * _SLOTS / seconds, machines)))


def _row(machines: int, seconds: float, lot: int) -> Row:
    simulation = Simulation(machines, seconds, lot)
    found = simulation.run()
    offered = machines * _SLOTS / seconds
    busy = f"{min(1, simulation.driver.busy / _END):.0%}, {min(1, simulation.limiter.busy / _END):.0%}"
    return Row(
        what=f"{machines} machines, answers of {seconds:g} s, lots of {lot}: driver, limiter busy {busy}",
        ours=f"{found:,.0f}/s",
        baseline=f"{offered:,.0f}/s",
        ratio=f"{found / offered:.2f}",
    )
