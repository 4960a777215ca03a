"""The prompt, on prompt_toolkit: editing, history, completion, and the keys of a paused answer.

It shares its input with the key source that listens while an answer streams, so a key typed in between belongs to
whichever comes next. Cursor position requests are off: a terminal that does not answer them would hold up every prompt.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Mapping
from pathlib import Path
from string import ascii_lowercase, digits
from typing import Any, TypeAlias

from prompt_toolkit.application import get_app, in_terminal
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.data_structures import Size
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output import ColorDepth, Output, create_output
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.shortcuts import PromptSession
from prompt_toolkit.styles import Style

from llmterm.chat.decision import Decision, Interrupts, Leave, Resume, Send, Stop
from llmterm.render.cells import wrap
from llmterm.render.sanitize import clean

# Gives what a text may become, each with a description.
Complete: TypeAlias = Callable[[str], Awaitable[list[tuple[str, str]]]]

_STYLE = Style.from_dict({"mark": "bold ansicyan", "pause": "ansiyellow", "hint": "ansibrightblack"})
# How long an Esc waits to become the beginning of a sequence, in seconds: in the terminal's bytes; as a key, typed by
# hand before Enter; and at a pause, where it stops.
_ESCAPE_BYTES = 0.05
_ESCAPE_ENTER = 0.4
_ESCAPE_STOP = 0.1
# How often a pause line is looked at anew: it may count what is waiting.
_REFRESH = 0.5
# How many rows a list of completions gets, while there is one.
_MENU_ROWS = 8


class TerminalPrompt:
    """The `Prompt` of an ordinary terminal."""

    def __init__(
        self,
        *,
        source: Input,
        history: Path,
        complete: Complete,
        suspend: Callable[[], None],
        interrupts: Interrupts,
        color: bool,
    ) -> None:
        """`complete` gives what a command being typed may become, each with a description."""
        self._source = source
        self._output = _output()
        self._depth = None if color else ColorDepth.DEPTH_1_BIT
        self._suspend = suspend
        self._interrupts = interrupts
        self._asking = self._session(self._ask_keys(), _history(history), _CommandCompleter(complete), erase=False)
        self._complete = complete
        self._pausing: PromptSession[Any] | None = None
        self._shortcuts: Mapping[str, str] = {}
        self.unsent = ""

    async def ask(self, text: str = "") -> Send | Leave:
        result = await self._asking.prompt_async(
            [("class:mark", "> ")], default=text, set_exception_handler=False, handle_sigint=False
        )
        return result if isinstance(result, Leave) else Send(result)

    def warm(self) -> Iterator[None]:
        self._pause_session()
        yield

    async def paused(self, line: Callable[[], str], text: str, shortcuts: Mapping[str, str]) -> Decision:
        session = self._pause_session()
        self._shortcuts = shortcuts
        try:
            return await self._pause(session, line, text)
        except asyncio.CancelledError:
            self.unsent = session.default_buffer.text
            raise

    async def _pause(self, session: PromptSession[Any], line: Callable[[], str], text: str) -> Decision:
        result = await session.prompt_async(
            lambda: [("class:pause", self._wrapped(clean(line()))), ("", "\n"), ("class:mark", "> ")],
            default=text,
            refresh_interval=_REFRESH,
            set_exception_handler=False,
            handle_sigint=False,
        )
        return Send(result) if isinstance(result, str) else result

    def _wrapped(self, text: str) -> str:
        """Break lines that prompt_toolkit would cut off."""
        columns = self._output.get_size().columns
        return "\n".join(row for line in text.split("\n") for row in wrap(line, columns))

    def _pause_session(self) -> PromptSession[Any]:
        if self._pausing is None:
            self._pausing = self._session(
                self._pause_keys(), InMemoryHistory(), _CommandCompleter(self._complete), erase=True
            )
            self._pausing.app.timeoutlen = _ESCAPE_STOP
        return self._pausing

    def _session(self, keys: KeyBindings, history: History, completer: Completer, *, erase: bool) -> PromptSession[Any]:
        session: PromptSession[Any] = PromptSession(
            input=self._source,
            output=self._output,
            key_bindings=keys,
            history=history,
            completer=completer,
            complete_while_typing=False,
            multiline=True,
            reserve_space_for_menu=_MENU_ROWS,
            prompt_continuation="  ",
            style=_STYLE,
            color_depth=self._depth,
            erase_when_done=erase,
        )
        session.app.ttimeoutlen = _ESCAPE_BYTES
        session.app.timeoutlen = _ESCAPE_ENTER
        return session

    def _common_keys(self) -> KeyBindings:
        keys = KeyBindings()

        @keys.add("enter", filter=_written)
        def _(event: KeyPressEvent) -> None:
            event.current_buffer.validate_and_handle()

        @keys.add("enter", filter=~_written)
        def _(event: KeyPressEvent) -> None:
            """An empty line is nothing to send."""

        @keys.add("escape", "enter")
        def _(event: KeyPressEvent) -> None:
            event.current_buffer.newline()

        @keys.add("c-d", filter=~_written)
        def _(event: KeyPressEvent) -> None:
            event.app.exit(result=Leave())

        @keys.add("c-z")
        async def _(event: KeyPressEvent) -> None:
            async with in_terminal():
                self._suspend()

        return keys

    def _ask_keys(self) -> KeyBindings:
        keys = self._common_keys()

        @keys.add("c-c")
        def _(event: KeyPressEvent) -> None:
            if self._interrupts.press():
                event.app.exit(result=Leave(interrupted=True))
            elif event.current_buffer.text:
                event.current_buffer.reset()
            else:
                event.current_buffer.text = ""

        return keys

    def _pause_keys(self) -> KeyBindings:
        keys = self._common_keys()

        @keys.add(" ", filter=~_written)
        def _(event: KeyPressEvent) -> None:
            event.app.exit(result=Resume())

        @keys.add("escape")
        def _(event: KeyPressEvent) -> None:
            event.app.exit(result=Stop())

        def shortcut(event: KeyPressEvent, name: str) -> None:
            text = self._shortcuts.get(name, "")
            if text.endswith(" "):
                event.current_buffer.insert_text(text)
            elif text:
                event.app.exit(result=Send(text))

        def active(name: str) -> Condition:
            return Condition(lambda: name in self._shortcuts)

        for letter in ascii_lowercase + digits:
            keys.add("escape", letter, filter=~_written & active(f"alt-{letter}"))(
                lambda event, name=f"alt-{letter}": shortcut(event, name)
            )
        for letter in (*ascii_lowercase, "?"):
            keys.add(letter, filter=~_written & active(letter))(lambda event, name=letter: shortcut(event, name))

        @keys.add("c-c")
        def _(event: KeyPressEvent) -> None:
            event.app.exit(result=Leave(interrupted=True) if self._interrupts.press() else Stop())

        return keys


@Condition
def _written() -> bool:
    return bool(get_app().current_buffer.text.strip())


class _CommandCompleter(Completer):
    def __init__(self, complete: Complete) -> None:
        self._complete = complete

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        return ()  # what there is may have to be asked for first

    async def get_completions_async(
        self, document: Document, complete_event: CompleteEvent
    ) -> AsyncGenerator[Completion, None]:
        text = document.text_before_cursor
        if text.startswith("/") and "\n" not in text:
            for whole, summary in await self._complete(text):
                yield Completion(whole, start_position=-len(text), display_meta=summary)


def _output() -> Output:
    if sys.platform == "win32":
        return create_output()

    def size() -> Size:
        try:
            columns, rows = os.get_terminal_size(sys.stdout.fileno())
        except OSError:
            columns, rows = 80, 24
        return Size(rows=rows or 24, columns=columns or 80)

    return Vt100_Output(sys.stdout, size, term=os.environ.get("TERM"), enable_cpr=False)


def _history(path: Path) -> History:
    """Keep the history in a file that only this user can read; without one where that cannot be."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        return FileHistory(str(path))
    except OSError:
        return InMemoryHistory()
