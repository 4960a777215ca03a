"""The prompt, on prompt_toolkit: editing, history, completion, and a line below that says where the chat stands.

It shares its input with the key source that listens while an answer streams, so a key typed in between belongs to
whichever comes next. Cursor position requests are off: a terminal that does not answer them would hold up every prompt.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from prompt_toolkit.application import get_app
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.data_structures import Size
from prompt_toolkit.document import Document
from prompt_toolkit.enums import EditingMode
from prompt_toolkit.filters import Always, Condition, is_done, vi_navigation_mode
from prompt_toolkit.history import History, InMemoryHistory
from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import KeyBindingsBase
from prompt_toolkit.layout import ConditionalContainer, FormattedTextControl, HSplit, Window
from prompt_toolkit.output import ColorDepth, Output, create_output
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.shortcuts import PromptSession
from prompt_toolkit.styles import Style

from llmterm.chat.bindings import Bindings
from llmterm.chat.decision import Compose, Decision, Leave, Send
from llmterm.chat.history import PromptHistory
from llmterm.chat.insertion import WholeCharacters
from llmterm.chat.reflow import ReflowRenderer
from llmterm.chat.suggestion import Suggestion
from llmterm.chat.view import View
from llmterm.chat.window import WindowSize
from llmterm.errors import UsageError
from llmterm.render.cells import chop, wrap
from llmterm.render.sanitize import clean
from llmterm.render.screen import CLEAR_DOWN

# Gives what the text before the cursor may become.
Complete: TypeAlias = Callable[[str], Awaitable[list[Suggestion]]]

# No colours but grey: whatever the background, these can be read.
_STYLE = Style.from_dict({"mark": "bold", "pause": "bold", "bar": "ansibrightblack"})
# How long an Esc waits for what may follow it, in seconds: in the bytes of a Windows console (of any other terminal the
# keys see to that); as a key, typed by hand before Enter; and at a pause, where it stops.
_ESCAPE_BYTES = 0.05
_ESCAPE_ENTER = 0.4
_ESCAPE_STOP = 0.05
# How often a pause line is looked at anew: it may count what is waiting.
_REFRESH = 0.5
# How many rows a list of completions gets, while there is one.
_MENU_ROWS = 8
_BAR_FROM_ROWS = 4
# Said in vi's mode for commands; in the other one keys are letters, as everywhere.
_VI = "vi commands - "
# What stands for nothing to put in.
_NONE = "(none)"


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptLook:
    """`reflows` says that the terminal lays out its lines anew when its width changes."""

    vi: bool
    color: bool
    reflows: bool


class TerminalPrompt:
    """The `Prompt` of an ordinary terminal."""

    def __init__(
        self,
        *,
        source: Input,
        history: Path,
        view: View,
        window: WindowSize,
        complete: Complete,
        bar: Callable[[], str],
        bindings: Bindings,
        look: PromptLook,
    ) -> None:
        """`complete` gives what the text being typed may become; `bar` the line below it.

        `view` shows what was sent, and is told how many rows a pause has taken. A prompt is erased when it is over: of
        a text that is taller than the window it could leave its end only.
        """
        self._source = source
        self._output = _output()
        self._depth = None if look.color else ColorDepth.DEPTH_1_BIT
        self._completer = _Completer(complete)
        self._bindings = bindings
        self._bar = bar
        # That line, which goes over the whole conversation: made once for each prompt, not for each key.
        self._below = ""
        self._view = view
        self._history = PromptHistory(history)
        self._untold = True
        self._window = window
        self._reflows = look.reflows
        self._mode = EditingMode.VI if look.vi else EditingMode.EMACS
        self._asking = self._session(bindings.asking(), self._history)
        self._add_bar(self._asking)
        self._pausing: PromptSession[Any] | None = None
        self.unsent = ""

    async def ask(self, text: str, shortcuts: Mapping[str, str], *, remember: bool = True) -> Send | Compose | Leave:
        await self._history.ready()
        self._tell()
        self._below = self._bar()
        self._bindings.begin(text, shortcuts, remember=remember)
        try:
            result = await self._asking.prompt_async(
                [("class:mark", "> ")], default=text, set_exception_handler=False, handle_sigint=False
            )
        finally:
            self._bindings.settle()
        await _renderer(self._asking).gone()
        if isinstance(result, Send):
            return self._sent(result.text)
        if isinstance(result, Compose | Leave):
            return result
        self._view.echo(result.strip())  # a SPACE that came too late to pause an answer is no part of it
        return self._sent(result)

    async def close(self) -> None:
        await self._history.close()

    def _sent(self, text: str) -> Send:
        return Send(text, self._bindings.emptied)

    def _note_empty(self, buffer: Buffer) -> None:
        self._bindings.changed(buffer.text)

    def _tell(self) -> None:
        """Say once why what is typed is not kept for the next chat."""
        if self._history.trouble and self._untold:
            self._untold = False
            self._view.say(f"no history: {self._history.trouble}")

    def warm(self) -> Iterator[None]:
        self._pause_session()
        yield

    async def paused(self, line: Callable[[], str], text: str, shortcuts: Mapping[str, str]) -> Decision:
        session = self._pause_session()
        renderer = _renderer(session)
        renderer.begin()
        self._bindings.begin(text, shortcuts)
        try:
            return await self._pause(session, line, text)
        except asyncio.CancelledError:
            self.unsent = session.default_buffer.text
            await renderer.gone()
            raise
        finally:
            self._bindings.settle()
            self._view.covered(renderer.tallest)

    async def _pause(self, session: PromptSession[Any], line: Callable[[], str], text: str) -> Decision:
        result = await session.prompt_async(
            lambda: [("class:pause", self._wrapped(clean(line()))), ("", "\n"), ("class:mark", "> ")],
            default=text,
            refresh_interval=_REFRESH,
            set_exception_handler=False,
            handle_sigint=False,
        )
        await _renderer(session).gone()
        if isinstance(result, Send):
            return self._sent(result.text)
        return self._sent(result) if isinstance(result, str) else result

    def _wrapped(self, text: str) -> str:
        """Break lines that prompt_toolkit would cut off."""
        columns = self._output.get_size().columns
        return "\n".join(row for line in text.split("\n") for row in wrap(line, columns))

    def _pause_session(self) -> PromptSession[Any]:
        if self._pausing is None:
            self._pausing = self._session(self._bindings.paused(), InMemoryHistory())
            self._pausing.app.timeoutlen = _ESCAPE_STOP
        return self._pausing

    def _session(self, keys: KeyBindingsBase, history: History) -> PromptSession[Any]:
        session: PromptSession[Any] = PromptSession(
            input=self._source,
            output=self._output,
            key_bindings=keys,
            history=history,
            enable_history_search=True,
            completer=self._completer,
            complete_while_typing=False,
            editing_mode=self._mode,
            multiline=True,
            reserve_space_for_menu=_MENU_ROWS,
            prompt_continuation="  ",
            style=_STYLE,
            include_default_pygments_style=False,
            color_depth=self._depth,
            erase_when_done=True,
        )
        session.app.renderer = ReflowRenderer(session.app, window=self._window, reflows=self._reflows)
        session.default_buffer.on_cursor_position_changed += WholeCharacters()
        session.default_buffer.on_text_changed += self._note_empty
        session.app.ttimeoutlen = _ESCAPE_BYTES
        session.app.timeoutlen = _ESCAPE_ENTER
        return session

    def _add_bar(self, session: PromptSession[Any]) -> None:
        """Put the bar right below the line: prompt_toolkit's own waits for the terminal to say where its cursor is."""
        control = FormattedTextControl(
            lambda: [("class:bar", self._fitting(f"{_VI if vi_navigation_mode() else ''}{self._below}"))]
        )
        bar = ConditionalContainer(Window(control, height=1), filter=~is_done & _roomy)
        session.layout.current_window.dont_extend_height = Always()  # or it keeps the rows of a list that was open
        session.layout.container = HSplit([session.layout.container, bar])

    def _fitting(self, text: str) -> str:
        return chop(clean(text).replace("\n", " ").replace("\t", " "), max(1, self._output.get_size().columns - 1))[0]


@Condition
def _roomy() -> bool:
    """A window of few rows is for what is typed."""
    return get_app().output.get_size().rows >= _BAR_FROM_ROWS


class _Completer(Completer):
    def __init__(self, complete: Complete) -> None:
        self._complete = complete

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        return ()  # what there is may have to be asked for first

    async def get_completions_async(
        self, document: Document, complete_event: CompleteEvent
    ) -> AsyncGenerator[Completion, None]:
        for each in await self._complete(document.text_before_cursor):
            about = clean(each.about)
            yield Completion(each.text, -each.replaced, display=clean(each.text) or _NONE, display_meta=about)


def _renderer(session: PromptSession[Any]) -> ReflowRenderer:
    renderer = session.app.renderer
    assert isinstance(renderer, ReflowRenderer)
    return renderer


class _Output(Vt100_Output):
    def erase_down(self) -> None:
        self.write_raw(CLEAR_DOWN)  # prompt_toolkit is at the beginning of a row when it does this


def _output() -> Output:
    if sys.platform == "win32":
        from prompt_toolkit.output.win32 import NoConsoleScreenBufferError

        try:
            return create_output()
        except NoConsoleScreenBufferError:
            raise UsageError(
                "there is no Windows console here", hint="winpty llmterm chat, or llmterm chat --plain"
            ) from None

    def size() -> Size:
        try:
            columns, rows = os.get_terminal_size(sys.stdout.fileno())
        except OSError:
            columns, rows = 80, 24
        return Size(rows=rows or 24, columns=columns or 80)

    return _Output(sys.stdout, size, term=os.environ.get("TERM"), enable_cpr=False)
