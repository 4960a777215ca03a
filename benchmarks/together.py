"""How soon a pause of six answers at once takes effect, from the key's byte on: the last socket is closed, and the
screen says so. They stream side by side in a terminal of 200 columns, 200 chunks a second each."""

from __future__ import annotations

import random

from benchmarks.answer import Recipe
from benchmarks.child import Child
from benchmarks.measure import Row, alone, percentile
from benchmarks.programs import LLMTERM, Programs, programs

MODELS = "abcdef"
PAUSES = 100
RATE = 200.0
CLOSED_GOAL = 25.0
_SIZE = (200, 50)
# How long the answers stream before a key, in seconds.
_STREAMING = (0.05, 0.3)


def run() -> list[Row]:
    dice = random.Random(20261128)
    closed: list[float] = []
    shown: list[float] = []
    recipe = Recipe(text="markdown", chunks=1_000_000, rate=RATE)
    with programs() as subjects, Child(_command(recipe), _env(subjects), terminal=_SIZE) as compared:
        for _ in range(PAUSES):
            for _ in MODELS:
                subjects.reports.wait_for("first", draining=compared)
            compared.read_for(dice.uniform(*_STREAMING))
            compared.forget()
            key = compared.write(b" ")
            shown_at = compared.wait_for(rb"SPACE resume all")
            closed_at = max(subjects.reports.wait_for("closed", draining=compared) for _ in MODELS)
            closed.append((closed_at - key) / 1e6)
            shown.append((shown_at - key) / 1e6)
            compared.write(b" ")
    return [
        alone("key to the last of six closed sockets, p50, ms", percentile(closed, 50), form="{:.1f}"),
        alone(
            "key to the last of six closed sockets, p99, ms", percentile(closed, 99), form="{:.1f}", goal=CLOSED_GOAL
        ),
        alone("key to the last of six closed sockets, max, ms", max(closed), form="{:.1f}"),
        alone("key to 'paused' on the screen, p50, ms", percentile(shown, 50), form="{:.1f}"),
        alone("key to 'paused' on the screen, p99, ms", percentile(shown, 99), form="{:.1f}"),
    ]


def _command(recipe: Recipe) -> list[str]:
    return [*LLMTERM, "compare", recipe.question(), *(word for name in MODELS for word in ("-m", f"{name}/m"))]


def _env(subjects: Programs) -> dict[str, str]:
    config = subjects.home / "together.toml"
    url = f"http://127.0.0.1:{subjects.port}/v1"
    # The server says the same again at each resume: gone on with by instruction it would count as started over.
    config.write_text(
        "".join(
            f'[providers.{name}]\nkind = "openai"\nbase_url = "{url}"\ncontinuation = "prefill"\n' for name in MODELS
        ),
        encoding="utf-8",
    )
    return subjects.env(LLMTERM_CONFIG=str(config))
