"""Writes what turns tell into Redis: all that has come in the same moment at once, and first words right away.

What could not be written is no loss: a turn's own log has it, and is read again from where it was written last.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress

from redis.asyncio import Redis
from redis.exceptions import RedisError

from llmterm.events import encoded
from llmterm.serve.peers import keys
from llmterm.serve.peers.claims import Claims, Telling
from llmterm.serve.served import ServedTurn, is_unkept, name_of

# Seconds between two writes: what comes faster is written together.
_TOGETHER = 0.04
_AGAIN = 0.25
# Seconds that a turn which begins waits for others to know of it.
_PATIENCE = 1.0


class Publication:
    """A turn, and how far it is `written`."""

    def __init__(self, turn: ServedTurn, written: int) -> None:
        self.turn = turn
        self.name = name_of(turn.id)
        self.reader = turn.spy(written)
        self.written = written
        self.over = False
        self.doubtful = False
        """Whether Redis may not know of it any more, or another instance may have it."""
        self.turned = asyncio.Event()
        self.known = asyncio.Event()

    def rewind(self, to: int) -> None:
        """Have all behind a place written again, 0 for all of it."""
        self.reader.leave()
        self.written, self.reader = to, self.turn.spy(to)

    def take(self) -> Telling | None:
        """Return what has come and is to be written, None where nothing is; what is doubtful is said in any case."""
        entries = list(self.reader.pending())
        if not entries and not self.doubtful:
            return None
        self.doubtful = False
        told = json.dumps([encoded(each) for each in entries], separators=(",", ":")).encode()
        return Telling(self.turn.id, self.turn.places.start, self.written, self.reader.seq, told)


class Publisher:
    """`lose` is called with a turn that another instance has."""

    def __init__(self, redis: Redis, claims: Claims, lose: Callable[[ServedTurn], Awaitable[None]]) -> None:
        self._redis = redis
        self._claims = claims
        self._lose = lose
        self.fences: dict[str, int] = {}
        """The numbers of the claims of what is held."""
        self.reserved: set[str] = set()
        """Names that are held for what is about to live."""
        self._living: dict[Publication, asyncio.Task[None]] = {}
        self._ready: dict[Publication, None] = {}
        self._woken = asyncio.Event()
        self._at_once = asyncio.Event()
        self._dropped = asyncio.Event()
        self._losing: set[asyncio.Task[None]] = set()

    async def live(self, turn: ServedTurn, written: int, *, waits: bool) -> None:
        """Write what a turn tells behind what is `written`, until it lives here no more.

        Whoever `waits` has others know of it by then.
        """
        each = Publication(turn, written)
        self.reserved.discard(each.name)
        self._living[each] = asyncio.create_task(self._watch(each), name="llmterm-publication")
        turn.when_over(lambda: self._end(each))
        self._at_once.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE if waits else 0):
                await each.known.wait()

    def doubt(self) -> None:
        """Find out whether all of it is still there, and this instance's."""
        for each in self._living:
            each.doubtful = True
        self._again([*self._living])

    async def let_go(self, name: str, turn_id: str, *, over: bool) -> None:
        """Hold a name no more, unless a turn begins, or lives, under it. Raises RedisError."""
        if name in self.fences and name not in self.reserved and all(each.name != name for each in self._living):
            await self._claims.drop(name, self.fences.pop(name), turn_id, over=over)

    async def settled(self, name: str = "", seconds: float = _PATIENCE) -> None:
        """Wait until all is written of turns that live no more, or of those of a name; not for longer than that."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while any(each.over and each.name.startswith(name) for each in self._living):
                    self._dropped.clear()
                    await self._dropped.wait()

    async def write(self) -> None:
        """Write what comes. Ends by being cancelled."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            ready, self._ready = [*self._ready], {}
            try:
                await self._claim(ready)
                await self._tell(ready)
            except (RedisError, OSError):
                for each in ready:
                    each.rewind(each.written)
                self._again(ready)
                await asyncio.sleep(_AGAIN)
                continue
            self._at_once.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(_TOGETHER):
                    await self._at_once.wait()

    async def _watch(self, each: Publication) -> None:
        while True:
            await each.reader.arrived()
            each.turned.clear()
            self._again([each])
            await each.turned.wait()

    def _again(self, ready: list[Publication]) -> None:
        self._ready |= dict.fromkeys(each for each in ready if each in self._living)
        self._woken.set()

    def _end(self, each: Publication) -> None:
        each.over = True
        self._again([each])

    async def _claim(self, ready: list[Publication]) -> None:
        """Have what Redis does not know, or does not know any more, be held by this instance."""
        for each in [each for each in ready if each.name not in self.fences]:
            taken = await self._claims.take(each.name, sure=False)
            if taken.lives:
                self._be_lost(each)
            elif taken.unsure:
                self._again([each])
            else:
                self.fences[each.name] = taken.fence
            if taken.fence and is_unkept(each.name):
                await self._redis.set(keys.asked(each.turn.id), each.turn.in_words(), px=keys.KEPT_MS)

    async def _tell(self, ready: list[Publication]) -> None:
        telling: list[tuple[Publication, int]] = []
        # One that has scripts keeps its connection where it cannot look for them.
        async with self._redis.pipeline(transaction=False) as pipeline:
            for each in [each for each in ready if each in self._living and each.name in self.fences]:
                if (told := each.take()) is not None:
                    await self._claims.tell(each.name, self.fences[each.name], told, pipeline)
                    telling.append((each, told.place))
                elif each.over:
                    await self._drop(each)
            outcomes = await pipeline.execute()
        for (each, place), outcome in zip(telling, outcomes, strict=True):
            if outcome == 1:
                each.written = place
                each.known.set()
            elif outcome == 0:
                self.fences.pop(each.name, None)
                each.rewind(0)
            else:
                self._be_lost(each)
        for each, _ in telling:
            each.turned.set()
            if each.over or not each.written:
                self._again([each])

    async def _drop(self, each: Publication) -> None:
        """Hold no more what lives here no more, and is written, unless another turn begins, or lives, in its place."""
        self._forget(each)
        await self.let_go(each.name, each.turn.id, over=each.turn.ended)
        self._dropped.set()

    def _be_lost(self, each: Publication) -> None:
        self.fences.pop(each.name, None)
        self._forget(each)
        task = asyncio.ensure_future(self._lose(each.turn))
        self._losing.add(task)
        task.add_done_callback(self._losing.discard)

    def _forget(self, each: Publication) -> None:
        each.reader.leave()
        each.known.set()
        self._living.pop(each).cancel()
