"""The keys of the prompts, on prompt_toolkit: sending, leaving, shortcuts, and what a paused answer adds.

Editing, history and search are prompt_toolkit's own, in its emacs and vi modes. Only what means something to a chat is
bound here, and nothing of it while the history is searched: there Enter takes what was found, and Ctrl-C gives up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from string import ascii_lowercase, digits

from prompt_toolkit.application import get_app, in_terminal
from prompt_toolkit.filters import Condition, is_searching, vi_mode, vi_navigation_mode
from prompt_toolkit.key_binding import ConditionalKeyBindings, KeyBindings, KeyBindingsBase, KeyPressEvent
from prompt_toolkit.keys import Keys

from llmterm.chat.decision import Compose, Decision, Interrupts, Leave, Resume, Send, Stop
from llmterm.chat.insertion import bind_typing
from llmterm.keys.autorepeat import LET_GO_SECONDS, Autorepeat, Press

# Keys whose prompt_toolkit name is not ours.
_NAMED = ("pageup", "enter")
_ARROWS = ("left", "right", "up", "down")
# What prompt_toolkit binds with Alt in emacs mode, to nothing.
_ALT_NOTHING = "aet"


@Condition
def written() -> bool:
    return bool(get_app().current_buffer.text.strip())


@Condition
def _alone() -> bool:
    state = get_app().current_buffer.complete_state
    return state is not None and len(state.completions) == 1


@dataclass(frozen=True, slots=True)
class _Doubtful:
    """A key that may be only held down: what it does if it was pressed, and when that is certain."""

    name: str
    key: Keys | str
    act: Callable[[], None]
    timer: asyncio.TimerHandle


class Bindings:
    """Makes the key bindings of both prompts. `shortcuts` are keys that, on an empty line, send a text."""

    def __init__(self, *, suspend: Callable[[], None], interrupts: Interrupts, autorepeat: Autorepeat) -> None:
        self._suspend = suspend
        self._interrupts = interrupts
        self._autorepeat = autorepeat
        self._doubtful: _Doubtful | None = None
        self.shortcuts: Mapping[str, str] = {}
        # What stood in the line at first, and whether the line was empty since then.
        self.given = ""
        self.emptied = False
        # Whether what is sent can be called back.
        self.remember = True

    def begin(self, text: str, shortcuts: Mapping[str, str], *, remember: bool = True) -> None:
        """A prompt begins, with `text` in its line."""
        self.shortcuts, self.given, self.emptied, self.remember = shortcuts, text, False, remember

    def changed(self, text: str) -> None:
        """The line is that now."""
        self.emptied |= not text.strip()

    def asking(self) -> KeyBindingsBase:
        """Return the keys of the prompt for a message."""
        keys = self._common()
        self._add_alt(keys)

        @keys.add("c-c")
        def _(event: KeyPressEvent) -> None:
            if self._interrupts.press(line=event.current_buffer.text, given=self.given):
                _leave(event, Leave(interrupted=True))
            else:
                event.current_buffer.reset()
                self.emptied = True

        return ConditionalKeyBindings(keys, ~is_searching)

    def paused(self) -> KeyBindingsBase:
        """Return the keys of the prompt below a paused answer."""
        keys = self._common()

        @keys.add(" ", filter=~written)
        def _(event: KeyPressEvent) -> None:
            self._once("space", event, lambda: _leave(event, Resume()))

        @keys.add("escape", filter=~vi_mode | ~written)
        def _(event: KeyPressEvent) -> None:
            _leave(event, Stop(event.current_buffer.text))

        for letter in _ALT_NOTHING:
            # Below the shortcuts, which may be on the same letter.
            @keys.add("escape", letter, filter=~vi_mode)
            def _(event: KeyPressEvent) -> None:
                event.app.key_processor.feed(event.key_sequence[1], first=True)
                _leave(event, Stop(event.current_buffer.text))

        self._add_alt(keys)
        for letter in (*ascii_lowercase, "?"):
            keys.add(letter, filter=~written & self._active(letter))(self._shortcut(letter))

        @keys.add("c-c")
        def _(event: KeyPressEvent) -> None:
            leaves = self._interrupts.press()
            _leave(event, Leave(interrupted=True) if leaves else Stop(event.current_buffer.text))

        return ConditionalKeyBindings(keys, ~is_searching)

    def _common(self) -> KeyBindings:
        keys = KeyBindings()
        bind_typing(keys)

        keys.add("enter", filter=written)(self._enter)

        @keys.add("enter", filter=~written)
        def _(event: KeyPressEvent) -> None:
            """An empty line is nothing to send."""

        # In vi mode an Esc must not wait for what follows it.
        @keys.add("escape", "enter", filter=~vi_mode)
        def _(event: KeyPressEvent) -> None:
            event.current_buffer.newline()

        @keys.add("c-d", filter=~written)
        def _(event: KeyPressEvent) -> None:
            _leave(event, Leave())

        @keys.add("c-z")
        async def _(event: KeyPressEvent) -> None:
            async with in_terminal():
                self._suspend()

        @keys.add("c-x", "c-e")
        @keys.add("v", filter=vi_navigation_mode)
        def _(event: KeyPressEvent) -> None:
            # Outside of the prompt: while something has its terminal, an application does not let itself be cancelled.
            _leave(event, Compose(event.current_buffer.text))

        @keys.add("tab", filter=_alone)
        def _(event: KeyPressEvent) -> None:
            """The only completion was taken: what comes after it, of a folder what is in it."""
            event.current_buffer.complete_state = None
            event.current_buffer.start_completion(insert_common_part=True)

        keys.add(Keys.Any, eager=True, filter=Condition(lambda: self._doubtful is not None))(self._follow)
        for name in _NAMED:
            keys.add(name, filter=~written & self._active(name))(self._shortcut(name))
        return keys

    def _add_alt(self, keys: KeyBindings) -> None:
        """Add the shortcuts with Alt: a key of the line does there what it always does once something is written."""
        for key in (*ascii_lowercase, *digits, *_ARROWS):
            name = f"alt-{key}"
            keys.add("escape", key, filter=~written & self._active(name))(self._shortcut(name))

    def _enter(self, event: KeyPressEvent) -> None:
        def send() -> None:
            self._interrupts.sent()
            if self.remember:
                event.current_buffer.validate_and_handle()
            else:
                event.app.exit(result=event.current_buffer.text)
            _hand_on(event)

        if event.current_buffer.text == self.given:
            self._once("enter", event, send)  # held down, it would send for ever what is refused
        else:
            self._autorepeat.count("enter")
            send()

    def settle(self) -> None:
        """Forget a key of which it is not certain that it was pressed: the prompt is over."""
        if self._doubtful is not None:
            self._doubtful.timer.cancel()
            self._doubtful = None

    def _once(self, name: str, event: KeyPressEvent, act: Callable[[], None]) -> None:
        """Do what a key says if it was pressed, and not if it is held down."""
        match self._autorepeat.press(name):
            case Press.NEW:
                act()
            case Press.DOUBTFUL:
                timer = asyncio.get_running_loop().call_later(LET_GO_SECONDS, self._act)
                self._doubtful = _Doubtful(name, event.key_sequence[-1].key, act, timer)
            case Press.REPEATED:
                pass

    def _act(self) -> None:
        assert self._doubtful is not None
        doubtful = self._doubtful
        self.settle()
        self._autorepeat.count(doubtful.name)
        doubtful.act()

    def _follow(self, event: KeyPressEvent) -> None:
        """A key has come while it was not certain of the one before whether that was pressed."""
        assert self._doubtful is not None
        key = event.key_sequence[0].key
        if key == self._doubtful.key:
            self._autorepeat.press(self._doubtful.name)
            self.settle()
        elif key is not Keys.Ignore:
            self._act()
            event.app.key_processor.feed_multiple(event.key_sequence, first=True)

    def _active(self, name: str) -> Condition:
        return Condition(lambda: name in self.shortcuts)

    def _shortcut(self, name: str) -> Callable[[KeyPressEvent], None]:
        def act(event: KeyPressEvent) -> None:
            text = self.shortcuts[name]
            if text.endswith(" "):
                event.current_buffer.insert_text(text)
            else:
                _leave(event, Send(text))

        return act


def _leave(event: KeyPressEvent, decision: Decision) -> None:
    event.app.exit(result=decision)
    _hand_on(event)


def _hand_on(event: KeyPressEvent) -> None:
    """Keep what was read behind the key that ends the prompt for whoever reads next.

    An Esc waits for the key after it, and where the two mean nothing together prompt_toolkit goes on with that one,
    whether the prompt is over or not: it would be lost, or end the prompt a second time.
    """
    processor = event.app.key_processor
    later = processor.key_buffer[len(event.key_sequence) :]
    del processor.key_buffer[len(event.key_sequence) :]
    processor.feed_multiple(later, first=True)
