"""How an answer appears: what a view is, and the one that renders markdown which grows in place.

A view draws; it decides nothing. `frame` may be called as often as its caller likes, and draws only what changed.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from llmterm.messages import StreamEvent, TextDelta, ThinkingDelta
from llmterm.render.cells import wrap
from llmterm.render.sanitize import clean

if TYPE_CHECKING:
    from llmterm.render.markdown import MarkdownRenderer
    from llmterm.render.screen import Screen


# What stands left of the second column of a table: help, keys, figures.
_COLUMN = re.compile(r" *\S.*? {2,}(?=\S)")
# A status line is one line, and as wide as it is measured.
_ONE_LINE = {ord("\n"): "⏎", ord("\t"): " "}
# What drawing the first block would import, from the bottom up, and what makes the parser ready.
_DRAWING = ("rich.cells", "rich.style", "markdown_it", "llmterm.render.layout", "llmterm.render.markdown")
_SAMPLES = ("word", "- item\n- **item**", "| a |\n|---|\n| b |", "```python\nx = 1\n")


def quoted(text: str) -> list[str]:
    """Return what the user has said, as it is typed: behind the prompt's mark, further lines below its text."""
    first, *rest = clean(text).expandtabs(4).split("\n")
    return [f"> {first}", *(f"  {line}" for line in rest)]


class View(Protocol):
    def warm(self) -> Iterator[None]:
        """Get ready for the first answer, in small steps, so that drawing it does not keep a key waiting."""
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

    def begin(self) -> None:
        """A new answer starts."""
        ...

    def event(self, event: StreamEvent) -> None: ...

    def frame(self, footer: Sequence[str]) -> bool:
        """Draw what has come since the last frame, and below it the lines of `footer`, the status line last.

        Return whether that is all: what takes too long for one frame is left to the next.
        """
        ...

    def portion(self, footer: Sequence[str]) -> bool:
        """Draw as much of what was put in as a whole as a frame has time for, above `footer` if that is not all.

        Return whether it is all.
        """
        ...

    def hurry(self) -> None:
        """Show what was left to later frames at once, as plainly as that takes."""
        ...

    def note(self, line: str) -> None:
        """Say in words what has changed in the footer, where that is not drawn."""
        ...

    def pause(self) -> None:
        """Show all there is, as it stands; a prompt follows below."""
        ...

    def resume(self, guidance: str) -> None:
        """Go on where `pause` left off; the prompt is gone."""
        ...

    def covered(self, rows: int) -> None:
        """The prompt below a paused answer has taken so many rows."""
        ...

    def displaced(self) -> None:
        """Something else has written on the screen since `pause`."""
        ...

    def close(self) -> None:
        """The answer is over: show the rest of it."""
        ...

    def blank(self) -> None:
        """Another session begins, on a screen with nothing on it."""
        ...

    def echo(self, text: str) -> None:
        """Show what the user has said."""
        ...

    def say(self, line: str, *, error: bool = False) -> None:
        """Show a line of the program's own."""
        ...


class MarkdownView:
    """Rendered markdown above, a status line below."""

    def __init__(
        self,
        *,
        screen: Screen,
        size: Callable[[], tuple[int, int]],
        renderer: Callable[[int], MarkdownRenderer],
        color: bool,
        redact: Callable[[str], str] = str,
    ) -> None:
        """`size` gives columns and rows; `renderer` makes a renderer for a width; `redact` is for what is said."""
        self._screen = screen
        self._redact = redact
        self._size = size
        self._make = renderer
        styles = ("\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[0m") if color else ("", "", "", "")
        self._bold, self._dim, self._red, self._plain = styles
        self._drawn_at = size()
        self._renderer = renderer(self._drawn_at[0])
        self._resting = False
        self._displaced = False
        # How many rows a prompt has taken since the pause.
        self._covered = 1
        # How many lines of the answer are permanent.
        self._rows = 0

    def warm(self) -> Iterator[None]:
        for name in _DRAWING:
            importlib.import_module(name)
            yield
        for sample in _SAMPLES:
            renderer = self._make(80)
            renderer.feed(sample)
            renderer.live()
            yield

    @property
    def columns(self) -> int:
        return self._size()[0]

    @property
    def long(self) -> bool:
        return self._rows >= self._size()[1]

    def page(self, text: str) -> str:
        renderer = self._make(self.columns)
        renderer.feed(text)
        return "\n".join([*renderer.close(), ""])

    def begin(self) -> None:
        self._resting = False
        self._drawn_at = self._size()
        self._renderer = self._make(self._drawn_at[0])
        self._rows = 0
        self._screen.paint([""], [], [])

    def event(self, event: StreamEvent) -> None:
        if isinstance(event, TextDelta):
            self._renderer.feed(event.text)
        elif isinstance(event, ThinkingDelta):
            self._renderer.think(event.text)

    def frame(self, footer: Sequence[str]) -> bool:
        self._fit()
        return self._paint(self._advance(briefly=True), footer)

    def portion(self, footer: Sequence[str]) -> bool:
        if self._resting:
            return True
        self._fit()
        permanent = self._advance(briefly=True)
        return self._paint(permanent, footer if self._renderer.behind else ())

    def _paint(self, permanent: Sequence[str], footer: Sequence[str]) -> bool:
        rows = [f"{self._dim}{clean(line).translate(_ONE_LINE)}{self._plain}" for line in footer]
        self._screen.paint(permanent, self._renderer.live(), rows)
        return not self._renderer.behind

    def hurry(self) -> None:
        lines = self._renderer.hurry()
        self._rows += len(lines)
        self._screen.paint(lines, [], [])

    def note(self, line: str) -> None:
        pass  # it is in the footer

    def pause(self) -> None:
        if self._resting:
            return
        self._fit()
        permanent = self._advance()
        live = self._renderer.live()
        self._screen.paint(permanent, live, [])
        self._screen.settle(live)
        self._resting, self._displaced, self._covered = True, False, 1

    def resume(self, guidance: str) -> None:
        self._resting = False
        if guidance:
            self._renderer.settle(len(self._renderer.live()))
            self._renderer.commit()
            lines = [f"{self._dim}{line}{self._plain}" for line in quoted(guidance)]
            self._screen.paint(["", *lines, ""], [], [])
        elif self._displaced:
            # Below something else the open block cannot be drawn over: show it again.
            self._screen.clear()
            self._renderer.unsettle()
        else:
            self._reopen()

    def covered(self, rows: int) -> None:
        self._covered = max(self._covered, rows)

    def displaced(self) -> None:
        self._displaced = True

    def close(self) -> None:
        if self._resting and self._displaced:
            self._renderer.settle(len(self._renderer.live()))  # it stands further up, whole
        elif self._resting:
            self._reopen()
        self._resting = False
        self._fit()
        rest = [*self._advance(), *self._renderer.close()]
        self._rows += len(rest)
        self._screen.paint([*rest, ""], [], [])
        self._screen.clear()

    def blank(self) -> None:
        self._screen.blank()

    def echo(self, text: str) -> None:
        first, *rest = quoted(text)
        self._screen.paint([f"{self._bold}{first[:1]}{self._plain}{first[1:]}", *rest], [], [])
        self._screen.clear()
        self._displaced = True

    def say(self, line: str, *, error: bool = False) -> None:
        style = self._red if error else self._dim
        lines = [row for part in self._redact(clean(line)).splitlines() for row in _hanging(part, self.columns)]
        self._screen.paint([f"{style}{row}{self._plain}" for row in lines], [], [])
        self._screen.clear()
        self._displaced = True

    def _reopen(self) -> None:
        self._renderer.settle(self._screen.reopen(below=self._covered))

    def _advance(self, *, briefly: bool = False) -> list[str]:
        lines = self._renderer.advance(briefly=briefly)
        self._rows += len(lines)
        return lines

    def _fit(self) -> None:
        size = self._size()
        if size != self._drawn_at:
            self._renderer.scrolled(self._screen.resized())
            self._renderer.resize(size[0])
            self._drawn_at = size


def _hanging(line: str, columns: int) -> list[str]:
    """Return a line of a table wrapped under its second column, any other under its beginning."""
    match = _COLUMN.match(line)
    indent = match.end() if match else 0
    if not 0 < indent <= columns * 2 // 3:
        return wrap(line, columns)
    rows = wrap(line[indent:], columns - indent)
    return [(line[:indent] if not number else " " * indent) + row for number, row in enumerate(rows)]
