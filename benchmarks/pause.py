"""How soon a pause takes effect, from the key's byte on: the socket is closed, and the screen says so.

Beside it the same of a program that does nothing else: what both take is the machine's. Three programs share it while
they are measured, and one of them sends 2,000 chunks a second.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

from benchmarks import bare_pause
from benchmarks.answer import Recipe
from benchmarks.child import Child
from benchmarks.measure import Row, alone, percentile
from benchmarks.programs import PROMPT, Programs, programs

PAUSES = 200
PAUSES_PER_ANSWER = 20
RATE = 2000.0
CLOSED_GOAL = 5.0
SHOWN_GOAL = 20.0
# How long an answer streams before a key, in seconds.
_STREAMING = (0.02, 0.2)


class Pause(NamedTuple):
    """How long it took, in ms."""

    closed: float
    shown: float


def run() -> list[Row]:
    dice = random.Random(20261121)
    recipe = Recipe(text="markdown", chunks=1_000_000, rate=RATE)
    ours: list[Pause] = []
    bare: list[Pause] = []
    with programs() as subjects:
        # The server says the same again at each resume: gone on with by instruction it would count as started over.
        config = subjects.home / "pause.toml"
        config.write_text('[providers.openai]\ncontinuation = "prefill"\n', encoding="utf-8")
        env = subjects.env(LLMTERM_CONFIG=str(config))
        for _ in range(PAUSES // PAUSES_PER_ANSWER):
            with subjects.chat(env) as chat:
                chat.wait_for(PROMPT)
                ours += _pauses(chat, subjects, recipe, dice)
            with subjects.bare_pause() as program:
                program.wait_for(bare_pause.PROMPT)
                bare += _pauses(program, subjects, recipe, dice)
    closed = _rows("key to closed socket", [each.closed for each in ours], [each.closed for each in bare], CLOSED_GOAL)
    shown = _rows(
        "key to 'paused' on the screen", [each.shown for each in ours], [each.shown for each in bare], SHOWN_GOAL
    )
    return [*closed, *shown]


def _rows(what: str, ours: Sequence[float], bare: Sequence[float], goal: float) -> list[Row]:
    def row(name: str, of: Callable[[Sequence[float]], float], goal: float | None = None) -> Row:
        return alone(f"{what}, {name}, ms", of(ours), form="{:.1f}", goal=goal, baseline=of(bare))

    return [
        row("p50", lambda figures: percentile(figures, 50)),
        row("p99", lambda figures: percentile(figures, 99), goal),
        row("max", max),
    ]


def _pauses(program: Child, subjects: Programs, recipe: Recipe, dice: random.Random) -> list[Pause]:
    """Ask, and pause and resume the answer again and again."""
    program.write(recipe.question().encode() + b"\r")
    taken: list[Pause] = []
    for _ in range(PAUSES_PER_ANSWER):
        subjects.reports.wait_for("first", draining=program)
        program.read_for(dice.uniform(*_STREAMING))
        taken.append(_pause(program, subjects))
        program.write(b" ")
    subjects.reports.wait_for("first", draining=program)
    return taken


def _pause(program: Child, subjects: Programs) -> Pause:
    """Press SPACE; return when the server saw the end of the connection, and when the screen said "paused"."""
    program.forget()
    key = program.write(b" ")
    shown_at = program.wait_for(b"paused")
    closed_at = subjects.reports.wait_for("closed", draining=program)
    return Pause((closed_at - key) / 1e6, (shown_at - key) / 1e6)
