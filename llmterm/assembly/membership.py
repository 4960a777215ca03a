"""Being part of a Ray cluster: to join one, or begin one, to notice that it is gone, and to leave it.

https://docs.ray.io/en/latest/ray-core/api/doc/ray.init.html.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from types import ModuleType
from typing import Any

from llmterm.address import is_loopback
from llmterm.errors import ConfigError
from llmterm.threads import in_thread

# How long a cluster may take to answer at all, to let us in, and to let us go, in seconds.
_ANSWER, _ADMISSION, _LEAVE = 5.0, 30.0, 10.0
# How often its head is asked whether it is there, in seconds, and how often it may not be. After a minute without it,
# Ray ends this process where it stands.
_LOOK, _LOOKS = 5.0, 6
_AUTO = "auto"
_TOKEN = "if it has a token, RAY_AUTH_MODE=token and RAY_AUTH_TOKEN say it"
_STDERR = 2


@asynccontextmanager
async def membership(address: str) -> AsyncIterator[None]:
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
        raise ConfigError(f"no Ray cluster at {where}: {first_line(error)}", hint=_TOKEN) from None
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
        """Leave, and end a cluster that was begun here. One that does not answer is not waited for."""
        self._over.set()
        await in_thread(self._thread.join, _LEAVE)

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


async def head_lost() -> None:
    """Wait until the head of the cluster has not answered for half a minute."""
    import ray

    host, _, port = str(ray.get_runtime_context().gcs_address).rpartition(":")
    failed = 0
    while failed < _LOOKS:
        await asyncio.sleep(_LOOK)
        try:
            await _require_answer(host, port)
        except ConfigError:
            failed += 1
        else:
            failed = 0


def first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
