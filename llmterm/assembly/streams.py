"""Standard output for answers, standard error for everything else."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TextIO


def notice(line: str) -> None:
    """Say a line on standard error. It may hold what a server has said: nothing in it is executed."""
    from llmterm.render.sanitize import clean

    sys.stderr.write(f"llmterm: {clean(line)}\n")


def writer(stream: TextIO) -> Callable[[str], None]:
    """Return what writes text to `stream`: as it is, but on a terminal made harmless."""
    out = stream.buffer
    sanitizer = None
    if stream.isatty():
        from llmterm.render.sanitize import Sanitizer

        sanitizer = Sanitizer()

    def write(text: str) -> None:
        out.write((sanitizer.feed(text) if sanitizer else text).encode("utf-8", "replace"))
        out.flush()

    return write


def let_go() -> None:
    """Forget standard output: what Python still holds for it must not raise again at exit."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
