"""The keys of the chat, on prompt_toolkit: what each of them decides, by what the line is for.

Editing, history and search are prompt_toolkit's own, in its emacs and vi modes. Only what means something to a chat is
bound here, and nothing of it while the history is searched: there Enter takes what was found, and Ctrl-C gives up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from string import ascii_lowercase, digits
from typing import assert_never

from prompt_toolkit.application import get_app
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.enums import EditingMode
from prompt_toolkit.filters import (
    Condition,
    emacs_insert_mode,
    is_searching,
    vi_insert_mode,
    vi_mode,
    vi_navigation_mode,
)
from prompt_toolkit.key_binding import ConditionalKeyBindings, KeyBindings, KeyBindingsBase, KeyPress, KeyPressEvent
from prompt_toolkit.keys import Keys

from llmterm.chat.decision import TWICE, Decision, Gesture, Interrupts, Leave, Phase, Resume, Send, Steer
from llmterm.chat.insertion import bind_typing, replace_before
from llmterm.chat.menu import Menu
from llmterm.chat.pasted import PastedTexts, foreign, has_token
from llmterm.chat.queue import MessageQueue
from llmterm.keys.autorepeat import LET_GO_SECONDS, Autorepeat, Press

# Keys whose prompt_toolkit name is not ours.
_NAMED = ("pageup", "enter")
_ARROWS = ("left", "right", "up", "down")
# What prompt_toolkit binds with Alt in emacs mode, to nothing.
_ALT_NOTHING = "aet"


@Condition
def written() -> bool:
    return bool(get_app().current_buffer.text.strip())


def _nothing(_event: KeyPressEvent) -> None:
    pass


def _of_any_beginning(buffer: Buffer) -> None:
    """Have all that was sent called back in the place of several rows: nothing else begins like those."""
    if "\n" in buffer.text and buffer.history_search_text is None:
        buffer.history_search_text = ""


@dataclass(frozen=True, slots=True)
class _Doubtful:
    """A key that may be only held down: what it does if it was pressed, and when that is certain."""

    name: str
    key: Keys | str
    act: Callable[[], None]
    timer: asyncio.TimerHandle


class Bindings:
    """Makes of keys what they decide: `decisions`, in the order of the keys."""

    def __init__(
        self, *, queue: MessageQueue, interrupts: Interrupts, autorepeat: Autorepeat, of_pause: Collection[str] = ()
    ) -> None:
        """`of_pause` are the keys that have a meaning while an answer rests: pressed a moment early they have none."""
        self.decisions: asyncio.Queue[Decision] = asyncio.Queue()
        self.phase = Phase.ASKING
        self.menu = Menu()
        self.pasted = PastedTexts()
        self._queue = queue
        self._interrupts = interrupts
        self._autorepeat = autorepeat
        self._of_pause = frozenset(of_pause)
        self._doubtful: _Doubtful | None = None
        # Keys that, on an empty line, send a text; one that ends in a blank is put into the line.
        self._shortcuts: Mapping[str, str] = {}
        # The message that was put into the line for the user, until that is empty; and whether the line was empty since
        # it is for what it is for now.
        self._given = ""
        self._emptied = False
        # The answer is being paused: the same key means to go on.
        self._pausing = False
        # The key that is being pressed is Ctrl-C; and one was, after which the next one leaves.
        self._interrupting = self._warns = False
        # What was typed while somebody else had the terminal: an Enter of then comes as a line feed.
        self._early = True

    def begin(self, phase: Phase, shortcuts: Mapping[str, str] | None = None, *, again: bool = False) -> None:
        """The line is for something else now, or `again` for what it was for."""
        if phase is not Phase.RESTING:
            self.settle()  # a key that goes on with an answer may have come before that was at rest
        self.phase, self._pausing = phase, False
        self._emptied = again and self._emptied
        self._shortcuts = shortcuts or {}

    def pressed(self) -> None:
        """A key was pressed: any but Ctrl-C means that nobody is about to leave."""
        if not self._interrupting:
            self._interrupts.disarm()
        self._warns = self._interrupting and self._warns
        if self._early:
            asyncio.get_running_loop().call_soon(self._begun)
        self._interrupting = False

    def regained(self) -> None:
        """The terminal was somebody else's until now."""
        self._early = True

    def _begun(self) -> None:
        self._early = False

    @property
    def leaving(self) -> bool:
        """Whether it is to be said that the next Ctrl-C leaves."""
        return self._warns and self._interrupts.armed

    def changed(self, text: str) -> None:
        """The line is that now."""
        if not text.strip():
            self._emptied, self._given = True, ""

    def give(self, text: str) -> None:
        """The line is that now, and the user has not typed it there."""
        self._given = text

    def decide(self, decision: Decision) -> None:
        """Let whoever waits know; from then on the line is for what comes, until somebody asks again."""
        self.begin(Phase.BUSY, again=True)
        self.decisions.put_nowait(decision)

    def chord(self, pressed: bool) -> None:
        """The global hot key was `pressed`, or is only held down."""
        match self.phase:
            case Phase.BUSY:
                self.decide(Gesture.PAUSE)
            case Phase.RESTING if pressed:
                self.decide(Resume())
            case Phase.RESTING | Phase.ASKING | Phase.CONFIRMING:
                pass
            case _ as never:
                assert_never(never)

    def keys(self) -> KeyBindingsBase:
        """Return the bindings."""
        keys = KeyBindings()
        bind_typing(keys)
        self._add_sending(keys)
        self._add_history(keys)
        self._add_queue(keys)
        self._add_pausing(keys)
        self._add_leaving(keys)
        self._add_alt(keys)
        for letter in (*ascii_lowercase, "?"):
            keys.add(letter, filter=~written & self._in(Phase.RESTING) & self._active(letter))(self._shortcut(letter))
        for name in _NAMED:
            keys.add(name, filter=~written & self._active(name))(self._shortcut(name))

        self._add_menu(keys)
        keys.add(Keys.Any, eager=True, filter=Condition(lambda: self._doubtful is not None))(self._follow)
        return ConditionalKeyBindings(keys, ~is_searching)

    def _add_menu(self, keys: KeyBindings) -> None:
        """Add what the keys of the line mean while a menu is open below it."""
        is_open = Condition(lambda: self.menu.open)

        @keys.add("escape", filter=is_open)
        def _(event: KeyPressEvent) -> None:
            self.menu.close()
            if event.app.editing_mode is EditingMode.VI:
                event.app.key_processor.feed(KeyPress(Keys.Escape, "\x1b"), first=True)

        for name, step in {"up": -1, "down": 1, "c-p": -1, "c-n": 1, "s-tab": -1}.items():
            keys.add(name, filter=is_open)(self._mark(step))

        @keys.add("enter", filter=written & Condition(lambda: self.menu.takes))
        def _(event: KeyPressEvent) -> None:
            taken = self.menu.marked
            assert taken is not None
            replace_before(event.current_buffer, taken.replaced, taken.text)
            if taken.all:
                self._enter(event)

    def _mark(self, step: int) -> Callable[[KeyPressEvent], None]:
        def mark(_event: KeyPressEvent) -> None:
            self.menu.move(step)

        return mark

    def _add_sending(self, keys: KeyBindings) -> None:
        @keys.add("enter", filter=~written)
        def _(event: KeyPressEvent) -> None:
            """Nothing is sent; but a wait for a busy provider ends, if the key is not only held down."""
            if self.phase is Phase.BUSY:
                self._once("enter", event, lambda: self.decide(Gesture.HURRY))

        keys.add("enter", filter=written)(self._enter)
        on_token = Condition(lambda: has_token(get_app().current_buffer.document.current_char))
        beside_token = Condition(lambda: self._token() is not None)
        keys.add("enter", filter=on_token)(self._open_token)
        keys.add("c-o", filter=beside_token)(self._open_token)

        # In vi mode an Esc must not wait for what follows it.
        @keys.add("escape", "enter", filter=~vi_mode)
        def _(event: KeyPressEvent) -> None:
            event.current_buffer.newline()

        @keys.add("c-j")
        def _(event: KeyPressEvent) -> None:
            if self._early:
                event.key_processor.feed(KeyPress(Keys.ControlM, "\r"), first=True)
            else:
                event.current_buffer.newline()

        @keys.add("c-s", filter=written)
        def _(event: KeyPressEvent) -> None:
            if self.phase is Phase.BUSY:
                self.decide(Steer(self._taken(event)))
            else:
                self._send(event)

        @keys.add("c-x", "c-e")
        @keys.add("v", filter=vi_navigation_mode)
        def _(event: KeyPressEvent) -> None:
            self.decide(Gesture.COMPOSE)

        @keys.add("c-v", filter=vi_insert_mode | emacs_insert_mode)
        def _(event: KeyPressEvent) -> None:
            self._send_shortcut("/paste")

    def _add_history(self, keys: KeyBindings) -> None:
        """Add the keys that call back what was sent from any row of the line: the arrows go through all its rows."""

        @keys.add("c-p")
        def _(event: KeyPressEvent) -> None:
            _of_any_beginning(event.current_buffer)
            event.current_buffer.history_backward(event.arg)

        @keys.add("c-n")
        def _(event: KeyPressEvent) -> None:
            _of_any_beginning(event.current_buffer)
            event.current_buffer.history_forward(event.arg)

    def _add_queue(self, keys: KeyBindings) -> None:
        edited = Condition(lambda: self._queue.edited)
        for name, step in {"up": -1, "down": 1}.items():
            keys.add(name, filter=self._in(Phase.BUSY) & self._movable())(self._move(step))
            keys.add("escape", name, filter=edited)(self._shift(step))
            keys.add(f"c-{name}", filter=edited)(self._shift(step))

    def _add_pausing(self, keys: KeyBindings) -> None:
        busy, resting = self._in(Phase.BUSY), self._in(Phase.RESTING)

        @keys.add(" ", filter=~written & (busy | resting))
        def _(event: KeyPressEvent) -> None:
            self._pause("space", event)

        @keys.add("c-@", filter=busy | resting)
        def _(event: KeyPressEvent) -> None:
            self._pause("c-space", event)

        @keys.add("escape", filter=(busy | resting) & (~vi_mode | ~written))
        def _(event: KeyPressEvent) -> None:
            self.decide(Gesture.STOP)

        @keys.add("escape", filter=self._active("escape") & (~vi_mode | vi_navigation_mode | ~written))
        def _(event: KeyPressEvent) -> None:
            """It leaves what the line was given for, and with it the line."""
            event.current_buffer.reset()
            self._shortcut("escape")(event)

        for letter in _ALT_NOTHING:
            # Below the shortcuts, which may be on the same letter.
            @keys.add("escape", letter, filter=~vi_mode & (busy | resting))
            def _(event: KeyPressEvent) -> None:
                event.app.key_processor.feed(event.key_sequence[1], first=True)
                self.decide(Gesture.STOP)

    def _add_leaving(self, keys: KeyBindings) -> None:
        @keys.add("c-c")
        def _(event: KeyPressEvent) -> None:
            self._interrupting = True
            text = event.current_buffer.text
            # A message that was given back is not what the user types: right after the Ctrl-C that stopped the answer,
            # the second one leaves all the same.
            if self._queue.edited:
                self.menu.reset()
                event.current_buffer.reset()
                self._queue.put_back()
                self._interrupts.disarm()
            elif text.strip() and not (text == self._given and self._interrupts.armed):
                self.menu.reset()
                event.current_buffer.reset()
                self._emptied = True
                self._interrupts.disarm()
            elif self._interrupts.press():
                self.decide(Leave(interrupted=True))
            else:
                self._warns = True
                asyncio.get_running_loop().call_later(TWICE, event.app.invalidate)
                if self.phase in (Phase.BUSY, Phase.RESTING):
                    self.decide(Gesture.STOP)

        @keys.add("c-d", filter=~written)
        def _(event: KeyPressEvent) -> None:
            self.decide(Leave())

        @keys.add("c-z")
        def _(event: KeyPressEvent) -> None:
            self.decide(Gesture.SUSPEND)

    def _add_alt(self, keys: KeyBindings) -> None:
        """Add the shortcuts with Alt: a key of the line does there what it always does once something is written."""
        for key in (*ascii_lowercase, *digits, *_ARROWS):
            name = f"alt-{key}"
            keys.add("escape", key, filter=~written & self._active(name))(self._shortcut(name))
            if name in self._of_pause:
                keys.add("escape", key, filter=~written & ~vi_mode & self._in(Phase.BUSY))(_nothing)

    def _pause(self, name: str, event: KeyPressEvent) -> None:
        if self.phase is Phase.BUSY and not self._pausing:
            # At once: only going on waits until it is known whether the key is held down.
            self._autorepeat.count(name)
            self.decide(Gesture.PAUSE)
            self._pausing = True
        else:
            self._once(name, event, lambda: self.decide(Resume()))

    def _enter(self, event: KeyPressEvent) -> None:
        if event.current_buffer.text == self._given:
            self._once("enter", event, lambda: self._send(event))  # held down, it would send for ever what is refused
        else:
            self._autorepeat.count("enter")
            self._send(event)

    def _send(self, event: KeyPressEvent) -> None:
        self.decide(Send(self._taken(event, remember=self.phase is not Phase.CONFIRMING), self._emptied))

    def _send_shortcut(self, text: str) -> None:
        self.decide(Send(text, self._emptied, shortcut=True))

    def _token(self) -> int | None:
        document = get_app().current_buffer.document
        return self.pasted.at(document.text, document.cursor_position)

    def _open_token(self, event: KeyPressEvent) -> None:
        """Have a long text in the line as what it is."""
        at = self._token()
        assert at is not None
        buffer = event.current_buffer
        buffer.save_to_undo_stack()
        buffer.cursor_position = at + 1
        replace_before(buffer, 1, self.pasted.whole(buffer.text[at]))

    def _move(self, step: int) -> Callable[[KeyPressEvent], None]:
        def move(event: KeyPressEvent) -> None:
            buffer = event.current_buffer
            buffer.text = foreign(self._queue.move(self.pasted.whole(buffer.text), step))
            buffer.cursor_position = len(buffer.text)

        return move

    def _shift(self, step: int) -> Callable[[KeyPressEvent], None]:
        def shift(_event: KeyPressEvent) -> None:
            self._queue.shift(step)

        return shift

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

    def _in(self, phase: Phase) -> Condition:
        return Condition(lambda: self.phase is phase)

    def _movable(self) -> Condition:
        return Condition(lambda: self._queue.movable(get_app().current_buffer.text))

    def _active(self, name: str) -> Condition:
        return Condition(lambda: name in self._shortcuts)

    def _shortcut(self, name: str) -> Callable[[KeyPressEvent], None]:
        def act(event: KeyPressEvent) -> None:
            text = self._shortcuts[name]
            if text.endswith(" "):
                event.current_buffer.insert_text(text)
            else:
                self._send_shortcut(text)

        return act

    def _taken(self, event: KeyPressEvent, *, remember: bool = True) -> str:
        """Take what is written out of the line, to be called back if it is one to `remember`."""
        buffer = event.current_buffer
        line, text = buffer.text, self.pasted.whole(buffer.text)
        self.menu.reset()
        buffer.reset(append_to_history=remember and not has_token(line))
        if remember and has_token(line):
            buffer.history.append_string(text)
        return text
