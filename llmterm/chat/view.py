"""How an answer appears: what a view is, and the one that renders markdown which grows in place.

A view draws; it decides nothing. `frame` may be called as often as its caller likes, and draws only what changed.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from llmterm.chat.foot import Below
from llmterm.chat.status import count
from llmterm.messages import StreamEvent, TextDelta, ThinkingDelta
from llmterm.render.cells import wrap
from llmterm.render.ink import Ink
from llmterm.render.sanitize import clean

if TYPE_CHECKING:
    from llmterm.chat.foot import Foot
    from llmterm.render.markdown import MarkdownRenderer
    from llmterm.render.screen import Screen


# What stands left of the second column of a table: help, keys, figures.
_COLUMN = re.compile(r" *\S.*? {2,}(?=\S)")
# What drawing the first block would import, from the bottom up, and what makes the parser ready.
_DRAWING = ("rich.cells", "rich.style", "markdown_it", "llmterm.render.layout", "llmterm.render.markdown")
_SAMPLES = ("word", "- item\n- **item**", "| a |\n|---|\n| b |", "```python\nx = 1\n")

# What stands left of each row of an answer, and the columns of a window that has no room for it.
_MARGIN = "  "
_NARROW = 40
# What stands left of each row of what the user has said.
_BAR = "▌"
# Of a longer question the beginning and the end stand there; all of it is on the record, and in the pager.
_ECHOED_LINES, _LAST, _ECHOED_CHARACTERS = 12, 3, 1_000


def quoted(text: str) -> list[str]:
    """Return what the user has said, as it is typed: behind the prompt's mark, further lines below its text."""
    first, *rest = clean(text).expandtabs(4).split("\n")
    return [f"> {first}", *(f"  {line}" for line in rest)]


class View(Protocol):
    def warm(self) -> None:
        """Get ready for the first answer, so that drawing it does not keep a key waiting. For another thread."""
        ...

    @property
    def columns(self) -> int:
        """How long a status line may be."""
        ...

    @property
    def long(self) -> bool:
        """Whether the answer is longer than the screen."""
        ...

    def page(self, text: str) -> str:
        """Return an answer as a pager should show it."""
        ...

    def begin(self, heading: str = "") -> None:
        """A new answer starts, under a line that says what it is."""
        ...

    def event(self, event: StreamEvent) -> None: ...

    def frame(self) -> bool:
        """Draw what has come since the last frame, and what stands below it.

        Return whether that is all: what takes too long for one frame is left to the next.
        """
        ...

    def refresh(self) -> None:
        """Draw what stands below the answer anew: the user has typed, or the window has another size."""
        ...

    def displaced(self) -> None:
        """The window has had another size meanwhile: what is drawn next is drawn as a whole."""
        ...

    def hurry(self) -> None:
        """Show what was left to later frames at once, as plainly as that takes."""
        ...

    def note(self, line: str) -> None:
        """Say in words what has changed in the footer, where that is not drawn."""
        ...

    def pause(self) -> None:
        """Show all there is, as it stands."""
        ...

    def dismiss(self) -> bool:
        """Take away what was said of an answer at rest; return whether there was anything but failures."""
        ...

    def settle(self) -> None:
        """Show all there is, for good: what is said next stands below it."""
        ...

    def resume(self, guidance: str) -> None:
        """The answer goes on, under a word of `guidance` if there is one."""
        ...

    def lend(self) -> None:
        """Take away what is drawn again and again: another program has the screen."""
        ...

    def leave(self) -> None:
        """The chat is left: what there is stays on the screen, and nothing below it."""
        ...

    def close(self, mark: str = "") -> None:
        """The answer is over: show the rest of it, and a `mark` where it was cut off."""
        ...

    def blank(self) -> None:
        """Another session begins, on a screen with nothing on it."""
        ...

    def echo(self, text: str, *, asks: bool = True) -> None:
        """Show what the user has said; commands and a yes `ask` nothing of a model."""
        ...

    def say(self, line: str, *, error: bool = False) -> None:
        """Show a line of the program's own."""
        ...


class MarkdownView:
    """The owner of the screen: finished text above, the open block of the answer, and what stands below it."""

    def __init__(
        self,
        *,
        screen: Screen,
        size: Callable[[], tuple[int, int]],
        renderer: Callable[[int], MarkdownRenderer],
        foot: Foot,
        ink: Callable[[], Ink],
        redact: Callable[[str], str] = str,
    ) -> None:
        """`size` gives columns and rows; `renderer` makes a renderer for a width; `ink` is what the view's own lines
        are written with; `redact` is for what is said.
        """
        self._screen = screen
        self._redact = redact
        self._size = size
        self._make = renderer
        self._foot = foot
        self._ink = ink
        self._drawn_at = size()
        self._renderer = self._begun()
        # The open block, as it was drawn last.
        self._live: list[str] = []
        # How many lines of the answer are permanent.
        self._rows = 0
        self._open = False
        # Nothing of the answer comes: what is said then stands below it, and goes when the answer goes on.
        self._still = False
        self._said: list[tuple[str, bool]] = []
        # Whether the last row above is none of the blank ones between blocks.
        self._written = False

    def warm(self) -> None:
        for name in _DRAWING:
            importlib.import_module(name)
        for sample in _SAMPLES:
            renderer = self._make(80)
            renderer.feed(sample)
            renderer.live()

    @property
    def columns(self) -> int:
        return self._size()[0]

    @property
    def long(self) -> bool:
        return self._rows >= self._size()[1]

    def page(self, text: str) -> str:
        renderer = self._begun()
        renderer.feed(text)
        return "\n".join([*self._set(renderer.close()), ""])

    def begin(self, heading: str = "") -> None:
        left = self._renderer.commit() if self._live else []
        self._drawn_at = self._size()
        self._renderer = self._begun()
        self._live, self._rows, self._open = [], 0, True
        self._moved()
        self._paint([*self._set(left), ""])
        if heading:
            self._paint([*self._lines(heading, error=False), ""])

    def event(self, event: StreamEvent) -> None:
        if self._still:
            self._moved()
        if isinstance(event, TextDelta):
            self._renderer.feed(event.text)
        elif isinstance(event, ThinkingDelta):
            self._renderer.think(event.text)

    def frame(self) -> bool:
        self._fit()
        permanent = self._advance(briefly=True)
        self._live = self._renderer.live()
        self._paint(self._set(permanent))
        return not self._renderer.behind

    def refresh(self) -> None:
        if self._fit():
            self._live = self._renderer.live()
        self._paint([])

    def displaced(self) -> None:
        self._screen.displaced()

    def hurry(self) -> None:
        lines = self._renderer.hurry()
        self._rows += len(lines)
        self._live = self._renderer.live()
        self._paint(self._set(lines))

    def note(self, line: str) -> None:
        pass  # it stands below

    def pause(self) -> None:
        self._still = self._open
        self._fit()
        permanent = self._advance()
        self._live = self._renderer.live()
        # What does not fit is for the scrollback: at rest it can be read there.
        above = max(0, len(self._live) + len(self._below(apart=True).rows) - (self._drawn_at[1] - 1))
        if above:
            permanent += self._live[:above]
            self._renderer.settle(above)
            self._live = self._renderer.live()
        self._paint(self._set(permanent))

    def dismiss(self) -> bool:
        said = any(not error for _, error in self._said)
        self._said = [(line, error) for line, error in self._said if error]
        self._paint([])
        return said

    def settle(self) -> None:
        self._fit()
        permanent = [*self._advance(), *self._renderer.live()]
        self._renderer.settle(len(self._renderer.live()))
        self._live = []
        self._paint(self._set(permanent))

    def resume(self, guidance: str) -> None:
        self._moved()
        if guidance:
            left, self._live = self._renderer.commit(), []
            self._paint([*self._set(left), "", *self._question(guidance), ""])

    def lend(self) -> None:
        self._screen.clear()

    def leave(self) -> None:
        left, self._live = self._renderer.commit() if self._live else [], []
        self._screen.paint(self._set(left), [], [])
        self._screen.clear()

    def close(self, mark: str = "") -> None:
        self._fit()
        rest = [*self._advance(), *self._renderer.close()]
        if mark:
            ink = self._ink()
            rest += ["", f"{ink.error}■{ink.plain} {ink.faint}{mark}{ink.plain}"]
        self._rows += len(rest)
        failures = [line for line, error in self._said if error]
        self._live, self._open = [], False
        self._moved()
        self._paint([*self._set(rest), ""])
        for line in failures:
            self.say(line, error=True)

    def blank(self) -> None:
        self._written = False
        self._screen.blank()
        self._paint([])

    def echo(self, text: str, *, asks: bool = True) -> None:
        if asks:
            self._paint([*([""] if self._written else []), *self._question(text)])
            return
        if self._still:
            self.say("\n".join(quoted(text)))
            return
        ink = self._ink()
        self._paint([f"{ink.faint}{line}{ink.plain}" for line in quoted(text)])

    def say(self, line: str, *, error: bool = False) -> None:
        rows = self._lines(line, error=error)
        if self._still and (line, error) in self._said:
            return  # it stands there
        if self._still and len(rows) + len(self._notes()) <= self._size()[1] // 2:
            self._said.append((line, error))
            self.pause()
        else:
            self._paint(rows)

    def _lines(self, line: str, *, error: bool) -> list[str]:
        ink = self._ink()
        style = ink.error if error else ink.faint
        rows = [row for part in self._redact(clean(line)).splitlines() for row in _hanging(part, self.columns)]
        return [f"{style}{row}{ink.plain}" if row else "" for row in rows]

    def _notes(self) -> list[str]:
        return [row for line, error in self._said for row in self._lines(line, error=error)]

    def _moved(self) -> None:
        """The answer is not as it was: what was said of it is over."""
        self._still = False
        self._said.clear()

    def _begun(self) -> MarkdownRenderer:
        return self._make(self._room(self.columns))

    def _room(self, columns: int) -> int:
        """Return how wide an answer may be."""
        return columns - len(_MARGIN) if columns >= _NARROW else columns

    def _set(self, lines: Sequence[str]) -> list[str]:
        """Return lines of an answer behind its margin."""
        margin = _MARGIN if self.columns >= _NARROW else ""
        return [margin + line if line else line for line in lines]

    def _question(self, text: str) -> list[str]:
        """Return what the user has said, as a block that is found again among answers."""
        ink = self._ink()
        room = max(1, self.columns - len(_BAR) - 1)
        first, left_out, last = _ends(text)
        rows = _rows(first, room)
        if left_out:
            rows += [f"{ink.faint}{left_out}{ink.plain}", *_rows(last, room)]
        return [f"{ink.question}{_BAR}{ink.plain} {row}".rstrip() for row in rows]

    def _paint(self, permanent: Sequence[str]) -> None:
        below = self._below(apart=bool(self._live) or (self._open and self._rows > 0))
        self._screen.paint(permanent, self._set(self._live), below.rows, below.cursor)
        if permanent:
            self._written = bool(permanent[-1])

    def _below(self, *, apart: bool) -> Below:
        notes = ["", *self._notes()] if self._said else []
        below = self._foot.below(*self._size(), apart=apart)
        return Below([*notes, *below.rows], (below.cursor[0] + len(notes), below.cursor[1]))

    def _advance(self, *, briefly: bool = False) -> list[str]:
        lines = self._renderer.advance(briefly=briefly)
        self._rows += len(lines)
        return lines

    def _fit(self) -> bool:
        """Lay out for the window's size; return whether that is another one than before."""
        size = self._size()
        if size == self._drawn_at:
            return False
        self._renderer.scrolled(self._live[: self._screen.resized()])
        self._renderer.resize(self._room(size[0]))
        self._drawn_at = size
        return True


def _rows(text: str, room: int) -> list[str]:
    return [row for line in clean(text).expandtabs(4).split("\n") for row in wrap(line, room)]


def _ends(text: str) -> tuple[str, str, str]:
    """Return of a long text its beginning, how much is left out, and its end, where the question may stand."""
    lines = text.split("\n")
    if len(lines) > _ECHOED_LINES:
        first, last = lines[: _ECHOED_LINES - _LAST], lines[-_LAST:]
        left_out = f"… {count(len(lines) - _ECHOED_LINES, 'line')} …"
        return "\n".join(first)[:_ECHOED_CHARACTERS], left_out, "\n".join(last)[-_ECHOED_CHARACTERS:]
    if len(text) > 2 * _ECHOED_CHARACTERS:
        left_out = f"… {count(len(text) - 2 * _ECHOED_CHARACTERS, 'character')} …"
        return text[:_ECHOED_CHARACTERS], left_out, text[-_ECHOED_CHARACTERS:]
    return text, "", ""


def _hanging(line: str, columns: int) -> list[str]:
    """Return a line of a table wrapped under its second column, any other under its beginning."""
    match = _COLUMN.match(line)
    indent = match.end() if match else 0
    if not 0 < indent <= columns * 2 // 3:
        return wrap(line, columns)
    rows = wrap(line[indent:], columns - indent)
    return [(line[:indent] if not number else " " * indent) + row for number, row in enumerate(rows)]
