"""How much memory an answer takes, from its first token on, against the size of its text.

Twice: until the last chunk has come, and to the very end, when the whole answer is stored.
"""

from __future__ import annotations

from benchmarks.answer import Recipe
from benchmarks.child import Child
from benchmarks.measure import Row, compared
from benchmarks.programs import Programs, ask, leave, programs

CHUNKS = 1_000_000
GOAL = 2.5
# The server waits so long after the first chunk and before the end; memory is looked at when half of it is over. What
# the program holds back while it is busy with the screen has to be through by then.
_HOLD = 2.0


def run() -> list[Row]:
    prose = Recipe(text="prose", chunks=CHUNKS, hold=_HOLD)
    markdown = Recipe(text="markdown", chunks=CHUNKS, hold=_HOLD)
    with programs() as subjects:
        with subjects.pipe(prose) as pipe:
            before, streaming = _while_streaming(pipe, subjects)
            peak = pipe.finish().peak
            rows = _rows("a pipe", prose, streaming - before, peak - before)
        with subjects.chat() as chat:
            ask(chat, markdown)
            before, streaming = _while_streaming(chat, subjects)
            leave(chat)
            peak = chat.finish().peak
            return [*rows, *_rows("markdown", markdown, streaming - before, peak - before)]


def _while_streaming(child: Child, subjects: Programs) -> tuple[int, int]:
    """Return the memory in use after the first chunk, and at the peak when the last one has come."""
    subjects.reports.wait_for("first", draining=child)
    child.read_for(_HOLD / 2)
    before = child.memory("VmRSS")
    subjects.reports.wait_for("last", draining=child)
    child.read_for(_HOLD / 2)
    return before, child.memory("VmHWM")


def _rows(what: str, recipe: Recipe, streaming: int, whole: int) -> list[Row]:
    text = sum(len(piece.encode()) for piece in recipe.pieces()) / 1e6
    return [
        compared(f"{what}: {CHUNKS:,} chunks, MB", [streaming / 1e6], [text], form="{:.1f}", goal=GOAL),
        compared(f"{what}: the same, and stored, MB", [whole / 1e6], [text], form="{:.1f}", goal=GOAL),
    ]
