"""The making of what stays: modules that are imported, and objects that are there until the program ends."""

from __future__ import annotations

import gc
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# So many objects more than there were.
_COLLECTS_AFTER = 5_000


@contextmanager
def loading() -> Iterator[None]:
    """Look for no garbage in here, and whenever it is looked for later, leave out what was there before.

    Python looks each time that so much was made, and through ever more of it: that is a fifth of a start. A Ctrl-C
    counts at the end: in the middle of an import it comes out as anything, a RuntimeError of a class that is made.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        with _uninterrupted():
            yield
    finally:
        gc.freeze()
        if collects:
            gc.enable()


def collect_seldom() -> None:
    """Look for garbage a seventh as often as Python does, for a process that has thousands of streams at once.

    What they are made of is no garbage for as long as they last, and to find that out again and again is a tenth of the
    work.
    """
    gc.set_threshold(_COLLECTS_AFTER, *gc.get_threshold()[1:])


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Raise the KeyboardInterrupt that would come in here once it is over; one that somebody else takes is his."""
    python_s = signal.default_int_handler
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) is not python_s:
        yield
        return
    interrupts: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: interrupts.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, python_s)
    if interrupts:
        raise KeyboardInterrupt
