"""One thread that does what it is given in the order in which it was given: for a disk that is written to.

Nobody waits for it but who awaits what `run` returns; who is cancelled meanwhile, or has waited for long enough, takes
nothing back. The program does not wait for it at its end: who has something to lose awaits the last of it before.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

T = TypeVar("T")


class Lane:
    """The thread begins with the first that it is given, and ends with `close`."""

    def __init__(self, name: str, *, idle: Callable[[], None] | None = None, seconds: float = 1.0) -> None:
        """`idle` is called in the thread whenever it had nothing to do for so many `seconds`."""
        self._name = name
        self._idle = idle
        self._seconds = seconds
        self._changed = threading.Condition()
        self._waiting: deque[tuple[object, Callable[[], object]]] = deque()
        self._thread: threading.Thread | None = None
        self._closed = False

    def put(self, work: Callable[[], object], *, instead_of: object = None) -> None:
        """Have it done; in the place of what was put last, if that waits, and was in the place of the same."""
        with self._changed:
            if instead_of is not None and self._waiting and self._waiting[-1][0] is instead_of:
                self._waiting.pop()
            self._waiting.append((instead_of, work))
            if self._thread is None:
                self._closed = False
                self._thread = threading.Thread(target=self._work, daemon=True, name=self._name)
                self._thread.start()
            self._changed.notify()

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
        """Have the thread end when it has done what it was given. Given more, it begins again."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _work(self) -> None:
        while (work := self._next()) is not None:
            work()

    def _next(self) -> Callable[[], object] | None:
        """Wait for what is to be done next; None at the end."""
        with self._changed:
            if not self._waiting and not self._closed:
                self._changed.wait(self._seconds if self._idle else None)
            if self._waiting:
                return self._waiting.popleft()[1]
            if self._closed:
                self._thread = None
                return None
        return self._idle


def _unless_done(outcome: asyncio.Future[T], settle: Callable[[], None]) -> None:
    if not outcome.done():
        settle()
        if not outcome.cancelled():
            outcome.exception()  # one that nobody asks for any more is no fault of the program
