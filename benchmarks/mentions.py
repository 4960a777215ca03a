"""How long a key takes that looks for a file by a few letters, among very many; in a thread, off the loop."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.measure import Row, alone
from llmterm.chat.filesearch import Listing, listing, matching

FOLDERS, FILES = 500, 100
GOAL = 50.0
ROUNDS = 9
# Each as it is typed: a name, letters of one, a path, and what is nowhere.
TYPED = ("model_server_7", "mdlsrvpy", "alpha/beta", "abcdefghij")
_WORDS = [
    "alpha",
    "beta",
    "gamma",
    "delta",
    "model",
    "server",
    "client",
    "turn",
    "view",
    "screen",
    "render",
    "parse",
    "token",
    "stream",
    "queue",
]


def run() -> list[Row]:
    dice = random.Random(20261128)
    with TemporaryDirectory(prefix="llmterm-bench-") as name:
        folder = Path(name)
        for number in range(FOLDERS):
            sub = folder / dice.choice(_WORDS) / f"{dice.choice(_WORDS)}{number}"
            sub.mkdir(parents=True)
            for file in range(FILES):
                (sub / f"{dice.choice(_WORDS)}_{dice.choice(_WORDS)}_{file}.py").touch()
        subprocess.run(["git", "init", "-q", name], check=True)
        listed, making = listing(folder), median(_timed(lambda: listing(folder)) for _ in range(3))
        worst = {typed: max(_key(listed, typed[:size], folder) for size in range(1, len(typed) + 1)) for typed in TYPED}
    return [
        alone(f"{FOLDERS * FILES:,} files are listed, ms", making, form="{:.0f}"),
        *(alone(f"the slowest key of {each!r}, ms", took, form="{:.1f}", goal=GOAL) for each, took in worst.items()),
    ]


def _key(listed: Listing, typed: str, folder: Path) -> float:
    return median(_timed(lambda: matching(listed, typed, folder)) for _ in range(ROUNDS))


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000
