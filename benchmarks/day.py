"""A chat that stays open: whether key and memory are after 2,000 turns what they were at the beginning.

The turns of some two hours, one after the other, without the time that a person takes to read. Looked at every
hundred turns: how soon a typed character is on the screen, how soon "paused" is there after SPACE, and how much memory
is in use. A conversation is kept, and sent whole with every question, so "flat" has an allowance for it.
"""

from __future__ import annotations

import time

from benchmarks.answer import Recipe
from benchmarks.child import Child
from benchmarks.measure import Row, alone, compared, percentile
from benchmarks.programs import PROMPT, Programs, ask, programs

TURNS = 2_000
EVERY = 100
KEYS = 5
KEY_GOAL = 50.0
MEMORY_GOAL = 1.25
_SHORT = Recipe(text="markdown", chunks=60)
_LONG = Recipe(text="markdown", chunks=1_000_000, rate=200.0)
# Before memory is compared everything that is loaded once has been used.
_SETTLED = 2 * EVERY


def run() -> list[Row]:
    typed: list[float] = []
    paused: list[float] = []
    memory: list[int] = []
    with programs() as subjects, subjects.chat() as chat:
        began = time.monotonic()
        for turn in range(1, TURNS + 1):
            ask(chat, _SHORT)
            subjects.reports.wait_for("last", draining=chat)
            if turn % EVERY == 0:
                chat.wait_for(PROMPT)
                typed += [_type(chat) for _ in range(KEYS)]
                paused.append(_pause(chat, subjects))
                memory.append(chat.memory("VmRSS"))
        took = time.monotonic() - began
    then, now = memory[_SETTLED // EVERY - 1], memory[-1]
    said = TURNS * (sum(len(piece) for piece in _SHORT.pieces()) + len(_SHORT.question()))
    return [
        alone(f"key to character, p99, ms, over {TURNS:,} turns", percentile(typed, 99), form="{:.1f}", goal=KEY_GOAL),
        alone("key to character, the last ones, p50, ms", percentile(typed[-KEYS:], 50), form="{:.1f}", goal=KEY_GOAL),
        alone("key to 'paused' on the screen, max, ms", max(paused), form="{:.1f}", goal=KEY_GOAL),
        compared(
            f"memory after {TURNS:,} turns, against {_SETTLED}, MB",
            [now / 1e6],
            [then / 1e6],
            form="{:.1f}",
            goal=MEMORY_GOAL,
        ),
        alone("the same, kB a turn", (now - then) / (TURNS - _SETTLED) / 1e3, form="{:.1f}"),
        alone("of it what was said, kB a turn", said / TURNS / 1e3, form="{:.1f}"),
        alone("all turns, s", took, form="{:.0f}"),
    ]


def _type(chat: Child) -> float:
    """Type a character, and take it back; return the milliseconds until it was seen."""
    chat.forget()
    key = chat.write(b"z")
    seen = chat.wait_for(b"z")
    chat.write(b"\x15")
    chat.read_for(0.05)
    return (seen - key) / 1e6


def _pause(chat: Child, subjects: Programs) -> float:
    """Pause a long answer, and end it; return the milliseconds until the screen said so."""
    chat.write(_LONG.question().encode() + b"\r")
    subjects.reports.wait_for("first", draining=chat)
    chat.read_for(0.2)
    chat.forget()
    key = chat.write(b" ")
    shown = chat.wait_for(b"paused")
    chat.read_for(0.1)
    chat.forget()
    chat.write(b"\x1b")
    return (shown - key) / 1e6
