"""An answer as plain text that only ever goes on: states in words, no colour, nothing drawn over."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from llmterm.chat.view import quoted
from llmterm.messages import StreamEvent, TextDelta, ThinkingDelta
from llmterm.render.plain import PlainRenderer
from llmterm.render.sanitize import clean

if TYPE_CHECKING:
    from llmterm.chat.foot import Foot


class PlainView:
    """Text as it comes and states in words: no colour, no cursor movement.

    What is typed is echoed while it is the user's turn; else it is said once it is sent.
    """

    def __init__(self, *, write: Callable[[str], None], foot: Foot, redact: Callable[[str], str] = str) -> None:
        self._write = write
        self._foot = foot
        # What stands in the line, as it was echoed; None while no line is begun.
        self._echoed: str | None = None
        self._warned = ""
        self._redact = redact
        self._renderer = PlainRenderer()
        self._fresh_line = True
        self._announced = False

    def warm(self) -> None:
        pass

    @property
    def columns(self) -> int:
        return 200  # a line that is too long wraps, and nothing is drawn over it

    @property
    def long(self) -> bool:
        return False  # whoever reads a plain screen has all of it

    def page(self, text: str) -> str:
        return clean(text) + "\n"

    def begin(self, heading: str = "") -> None:
        if heading:
            self.say(heading)
        self._renderer = PlainRenderer()
        self._announced = False

    def event(self, event: StreamEvent) -> None:
        if isinstance(event, TextDelta):
            self._renderer.feed(event.text)
        elif isinstance(event, ThinkingDelta):
            self._renderer.think(event.text)

    def frame(self) -> bool:
        if not self._announced:
            self._announced = True
            self._line(self._foot.status)
        self._put("".join(self._renderer.advance()))
        return True

    def refresh(self) -> None:
        if not self._foot.open:
            self._warned = ""
            return
        warned, self._warned = self._warned, self._foot.warning
        if self._warned not in ("", warned):
            self._end_line()
            self._line(self._warned)
        text, echoed = self._foot.text, self._echoed
        if text == echoed:
            return
        if echoed is None:
            self._end_line()
            if self._foot.resting:
                self._line(self._foot.status)
            self._echo(f"> {text}")
        elif text == echoed[:-1] and echoed[-1].isascii() and echoed[-1].isprintable():
            self._write("\b \b")
        elif text.startswith(echoed):
            self._echo(text[len(echoed) :])
        else:
            self._write("\r\n")
            self._echo(f"> {text}")
        self._echoed = text

    def displaced(self) -> None:
        pass

    def hurry(self) -> None:
        pass

    def note(self, line: str) -> None:
        self.say(line)

    def pause(self) -> None:
        self._put("".join(self._renderer.advance()))
        self._end_line()

    def dismiss(self) -> bool:
        return False

    def settle(self) -> None:
        self.pause()

    def resume(self, guidance: str) -> None:
        pass  # the text simply goes on

    def lend(self) -> None:
        self._end_line()

    def leave(self) -> None:
        self._end_line()

    def close(self, mark: str = "") -> None:
        self._put("".join([*self._renderer.advance(), *self._renderer.close()]))
        self._end_line()

    def blank(self) -> None:
        self.say("a new session")

    def echo(self, text: str, *, asks: bool = True) -> None:
        if self._echoed is not None and text.startswith(self._echoed):
            self._echo(text[len(self._echoed) :])  # it was sent sooner than it could be echoed
        elif self._echoed is None or self._echoed.strip() != text:
            self._end_line()
            self._put("\n".join([*quoted(text), ""]))
        self._end_line()

    def say(self, line: str, *, error: bool = False) -> None:
        self._end_line()
        self._line(f"error: {line}" if error else line)

    def _echo(self, text: str) -> None:
        self._write(clean(text).replace("\n", "\r\n  "))
        self._fresh_line = False

    def _put(self, text: str) -> None:
        if text:
            self._end_echo()
            self._fresh_line = text.endswith("\n")
            self._write(text.replace("\n", "\r\n"))

    def _line(self, text: str) -> None:
        self._put(self._redact(clean(text)) + "\n")

    def _end_line(self) -> None:
        self._end_echo()
        if not self._fresh_line:
            self._put("\n")

    def _end_echo(self) -> None:
        """End the line that was being typed: something else is written."""
        if self._echoed is not None:
            self._echoed = None
            self._write("\r\n")
            self._fresh_line = True
