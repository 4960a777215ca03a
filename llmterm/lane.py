"""Does what it is given in a thread, in the order in which it was given: for a disk that is written to.

Nobody waits for it but who awaits what `run` returns; who is cancelled meanwhile, or has waited for long enough, takes
nothing back. The program does not wait for it at its end: who has something to lose awaits the last of it before.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

T = TypeVar("T")


class Driver:
    """A thread that serves any number of lanes, each in its turn. It runs as long as one of them is open."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._changed = threading.Condition()
        # Those that have something to do, in their turn, and those that nobody has closed.
        self._ready: deque[Lane] = deque()
        self._open: set[Lane] = set()
        self._thread: threading.Thread | None = None

    def put(self, lane: Lane, work: Callable[[], object], instead_of: object) -> None:
        """Have it done for a lane, see `Lane.put`."""
        with self._changed:
            waiting = lane.waiting
            if instead_of is not None and waiting and waiting[-1][0] is instead_of:
                waiting.pop()
            elif not waiting:
                self._ready.append(lane)
            waiting.append((instead_of, work))
            if self._thread is None:
                lane.closed = False
                self._thread = threading.Thread(target=self._work, daemon=True, name=self._name)
                self._thread.start()
            if not lane.closed:
                self._open.add(lane)
            self._changed.notify()

    def close(self, lane: Lane) -> None:
        """Do for a lane what it was given, and nothing more."""
        with self._changed:
            lane.closed = True
            self._open.discard(lane)
            self._changed.notify()

    def _work(self) -> None:
        while (work := self._next()) is not None:
            work()

    def _next(self) -> Callable[[], object] | None:
        """Wait for what is to be done next; None at the end."""
        with self._changed:
            while not self._ready:
                if not self._open:
                    self._thread = None
                    return None
                now = time.monotonic()
                idle = min((each for each in self._open if each.idle), key=lambda each: each.due, default=None)
                if idle is not None and idle.due <= now:
                    idle.due = now + idle.seconds
                    return idle.idle
                self._changed.wait(None if idle is None else idle.due - now)
            lane = self._ready.popleft()
            _, work = lane.waiting.popleft()
            if lane.waiting:
                self._ready.append(lane)
            lane.due = time.monotonic() + lane.seconds
            return work


class Lane:
    """It begins with the first that it is given, and ends with `close`."""

    def __init__(
        self,
        name: str,
        *,
        idle: Callable[[], None] | None = None,
        seconds: float = 1.0,
        driver: Driver | None = None,
    ) -> None:
        """`idle` is called in the thread whenever it had nothing to do here for so many `seconds`.

        The thread is one of that name, or the `driver`, which serves others, too.
        """
        self._driver = driver or Driver(name)
        # What follows is the driver's.
        self.idle = idle
        self.seconds = seconds
        self.waiting: deque[tuple[object, Callable[[], object]]] = deque()
        self.due = 0.0
        self.closed = False

    def put(self, work: Callable[[], object], *, instead_of: object = None) -> None:
        """Have it done; in the place of what was put last, if that waits, and was in the place of the same."""
        self._driver.put(self, work, instead_of)

    def run(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Have it done, and return what tells what came of it. Raises nothing by itself where nobody asks."""
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[T] = loop.create_future()

        def run() -> None:
            settle: Callable[[], None]
            try:
                settle = partial(outcome.set_result, work())
            except BaseException as error:
                settle = partial(outcome.set_exception, error)
            with suppress(RuntimeError):  # the loop is closed, and nobody waits any more
                loop.call_soon_threadsafe(_unless_done, outcome, settle)

        self.put(run)
        return outcome

    def close(self) -> None:
        """Have it end when all is done that it was given. Given more, it begins again."""
        self._driver.close(self)


def _unless_done(outcome: asyncio.Future[T], settle: Callable[[], None]) -> None:
    if not outcome.done():
        settle()
        if not outcome.cancelled():
            outcome.exception()  # one that nobody asks for any more is no fault of the program
