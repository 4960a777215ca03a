"""A batch on a Ray cluster: plain async actors that answer, and one that grants what they are allowed between them.

https://docs.ray.io/en/latest/ray-core/actors/async_api.html. This process alone hands out questions, and writes what
came of them. An actor that ends begins anew, elsewhere if need be, with nothing in hand: `Crew` knows what it had, so
Ray itself makes no call twice, which would ask a whole chunk again.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from importlib.util import find_spec
from types import ModuleType
from typing import Any, NamedTuple

from llmterm import __version__
from llmterm.address import is_loopback
from llmterm.assembly.roster import registry
from llmterm.assembly.worker import Post, desk, launched
from llmterm.batch.crew import Crew, WorkerLostError, shares
from llmterm.batch.engine import Asked, EngineLostError, Outcome
from llmterm.errors import ConfigError, LlmtermError
from llmterm.threads import in_thread
from llmterm.transport.lots import Leased, Lots

# Of a processor: what a lost machine had fits on the others.
_PROCESSORS = 0.25
# How long a cluster may take, in seconds: to answer at all, to let us in, to begin the first worker, then the others.
_ANSWER, _ADMISSION, _BEGIN, _OTHERS = 5.0, 30.0, 120.0, 10.0
_AGAIN = 0.5
_FOREVER = -1
_STDERR = 2
_AUTO = "auto"
_LIMITER = "llmterm-limits"  # among the actors of this run
_TOKEN = "if it has a token, RAY_AUTH_MODE=token and RAY_AUTH_TOKEN say it"
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
                raise EngineLostError(f"a worker has ended for good: {_first_line(error)}") from None
            except RayActorError:
                await asyncio.sleep(_AGAIN)
            except RayError as error:
                raise EngineLostError(f"the cluster is lost: {_first_line(error)}") from None
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
    async with _membership(address or os.environ.get("RAY_ADDRESS", "")):
        import ray

        share = shares(given.at_once, int(ray.cluster_resources().get("CPU", 1)))
        limiter = _limiter(len(share)) if _limited(given) else None  # it ends with the last who knows of it
        seat = ray.remote(num_cpus=_PROCESSORS, max_restarts=_FOREVER, scheduling_strategy="SPREAD")(Seat)
        actors = [_Actor(seat.remote(replace(given, at_once=each))) for each in share]
        await _begin(actors)
        found = Crew(zip(actors, share, strict=True))
        async with found.at_work():
            yield found
        del limiter


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


@asynccontextmanager
async def _membership(address: str) -> AsyncIterator[None]:
    """Be part of the cluster, inside. Raises ConfigError where that cannot be."""
    where = address or "this machine"
    if address.startswith("ray://"):
        raise ConfigError("ray:// is for clients", hint="run llmterm on a machine of the cluster: --address auto")
    host, _, port = address.rpartition(":")
    if address and address != _AUTO:
        await _require_answer(host, port)
    stay = _Stay(address, host)
    try:
        with _silence():
            await asyncio.wait_for(asyncio.shield(stay.joined), _ADMISSION)
    except TimeoutError:
        raise ConfigError(f"the cluster at {where} lets nobody in", hint=_TOKEN) from None
    except Exception as error:  # of as many kinds as there are reasons
        raise ConfigError(f"no Ray cluster at {where}: {_first_line(error)}", hint=_TOKEN) from None
    try:
        yield
    finally:
        await stay.end()


class _Stay:
    """From when we join a cluster until we leave it, in one thread: what Ray begins here ends with the thread."""

    def __init__(self, address: str, host: str) -> None:
        self.joined: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._loop = asyncio.get_running_loop()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._live, args=(address, host), daemon=True, name="llmterm-ray")
        self._thread.start()

    async def end(self) -> None:
        """Leave, and end a cluster that was begun here."""
        self._over.set()
        await in_thread(self._thread.join)

    def _live(self, address: str, host: str) -> None:
        try:
            ray = _init(address, host)
        except BaseException as error:
            self._tell(self.joined.set_exception, error)
            return
        self._tell(self.joined.set_result, None)
        self._over.wait()
        ray.shutdown()

    def _tell(self, settle: Callable[[Any], None], value: object) -> None:
        with suppress(RuntimeError):  # the loop is closed, and nobody waits any more
            self._loop.call_soon_threadsafe(settle, value)


@contextmanager
def _silence() -> Iterator[None]:
    """Have nothing written on standard error: until it is connected, Ray's core logs there, without a switch."""
    sys.stderr.flush()
    kept, nothing = os.dup(_STDERR), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, _STDERR)
        yield
    finally:
        os.dup2(kept, _STDERR)
        os.close(kept)
        os.close(nothing)


async def _require_answer(host: str, port: str) -> None:
    where = f"{host}:{port}"
    if not host or not port.isdecimal():
        raise ConfigError(f"{where.lstrip(':')} is no address of a cluster", hint="HOST:PORT is, or auto")
    try:
        async with asyncio.timeout(_ANSWER):
            _, writer = await asyncio.open_connection(host, int(port))
    except (OSError, OverflowError) as error:
        said = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error) or "no answer"
        raise ConfigError(f"no cluster at {where}: {said}", hint="`ray start --head` says its address") from None
    writer.close()


def _init(address: str, host: str) -> ModuleType:
    """Join the cluster, and return Ray."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # What each machine has installed is what answers, not what `uv run` would install there.
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    more: dict[str, Any] = {}
    if not address:
        # Nobody else on this machine may use it.
        os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=secrets.token_hex(24))
        more["include_dashboard"] = False
    elif host and is_loopback(host):
        more["_node_ip_address"] = host  # or else it takes that of the network
    import ray

    ray.init(address=address or "local", log_to_driver=False, logging_level=logging.CRITICAL, **more)
    ray._private.worker._worker_logs_enabled = False  # errors are printed by a thread that has no other switch
    joined: ModuleType = ray
    return joined


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
