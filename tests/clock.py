"""A loop whose clock jumps over every wait, so that tests of minutes take no time and measure exactly.

`@instant` runs a test's coroutine on such a loop. Beside it, a `Progress` that records what was waited for.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec

from llmterm.progress import Progress

P = ParamSpec("P")


class _Jumping(selectors.SelectSelector):
    """Where everybody waits, time passes at once."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "everybody waits for somebody else, for ever"
            self.now += timeout
        return ready


class _JumpingLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


def instant(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run the test on a loop whose clock starts at 0 and jumps."""

    @wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with asyncio.Runner(loop_factory=_JumpingLoop) as runner:
            runner.run(test(*args, **kwargs))

    return run


def now() -> float:
    return asyncio.get_running_loop().time()


class RecordingProgress(Progress):
    """Waits as the real one does, and keeps the seconds and the reasons. `said` has the lines worth keeping."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self.waits: list[tuple[float, str]] = []
        self.waiting = asyncio.Event()

    def say(self, line: str) -> None:
        self.said.append(line)

    async def wait(self, seconds: float, why: str) -> None:
        self.waits.append((seconds, why))
        self.waiting.set()
        await super().wait(seconds, why)
