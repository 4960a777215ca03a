"""The line that the user types in, from the first frame to the last, on prompt_toolkit: its editing, history,
completion and keys. What it looks like is drawn elsewhere, with all that stands on the screen.

One application runs as long as the chat. What a key decides goes into a queue; what is typed stays in the line,
whatever the answer above it does meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from typing import Any, NamedTuple, TypeAlias

from prompt_toolkit.application import Application
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.document import Document
from prompt_toolkit.enums import EditingMode
from prompt_toolkit.filters import is_searching
from prompt_toolkit.input import Input
from prompt_toolkit.input.typeahead import get_typeahead
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent, merge_key_bindings
from prompt_toolkit.key_binding.vi_state import InputMode
from prompt_toolkit.keys import Keys
from prompt_toolkit.layout import BufferControl, ConditionalContainer, HSplit, Layout, SearchBufferControl, Window
from prompt_toolkit.output import DummyOutput
from prompt_toolkit.renderer import Renderer
from prompt_toolkit.search import SearchState

from llmterm.chat.bindings import Bindings
from llmterm.chat.decision import Decision, Leave, Phase, Send
from llmterm.chat.draft import Draft, drafted
from llmterm.chat.history import PromptHistory
from llmterm.chat.insertion import WholeCharacters, replace_before
from llmterm.chat.pasted import foreign, has_token, is_long, mention_of_image, size_of
from llmterm.chat.suggestion import Choice, Find, Found, nothing
from llmterm.chat.window import WindowSize
from llmterm.render.cells import cell_len
from llmterm.render.sanitize import clean

# How long an Esc waits for what may follow it, in seconds: in the bytes of a Windows console (of any other terminal the
# keys see to that); as a key, typed by hand before Enter; and where it stops an answer.
_ESCAPE_BYTES = 0.05
_ESCAPE_ENTER = 0.4
_ESCAPE_STOP = 0.05
# What stands for nothing to put in.
_NONE = "(none)"
# So much of a long text is looked at for what it may become.
_LOOKED_AT = 2_000


class Item(NamedTuple):
    """A row of a menu."""

    text: str
    about: str
    chosen: bool


class Composer:
    """The line, and what it decides. Nothing of it is on the screen until it runs."""

    def __init__(
        self, *, source: Input, history: PromptHistory, bindings: Bindings, window: WindowSize, vi: bool, plain: bool
    ) -> None:
        """`plain` says that nothing is ever drawn over: possible completions are said in words."""
        self._source = source
        self._history = history
        self._bindings = bindings
        self._plain = plain
        self._menu = bindings.menu
        self._pasted = bindings.pasted
        self._find: Find = nothing
        self._lent: list[ExitStack] = []
        self._ended = self._asked = False
        self._buffer = Buffer(history=history, multiline=True, enable_history_search=True, name="draft")
        self._inserted = False
        self._buffer.on_cursor_position_changed += WholeCharacters()
        self._buffer.on_text_changed += lambda buffer: bindings.changed(buffer.text)
        self._buffer.on_text_insert += self._note_insertion
        self._search = SearchBufferControl(Buffer(multiline=False))
        self._control = BufferControl(self._buffer, search_buffer_control=self._search)
        search = ConditionalContainer(Window(self._search), filter=is_searching)
        self._app: Application[None] = Application(
            layout=Layout(HSplit([Window(self._control), search]), focused_element=self._control),
            key_bindings=merge_key_bindings([bindings.keys(), self._editing()]),
            editing_mode=EditingMode.VI if vi else EditingMode.EMACS,
            input=source,
            output=DummyOutput(),
            include_default_pygments_style=False,
        )
        self._frames = _Frames(self._app, window)
        self._app.renderer = self._frames
        self._app.key_processor.after_key_press += self._pressed
        self._app.ttimeoutlen = _ESCAPE_BYTES

    async def run(
        self,
        draw: Callable[[], None],
        say: Callable[[str], None],
        find: Find,
        chords: Chords | None = None,
        displaced: Callable[[], None] = lambda: None,
    ) -> None:
        """Let the user type until `close`, or until no more keys can come.

        `draw` is called when the line has changed, `say` with words for the user, `find` for what the text before the
        cursor may become, `displaced` when the window has had another size. `chords` hears the global hot key.
        """
        self._frames.draw, self._frames.displaced, self._say, self._find = draw, displaced, say, find
        if not self._plain:
            self._menu.bind(find, self._wait_for_keys, lambda error: self._app.exit(exception=error))
        listening = asyncio.create_task(self._hear(chords)) if chords is not None else None
        try:
            with suppress(EOFError):
                await self._app.run_async(set_exception_handler=False, handle_sigint=False)
        finally:
            self._ended = True
            if listening is not None:
                listening.cancel()
            if self._plain and self.text.strip():
                self._bindings.decide(Send(self.text))
            self._bindings.decide(Leave())

    async def close(self) -> None:
        """See to it that what was typed can be called back in the next chat. Takes a second at most."""
        if self._app.is_running and not self._app.is_done:
            self._app.exit()
        await self._history.close()

    # What is typed

    @property
    def text(self) -> str:
        return self._pasted.whole(self._buffer.text)

    @property
    def trouble(self) -> str:
        """Why what is typed is not kept for the next chat, "" where it is."""
        return self._history.trouble

    def put(self, text: str) -> None:
        """Have `text` in the line, to be gone on with."""
        self._menu.reset()
        text = foreign(text)
        self._buffer.document = Document(text, len(text))
        self._bindings.give(text)
        self._app.invalidate()

    def pick(self, text: str, values: Sequence[Choice]) -> None:
        """Have `text` in the line, and what may be put in behind it in the menu."""
        self.put(text)
        self._menu.pick(text, values)

    def append(self, text: str, label: str = "") -> None:
        """Have `text` behind what is in the line; a long one, and one with a `label`, as one character."""
        self._buffer.cursor_position = len(self._buffer.text)
        self._insert(text, label)
        self._app.invalidate()

    def take(self) -> str:
        """Give up the line."""
        text = self.text
        self._menu.reset()
        self._buffer.reset()
        return text

    # What is decided

    async def ready(self) -> None:
        """Wait, not for long, until what was typed in earlier chats can be called back."""
        await self._history.ready()

    @property
    def phase(self) -> Phase:
        return self._bindings.phase

    @property
    def asking(self) -> bool:
        """Whether it is the user's turn."""
        return self._asked and self.phase is not Phase.BUSY

    def begin(self, phase: Phase, shortcuts: Mapping[str, str] | None = None, *, again: bool = False) -> None:
        """The line is for something else now, or `again` for what it was for.

        `shortcuts` are keys that, on an empty line, send a text; one that ends in a blank is put into the line.
        """
        self._asked = True
        self._bindings.begin(phase, shortcuts, again=again)
        if not self.text.strip():
            self._app.vi_state.reset()  # a line begins with typing
        if self._app.is_running:
            self._buffer.load_history_if_not_yet_loaded()
        self._wait_for_keys()

    async def decision(self) -> Decision:
        """Wait for what the user decides next; where no more can come that is to leave."""
        if self._ended and self._bindings.decisions.empty():
            return Leave()
        return await self._bindings.decisions.get()

    @property
    def decided(self) -> bool:
        """Whether something was decided that nobody has asked for yet."""
        return not self._bindings.decisions.empty()

    async def _hear(self, chords: Chords) -> None:
        while True:
            self._bindings.chord(await chords())

    # What is to be drawn

    @property
    def leaving(self) -> bool:
        """Whether it is to be said that the next Ctrl-C leaves."""
        return self._bindings.leaving

    @property
    def vi_commands(self) -> bool:
        """Whether keys are vi's commands, and not letters."""
        return self._app.editing_mode is EditingMode.VI and self._app.vi_state.input_mode is InputMode.NAVIGATION

    def draft(self, columns: int, most: int) -> Draft:
        """Return the rows of the line, so many at most."""
        mark, document = "> ", self._buffer.document
        if self._app.layout.is_searching:
            text, state = self._search.buffer.text, self._control.search_state
            mark = f"search {clean(text)!r}: " if text else "search: "
            sought = SearchState(text, state.direction, state.ignore_case)
            document = self._buffer.document_for_search(sought)
        text, places = document.text, [document.cursor_position]
        places += document.selection_range() if document.selection else ()
        if has_token(text):
            places = [len(self._pasted.shown(text[:place])) for place in places]
            text = self._pasted.shown(text)
        position, *ends = places
        mark = mark if len(mark) < columns // 2 else "> "
        return drafted(text, position, columns, most, mark=mark, selected=(ends[0], ends[1]) if ends else None)

    def menu(self, most: int) -> list[Item]:
        """Return so many of the menu's rows at most, among them the one that is marked."""
        found, at = self._menu.suggestions, self._menu.at
        if most < 1 or self._app.layout.is_searching:
            return []
        first = min(max(0, (at or 0) - most // 2), max(0, len(found) - most))
        rows = [(clean(each.text).strip() or _NONE, clean(each.about)) for each in found[first : first + most]]
        width = max((cell_len(text) for text, about in rows if about), default=0)
        return [
            Item(text + " " * (width - cell_len(text)) if about else text, about, number == at)
            for number, (text, about) in enumerate(rows, first)
        ]

    def invalidate(self) -> None:
        """What stands around the line has changed."""
        self._app.invalidate()

    # The terminal is lent

    def lend(self) -> None:
        """Another program has the keys, until they are taken back as often."""
        self._frames.resting = True
        with ExitStack() as stack:
            if self._app.is_running:
                stack.enter_context(self._source.detach())
            self._lent.append(stack.pop_all())

    def retake(self) -> None:
        """They are ours again."""
        self._bindings.regained()
        self._lent.pop().close()
        self._frames.resting = bool(self._lent)
        if self._app.is_running and (unread := get_typeahead(self._source)):
            self._app.key_processor.feed_multiple(unread)
            self._app.key_processor.process_keys()
        self._app.invalidate()

    # What is put into it, and what it may become

    def _editing(self) -> KeyBindings:
        keys = KeyBindings()

        @keys.add(Keys.BracketedPaste, filter=~is_searching)
        def _(event: KeyPressEvent) -> None:
            text = event.data.replace("\r\n", "\n").replace("\r", "\n")
            before = event.current_buffer.document.char_before_cursor
            if mention := mention_of_image(text):
                self._insert(f" {mention}" if before and not before.isspace() else mention)
            else:
                self._insert(text)

        @keys.add("tab")
        def _(event: KeyPressEvent) -> None:
            event.app.create_background_task(self._complete_in_words() if self._plain else self._complete())

        return keys

    def _insert(self, text: str, label: str = "") -> None:
        if not self._plain and (label or is_long(text)):
            text = self._pasted.take(text, self._buffer.text, label or f"pasted {size_of(text)}")
        else:
            text = foreign(text)
        self._buffer.insert_text(text)

    def _note_insertion(self, _buffer: Buffer) -> None:
        self._inserted = True

    def _pressed(self, _processor: object) -> None:
        """A key has done what it does."""
        self._bindings.pressed()
        self._menu.follow(self._before_cursor, typed=self._inserted)
        self._inserted = False
        self._wait_for_keys()

    def _wait_for_keys(self) -> None:
        """Have an Esc wait for what may follow it as long as what it would do can."""
        patient = self._bindings.phase is Phase.ASKING and not self._menu.open
        self._app.timeoutlen = _ESCAPE_ENTER if patient else _ESCAPE_STOP
        self._app.invalidate()

    @property
    def _before_cursor(self) -> str:
        """The text before the cursor, of a long one the end, behind a line break: what is cut off is no command."""
        text, end = self._buffer.text, self._buffer.cursor_position
        return text[:end] if end <= _LOOKED_AT else "\n" + text[end - _LOOKED_AT : end]

    async def _complete(self) -> None:
        """Put in what all suggestions begin with, or else the one that is marked, or the only one."""
        if not self._menu.open:
            self._menu.look(self._before_cursor)
        await self._menu.found()
        text, replaced = self._menu.common()
        if text:
            self._put_in(text, replaced)
        elif item := self._menu.marked or (self._menu.suggestions[0] if len(self._menu.suggestions) == 1 else None):
            self._put_in(item.text, item.replaced)
        self._app.invalidate()

    def _put_in(self, text: str, replaced: int) -> None:
        replace_before(self._buffer, replaced, text)
        self._menu.look(self._before_cursor)

    async def _complete_in_words(self) -> None:
        """Complete the line as far as there is one way to; say which there are where there are several."""
        before = self._before_cursor
        found = self._find(before)
        found = found if isinstance(found, Found) else await found()
        if found.suggestions:
            replaced = found.suggestions[0].replaced
            typed = before[len(before) - replaced :]
            possible = [each for each in found.suggestions if each.text.startswith(typed)] or found.suggestions
            if len(possible) == 1:
                replace_before(self._buffer, replaced, possible[0].text)
            else:
                self._say(", ".join(each.text.strip() or each.about for each in possible))
        self._app.invalidate()


# Waits for the global hot key; gives whether it was pressed, and not only held down.
Chords: TypeAlias = Callable[[], Awaitable[bool]]


class _Frames(Renderer):
    """Stands where prompt_toolkit's own renderer would write: has all that is on the screen drawn."""

    def __init__(self, app: Application[Any], window: WindowSize) -> None:
        super().__init__(app.renderer.style, app.output)
        self.draw: Callable[[], None] = lambda: None
        self.displaced: Callable[[], None] = lambda: None
        self.resting = False
        self._app = app
        self._window = window
        self._waiting: asyncio.TimerHandle | None = None

    def render(self, app: Application[Any], layout: Layout, is_done: bool = False) -> None:
        app.current_buffer.load_history_if_not_yet_loaded()
        if self.resting or is_done:
            return
        if left := self._window.unsteady():
            if self._waiting is not None:
                self._waiting.cancel()
            self._waiting = asyncio.get_running_loop().call_later(left, app.invalidate)
            return
        try:
            self.draw()
        except Exception as error:
            # A bug: it ends the chat, and is told as one, instead of being reported to nobody at each key.
            self.resting = True
            app.exit(exception=error)

    def erase(self, leave_alternate_screen: bool = True) -> None:
        self.displaced()  # the window has changed its size, for a moment at least

    def request_absolute_cursor_position(self) -> None:
        pass
