"""A batch on a Ray cluster: plain async actors that answer, and one that grants what they are allowed between them.

https://docs.ray.io/en/latest/ray-core/actors/async_api.html. This process alone hands out questions, and writes what
came of them. An actor that ends begins anew, elsewhere if need be, with nothing in hand: `Crew` knows what it had, so
Ray itself makes no call twice, which would ask a whole chunk again.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from importlib.util import find_spec
from typing import Any, NamedTuple

from llmterm import __version__
from llmterm.assembly.membership import first_line, head_lost, membership
from llmterm.assembly.roster import registry
from llmterm.assembly.worker import Post, desk, launched
from llmterm.batch.crew import Crew, WorkerLostError, shares
from llmterm.batch.engine import Asked, EngineLostError, Outcome
from llmterm.errors import ConfigError, LlmtermError
from llmterm.transport.lots import Leased, Lots

# Of a processor: what a lost machine had fits on the others.
_PROCESSORS = 0.25
# How long a cluster may take to begin the first worker, and then the others, in seconds.
_BEGIN, _OTHERS = 120.0, 10.0
_AGAIN = 0.5
_FOREVER = -1
_LIMITER = "llmterm-limits"  # among the actors of this run
_INSTALL = "pip install 'llmterm[ray]'"


class Hello(NamedTuple):
    """What a worker says of itself; `problem` is why it cannot work, "" where it can."""

    version: str
    machine: str
    problem: str


class Seat:
    """A worker, in a process of its own."""

    def __init__(self, given: Post) -> None:
        self._problem = ""
        try:
            launch = launched(given, os.environ)
            limits = _leased if _limited(given) else None
            self._desk = desk(given, launch, registry(launch.settings, launch.environ, permits=limits))
        except LlmtermError as error:
            self._problem = str(error)

    async def ready(self) -> Hello:
        return Hello(__version__, socket.gethostname(), self._problem)

    async def exchange(self, chunk: Sequence[Asked]) -> list[Outcome]:
        return await self._desk.exchange(chunk)

    async def pause(self) -> None:
        await self._desk.pause()

    async def resume(self) -> None:
        self._desk.resume()


class Limiter:
    """Grants requests and tokens to all workers. One that has begun anew has forgotten what it granted."""

    def __init__(self, lessees: int) -> None:
        import ray

        again: bool = ray.get_runtime_context().was_current_actor_reconstructed
        self._lots = Lots(lessees, full=not again)

    async def lease(self, name: str, per_minute: int, amount: float) -> float:
        return await self._lots.lease(name, per_minute, amount)

    async def give_back(self, name: str, amount: float) -> None:
        self._lots.give_back(name, amount)


class _Lender:
    def __init__(self, provider: str, kind: str, per_minute: int) -> None:
        import ray

        # By its name: a handle among what a worker begins with would have to be there when it begins anew.
        self._limiter = ray.get_actor(_LIMITER)
        self._name = f"{provider} {kind}"
        self._per_minute = per_minute

    def lease(self, amount: float) -> Awaitable[float]:
        granted: Awaitable[float] = self._limiter.lease.remote(self._name, self._per_minute, amount)
        return granted

    def give_back(self, amount: float) -> None:
        self._limiter.give_back.remote(self._name, amount)


def _leased(provider: str, kind: str, per_minute: int) -> Leased:
    return Leased(_Lender(provider, kind, per_minute))


class _Actor:
    """A worker, as it is seen from here."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle

    async def hello(self) -> Hello:
        """Wait for it, over all its beginnings. Raises EngineLostError where it cannot begin at all."""
        from ray.exceptions import ActorDiedError, RayActorError, RayError

        while True:
            try:
                said: Hello = await self._handle.ready.options(max_task_retries=_FOREVER).remote()
            except ActorDiedError as error:
                raise EngineLostError(f"a worker has ended for good: {first_line(error)}") from None
            except RayActorError:
                await asyncio.sleep(_AGAIN)
            except RayError as error:
                raise EngineLostError(f"the cluster is lost: {first_line(error)}") from None
            else:
                return said

    async def ready(self) -> None:
        said = await self.hello()
        if problem := _problem(said):
            raise EngineLostError(problem)

    async def exchange(self, chunk: Sequence[Asked]) -> Sequence[Outcome]:
        from ray.exceptions import RayError, RayTaskError

        try:
            outcomes: Sequence[Outcome] = await self._handle.exchange.remote(chunk)
        except RayTaskError:
            raise
        except RayError:
            raise WorkerLostError from None
        return outcomes

    async def pause(self) -> None:
        from ray.exceptions import RayError

        with suppress(RayError):  # it has ended: what it had is paused as well
            await self._handle.pause.remote()

    def resume(self) -> None:
        self._handle.resume.remote()


@asynccontextmanager
async def crew(given: Post, address: str) -> AsyncIterator[Crew]:
    """Have workers on the cluster at `address`, or on one that is begun here where that is "". Raises ConfigError."""
    if find_spec("ray") is None:
        raise ConfigError("--engine ray takes Ray, which is not installed", hint=_INSTALL)
    async with membership(address or os.environ.get("RAY_ADDRESS", "")):
        import ray

        share = shares(given.at_once, int(ray.cluster_resources().get("CPU", 1)))
        limiter = _limiter(len(share)) if _limited(given) else None  # it ends with the last who knows of it
        seat = ray.remote(num_cpus=_PROCESSORS, max_restarts=_FOREVER, scheduling_strategy="SPREAD")(Seat)
        actors = [_Actor(seat.remote(replace(given, at_once=each))) for each in share]
        await _begin(actors)
        found = Crew(zip(actors, share, strict=True))
        async with found.at_work(), _watched(found):
            yield found
        del limiter


@asynccontextmanager
async def _watched(found: Crew) -> AsyncIterator[None]:
    """Have the crew give up, inside, once the head of the cluster is gone: nobody else would tell."""

    async def watch() -> None:
        await head_lost()
        found.give_up(EngineLostError("the head of the cluster does not answer any more"))

    watching = asyncio.create_task(watch())
    try:
        yield
    finally:
        watching.cancel()


async def _begin(actors: Sequence[_Actor]) -> None:
    """Wait until the workers that can be had are there. Raises ConfigError where none is, or one cannot work."""
    asking = [asyncio.create_task(actor.hello()) for actor in actors]
    await asyncio.wait(asking, timeout=_BEGIN, return_when=asyncio.FIRST_COMPLETED)
    done, late = await asyncio.wait(asking, timeout=_OTHERS)
    for task in late:
        task.cancel()
    if not done:
        raise ConfigError(f"the cluster has begun no worker in {_BEGIN:.0f} seconds", hint="`ray status` says why")
    for task in done:
        try:
            problem = _problem(task.result())
        except EngineLostError as error:
            raise ConfigError(str(error), hint="each machine of the cluster needs llmterm[ray]") from None
        if problem:
            raise ConfigError(problem)


def _problem(said: Hello) -> str:
    if said.version != __version__:
        return f"{said.machine} has llmterm {said.version}, and this machine {__version__}"
    return f"{said.machine}: {said.problem}" if said.problem else ""


def _limiter(lessees: int) -> Any:
    import ray

    actor = ray.remote(num_cpus=0, max_restarts=_FOREVER, max_task_retries=_FOREVER, name=_LIMITER)(Limiter)
    return actor.remote(lessees)


def _limited(given: Post) -> bool:
    return any(each.requests_per_minute or each.tokens_per_minute for each in given.settings.providers.remotes.values())
