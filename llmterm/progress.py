"""What goes on before the first token of an answer: tries that failed, and waits between them.

Written by whoever waits, below; read by whoever has a screen, above, who may also end a wait early.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Protocol

from llmterm.events import Notice
from llmterm.pulse import Life, Pulse


class Log(Protocol):
    """What keeps notices: that of a turn."""

    def append(self, event: Notice, /) -> None: ...


class _Nowhere:
    def append(self, event: Notice, /) -> None:
        pass


class Progress:
    """One for each segment of an answer. What is said goes to `log`, and so does each wait, which passes."""

    def __init__(self, log: Log | None = None) -> None:
        self.retries = 0
        self.pulse: Pulse | None = None
        """The signs of life of the stream that was opened last."""
        self._log = log or _Nowhere()
        self._why = ""
        self._until = 0.0
        self._hurry = asyncio.Event()

    @property
    def line(self) -> str:
        """What is being waited for now, and for how many seconds more; "" if for nothing but the answer."""
        if not self._why:
            return ""
        left = self._until - asyncio.get_running_loop().time()
        return f"{self._why}, {max(0.0, left):.0f} s more"

    @property
    def life(self) -> tuple[Life, float]:
        """What the stream is now, and for how many seconds: without content, or without a sign."""
        return self.pulse.life(asyncio.get_running_loop().time()) if self.pulse else ("alive", 0.0)

    def say(self, line: str) -> None:
        """Say what is worth keeping, such as a change of provider."""
        self._log.append(Notice(line))

    def retry(self) -> None:
        """Take note that the question is asked again."""
        self.retries += 1

    def watch(self, pulse: Pulse) -> None:
        """Take `pulse` for what the stream gives of itself from now on."""
        self.pulse = pulse

    async def wait(self, seconds: float, why: str) -> None:
        """Wait so long, or until `hurry`."""
        self._hurry.clear()
        self._until = asyncio.get_running_loop().time() + seconds
        self._why = why
        self._log.append(Notice(self.line, passing=True))
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._hurry.wait()
        finally:
            self._why = ""

    def hurry(self) -> None:
        """End the wait that is going on, if there is one."""
        self._hurry.set()
