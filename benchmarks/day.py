"""A chat that stays open for two hours: whether key and memory are after 2,000 turns what they were at the beginning.

The time that a person takes to read is not waited for: the program's clock is set forward by it, every hundred turns by
that of a break. Looked at then: how soon a typed character is on the screen, how soon "paused" is there after SPACE,
and how much memory is in use. The keys are timed by the machine's clock. A conversation is kept, and sent whole with
every question, so "flat" has an allowance for it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from benchmarks.answer import Recipe
from benchmarks.child import Child
from benchmarks.clock import Clock
from benchmarks.measure import Row, alone, compared, percentile
from benchmarks.programs import ANSWERED, PROMPT, Programs, programs

TURNS = 2_000
EVERY = 100
READING, BREAK = 3.0, 60.0
KEYS = 5
KEY_GOAL = 50.0
MEMORY_GOAL = 1.25
_SHORT = Recipe(text="markdown", chunks=60)
_LONG = Recipe(text="markdown", chunks=1_000_000, rate=200.0)
# Before memory is compared everything that is loaded once has been used.
_SETTLED = 2 * EVERY


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """Milliseconds for each key, bytes of memory, seconds by the program's clock and by the machine's."""

    typed: list[float]
    paused: list[float]
    memory: list[int]
    lasted: float
    took: float


def run() -> list[Row]:
    with programs() as subjects:
        clock = Clock(subjects.home / "clock")
        with subjects.chat(clock=clock) as chat:
            day = _spend(chat, subjects, clock)
    typed, then, now = day.typed, day.memory[_SETTLED // EVERY - 1], day.memory[-1]
    said = TURNS * (sum(len(piece) for piece in _SHORT.pieces()) + len(_SHORT.question()))
    return [
        alone(f"key to character, p99, ms, over {TURNS:,} turns", percentile(typed, 99), form="{:.1f}", goal=KEY_GOAL),
        alone("key to character, the last ones, p50, ms", percentile(typed[-KEYS:], 50), form="{:.1f}", goal=KEY_GOAL),
        alone("key to 'paused' on the screen, max, ms", max(day.paused), form="{:.1f}", goal=KEY_GOAL),
        compared(
            f"memory after {TURNS:,} turns, against {_SETTLED}, MB",
            [now / 1e6],
            [then / 1e6],
            form="{:.1f}",
            goal=MEMORY_GOAL,
        ),
        alone("the same, kB a turn", (now - then) / (TURNS - _SETTLED) / 1e3, form="{:.1f}"),
        alone("of it what was said, kB a turn", said / TURNS / 1e3, form="{:.1f}"),
        alone("all turns by the program's clock, hours", day.lasted / 3600, form="{:.2f}"),
        alone("all turns, s", day.took, form="{:.0f}"),
    ]


def _spend(chat: Child, subjects: Programs, clock: Clock) -> Day:
    """Have all the turns in one chat."""
    typed: list[float] = []
    paused: list[float] = []
    memory: list[int] = []
    began = time.monotonic()
    chat.wait_for(PROMPT)
    for turn in range(1, TURNS + 1):
        chat.write(_SHORT.question().encode() + b"\r")
        subjects.reports.wait_for("last", draining=chat)
        chat.wait_for(ANSWERED)
        clock.forward(READING)
        if turn % EVERY == 0:
            clock.forward(BREAK)
            typed += [_type(chat) for _ in range(KEYS)]
            paused.append(_pause(chat, subjects))
            memory.append(chat.memory("VmRSS"))
    took = time.monotonic() - began
    return Day(typed=typed, paused=paused, memory=memory, lasted=took + clock.ahead, took=took)


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
    chat.write(b"\x1b")
    chat.wait_for(ANSWERED)
    return (shown - key) / 1e6
