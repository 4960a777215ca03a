"""The CPU of a whole answer, start-up included, against the same answer read by a bare HTTP and JSON loop."""

from __future__ import annotations

from benchmarks.answer import Recipe
from benchmarks.measure import Row, alternate, compared
from benchmarks.programs import programs

ROUNDS = 7
CHUNKS = 20_000
PIPE_GOAL = 1.5
TERMINAL_GOAL = 3.0


def run() -> list[Row]:
    prose = Recipe(text="prose", chunks=CHUNKS)
    markdown = Recipe(text="markdown", chunks=CHUNKS)
    empty = Recipe(text="prose", chunks=0)
    with programs() as subjects:
        bare, pipe, terminal, bare_empty, pipe_empty, terminal_empty = alternate(
            ROUNDS,
            lambda: subjects.by_bare_loop(prose).cpu,
            lambda: subjects.on_pipe(prose).cpu,
            lambda: subjects.in_terminal(markdown).cpu,
            lambda: subjects.by_bare_loop(empty).cpu,
            lambda: subjects.on_pipe(empty).cpu,
            lambda: subjects.in_terminal(empty).cpu,
        )
    return [
        compared(f"{CHUNKS:,} chunks into a pipe, CPU s", pipe, bare, form="{:.2f}", goal=PIPE_GOAL),
        compared(f"{CHUNKS:,} chunks of markdown, CPU s", terminal, bare, form="{:.2f}", goal=TERMINAL_GOAL),
        compared("an empty answer into a pipe, CPU s", pipe_empty, bare_empty, form="{:.2f}"),
        compared("an empty answer in a terminal, CPU s", terminal_empty, bare_empty, form="{:.2f}"),
    ]
