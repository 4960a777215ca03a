"""What may take its time, beside the loop: a function in a thread of its own, or in turns with everybody else.

In a thread is whatever waits, for a disk or a name that is looked up, and what goes through a long conversation.

Not `asyncio.to_thread`, whose threads are waited for when the program ends: a disk that is far away, or gone, does not
answer sooner because somebody wants to leave. Here who is cancelled, and a program that ends, forget the thread.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import suppress
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

# Seconds after which a thread that computes lets another one go on. Python's own 5 ms are as long as a key may wait.
_TURN_SECONDS = 0.001


def take_turns() -> None:
    """Have the loop wait for a thread that computes no longer than a millisecond. It is for a whole process."""
    sys.setswitchinterval(_TURN_SECONDS)


async def in_turns(work: Generator[None, None, T]) -> T:
    """Return what `work` returns; wherever it yields everybody else has their turn."""
    while True:
        try:
            next(work)
        except StopIteration as done:
            result: T = done.value
            return result
        await asyncio.sleep(0)


async def in_thread(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what `function` returns, or raise what it raises. Cancelled, it is not waited for, and goes on unheard."""
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[T] = loop.create_future()

    def run() -> None:
        settle: Callable[[], None]
        try:
            settle = partial(outcome.set_result, function(*args, **kwargs))
        except BaseException as error:
            settle = partial(outcome.set_exception, error)
        with suppress(RuntimeError):  # the loop is closed, and nobody waits any more
            loop.call_soon_threadsafe(_unless_done, outcome, settle)

    threading.Thread(target=run, daemon=True, name="llmterm-aside").start()
    return await outcome


async def in_thread_if(takes_time: bool, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what `function` returns: at once, or, where that takes its time, by a thread. One of those costs more than
    to go through a few messages."""
    return await in_thread(function, *args, **kwargs) if takes_time else function(*args, **kwargs)


def _unless_done(outcome: asyncio.Future[T], settle: Callable[[], None]) -> None:
    if not outcome.done():
        settle()
