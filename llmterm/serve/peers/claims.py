"""Who has what: claims in Redis, each with a number that no two holders share, changed by scripts alone.

A claim is worth what its holder's sign of life is: where that has gone out, another instance may take it. What the
earlier one writes after that has the wrong number, and is refused.
"""

from __future__ import annotations

from typing import NamedTuple

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

from llmterm.serve.peers import keys

# Keys: the claim, what the new owner holds. Arguments: the owner, the prefix of signs of life, for how long it is kept,
# the name, whether a sign that is missing means anything.
_TAKE = """
local owner = redis.call('HGET', KEYS[1], 'owner')
local seized = owner and owner ~= ARGV[1]
if seized then
  if redis.call('EXISTS', ARGV[2] .. owner) == 1 then return {-1, 0} end
  if ARGV[5] == '0' then return {-2, 0} end
  redis.call('SREM', 'llmterm:held:' .. owner, ARGV[4])
end
local fence = redis.call('HINCRBY', KEYS[1], 'fence', 1)
redis.call('HSET', KEYS[1], 'owner', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('SADD', KEYS[2], ARGV[4])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return {fence, seized and 1 or 0}
"""
# Keys: the claim, the log, the turns of the name. Arguments: the owner, its number, the place, what is told, for how
# long it is kept, the turn, the first place of its log, the place up to which it was told before.
# A Redis that has come back may know of less than it did.
_TELL = """
local claim = redis.call('HMGET', KEYS[1], 'owner', 'fence')
local fence = tonumber(claim[2] or 0)
if fence < tonumber(ARGV[2]) and (not claim[1] or claim[1] == ARGV[1]) then return 0 end
if claim[1] ~= ARGV[1] or fence ~= tonumber(ARGV[2]) then return -1 end
local entry = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
local last = entry and tonumber(string.match(entry[1], '%d+')) or 0
if last < tonumber(ARGV[8]) then return 0 end
if last < tonumber(ARGV[3]) then
  redis.call('XADD', KEYS[2], ARGV[3] .. '-0', 'told', ARGV[4], 'first', ARGV[7])
end
redis.call('HSET', KEYS[1], 'turn', ARGV[6])
redis.call('SADD', KEYS[3], ARGV[6])
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[5]) end
return 1
"""
# Keys: the claim, what the owner holds, the log, what was asked. Arguments: the owner, its number, the name, for how
# long what was told is kept.
_DROP = """
local claim = redis.call('HMGET', KEYS[1], 'owner', 'fence')
redis.call('SREM', KEYS[2], ARGV[3])
if claim[1] ~= ARGV[1] or claim[2] ~= ARGV[2] then return 0 end
redis.call('HDEL', KEYS[1], 'owner')
redis.call('PEXPIRE', KEYS[3], ARGV[4])
redis.call('PEXPIRE', KEYS[4], ARGV[4])
return 1
"""
# Keys: the claim, a log. Argument: the prefix of signs of life.
_LOOK = """
local claim = redis.call('HMGET', KEYS[1], 'owner', 'turn')
local owner = claim[1] or ''
local lives = 0
if owner ~= '' then lives = redis.call('EXISTS', ARGV[1] .. owner) end
return {owner, lives, claim[2] or '', redis.call('EXISTS', KEYS[2])}
"""


class Standing(NamedTuple):
    """Who has something, "" for nobody, and whether that one lives; the turn that was told of last under that name;
    and whether anything was told of the one that is looked for."""

    owner: str
    lives: bool
    turn: str
    told: bool


class Taken(NamedTuple):
    """The number of a claim that was taken, and whether it was `seized` from an instance that is no more; or why it was
    not: another one has it, or it cannot be known yet whether that one lives."""

    fence: int
    seized: bool = False
    lives: bool = False
    unsure: bool = False


class Telling(NamedTuple):
    """What a turn, whose log begins at `first`, tells from behind the place `before` up to a place."""

    turn_id: str
    first: int
    before: int
    place: int
    told: bytes


class Claims:
    """As the instance `me` makes them."""

    def __init__(self, redis: Redis, me: str) -> None:
        self.me = me
        self._redis = redis
        self._take = redis.register_script(_TAKE)
        self._tell = redis.register_script(_TELL)
        self._drop = redis.register_script(_DROP)
        self._look = redis.register_script(_LOOK)

    async def take(self, name: str, *, sure: bool) -> Taken:
        """Have it, unless another one that lives does. `sure`: a sign of life that is missing is one that went out."""
        fence, seized = await self._take(
            [keys.claim(name), keys.held(self.me)], [self.me, keys.INSTANCE, keys.KEPT_MS, name, int(sure)]
        )
        return Taken(max(0, fence), bool(seized), lives=fence == -1, unsure=fence == -2)

    async def look(self, name: str, turn_id: str = "") -> Standing:
        owner, lives, turn, told = await self._look([keys.claim(name), keys.log(turn_id)], [keys.INSTANCE])
        return Standing(owner.decode(), bool(lives), turn.decode(), bool(told))

    async def tell(self, name: str, fence: int, telling: Telling, by: Pipeline) -> None:
        """Have a pipeline write what a turn tells. It comes to 1, to 0 where Redis does not know any more what it did,
        and to -1 where another instance has it."""
        turn_id, first, before, place, told = telling
        await self._tell(
            [keys.claim(name), keys.log(turn_id), keys.turns(name)],
            [self.me, fence, place, told, keys.KEPT_MS, turn_id, first, before],
            by,
        )

    async def drop(self, name: str, fence: int, turn_id: str, *, over: bool) -> None:
        """Have it no more; what was told of the turn is kept for a while."""
        await self._drop(
            [keys.claim(name), keys.held(self.me), keys.log(turn_id), keys.asked(turn_id)],
            [self.me, fence, name, keys.OVER_MS if over else keys.KEPT_MS],
        )
