"""The answers as plain text: one after the other, or line by line as they come, behind the name of who wrote it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from llmterm.compare.candidate import Candidate, Told
from llmterm.compare.controls import Controls
from llmterm.compare.words import keys, standing
from llmterm.events import Notice
from llmterm.messages import TextDelta, ThinkingDelta
from llmterm.states import TurnState


class Output(Protocol):
    """Where answers go. What is written as text may raise OSError; only `room` waits for a reader."""

    def text(self, text: str) -> None: ...
    def thinking(self, text: str) -> None: ...
    def notice(self, line: str) -> None: ...
    def end(self) -> None: ...
    async def room(self) -> None: ...


class Text:
    """The view of a pipe, and of a terminal where nothing is to be drawn."""

    columns = 80

    def __init__(
        self,
        output: Output,
        *,
        interleaved: bool = False,
        alone: bool = False,
        suspend: Callable[[], None] | None = None,
    ) -> None:
        """`alone`: only one answer comes, and nothing but that is to be there. `suspend` stops the program; without it
        there are no keys, and nothing is said of them."""
        self._output = output
        self._interleaved = interleaved
        self._alone = alone
        self._suspend = suspend
        self._said: list[str] = []
        self._current: Candidate | None = None
        self._candidates: Sequence[Candidate] = ()
        # Interleaved: what has come of lines that are not ended.
        self._lines: dict[Candidate, str] = {}

    def begin(self, candidates: Sequence[Candidate], title: str) -> None:
        self._candidates, self._current = candidates, None
        self._lines = dict.fromkeys(candidates, "")
        self.say([title, ""] if title else [])

    def event(self, told: Told) -> None:
        match told.event:
            case TextDelta(text) if self._interleaved:
                *whole, self._lines[told.candidate] = (self._lines[told.candidate] + text).split("\n")
                self.say([f"{_name(told.candidate)}: {line}" for line in whole])
            case TextDelta(text):
                self._turn_to(told.candidate)
                self._output.text(text)
            case ThinkingDelta(text) if not self._interleaved:
                self._turn_to(told.candidate)
                self._output.thinking(text)
            case Notice(text, passing=False) if not told.last:
                self._output.notice(f"{_name(told.candidate)}: {text}")
            case _:
                pass
        if told.last:
            self._end(told.candidate)

    def frame(self, controls: Controls) -> None:
        said = [controls.told, keys(controls.candidates, controls.typed, controls.chosen)]
        if self._suspend is not None:
            for line in said:
                if line and line not in self._said:
                    self._output.notice(line)
        self._said = said

    def close(self, controls: Controls) -> None:
        self._output.end()
        for candidate in self._candidates:
            self._end(candidate)
        self.say([] if self._alone else [""])

    def say(self, lines: Sequence[str]) -> None:
        if lines:
            self._output.end()
            self._output.text("".join(f"{line}\n" for line in lines))

    def suspend(self) -> None:
        if self._suspend is not None:
            self._output.end()
            self._suspend()

    def ask(self, line: str) -> None:
        if line:
            self._output.notice(line)

    async def room(self) -> None:
        await self._output.room()

    def _turn_to(self, candidate: Candidate) -> None:
        if candidate is not self._current and not self._alone:
            self.say([*([""] if self._current is not None else []), _name(candidate)])
            self._current = candidate

    def _end(self, candidate: Candidate) -> None:
        """Write what is left of it, once."""
        rest = self._lines.pop(candidate, None)
        if rest is None:
            return
        if rest:
            self.say([f"{_name(candidate)}: {rest}"])
        if not candidate.answered and candidate.state is not TurnState.CANCELLED:
            words = candidate.error or standing(candidate)
            if self._alone:
                self._output.notice(f"{_name(candidate)}: {words}")
            elif self._interleaved:
                self.say([f"{_name(candidate)}: ({words})"])
            else:
                self._turn_to(candidate)
                self.say([f"({words})"])


class Unseen:
    """The view of nobody: what comes of it is looked at in the end."""

    columns = 80

    def begin(self, candidates: Sequence[Candidate], title: str) -> None:
        pass

    def event(self, told: Told) -> None:
        pass

    def frame(self, controls: Controls) -> None:
        pass

    def close(self, controls: Controls) -> None:
        pass

    def say(self, lines: Sequence[str]) -> None:
        pass

    def suspend(self) -> None:
        pass

    def ask(self, line: str) -> None:
        pass

    async def room(self) -> None:
        pass


def _name(candidate: Candidate) -> str:
    return f"{candidate.number} {candidate.label}"
