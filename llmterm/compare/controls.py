"""The keys of a comparison: SPACE for all, a digit for one, words for either.

A digit pauses that one, or resumes it; what is typed next is for it alone. SPACE is for all at any time.
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
            case "c-c" | "c-d":
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
                self.chosen = None
                await self._toggle(self.candidates)
            case "text" if not self.typed and (one := self._numbered(key.text)) is not None:
                self.chosen = one if one.streaming else None
                await self._toggle([one])
            case "text" | "space" | "paste":
                self.typed += " ".join(key.text.split("\n"))
            case _:
                pass  # it means nothing here

    @property
    def streaming(self) -> bool:
        """Whether SPACE pauses."""
        return any(each.streaming for each in self.candidates)

    def _numbered(self, digit: str) -> Candidate | None:
        return next((each for each in self.candidates if str(each.number) == digit), None)

    async def _toggle(self, about: Sequence[Candidate]) -> None:
        """Pause those that stream; where none does, go on with those that are paused."""
        if any(each.streaming for each in about):
            await _pause(about)
        else:
            _resume(about)

    async def _guide(self) -> None:
        about = self.candidates if self.chosen is None else [self.chosen]
        if words := self.typed.strip():
            await _pause(about)
            _resume(about, words)
            self.told = f"{'all are' if self.chosen is None else f'{self.chosen.number} is'} told: {words}"
        self.typed, self.chosen = "", None

    async def _escape(self) -> None:
        if self.typed or self.chosen is not None:
            self.typed, self.chosen = "", None
        else:
            await self._stop()

    async def _stop_program(self) -> None:
        """No answer streams meanwhile: nobody would read it."""
        paused = [each for each in self.candidates if each.streaming]
        await _pause(paused)
        self._suspend()
        _resume(paused)

    async def _stop(self) -> None:
        self.stopped = True
        await asyncio.gather(*(each.stop() for each in self.candidates if not each.ended))


async def _pause(about: Sequence[Candidate]) -> None:
    await asyncio.gather(*(each.pause() for each in about))


def _resume(about: Sequence[Candidate], guidance: str = "") -> None:
    for each in about:
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
