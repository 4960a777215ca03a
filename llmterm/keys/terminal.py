"""Keys from the terminal: prompt_toolkit's parser, read by the running loop, without a thread.

No key is lost between this source and prompts that share its `input`: entering begins with what the last prompt left
over, and leaving hands what nobody has got from the queue to the next one, as it was read. The terminal is in raw
mode while entered, and afterwards in the mode in which it was found.

Switching on bracketed paste and focus reports, and asking for the background colour, is left to whoever owns the
screen; here they are only understood.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Self

from prompt_toolkit.input import DummyInput, Input, create_input
from prompt_toolkit.input.ansi_escape_sequences import ANSI_SEQUENCES
from prompt_toolkit.input.typeahead import get_typeahead, store_typeahead
from prompt_toolkit.key_binding import KeyPress
from prompt_toolkit.keys import Keys

from llmterm.keys import Key
from llmterm.keys.replies import Replies

# An ESC that nothing follows for so many seconds is the Escape key.
ESCAPE_SECONDS = 0.05

# prompt_toolkit's own names for keys are ours, but for these.
_NAMES = {
    Keys.ControlAt: "c-space",
    Keys.ControlH: "backspace",
    Keys.ControlI: "tab",
    Keys.ControlJ: "enter",
    Keys.ControlM: "enter",
    Keys.SIGINT: "c-c",
}
# What terminals say without a key being pressed.
_NOT_KEYS = {
    Keys.CPRResponse,
    Keys.Vt100MouseEvent,
    Keys.WindowsMouseEvent,
    Keys.ScrollUp,
    Keys.ScrollDown,
    Keys.Ignore,
}
# https://invisible-island.net/xterm/ctlseqs/ctlseqs.html, "FocusIn/FocusOut"
_FOCUS = {"\x1b[I": "focus-in", "\x1b[O": "focus-out"}
_NEVER_WITH_ALT = {"escape", "paste", *_FOCUS.values()}


class TerminalKeys:
    """The `KeySource` of the terminal. `input` is the prompt_toolkit input, for prompts to share."""

    def __init__(
        self,
        *,
        input: Input | None = None,
        queue: asyncio.Queue[Key] | None = None,
        escape_seconds: float = ESCAPE_SECONDS,
    ) -> None:
        """Without `input`, listen to whichever standard stream is the terminal, so that stdin may be a pipe."""
        # The parser takes them for Esc and typed text otherwise, in prompts as well; as Ignore they do nothing there.
        ANSI_SEQUENCES.update(dict.fromkeys(_FOCUS, Keys.Ignore))
        self.input = _terminal_input() if input is None else input
        self.queue: asyncio.Queue[Key] = asyncio.Queue() if queue is None else queue
        self._focused: bool | None = None
        self._replies = Replies()
        self._escape_seconds = escape_seconds
        self._timer: asyncio.TimerHandle | None = None
        self._ended = False
        self._entered = ExitStack()
        self._listen_in()

    @property
    def focused(self) -> bool | None:
        """Whether the terminal has the focus, as it told this source or a prompt on the input; None if it never did."""
        return self._focused

    @property
    def background(self) -> tuple[float, float, float] | None:
        """The terminal's background, in red, green and blue from 0 to 1; None until it has said so."""
        return self._replies.background

    async def __aenter__(self) -> Self:
        self._ended = False
        with ExitStack() as entering:
            entering.enter_context(self.input.raw_mode())
            entering.callback(self._put_back)
            self._deliver(get_typeahead(self.input))
            try:
                entering.enter_context(self.input.attach(self._read))
            except EOFError:  # a file that cannot be waited for, such as /dev/null
                self._end()
            self._expect_escape()
            self._entered = entering.pop_all()
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._entered.close()

    async def get(self) -> Key:
        return await self.queue.get()

    def _read(self) -> None:
        self._deliver(self.input.read_keys())
        if self.input.closed:
            self._end()
        else:
            self._expect_escape()

    def _deliver(self, presses: Sequence[KeyPress]) -> None:
        for key in parse(presses):
            self.queue.put_nowait(key)

    def _expect_escape(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(self._escape_seconds, self._flush)

    def _flush(self) -> None:
        """Take an ESC, or the beginning of a sequence, for what was typed."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._deliver(self.input.flush_keys())

    def _end(self) -> None:
        if not self._ended:
            self._ended = True
            self._flush()
            self.queue.put_nowait(Key("eof", origin=()))  # ours to take back, with nothing to give

    def _put_back(self) -> None:
        if self._timer is not None:
            # The next reader cannot know how old a pending ESC is. Reading first keeps a sequence together.
            self._deliver(self.input.read_keys())
            self._flush()
        unread: list[KeyPress] = []
        foreign: list[Key] = []
        while not self.queue.empty():
            key = self.queue.get_nowait()
            if isinstance(key.origin, tuple):
                unread += key.origin
            else:
                foreign.append(key)
        for key in foreign:
            self.queue.put_nowait(key)
        store_typeahead(self.input, unread)

    def _listen_in(self) -> None:
        """Listen where the bytes are read and parsed, as half of the time a prompt does that."""
        parser, reader = (getattr(self.input, name, None) for name in ("vt100_parser", "stdin_reader"))
        if parser is None or reader is None:
            return
        deliver, flush, read = parser.feed_key_callback, parser.flush, reader.read

        def noting(press: KeyPress) -> None:
            if press.key is Keys.Ignore and press.data in _FOCUS:
                self._focused = _FOCUS[press.data] == "focus-in"
            deliver(press)

        def flushing() -> None:
            parser.feed(self._replies.flush())
            flush()

        def reading(count: int = 1024) -> str:
            return self._replies.strip(read(count))

        parser.feed_key_callback, parser.flush, reader.read = noting, flushing, reading


def parse(presses: Sequence[KeyPress]) -> list[Key]:
    """Return the keys that one read of the terminal means. Terminals send Alt-x as ESC and x, in one write."""
    keys: list[Key] = []
    escape: KeyPress | None = None
    for press in presses:
        key = _key(press)
        if escape is not None:
            if key is not None and key.name not in _NEVER_WITH_ALT:
                name = key.text if key.name == "text" else key.name
                keys.append(Key(f"alt-{name}", origin=(escape, press)))
                escape = None
                continue
            keys.append(_lone(escape))
            escape = None
        if press.key is Keys.Escape:
            escape = press
        elif key is not None:
            keys.append(key)
    if escape is not None:
        keys.append(_lone(escape))
    return keys


def _lone(escape: KeyPress) -> Key:
    # Given back, it must not become Alt with the key that happens to come next: something has to stand between.
    return Key("escape", origin=(escape, KeyPress(Keys.Ignore, "")))


def _key(press: KeyPress) -> Key | None:
    if not isinstance(press.key, Keys):
        return Key.typing(press.key, (press,)) if _is_text(press.key) else None
    if press.key is Keys.BracketedPaste:
        return Key("paste", _pasted(press.data), (press,))
    if press.data in _FOCUS:
        return Key(_FOCUS[press.data], origin=(press,))
    if press.key in _NOT_KEYS:
        return None
    return Key(_NAMES.get(press.key, press.key.value), origin=(press,))


def _is_text(char: str) -> bool:
    """Refuse C1 controls, and bytes that are not of the terminal's encoding, which arrive as lone surrogates."""
    return not ("\x7f" <= char <= "\x9f" or "\ud800" <= char <= "\udfff")


def _pasted(data: str) -> str:
    text = data.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _terminal_input() -> Input:
    if sys.platform == "win32":
        return create_input()  # the console, whatever stdin is
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if stream is not None and stream.isatty():
            return create_input(stream)
    return DummyInput()
