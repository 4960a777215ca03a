"""Reads what turns tell at other instances, all of them by one connection, into logs that are read here."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping

from redis.asyncio import Redis
from redis.exceptions import RedisError

from llmterm import log
from llmterm.events import decoded
from llmterm.serve.peers import keys
from llmterm.serve.peers.mirrored import MirroredTurn

# Seconds between two looks: what comes faster comes together.
_TOGETHER = 0.04
_AGAIN = 0.25
# Milliseconds that Redis has nothing to say.
_BLOCKS_MS = 1_000


class Follower:
    """Turns that are followed by the instance `me`, by their ids."""

    def __init__(self, redis: Redis, me: str) -> None:
        self._redis = redis
        self._poke = keys.poke(me)
        self._poked = b"0"
        self._mirrors: dict[str, MirroredTurn] = {}

    def known(self, turn_id: str) -> MirroredTurn | None:
        return self._mirrors.get(turn_id)

    async def read(self, turn_id: str, session_id: str | None) -> MirroredTurn | None:
        """Return a turn as far as it was told; None where nothing was. Raises RedisError."""
        mirror = self._mirrors.get(turn_id)
        after = "-" if mirror is None else f"({mirror.log.seq}-0"
        for _, fields in await self._redis.xrange(keys.log(turn_id), after, "+"):
            if mirror is None:
                mirror = MirroredTurn(turn_id, session_id, int(fields[b"first"]))
            _take(mirror, fields)
        return mirror

    async def follow(self, mirror: MirroredTurn) -> None:
        """Have what is told from now on come into it. Raises RedisError."""
        self._mirrors[mirror.id] = mirror
        await self._redis.xadd(self._poke, {"x": 1}, maxlen=1, approximate=False)

    def release(self, turn_id: str) -> None:
        """Follow it no more: its log goes on here."""
        self._mirrors.pop(turn_id, None)

    def dismiss(self) -> None:
        """Let go of all who read."""
        for each in self._mirrors.values():
            each.audience.dismiss()

    async def listen(self) -> None:
        """Take in what is told. Ends by being cancelled."""
        while True:
            self._sweep()
            streams = {keys.log(each.id): each for each in self._mirrors.values() if not each.over}
            places: dict[bytes | str | memoryview, int | bytes | str | memoryview] = {
                name: f"{each.log.seq}-0" for name, each in streams.items()
            }
            try:
                found = await self._redis.xread({**places, self._poke: self._poked}, block=_BLOCKS_MS)
            except (RedisError, OSError):
                await asyncio.sleep(_AGAIN)
                continue
            for name, entries in found:
                mirror = streams.get(name.decode())
                if mirror is None:
                    self._poked = entries[-1][0]
                elif mirror.id in self._mirrors:
                    for _, fields in entries:
                        _take(mirror, fields)
            await asyncio.sleep(_TOGETHER)

    def _sweep(self) -> None:
        for each in [each for each in self._mirrors.values() if each.audience.left]:
            del self._mirrors[each.id]


def _take(mirror: MirroredTurn, fields: Mapping[bytes, bytes]) -> None:
    try:
        for each in json.loads(fields[b"told"]):
            mirror.take(decoded(each))
    except (ValueError, KeyError) as error:  # of another version, perhaps
        log.event("what another instance has told cannot be read", error=str(error))
