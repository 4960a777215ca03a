"""How soon a cancelled answer lets go of its connection: from `Turn.cancel` to the moment when the server sees it.

Half of the answers are streaming at that moment, half are silent after their first chunk.
"""

from __future__ import annotations

import asyncio
import random
import time

from benchmarks.answer import Recipe
from benchmarks.measure import Row, alone, percentile
from benchmarks.programs import Programs, programs
from benchmarks.providers import SUBJECTS, Subject
from llmterm.assembly.roster import registry
from llmterm.config import RemoteSettings, Settings
from llmterm.config.settings import ProvidersSettings
from llmterm.conversation import Conversation
from llmterm.messages import Options, TextDelta
from llmterm.providers import Provider
from llmterm.turn import Turn

CANCELS = 200
GOAL = 50.0
_STREAMING = Recipe(text="prose", chunks=1_000_000, rate=2000.0)
_SILENT = Recipe(text="prose", chunks=1_000_000, hold=60.0)
# How long an answer goes on before it is cancelled, in seconds.
_GOING_ON = (0.0, 0.02)


def run() -> list[Row]:
    with programs() as subjects:
        return [row for subject in SUBJECTS for row in asyncio.run(_rows(subject, subjects))]


async def _rows(subject: Subject, subjects: Programs) -> list[Row]:
    dice = random.Random(20261121)
    settings = Settings(providers=ProvidersSettings(remotes={"openai": RemoteSettings(api=subject.api)}))
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
