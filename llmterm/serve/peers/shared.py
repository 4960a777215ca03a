"""The instances that share a Redis: what each has is claimed there, told there, and asked for by way of it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar
from urllib.parse import urlsplit

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from llmterm import log
from llmterm.errors import ConfigError, LlmtermError
from llmterm.eventlog import EventLog
from llmterm.recorded import KEPT_SECONDS
from llmterm.serve.peers import keys
from llmterm.serve.peers.claims import Claims
from llmterm.serve.peers.following import Follower
from llmterm.serve.peers.lease import Lease
from llmterm.serve.peers.mailbox import Mailbox
from llmterm.serve.peers.mirrored import MirroredTurn
from llmterm.serve.peers.peers import Host
from llmterm.serve.peers.publishing import Publisher
from llmterm.serve.problems import Problem, ToldError, problem
from llmterm.serve.refusals import ConflictError, NoSuchTurnError, PeersLostError
from llmterm.serve.served import ServedTurn, name_of, place_of

T = TypeVar("T")

# Seconds after which what comes is on the record, too, which all instances write to: it is told before.
_KEPT_SECONDS = 10.0
_AGAIN = 1.0
_CONNECT_SECONDS, _SECONDS = 2.0, 5.0
# Seconds that what is still to be told has at the end.
_LAST_SECONDS = 2.0


class SharedPeers:
    """`fit` makes a problem one that others may see."""

    def __init__(self, url: str, fit: Callable[[Problem], Problem]) -> None:
        self._redis = Redis.from_url(
            url,
            protocol=2,
            retry=Retry(NoBackoff(), 0),  # what is lost is to be known, not hidden
            socket_connect_timeout=_CONNECT_SECONDS,
            socket_timeout=_SECONDS,
        )
        self._where = address(url)
        self._fit = fit
        self._me = secrets.token_hex(6)
        self._claims = Claims(self._redis, self._me)
        self._follower = Follower(self._redis, self._me)
        # How far what was told of turns that are about to live here was read.
        self._read: dict[str, int] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._telling: set[asyncio.Task[None]] = set()

    async def open(self, host: Host) -> None:
        self._host = host
        self._publisher = Publisher(self._redis, self._claims, host.lose)
        self._lease = Lease(self._redis, self._me, self._inherit, self._publisher.doubt)
        self._mailbox = Mailbox(self._redis, self._me, self._obey, host.hear)
        try:
            await self._lease.renew()
        except (RedisError, OSError) as error:
            await self._redis.aclose()
            words = f"Redis at {self._where} cannot be used: {_reason(error)}"
            raise ConfigError(words, hint="--state redis://HOST:PORT/0 says where it is") from None
        lease = self._lease
        lasting = (lease.keep, lease.watch, self._mailbox.listen, self._publisher.write, self._follower.listen)
        self._tasks += [asyncio.create_task(_lasting(each), name="llmterm-peers") for each in lasting]
        await self._mailbox.open.wait()

    async def close(self) -> None:
        if self._tasks:
            await self._publisher.settled(seconds=_LAST_SECONDS)
            await self._lease.end()
        for each in self._tasks:
            each.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with suppress(RedisError, OSError):
            await self._redis.aclose()

    async def find(self, turn_id: str) -> MirroredTurn | None:
        name = name_of(turn_id)
        async with self._asked():
            now = await self._claims.look(name, turn_id)
            elsewhere = now.lives and now.owner != self._me and now.turn == turn_id
            known = self._follower.known(turn_id)
            if known is not None and elsewhere:
                known.audience.used()
                return known
            if not now.told or (now.owner and not elsewhere):
                return None
            mirror = await self._follower.read(turn_id, _session_of(turn_id))
            if mirror is None or not (elsewhere or mirror.over):
                return None
            if elsewhere and not mirror.over:
                await self._follower.follow(mirror)
            return mirror

    async def turn_in(self, name: str) -> str | None:
        async with self._asked():
            now = await self._claims.look(name)
            return now.turn if now.lives and now.owner != self._me and now.turn else None

    async def hold(self, name: str) -> bool:
        async with self._asked():
            taken = await self._claims.take(name, sure=self._lease.sure)
            while taken.unsure:
                await self._lease.becomes_sure()
                taken = await self._claims.take(name, sure=self._lease.sure)
        if taken.lives:
            raise ConflictError("another instance of the service has it", hint="try again in a moment")
        self._publisher.reserved.add(name)
        self._publisher.fences[name] = taken.fence
        return taken.seized

    def drop(self, name: str) -> None:
        async def dropping() -> None:
            with suppress(RedisError, OSError):
                await self._publisher.let_go(name, "", over=False)

        self._publisher.reserved.discard(name)
        self._read = {turn_id: place for turn_id, place in self._read.items() if name_of(turn_id) != name}
        self._soon(dropping())

    async def told(self, turn_id: str) -> EventLog | None:
        async with self._asked():
            mirror = await self._follower.read(turn_id, _session_of(turn_id))
        self._follower.release(turn_id)
        if mirror is None:
            return None
        self._read[turn_id] = mirror.log.seq
        mirror.rest()
        return mirror.log

    async def asked(self, turn_id: str) -> str | None:
        async with self._asked():
            found: bytes | None = await self._redis.get(keys.asked(turn_id))
        return None if found is None else found.decode()

    async def live(self, turn: ServedTurn) -> None:
        written = self._read.pop(turn.id, 0)
        await self._publisher.live(turn, written, waits=not self._lease.lost)

    def kept_seconds(self) -> float:
        return KEPT_SECONDS if self._lease.lost else _KEPT_SECONDS

    async def order(self, name: str, order: Mapping[str, Any]) -> Mapping[str, Any]:
        async with self._asked():
            now = await self._claims.look(name)
            if not now.owner or now.owner == self._me:
                raise NoSuchTurnError(f"there is nothing of the name {name[:80]!r} elsewhere")
            answer = await self._mailbox.ask(now.owner, {"name": name, **order})
        if "problem" in answer:
            raise ToldError(Problem(*answer["problem"]))
        return answer

    async def forget(self, name: str) -> None:
        async with self._asked():
            turns = [each.decode() async for each in self._redis.sscan_iter(keys.turns(name))]
            gone = [key for each in turns for key in (keys.log(each), keys.asked(each))]
            await self._redis.delete(keys.claim(name), keys.turns(name), *gone)

    def changed(self, session_id: str) -> None:
        async def telling() -> None:
            await self._publisher.settled(session_id)  # by then they see it so, too
            with suppress(RedisError, OSError):
                await self._mailbox.tell_of(session_id)

        self._soon(telling())

    def dismiss(self) -> None:
        self._follower.dismiss()

    @asynccontextmanager
    async def _asked(self) -> AsyncIterator[None]:
        try:
            yield
        except (RedisError, OSError) as error:
            log.event("redis lost", error=repr(error))
            raise PeersLostError(
                "what the service shares with its other instances cannot be reached", hint="try again in a moment"
            ) from None

    async def _obey(self, order: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            answer = await self._host.obey(order)
            await self._publisher.settled(order["name"])
        except LlmtermError as error:
            return {"problem": self._fit(problem(error))}
        return answer

    async def _inherit(self, name: str) -> None:
        with suppress(LlmtermError):  # another instance has, or will
            await self._host.inherit(name)

    def _soon(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)


async def _lasting(work: Callable[[], Awaitable[None]]) -> None:
    """Do what never ends; after a bug of ours again, as others rely on it."""
    while True:
        try:
            await work()
        except Exception as error:
            log.event("a bug in what instances share", error=repr(error))
            await asyncio.sleep(_AGAIN)


def address(url: str) -> str:
    """Return where a Redis is, without who may use it."""
    parts = urlsplit(url)
    return parts.path if parts.scheme == "unix" else f"{parts.hostname or 'localhost'}:{parts.port or 6379}"


def _reason(error: Exception) -> str:
    """Return why it cannot be used, without its address, which the library's words may have."""
    words = str(error)
    return (
        "it does not take that password"
        if "WRONGPASS" in words or "NOAUTH" in words
        else _KINDS.get(type(error).__name__, "it does not answer as Redis does")
    )


_KINDS = {
    "ConnectionError": "nothing answers there",
    "TimeoutError": "it does not answer",
    "AuthenticationError": "it does not take that password",
    "ConnectionRefusedError": "nothing answers there",
    "gaierror": "there is no host of that name",
}


def _session_of(turn_id: str) -> str | None:
    place = place_of(turn_id)
    return None if place is None else place[0]
