"""The work of one process among several: takes questions in chunks, and hands out what came of them as it comes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from llmterm.batch.engine import Asked, Engine, Outcome

# How long somebody waits here for the first that is over, and then for others to go with it, in seconds.
_PATIENCE = 1.0
_GATHERED = 0.05


class Desk:
    """Has the engine answer as many at once as it has room for; the others wait."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._places = asyncio.Semaphore(engine.room)
        self._asking: set[asyncio.Task[Outcome]] = set()
        self._over: list[asyncio.Task[Outcome]] = []
        self._some = asyncio.Event()

    async def exchange(self, chunk: Iterable[Asked]) -> list[Outcome]:
        """Take in a chunk, and return what came of earlier ones, if anything did within a second. Raises what is a bug.

        What was returned is forgotten here.
        """
        for asked in chunk:
            task = asyncio.create_task(self._answer(asked))
            self._asking.add(task)
            task.add_done_callback(self._take)
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._some.wait()
        except TimeoutError:
            return []
        await asyncio.sleep(_GATHERED)
        over, self._over = self._over, []
        self._some.clear()
        return [task.result() for task in over]

    async def pause(self) -> None:
        """Pause all answers that stream, and begin none."""
        await self._engine.pause()

    def resume(self) -> None:
        """Go on with all that was paused."""
        self._engine.resume()

    async def _answer(self, asked: Asked) -> Outcome:
        async with self._places:
            return await self._engine.answer(asked)

    def _take(self, task: asyncio.Task[Outcome]) -> None:
        self._asking.discard(task)
        self._over.append(task)
        self._some.set()
