"""A function in a thread of its own, for whatever may take its time: a disk, a name that is looked up, a long text.

Not `asyncio.to_thread`, whose threads are waited for when the program ends: a disk that is far away, or gone, does not
answer sooner because somebody wants to leave. Here who is cancelled, and a program that ends, forget the thread.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


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


def _unless_done(outcome: asyncio.Future[T], settle: Callable[[], None]) -> None:
    if not outcome.done():
        settle()
