"""Many answers at once in one process: how much sooner than one after another, what each takes, and whether one fails.

Each answer takes a second at the server. What a stream takes in memory is the growth of the resident set while so many
are held at once. The bare loop is httpx2 with nothing around it, with as many requests at once.
"""

from __future__ import annotations

import asyncio
import gc
import json
import resource
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx2

from benchmarks.answer import Recipe
from benchmarks.measure import Row, alone, percentile
from benchmarks.programs import Programs, Reports, programs
from llmterm.assembly.roster import registry
from llmterm.config import Settings
from llmterm.conversation import Conversation
from llmterm.messages import Options, StreamLimits, TextDelta
from llmterm.providers import Provider
from llmterm.respondent import Respondent
from llmterm.states import TurnState
from llmterm.threads import take_turns
from llmterm.turn import Turn

AT_ONCE, HELD = 1_000, 4_000
CHUNKS = 20
SOONER, KILOBYTES = 300, 40.0
# An answer of a second; the same with chunks that come all at once, for what a chunk takes; one that is held.
_SECOND = Recipe(text="prose", chunks=CHUNKS, hold=0.5)
_MANY = Recipe(text="prose", chunks=400, rate=400)
_LONG = Recipe(text="prose", chunks=CHUNKS, hold=300.0)
_PATIENT = StreamLimits(chunk_timeout=600.0)


def run() -> list[Row]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4 * HELD
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, wanted), hard), hard))
    take_turns()
    with programs() as subjects, draining(subjects.reports):
        return asyncio.run(_rows(subjects))


@contextmanager
def draining(reports: Reports) -> Iterator[None]:
    """Read what the server tells, and leave it: it waits for nobody otherwise."""
    over = threading.Event()

    def drain() -> None:
        while not over.is_set():
            reports.next(timeout=0.1)

    thread = threading.Thread(target=drain)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


async def _rows(subjects: Programs) -> list[Row]:
    settings = Settings()
    remotes = {name: replace(each, max_concurrent=2 * HELD) for name, each in settings.providers.remotes.items()}
    settings = replace(settings, providers=replace(settings.providers, remotes=remotes))
    providers = registry(settings, subjects.env())
    provider = providers.get("openai")
    try:
        await _answers(provider, 1, _SECOND)
        alone_seconds, _ = await _timed(lambda: _answers(provider, 1, _SECOND))
        at_once, failed = await _timed(lambda: _answers(provider, AT_ONCE, _SECOND))
        bare_at_once, _ = await _timed(lambda: _bare(subjects, AT_ONCE, _SECOND))
        ours = await _cpu(lambda: _answers(provider, 200, _MANY))
        bare = await _cpu(lambda: _bare(subjects, 200, _MANY))
        kilobytes, held_failures = await _held(provider)
    finally:
        await providers.aclose()
    sooner = AT_ONCE * alone_seconds / at_once
    return [
        Row(
            what=f"{AT_ONCE:,} answers at once, as often as fast as one after another",
            ours=f"{sooner:.0f}",
            baseline=f"{AT_ONCE * alone_seconds / bare_at_once:.0f}",
            ratio=f"{bare_at_once / at_once:.2f}",
            goal=f">= {SOONER}",
            met="met" if sooner >= SOONER and not failed else "MISSED",
        ),
        alone(f"of {HELD:,} streams held at once, failed", held_failures, form="{:.0f}", goal=0),
        alone("memory of each, kB", kilobytes, form="{:.0f}", goal=KILOBYTES),
        Row(
            what="CPU of a chunk, 200 answers of 400 chunks at once, µs",
            ours=f"{ours / 80_000 * 1e6:.0f}",
            baseline=f"{bare / 80_000 * 1e6:.0f}",
            ratio=f"{ours / bare:.2f}",
        ),
    ]


async def _answers(provider: Provider, number: int, recipe: Recipe) -> int:
    """Have so many answers; return how many failed."""
    done = await asyncio.gather(*(_answer(provider, recipe) for _ in range(number)))
    return done.count(False)


async def _answer(provider: Provider, recipe: Recipe) -> bool:
    respondent = Respondent(provider=provider, model="test", options=Options(), limits=StreamLimits())
    turn = await respondent.turn(Conversation().ask(recipe.question()))
    turn.start()
    reader = turn.reader()
    async for _ in reader:
        if turn.state is not TurnState.STREAMING and reader.at_end:
            break
    reader.leave()
    return turn.state is TurnState.DONE


async def _bare(subjects: Programs, number: int, recipe: Recipe) -> int:
    url = f"http://127.0.0.1:{subjects.port}/v1/chat/completions"
    body = {"model": "test", "stream": True, "messages": [{"role": "user", "content": recipe.question()}]}
    none = httpx2.Limits(max_connections=None, max_keepalive_connections=20)

    async def one(client: httpx2.AsyncClient) -> None:
        async with client.stream("POST", url, json=body, timeout=60) as response:
            async for line in response.aiter_lines():
                if line.startswith("data: {"):
                    json.loads(line[6:])

    async with httpx2.AsyncClient(limits=none, trust_env=False) as client:
        await asyncio.gather(*(one(client) for _ in range(number)))
    return 0


async def _held(provider: Provider) -> tuple[float, int]:
    """Return what a stream takes, in kB, of so many that are held at once, and how many could not be."""
    gc.collect()
    before = _resident()
    respondent = Respondent(provider=provider, model="test", options=Options(), limits=_PATIENT)
    turns = [await respondent.turn(Conversation().ask(_LONG.question())) for _ in range(HELD)]
    for turn in turns:
        turn.start()
    await asyncio.gather(*map(_begun, turns))
    held = [turn for turn in turns if turn.state is TurnState.STREAMING]
    gc.collect()
    taken = (_resident() - before) / 1024 / max(1, len(held))
    for at in range(0, HELD, 200):
        await asyncio.gather(*(turn.cancel() for turn in turns[at : at + 200]))
    return taken, HELD - len(held)


async def _begun(turn: Turn) -> None:
    """Wait for the first chunk, or for the end where none comes."""
    reader = turn.reader()
    async for entry in reader:
        if isinstance(entry.event, TextDelta) or turn.state is not TurnState.STREAMING:
            break
    reader.leave()


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()


async def _timed(work: Callable[[], Awaitable[int]]) -> tuple[float, int]:
    began = time.perf_counter()
    failed = await work()
    return time.perf_counter() - began, failed


async def _cpu(work: Callable[[], Awaitable[object]]) -> float:
    await work()
    taken = []
    for _ in range(3):
        began = time.process_time()
        await work()
        taken.append(time.process_time() - began)
    return percentile(taken, 50)
