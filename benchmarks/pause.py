"""How soon a pause takes effect, from the key's byte on: the socket is closed, and the screen says so."""

from __future__ import annotations

import random

from benchmarks.answer import Recipe
from benchmarks.child import Child
from benchmarks.measure import Row, alone, percentile
from benchmarks.programs import Programs, ask, programs

PAUSES = 200
PAUSES_PER_ANSWER = 20
RATE = 2000.0
CLOSED_GOAL = 5.0
SHOWN_GOAL = 20.0
# How long an answer streams before a key, in seconds.
_STREAMING = (0.02, 0.2)


def run() -> list[Row]:
    dice = random.Random(20261121)
    closed: list[float] = []
    shown: list[float] = []
    recipe = Recipe(text="markdown", chunks=1_000_000, rate=RATE)
    with programs() as subjects:
        # The server says the same again at each resume: gone on with by instruction it would count as started over.
        config = subjects.home / "pause.toml"
        config.write_text('[providers.openai]\ncontinuation = "prefill"\n', encoding="utf-8")
        env = subjects.env(LLMTERM_CONFIG=str(config))
        for _ in range(PAUSES // PAUSES_PER_ANSWER):
            with subjects.chat(env) as chat:
                ask(chat, recipe)
                for _ in range(PAUSES_PER_ANSWER):
                    subjects.reports.wait_for("first", draining=chat)
                    chat.read_for(dice.uniform(*_STREAMING))
                    key, closed_at, shown_at = _pause(chat, subjects)
                    closed.append((closed_at - key) / 1e6)
                    shown.append((shown_at - key) / 1e6)
                    chat.write(b" ")
    return [
        alone("key to closed socket, p50, ms", percentile(closed, 50), form="{:.1f}"),
        alone("key to closed socket, p99, ms", percentile(closed, 99), form="{:.1f}", goal=CLOSED_GOAL),
        alone("key to closed socket, max, ms", max(closed), form="{:.1f}"),
        alone("key to 'paused' on the screen, p50, ms", percentile(shown, 50), form="{:.1f}"),
        alone("key to 'paused' on the screen, p99, ms", percentile(shown, 99), form="{:.1f}", goal=SHOWN_GOAL),
        alone("key to 'paused' on the screen, max, ms", max(shown), form="{:.1f}"),
    ]


def _pause(chat: Child, subjects: Programs) -> tuple[int, int, int]:
    """Press SPACE; return when, when the server saw the end of the connection, and when the screen said "paused"."""
    chat.forget()
    key = chat.write(b" ")
    shown_at = chat.wait_for(b"paused")
    closed_at = subjects.reports.wait_for("closed", draining=chat)
    return key, closed_at, shown_at
