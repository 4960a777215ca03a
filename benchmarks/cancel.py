"""How soon a cancelled answer lets go of its connection: from `Turn.cancel` to the moment when the server sees it.

Half of the answers are streaming at that moment, half are silent after their first chunk. Then a thousand that are
silent are cancelled at once, and as many requests of the bare loop, httpx2 with nothing around it.
"""

from __future__ import annotations

import asyncio
import random
import resource
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from typing import Any, Self

import httpx2

from benchmarks.answer import Recipe
from benchmarks.measure import Row, alone, percentile
from benchmarks.programs import Programs, Reports, programs
from benchmarks.providers import SUBJECTS, Subject
from llmterm.assembly.roster import registry
from llmterm.config import BUILT_IN, RemoteSettings, Settings
from llmterm.config.settings import ProvidersSettings
from llmterm.conversation import Conversation
from llmterm.messages import Options, TextDelta
from llmterm.providers import Provider
from llmterm.transport.reuse import CONNECTING
from llmterm.turn import Turn

CANCELS, AT_ONCE = 200, 1_000
GOAL = 50.0
_STREAMING = Recipe(text="prose", chunks=1_000_000, rate=2000.0)
_SILENT = Recipe(text="prose", chunks=1_000_000, hold=60.0)
# How long an answer goes on before it is cancelled, in seconds.
_GOING_ON = (0.0, 0.02)


def run() -> list[Row]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, 4 * AT_ONCE), hard), hard))
    with programs() as subjects:
        rows = [row for subject in SUBJECTS for row in asyncio.run(_rows(subject, subjects))]
        with Closings(subjects.reports).gathered() as closed:
            return [*rows, *asyncio.run(_many(subjects, closed))]


class Closings:
    """Gathers when the server has seen connections close, which waits for nobody to hear of it."""

    def __init__(self, reports: Reports) -> None:
        self._reports = reports
        self._seen: list[int] = []
        self._more = threading.Condition()
        self._over = False

    @contextmanager
    def gathered(self) -> Iterator[Self]:
        thread = threading.Thread(target=self._gather)
        thread.start()
        try:
            yield self
        finally:
            self._over = True
            thread.join()

    def take(self, number: int) -> list[int]:
        """Wait for so many, and give them up."""
        with self._more:
            self._more.wait_for(lambda: len(self._seen) >= number)
            taken, self._seen = self._seen, []
            return taken

    def _gather(self) -> None:
        while not self._over:
            report = self._reports.next(timeout=0.1)
            if report.get("event") == "closed":
                with self._more:
                    self._seen.append(report["at"])
                    self._more.notify()


async def _many(subjects: Programs, closed: Closings) -> list[Row]:
    """Cancel so many at once, three times; of the times that it takes the middle ones count."""
    remotes = {"openai": RemoteSettings(max_concurrent=AT_ONCE)}
    providers = registry(Settings(providers=ProvidersSettings(remotes=remotes)), subjects.env())
    ours, bare = [], []
    try:
        for _ in range(3):
            ours.append(await _cancel_all(await _turns(providers.get("openai")), closed))
            bare.append(await _cancel_all(await _bare(subjects), closed))
    finally:
        await providers.aclose()
    one = percentile([each[0] for each in ours], 50), percentile([each[0] for each in bare], 50)
    last = percentile([each[1] for each in ours], 50), percentile([each[1] for each in bare], 50)
    what = f"{AT_ONCE:,} cancelled at once: to closed socket"
    return [
        Row(what=f"{what}, p50, ms", ours=f"{one[0]:.0f}", baseline=f"{one[1]:.0f}", ratio=f"{one[0] / one[1]:.2f}"),
        Row(
            what=f"{what}, p99, ms", ours=f"{last[0]:.0f}", baseline=f"{last[1]:.0f}", ratio=f"{last[0] / last[1]:.2f}"
        ),
    ]


async def _turns(provider: Provider) -> list[Callable[[], Awaitable[object]]]:
    """Begin so many answers; return what cancels each."""
    request = Conversation().ask(_SILENT.question()).request(model="test", options=Options())
    turns = [Turn(provider, request) for _ in range(AT_ONCE)]
    for turn in turns:
        turn.start()
    await asyncio.gather(*map(_begun, turns))
    return [turn.cancel for turn in turns]


async def _begun(turn: Turn) -> None:
    async for event in turn.reader().streamed():
        if isinstance(event, TextDelta):
            return


async def _bare(subjects: Programs) -> list[Callable[[], Awaitable[object]]]:
    url = f"http://127.0.0.1:{subjects.port}/v1/chat/completions"
    body = {"model": "test", "stream": True, "messages": [{"role": "user", "content": _SILENT.question()}]}
    client = httpx2.AsyncClient(limits=httpx2.Limits(max_connections=None), trust_env=False, timeout=60)

    connecting = asyncio.Semaphore(CONNECTING)  # who finds the server's queue full is not heard for a second

    async def one(begun: asyncio.Event) -> None:
        async with AsyncExitStack() as stack:
            async with connecting:
                response = await stack.enter_async_context(client.stream("POST", url, json=body))
            async for _ in response.aiter_lines():
                begun.set()

    begun = [asyncio.Event() for _ in range(AT_ONCE)]
    tasks = [asyncio.create_task(one(each)) for each in begun]
    await asyncio.gather(*(each.wait() for each in begun))

    def cancelling(task: asyncio.Task[None]) -> Callable[[], Awaitable[object]]:
        async def cancel() -> None:
            task.cancel()
            await asyncio.wait({task})

        return cancel

    return [cancelling(task) for task in tasks]


async def _cancel_all(cancels: list[Callable[[], Awaitable[object]]], closed: Closings) -> tuple[float, float]:
    """Return the p50 and the p99 of how long the server still had them, in ms."""
    began = time.monotonic_ns()
    await asyncio.gather(*(cancel() for cancel in cancels))
    waits = [(at - began) / 1e6 for at in await asyncio.to_thread(closed.take, len(cancels))]
    return percentile(waits, 50), percentile(waits, 99)


async def _rows(subject: Subject, subjects: Programs) -> list[Row]:
    dice = random.Random(20261121)
    said: dict[str, Any] = dict(subject.said)
    remote = replace(RemoteSettings.of(BUILT_IN[subject.provider]), **said)
    settings = Settings(providers=ProvidersSettings(remotes={subject.provider: remote}))
    providers = registry(settings, subject.environ(subjects.port))
    try:
        provider = providers.get(subject.provider)
        recipes = (_STREAMING, _SILENT) * (CANCELS // 2)
        waits = [await _cancel(provider, recipe, subjects, dice) for recipe in recipes]
    finally:
        await providers.aclose()
    return [
        alone(f"{subject.name}: cancelled to closed socket, p50, ms", percentile(waits, 50), form="{:.1f}"),
        alone(f"{subject.name}: cancelled to closed socket, p99, ms", percentile(waits, 99), form="{:.1f}", goal=GOAL),
    ]


async def _cancel(provider: Provider, recipe: Recipe, subjects: Programs, dice: random.Random) -> float:
    """Ask, wait for the first chunk, cancel, and return how long the server still had the connection, in ms."""
    turn = Turn(provider, Conversation().ask(recipe.question()).request(model="test", options=Options()))
    turn.start()
    deadline = asyncio.get_running_loop().time() + dice.uniform(*_GOING_ON)
    # As the chat reads it: the stream waits for who shows it.
    async for event in turn.reader(waited_for=True).streamed():
        if isinstance(event, TextDelta) and (recipe is _SILENT or asyncio.get_running_loop().time() >= deadline):
            break
    cancelled = time.monotonic_ns()
    await turn.cancel()
    while (report := subjects.reports.next())["event"] != "closed":
        pass
    closed: int = report["at"]
    return (closed - cancelled) / 1e6
