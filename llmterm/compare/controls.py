"""The keys of a comparison: SPACE for all, a digit for one, words for either.

A digit pauses that one, or resumes it, and what is typed next is for it alone.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence

from llmterm.compare.candidate import Candidate
from llmterm.keys import Key, KeySource
from llmterm.keys.autorepeat import Autorepeat


class Controls:
    """What is `typed`, for all or for the one that is `chosen`, and what they were `told` last; `stopped` tells whether
    the user has seen enough."""

    def __init__(self, candidates: Sequence[Candidate], suspend: Callable[[], None]) -> None:
        """`suspend` stops the program until it is gone on with."""
        self.candidates = candidates
        self._suspend = suspend
        self.typed = ""
        self.told = ""
        self.chosen: Candidate | None = None
        self.stopped = False

    async def press(self, key: Key) -> None:
        """Do what a key stands for."""
        match key.name:
            case "c-c" | "c-d" | "eof":
                await self._stop()
            case "escape":
                await self._escape()
            case "c-z":
                await self._stop_program()
            case "enter":
                await self._guide()
            case "backspace":
                self.typed = self.typed[:-1]
            case "space" if not self.typed:
                await self._toggle()
            case "text" if not self.typed and self._numbered(key.text) is not None:
                self.chosen = self._numbered(key.text)
                await self._toggle()
            case "text" | "space" | "paste":
                self.typed += " ".join(key.text.split("\n"))
            case _:
                pass  # it means nothing here

    @property
    def streaming(self) -> bool:
        """Whether SPACE pauses."""
        return any(each.streaming for each in self._about)

    @property
    def _about(self) -> Sequence[Candidate]:
        return self.candidates if self.chosen is None else [self.chosen]

    def _numbered(self, digit: str) -> Candidate | None:
        return next((each for each in self.candidates if str(each.number) == digit), None)

    async def _toggle(self) -> None:
        """Pause those that stream; where none does, go on with those that are paused."""
        if self.streaming:
            await self._pause()
        else:
            self._resume()
            self.chosen = None

    async def _guide(self) -> None:
        if self.typed.strip():
            await self._pause()
            self._resume(self.typed.strip())
            self.told = f"{'all are' if self.chosen is None else f'{self.chosen.number} is'} told: {self.typed.strip()}"
        self.typed, self.chosen = "", None

    async def _escape(self) -> None:
        if self.typed or self.chosen is not None:
            self.typed, self.chosen = "", None
        else:
            await self._stop()

    async def _stop_program(self) -> None:
        """No answer streams meanwhile: nobody would read it."""
        paused = [each for each in self.candidates if each.streaming]
        await asyncio.gather(*(each.pause() for each in paused))
        self._suspend()
        for each in paused:
            each.resume()

    async def _stop(self) -> None:
        self.stopped = True
        await asyncio.gather(*(each.stop() for each in self.candidates if not each.ended))

    async def _pause(self) -> None:
        await asyncio.gather(*(each.pause() for each in self._about))

    def _resume(self, guidance: str = "") -> None:
        for each in self._about:
            each.resume(guidance)


async def pressed(
    keys: KeySource, controls: Controls, clock: Callable[[], float] = time.monotonic
) -> AsyncGenerator[Key, None]:
    """Yield the keys; SPACE counts once, however long it is held down."""
    autorepeat = Autorepeat(clock)
    while True:
        key: Key | None = await keys.get()
        while key is not None:
            new, following = True, None
            if key.name == "space" and not controls.typed:
                if controls.streaming:
                    autorepeat.count(key.name)  # at once: only going on waits until it is known whether it is held
                else:
                    new, following = await autorepeat.pressed(key, keys.get)
            if new:
                yield key
            key = following
