"""How far a batch is, on standard error: a bar in a terminal, and in a log a line every ten seconds."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from llmterm.batch.batch import Batch

_LOG_SECONDS = 10.0
_DRAWN_SECONDS = 0.2
_KEYS = "SPACE pauses"
_PAUSED = "paused: SPACE resumes"


@asynccontextmanager
async def shown(
    batch: Batch, clock: Callable[[], float], *, notice: Callable[[str], None], keys: bool
) -> AsyncIterator[None]:
    """Show it, inside. `keys`: whether SPACE can be pressed, which is said then."""
    showing = asyncio.create_task(_bar(batch, clock, keys=keys) if sys.stderr.isatty() else _log(batch, clock, notice))
    try:
        yield
    finally:
        showing.cancel()
        await asyncio.wait({showing})


async def _log(batch: Batch, clock: Callable[[], float], notice: Callable[[str], None]) -> None:
    while True:
        await asyncio.sleep(_LOG_SECONDS)
        notice(batch.tally.words(clock()))


async def _bar(batch: Batch, clock: Callable[[], float], *, keys: bool) -> None:
    from llmterm.render.progressbar import ProgressBar  # not for a log

    tally = batch.tally
    with ProgressBar() as bar:
        while True:
            hint = f" - {_PAUSED if batch.paused else _KEYS}" if keys else ""
            bar.show(tally.skipped + tally.over, tally.total, f"{tally.words(clock())}{hint}")
            await asyncio.sleep(_DRAWN_SECONDS)
