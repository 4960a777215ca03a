"""Several processes that serve at one port: the system gives each of them connections of the one socket that all have.

This process only looks after them: it begins another one for each that ends by itself, and ends all of them when it is
told to end. A worker whose keeper is no more ends as well.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
import socket
from collections.abc import Mapping
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import NamedTuple

from llmterm.assembly.serving import Place, link, listen, running, signals
from llmterm.assembly.streams import notice
from llmterm.assembly.token import own_token
from llmterm.assembly.whereabouts import written_down
from llmterm.config import Settings
from llmterm.errors import LlmtermError
from llmterm.loading import collect_seldom
from llmterm.threads import in_thread, take_turns

# Seconds after which a worker that ends is ended.
_PATIENCE = 10.0
_AGAIN = 1.0


class Post(NamedTuple):
    """What each worker serves, and where."""

    settings: Settings
    environ: Mapping[str, str]
    place: Place
    listening: socket.socket


class Worker:
    def __init__(self, post: Post) -> None:
        spawning = multiprocessing.get_context("spawn")
        self._line, theirs = spawning.Pipe()
        self.process: SpawnProcess = spawning.Process(target=_work, args=(post, theirs), daemon=True)
        self.process.start()
        theirs.close()

    async def ready(self) -> None:
        """Wait until it serves. Raises why it cannot: our errors."""
        try:
            trouble: LlmtermError | None = await in_thread(self._line.recv)
        except EOFError:
            trouble = LlmtermError("a worker has ended before it served")
        if trouble is not None:
            raise trouble

    async def end(self) -> None:
        self.process.terminate()
        await in_thread(self.process.join, _PATIENCE)
        self.process.kill()


async def serve_by(workers: int, settings: Settings, environ: Mapping[str, str], place: Place) -> int:
    """Serve by so many processes until a signal ends them; return the exit code. Raises our errors."""
    place = place._replace(token=place.token or await in_thread(own_token, environ))
    with listen(place) as listening, signals() as ended:
        post = Post(settings, dict(environ), place, listening)
        crew: list[Worker] = []
        try:
            crew += [Worker(post) for _ in range(workers)]
            await asyncio.gather(*(each.ready() for each in crew))
            opens = link(place, listening, place.token)
            with written_down(environ, opens):
                notice(f"serving at {opens}")
                await _keep(crew, post, ended)
        finally:
            await asyncio.gather(*(each.end() for each in crew))
    return 0


async def _keep(crew: list[Worker], post: Post, ended: asyncio.Event) -> None:
    """Have as many workers as there are until it is to end."""
    ending = asyncio.create_task(ended.wait())
    while True:
        sentinels = [each.process.sentinel for each in crew]
        gone: asyncio.Task[object] = asyncio.create_task(in_thread(wait, sentinels))
        await asyncio.wait({ending, gone}, return_when=asyncio.FIRST_COMPLETED)
        if ended.is_set():
            gone.cancel()
            return
        for at, each in enumerate(crew):
            if not each.process.is_alive():
                notice(f"a worker has ended by itself ({each.process.exitcode}); another one begins")
                crew[at] = Worker(post)
        await asyncio.sleep(_AGAIN)


def _work(post: Post, keeper: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is the keeper's to hear
    take_turns()
    collect_seldom()
    asyncio.run(_serve(post, keeper))


async def _serve(post: Post, keeper: Connection) -> None:
    with signals() as ended:
        try:
            async with running(post.settings, post.environ, post.place, post.listening):
                keeper.send(None)
                left = asyncio.create_task(in_thread(keeper.poll, None))  # it says nothing, but may be no more
                ending = asyncio.create_task(ended.wait())
                await asyncio.wait({left, ending}, return_when=asyncio.FIRST_COMPLETED)
                left.cancel()
                ending.cancel()
        except LlmtermError as error:
            keeper.send(error)
