"""An answer as plain text that only ever goes on: states in words, no colour, nothing drawn over."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from llmterm.chat.view import quoted
from llmterm.messages import StreamEvent, TextDelta, ThinkingDelta
from llmterm.render.plain import PlainRenderer
from llmterm.render.sanitize import clean


class PlainView:
    """Text as it comes and states in words: no colour, no cursor movement."""

    def __init__(self, *, write: Callable[[str], None], redact: Callable[[str], str] = str) -> None:
        self._write = write
        self._redact = redact
        self._renderer = PlainRenderer()
        self._fresh_line = True
        self._announced = False

    def warm(self) -> Iterator[None]:
        yield from ()

    @property
    def columns(self) -> int:
        return 200  # a line that is too long wraps, and nothing is drawn over it

    @property
    def long(self) -> bool:
        return False  # whoever reads a plain screen has all of it

    def page(self, text: str) -> str:
        return clean(text) + "\n"

    def begin(self) -> None:
        self._renderer = PlainRenderer()
        self._announced = False

    def event(self, event: StreamEvent) -> None:
        if isinstance(event, TextDelta):
            self._renderer.feed(event.text)
        elif isinstance(event, ThinkingDelta):
            self._renderer.think(event.text)

    def frame(self, footer: Sequence[str]) -> bool:
        if not self._announced:
            self._announced = True
            self._line(footer[-1])
        self._put("".join(self._renderer.advance()))
        return True

    def portion(self, footer: Sequence[str]) -> bool:
        return True  # `pause` and `close` write it as it is

    def hurry(self) -> None:
        pass

    def note(self, line: str) -> None:
        self.say(line)

    def pause(self) -> None:
        self._put("".join(self._renderer.advance()))
        self._end_line()

    def resume(self, guidance: str) -> None:
        pass  # the text simply goes on

    def covered(self, rows: int) -> None:
        pass

    def displaced(self) -> None:
        pass  # nothing is ever drawn over

    def close(self) -> None:
        self._put("".join([*self._renderer.advance(), *self._renderer.close()]))
        self._end_line()

    def blank(self) -> None:
        self.say("a new session")

    def echo(self, text: str) -> None:
        self._end_line()
        self._put("\n".join([*quoted(text), ""]))

    def say(self, line: str, *, error: bool = False) -> None:
        self._end_line()
        self._line(f"error: {line}" if error else line)

    def _put(self, text: str) -> None:
        if text:
            self._fresh_line = text.endswith("\n")
            self._write(text.replace("\n", "\r\n"))

    def _line(self, text: str) -> None:
        self._put(self._redact(clean(text)) + "\n")

    def _end_line(self) -> None:
        if not self._fresh_line:
            self._put("\n")
