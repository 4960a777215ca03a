"""An instance's sign of life in Redis, and whose has gone out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from redis.asyncio import Redis
from redis.exceptions import RedisError

from llmterm import log
from llmterm.serve.peers import keys

# How long a sign of life lasts; seconds between two.
LEASE_MS = 3_000
_RENEWED_EVERY = 0.5
# As many turns are taken over at the same time.
_AT_ONCE = 10
# Seconds that others have to give theirs, once Redis is back: until then a sign that is missing means nothing.
_GRACE = LEASE_MS / 1000


class Lease:
    """Keeps the sign of `me`, and looks after what the dead have had: each name of that is given to `inherit`.

    `resume` is called where others may have taken this one for dead, or where Redis may have forgotten it.
    """

    def __init__(
        self, redis: Redis, me: str, inherit: Callable[[str], Awaitable[None]], resume: Callable[[], None]
    ) -> None:
        self._redis = redis
        self._me = me
        self._inherit = inherit
        self._resume = resume
        self._renewed_at: float | None = None
        # Whether a sign of life that is missing is one that went out, and from when on.
        self._certain = asyncio.Event()
        self._certain_at: float | None = None
        self.lost = True
        """Whether Redis could not be reached when that was tried last."""

    @property
    def sure(self) -> bool:
        """Whether a sign of life that is missing is one that went out."""
        return self._certain.is_set()

    async def becomes_sure(self) -> None:
        """Wait until it is; not for long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(2 * _GRACE):
                await self._certain.wait()

    async def keep(self) -> None:
        """Give signs of life. Ends by being cancelled."""
        while True:
            try:
                await self.renew()
            except (RedisError, OSError) as error:
                if not self.lost:
                    log.event("redis lost", error=repr(error))
                self.lost, self._certain_at = True, None
                self._certain.clear()
            await asyncio.sleep(_RENEWED_EVERY)

    async def watch(self) -> None:
        """Look for signs of life that have gone out: beside `keep`, as what there is to do then takes its time.

        Ends by being cancelled.
        """
        while True:
            with suppress(RedisError, OSError):
                for each in await self._dead() if self.sure else []:
                    await self._bury(each)
            await asyncio.sleep(_RENEWED_EVERY)

    async def renew(self) -> None:
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.set(keys.instance(self._me), 1, px=LEASE_MS)
        pipeline.sadd(keys.INSTANCES, self._me)
        await pipeline.execute()
        now = asyncio.get_running_loop().time()
        if self.lost or self._renewed_at is None or now - self._renewed_at > LEASE_MS / 1000:
            self._resume()
        self.lost, self._renewed_at = False, now
        self._certain_at = self._certain_at or now + _GRACE
        if now >= self._certain_at:
            self._certain.set()

    async def end(self) -> None:
        """Be known as an instance no more: what it had is nobody's at once."""
        with suppress(RedisError, OSError):
            await self._redis.delete(keys.instance(self._me))

    async def _dead(self) -> list[str]:
        known = [each.decode() async for each in self._redis.sscan_iter(keys.INSTANCES)]
        pipeline = self._redis.pipeline(transaction=False)
        for each in known:
            pipeline.exists(keys.instance(each))
        return [each for each, lives in zip(known, await pipeline.execute(), strict=True) if not lives]

    async def _bury(self, instance: str) -> None:
        """Have all taken over that an instance had. Others do so as well, each what it comes to first."""
        held = [each.decode() async for each in self._redis.sscan_iter(keys.held(instance))]
        room = asyncio.Semaphore(_AT_ONCE)

        async def inherit(name: str) -> None:
            async with room:
                await self._inherit(name)

        await asyncio.gather(*map(inherit, held))
        if not held:
            pipeline = self._redis.pipeline(transaction=False)
            pipeline.srem(keys.INSTANCES, instance)
            await pipeline.execute()
