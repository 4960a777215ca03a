"""Keys from the terminal: its bytes, decoded, read by the running loop, without a thread.

No key is lost between this source and prompts that share its `input`: entering begins with what the last prompt left
over, and leaving hands what nobody has got from the queue to the next one, as it was read. The terminal is in raw
mode while entered, and afterwards in the mode in which it was found.

Switching on bracketed paste and focus reports, and asking what the terminal is and can, is left to whoever owns the
screen; here they are only understood.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Self

from prompt_toolkit.input import DummyInput, Input, create_input
from prompt_toolkit.input.typeahead import get_typeahead, store_typeahead
from prompt_toolkit.key_binding import KeyPress
from prompt_toolkit.keys import Keys

from llmterm.keys import Key
from llmterm.keys.decoded import DecodedInput
from llmterm.keys.keymap import FOCUS, is_escape
from llmterm.keys.replies import Color, Keyboard, Replies
from llmterm.keys.scanner import Waits

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


class TerminalKeys:
    """The `KeySource` of the terminal. `input` is the prompt_toolkit input, for prompts to share."""

    def __init__(
        self,
        *,
        input: Input | None = None,
        queue: asyncio.Queue[Key] | None = None,
        waits: Waits | None = None,
    ) -> None:
        """Without `input`, listen to whichever standard stream is the terminal, so that stdin may be a pipe.

        `waits` is how long the rest of a key is waited for.
        """
        self._replies = Replies()
        self.input = _decoded(_terminal_input() if input is None else input, self._replies, waits)
        self.queue: asyncio.Queue[Key] = asyncio.Queue() if queue is None else queue
        self._ended = False
        self._entered = ExitStack()

    @property
    def focused(self) -> bool | None:
        """Whether the terminal has the focus, as it told this source or a prompt on the input; None if it never did."""
        return self._replies.focused

    @property
    def background(self) -> Color | None:
        """The terminal's background, in red, green and blue from 0 to 1; None until it has said so."""
        return self._replies.background

    @property
    def name(self) -> str:
        """What the terminal calls itself, "" until it has said so."""
        return self._replies.name

    @property
    def keyboard(self) -> Keyboard | None:
        """How the terminal tells more keys apart; None until it has said that it can."""
        return self._replies.keyboard

    def tell(self, told: Callable[[], None]) -> None:
        """Have `told` called when the terminal has said its name, or what its keyboard can."""
        self._replies.told = told

    def early(self) -> str:
        """Return the text of what was typed before anybody listened; its keys are there for who does."""
        return self.input.early() if isinstance(self.input, DecodedInput) else ""

    def settle(self, seconds: float) -> None:
        """Wait until the terminal has answered all that it was asked, for so long at most. It blocks; no key is lost.

        The question has to end with `ASK_ATTRIBUTES`.
        """
        if isinstance(self.input, DecodedInput):
            self.input.settle(seconds)

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
            self._entered = entering.pop_all()
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._entered.close()

    async def get(self) -> Key:
        """Wait for the next key."""
        return await self.queue.get()

    def _read(self) -> None:
        self._deliver(self.input.read_keys())
        if self.input.closed:
            self._end()

    def _deliver(self, presses: Sequence[KeyPress]) -> None:
        for key in parse(presses):
            self.queue.put_nowait(key)

    def _end(self) -> None:
        if not self._ended:
            self._ended = True
            self.queue.put_nowait(Key("eof", origin=()))  # ours to take back, with nothing to give

    def _put_back(self) -> None:
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


def parse(presses: Sequence[KeyPress]) -> list[Key]:
    """Return the keys that presses mean."""
    keys: list[Key] = []
    alt: KeyPress | None = None
    for press in presses:
        if press.key is Keys.Escape:
            alt = None
            if is_escape(press):
                keys.append(_lone(press))
            else:
                alt = press
            continue
        key = _key(press)
        if alt is not None and key is not None:
            name = key.text if key.name == "text" else key.name
            key = Key(f"alt-{name}", origin=(alt, press))
        if key is not None:
            keys.append(key)
        alt = None
    return keys


def _lone(escape: KeyPress) -> Key:
    # Given back, it must not become Alt with the key that happens to come next: something has to stand between.
    return Key("escape", origin=(escape, KeyPress(Keys.Ignore, "")))


def _key(press: KeyPress) -> Key | None:
    if not isinstance(press.key, Keys):
        return Key.typing(press.key, (press,)) if _is_text(press.key) else None
    if press.key is Keys.BracketedPaste:
        return Key("paste", _pasted(press.data), (press,))
    if press.data in FOCUS:
        return Key(FOCUS[press.data], origin=(press,))
    if press.key in _NOT_KEYS:
        return None
    return Key(_NAMES.get(press.key, press.key.value), origin=(press,))


def _is_text(char: str) -> bool:
    """Refuse C1 controls, and bytes that are not of the terminal's encoding, which arrive as lone surrogates."""
    return not ("\x7f" <= char <= "\x9f" or "\ud800" <= char <= "\udfff")


def _pasted(data: str) -> str:
    text = data.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _decoded(inner: Input, replies: Replies, waits: Waits | None) -> Input:
    """Put the decoder before an input of bytes; Windows' console has keys."""
    reader = getattr(inner, "stdin_reader", None)
    return inner if reader is None else DecodedInput(inner, reader, replies=replies, waits=waits)


def _terminal_input() -> Input:
    if sys.platform == "win32":
        return create_input()  # the console, whatever stdin is
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if stream is not None and stream.isatty():
            return create_input(stream)
    return DummyInput()
