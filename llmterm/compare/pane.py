"""The answer of one candidate as lines of a width: those that are finished, and the open block below them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from llmterm.compare.candidate import Candidate
from llmterm.events import Retraction, TurnEvent
from llmterm.messages import TextDelta, ThinkingDelta
from llmterm.render.cells import cell_len, wrap
from llmterm.render.drawn import bare, clip
from llmterm.render.sanitize import clean

if TYPE_CHECKING:
    from llmterm.render.ink import Ink
    from llmterm.render.markdown import MarkdownRenderer


class Pane:
    """Has no width, and nothing to show, before it is laid out."""

    def __init__(
        self, candidate: Candidate, renderer: Callable[[int], MarkdownRenderer], redact: Callable[[str], str]
    ) -> None:
        self.candidate = candidate
        self.lines: list[str] = []
        self.live: list[str] = []
        self._make = renderer
        self._redact = redact
        self._width = 0
        self._renderer = renderer(1)
        self._closed = False
        # How many characters of the answer's text and thinking were told; there may be more by now.
        self._text = self._thinking = 0

    def event(self, event: TurnEvent) -> None:
        match event:
            case TextDelta(text):
                self._text += len(text)
                self._renderer.feed(text)
            case ThinkingDelta(text):
                self._thinking += len(text)
                self._renderer.think(text)
            case Retraction(text, thinking):
                self._text, self._thinking = min(self._text, text), min(self._thinking, thinking)
                self._begin()
            case _:
                pass  # it stands in the line above

    def lay_out(self, width: int) -> None:
        """Have lines of that width: all of them anew, where it is another one."""
        if width != self._width:
            self._width = width
            self._begin()

    def catch_up(self) -> None:
        """Take in what was not told: nobody reads on."""
        if not self._told:
            reply = self.candidate.reply
            self._text, self._thinking = len(reply.body), len(reply.thoughts)
            self._begin()

    def advance(self, ink: Ink) -> None:
        """Take in what has come, as far as there is time for in a frame; at its end, all of it."""
        if self._closed:
            return
        self.lines += self._renderer.advance(briefly=True)
        self.live = self._renderer.live()
        if self.candidate.ended and self._told and not self._renderer.behind:
            self.lines += self._renderer.close()
            self.live, self._closed = [], True
            if error := self.candidate.error:
                rows = wrap(" ".join(self._redact(clean(error)).split()), self._width)
                self.lines += [f"{ink.error}{row}{ink.plain}" for row in rows]

    @property
    def _told(self) -> bool:
        """Whether all of the answer was told here: it may have ended before anything of it was."""
        reply = self.candidate.reply
        return self._text >= len(reply.body) and self._thinking >= len(reply.thoughts)

    @property
    def whole(self) -> bool:
        """Whether all there will be is in the lines."""
        return self._closed

    def last(self, rows: int) -> list[str]:
        """Return the last of what there is, at most so many rows."""
        live = self.live[-rows:]
        return [*self.lines[max(0, len(self.lines) - (rows - len(live))) :], *live]

    def _begin(self) -> None:
        reply = self.candidate.reply
        self._renderer = self._make(self._width)
        for part in reply.thoughts.head(self._thinking).parts:
            self._renderer.think(part)
        for part in reply.body.head(self._text).parts:
            self._renderer.feed(part)
        self.lines, self.live, self._closed = [], [], False


def fitted(line: str, width: int) -> str:
    """Return the line in exactly so many cells."""
    line = clip(line, width, cell_len)
    return line + " " * (width - cell_len(bare(line)))
