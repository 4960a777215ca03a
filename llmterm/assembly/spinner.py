"""How far an answer is, on a line of standard error that is drawn over, while nothing of the answer is to be seen."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TextIO

from llmterm.assembly.question import Wanted
from llmterm.assembly.streams import Output
from llmterm.messages import Reply, Rope
from llmterm.tokens import of_answer

_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_SECONDS = 0.1


def turns(wanted: Wanted, environ: Mapping[str, str]) -> bool:
    """Tell whether it turns: on a terminal, where nothing of the answer is to be seen there."""
    if not sys.stderr.isatty() or environ.get("TERM", "dumb") in ("", "dumb"):
        return False
    unseen = bool(wanted.output) or (wanted.held if sys.stdout.isatty() else _is_file(sys.stdout))
    may = wanted.held or not sys.stdout.isatty()
    return unseen if wanted.progress is None else wanted.progress and may


def _is_file(stream: TextIO) -> bool:
    try:
        return stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
    except (OSError, ValueError):
        return False


@asynccontextmanager
async def spinning(
    output: Output, reply: Callable[[], Reply | None], clock: Callable[[], float] = time.monotonic
) -> AsyncIterator[None]:
    """Say what has come of `reply` so far, ten times a second, inside."""

    async def spin() -> None:
        began, frame, first = clock(), 0, None
        while True:
            now, so_far = clock(), reply()
            first = now if first is None and so_far is not None and so_far.chunks else first
            output.status(f"{_FRAMES[frame]} {line(so_far, now - began, now - first if first else 0.0)}")
            frame = (frame + 1) % len(_FRAMES)
            await asyncio.sleep(_SECONDS)

    spinning = asyncio.create_task(spin(), name="llmterm-spinner")
    try:
        yield
    finally:
        spinning.cancel()
        await asyncio.wait({spinning})
        output.status("")


def line(reply: Reply | None, elapsed: float, writing: float) -> str:
    """Return what there is to be said after so many seconds, in the last of which it was written."""
    if reply is None or not reply.chunks:
        return f"waiting for the first token - {elapsed:.0f} s"
    count = of_answer(reply.chunks, Rope.joined([reply.thoughts, reply.body]))
    parts = [f"{count:,} tokens", *([f"{count / writing:.0f} tokens/s"] if writing > _SECONDS else [])]
    thinking = [] if reply.body else ["thinking"]
    return " - ".join([*thinking, *parts, f"{elapsed:.0f} s"])
