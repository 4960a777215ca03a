"""What a kill costs: the age of the newest stored character at the moment of the kill.

The answer consists of the moments at which its chunks were sent, so the store itself says how far it had come. Where
it has nothing yet, all since the first chunk is lost.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from benchmarks.answer import Recipe
from benchmarks.child import Child
from benchmarks.measure import Row, alone, percentile
from benchmarks.programs import Programs, ask, programs
from llmterm.sessions import SessionStore

KILLS = 30
RATE = 500.0
GOAL = 250.0
# How long an answer streams before the kill, in seconds.
_STREAMING = (0.0, 2.0)


def run() -> list[Row]:
    with programs() as subjects:
        return [*_rows("a pipe", subjects, _on_pipe), *_rows("a terminal", subjects, _in_terminal)]


def _rows(where: str, subjects: Programs, start: Callable[[Programs, Path, Recipe], Child]) -> list[Row]:
    dice = random.Random(20261121)
    ages = [_age_at_kill(subjects, start, subjects.home / where / str(kill), dice) for kill in range(KILLS)]
    return [
        alone(f"lost at a kill, on {where}, p50, ms", percentile(ages, 50), form="{:.0f}"),
        alone(f"lost at a kill, on {where}, max, ms", max(ages), form="{:.0f}", goal=GOAL),
    ]


def _age_at_kill(
    subjects: Programs, start: Callable[[Programs, Path, Recipe], Child], home: Path, dice: random.Random
) -> float:
    home.mkdir(parents=True)
    with start(subjects, home, Recipe(text="stamps", chunks=1_000_000, rate=RATE)) as child:
        first = subjects.reports.wait_for("first", draining=child)
        child.read_for(dice.uniform(*_STREAMING))
        killed = child.kill()
    # A stamp without the blank after it may not be whole.
    *stamps, _ = _stored(home / "data").split(" ")
    return (killed - int(stamps[-1] if stamps else first)) / 1e6


def _on_pipe(subjects: Programs, home: Path, recipe: Recipe) -> Child:
    return subjects.pipe(recipe, subjects.env(home))


def _in_terminal(subjects: Programs, home: Path, recipe: Recipe) -> Child:
    chat = subjects.chat(subjects.env(home))
    ask(chat, recipe)
    return chat


def _stored(folder: Path) -> str:
    store = SessionStore(folder)
    try:
        latest = store.latest()
        answer = store.load(latest, peek=True).answer if latest else None
        return answer.message.text if answer else ""
    finally:
        store.close()
