"""The CPU of ten times the text against that of the text, start-up left out: linear is 10, quadratic is 100."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from benchmarks.answer import Recipe
from benchmarks.child import Usage
from benchmarks.measure import Row, alternate, compared
from benchmarks.programs import programs

ROUNDS = 7
CHUNKS = 20_000
GOAL = 11.0


def run() -> list[Row]:
    with programs() as subjects:
        return [
            _row("a pipe", "prose", subjects.on_pipe),
            _row("markdown", "markdown", subjects.in_terminal),
        ]


def _row(what: str, text: Literal["prose", "markdown"], answer: Callable[[Recipe], Usage]) -> Row:
    few, many, start = alternate(
        ROUNDS,
        lambda: answer(Recipe(text=text, chunks=CHUNKS)).cpu,
        lambda: answer(Recipe(text=text, chunks=10 * CHUNKS)).cpu,
        lambda: answer(Recipe(text=text, chunks=0)).cpu,
    )
    return compared(
        f"{what}: {10 * CHUNKS:,} chunks against {CHUNKS:,}, CPU s",
        [cpu - least for cpu, least in zip(many, start, strict=True)],
        [cpu - least for cpu, least in zip(few, start, strict=True)],
        form="{:.2f}",
        goal=GOAL,
    )
