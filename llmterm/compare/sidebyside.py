"""The answers in a terminal: side by side in columns, or, where there is no room for that, one after the other.

Side by side each column shows the end of its answer while it comes; once all have ended they stand there whole. One
after the other, what is finished of an answer is the scrollback's, as in a chat, and below it stands how far each is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from llmterm.compare.candidate import Candidate, Told
from llmterm.compare.controls import Controls
from llmterm.compare.pane import Pane, fitted
from llmterm.compare.words import keys, standing
from llmterm.render.cells import cell_len
from llmterm.render.drawn import clip
from llmterm.render.sanitize import clean

if TYPE_CHECKING:
    from llmterm.render.ink import Ink
    from llmterm.render.markdown import MarkdownRenderer
    from llmterm.render.screen import Screen

# A column that is narrower than this cannot be read.
_NARROWEST = 24
_RULE = " │ "
# Rows of a column above its answer: who, and how far.
_HEAD = 2


class SideBySide:
    """The view of a terminal that can be drawn on."""

    def __init__(
        self,
        *,
        screen: Screen,
        size: Callable[[], tuple[int, int]],
        renderer: Callable[[int], MarkdownRenderer],
        ink: Callable[[], Ink],
        redact: Callable[[str], str],
        suspend: Callable[[], None],
    ) -> None:
        self._suspend = suspend
        self._screen = screen
        self._size = size
        self._make = renderer
        self._ink = ink
        self._redact = redact
        self._panes: list[Pane] = []
        self._of: dict[Candidate, Pane] = {}
        # One after the other: which of them comes, and how many of its lines are permanent.
        self._at = 0
        self._printed = -1

    def begin(self, candidates: Sequence[Candidate], title: str) -> None:
        self._panes = [Pane(each, self._make, self._redact) for each in candidates]
        self._of = dict(zip(candidates, self._panes, strict=True))
        self._at, self._printed = 0, -1
        self.say([title, ""] if title else [])

    def event(self, told: Told) -> None:
        self._of[told.candidate].event(told.event)

    def frame(self, controls: Controls) -> None:
        """Draw what has come."""
        ink = self._ink()
        width = self._width
        for pane in self._panes:
            pane.lay_out(width or self._size()[0])
            pane.advance(ink)
        footer, cursor = self._footer(controls, ink)
        if width:
            rows = max(1, self._size()[1] - 1 - len(footer) - _HEAD)
            columns = [pane.last(rows) for pane in self._panes]
            self._screen.paint([], [*self._heads(ink), *_beside(columns, width, ink)], footer, cursor)
        else:
            permanent = self._next_lines(ink)
            below = [self._row(pane.candidate, ink) for pane in self._panes]
            live = self._panes[self._at].live if self._at < len(self._panes) else []
            cursor = None if cursor is None else (cursor[0] + len(below) + 1, cursor[1])
            self._screen.paint(permanent, live, ["", *below, *footer], cursor)

    def close(self, controls: Controls) -> None:
        """Show all there is, for good."""
        ink = self._ink()
        for pane in self._panes:
            pane.catch_up()
        while not all(pane.whole for pane in self._panes):
            self.frame(controls)  # in portions, as what has come since the last may be long
        if self._width:
            lines = [*self._heads(ink), *_beside([pane.lines for pane in self._panes], self._width, ink)]
        else:
            lines = self._next_lines(ink)
        self.say([*lines, ""])

    def say(self, lines: Sequence[str]) -> None:
        """Have lines stand above what is drawn, for good."""
        self._screen.paint(lines, [], [])

    def suspend(self) -> None:
        self._screen.clear()
        self._suspend()

    def ask(self, line: str) -> None:
        ink = self._ink()
        rows = [clip(f"{ink.faint}{line}{ink.plain}", self.columns, cell_len)] if line else []
        self._screen.paint([], [], rows)

    async def room(self) -> None:
        pass  # a terminal takes what is drawn

    @property
    def columns(self) -> int:
        return self._size()[0]

    @property
    def _width(self) -> int:
        """How wide a column is, 0 where they stand one after the other."""
        count = len(self._panes)
        width = (self._size()[0] - len(_RULE) * (count - 1)) // max(1, count)
        return width if count > 1 and width >= _NARROWEST else 0

    def _heads(self, ink: Ink) -> list[str]:
        names = [f"{ink.strong}{_name(pane.candidate)}{ink.plain}" for pane in self._panes]
        states = [_state(pane.candidate, ink, self._redact) for pane in self._panes]
        return _beside([[name, state] for name, state in zip(names, states, strict=True)], self._width, ink)

    def _row(self, candidate: Candidate, ink: Ink) -> str:
        row = f"{_name(candidate)}  {_state(candidate, ink, self._redact)}"
        return clip(row, self._size()[0], cell_len)

    def _next_lines(self, ink: Ink) -> list[str]:
        """Return what is to be permanent now of the answers in their order."""
        lines: list[str] = []
        while self._at < len(self._panes):
            pane = self._panes[self._at]
            if self._printed < 0:
                lines += [f"{ink.strong}{_name(pane.candidate)}{ink.plain}"]
                self._printed = 0
            lines += pane.lines[self._printed :]
            self._printed = len(pane.lines)
            if not pane.whole:
                break
            self._at, self._printed = self._at + 1, -1
            lines += [""] if self._at < len(self._panes) else []
        return lines

    def _footer(self, controls: Controls, ink: Ink) -> tuple[list[str], tuple[int, int] | None]:
        columns = self._size()[0]
        hints = f"{ink.faint}{keys(controls.candidates, controls.typed, controls.chosen)}{ink.plain}"
        rows = [clip(hints, columns, cell_len)]
        if not controls.typed:
            return ["", *rows], None
        typed = clean(controls.typed)
        while typed and cell_len(typed) > columns - 3:
            typed = typed[1:]
        return ["", f"> {typed}", *rows], (1, 2 + cell_len(typed))


def _name(candidate: Candidate) -> str:
    return f"{candidate.number} {clean(candidate.label)}"


def _state(candidate: Candidate, ink: Ink, redact: Callable[[str], str]) -> str:
    style = ink.error if candidate.error else ink.faint
    words = " - ".join(filter(None, [standing(candidate), candidate.notice]))
    return f"{style}{' '.join(redact(clean(words)).split())}{ink.plain}"


def _beside(columns: Sequence[Sequence[str]], width: int, ink: Ink) -> list[str]:
    """Return columns of lines, each of that width, as rows."""
    height = max(map(len, columns), default=0)
    rows = [[column[row] if row < len(column) else "" for column in columns] for row in range(height)]
    rule = f"{ink.faint}{_RULE}{ink.plain}"
    return [rule.join(fitted(cell, width) for cell in row).rstrip() for row in rows]
