"""How much memory an answer takes, from its first token to the peak, against the size of its text."""

from __future__ import annotations

from benchmarks.answer import Recipe
from benchmarks.child import Child
from benchmarks.measure import Row, compared
from benchmarks.programs import Programs, ask, leave, programs

CHUNKS = 1_000_000
GOAL = 3.0
# The server waits so long after the first chunk; memory is looked at when half of it is over.
_HOLD = 1.0


def run() -> list[Row]:
    prose = Recipe(text="prose", chunks=CHUNKS, hold=_HOLD)
    markdown = Recipe(text="markdown", chunks=CHUNKS, hold=_HOLD)
    with programs() as subjects:
        with subjects.pipe(prose) as pipe:
            before = _at_first_token(pipe, subjects)
            into_pipe = pipe.finish().peak - before
        with subjects.chat() as chat:
            ask(chat, markdown)
            before = _at_first_token(chat, subjects)
            leave(chat)
            in_terminal = chat.finish().peak - before
    return [
        _row("1,000,000 chunks into a pipe, MB", into_pipe, prose),
        _row("1,000,000 chunks of markdown, MB", in_terminal, markdown),
    ]


def _at_first_token(child: Child, subjects: Programs) -> int:
    subjects.reports.wait_for("first", draining=child)
    child.read_for(_HOLD / 2)
    return child.resident()


def _row(what: str, growth: int, recipe: Recipe) -> Row:
    text = sum(len(piece.encode()) for piece in recipe.pieces())
    return compared(what, [growth / 1e6], [text / 1e6], form="{:.1f}", goal=GOAL)
