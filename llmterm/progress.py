"""What goes on before the first token of an answer: tries that failed, and waits between them.

Written by whoever waits, below; read by whoever has a screen, above, who may also end a wait early.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from llmterm.pulse import Life, Pulse


def _silent(_line: str) -> None:
    pass


class Progress:
    """One for each segment of an answer.

    `say` takes lines that are worth keeping, such as a change of provider; `announce` takes a line for each wait, for
    those who have no place to show `line` in.
    """

    def __init__(self, say: Callable[[str], None] = _silent, announce: Callable[[str], None] = _silent) -> None:
        self.say = say
        self.retries = 0
        self.pulse: Pulse | None = None
        """The signs of life of the stream that was opened last."""
        self._announce = announce
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

    def watch(self, pulse: Pulse) -> None:
        """Take `pulse` for what the stream gives of itself from now on."""
        self.pulse = pulse

    async def wait(self, seconds: float, why: str) -> None:
        """Wait so long, or until `hurry`."""
        self._hurry.clear()
        self._until = asyncio.get_running_loop().time() + seconds
        self._why = why
        self._announce(self.line)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._hurry.wait()
        finally:
            self._why = ""

    def hurry(self) -> None:
        """End the wait that is going on, if there is one."""
        self._hurry.set()
