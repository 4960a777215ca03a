"""The making of what stays: modules that are imported, and objects that are there until the program ends."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading() -> Iterator[None]:
    """Look for no garbage in here, and whenever it is looked for later, leave out what was there before.

    Python looks each time that so much was made, and through ever more of it: that is a fifth of a start.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if collects:
            gc.enable()
