"""Typing into a prompt, in time and memory that grow with the text, and no faster.

prompt_toolkit keeps the whole text for undo before every key, although it means to do so once for a run of them, and
takes text that comes at once key by key. And it takes code points for characters, which only some are.
"""

from __future__ import annotations

from prompt_toolkit.application import get_app
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition, emacs_insert_mode, vi_insert_mode, vi_navigation_mode
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.key_binding.bindings.vi import (
    TextObject,
    TextObjectType,
    create_operator_decorator,
    create_text_object_decorator,
)
from prompt_toolkit.key_binding.vi_state import InputMode
from prompt_toolkit.keys import Keys

from llmterm.chat import graphemes
from llmterm.chat.pasted import foreign

# What one undo takes back of a run of keys, at least: so many characters, and this share of the text. The share makes
# the sum of all that is kept a multiple of the text.
_STEP = 20
_SHARE = 1 / 50

_INSERTING = vi_insert_mode | emacs_insert_mode


@Condition
def _has_text() -> bool:
    return bool(get_app().current_buffer.text)


def bind_typing(keys: KeyBindings) -> None:
    """Bind the keys that insert, delete and pass a character."""
    steps = Steps()
    keys.add(Keys.Any, filter=_INSERTING, save_before=steps)(_insert)
    keys.add("backspace", filter=_INSERTING, save_before=steps)(_delete_before)
    for key in ("delete", "c-d"):
        keys.add(key, filter=_INSERTING & _has_text, save_before=steps)(_delete_after)
    for key, act in {"left": _left, "c-b": _left, "right": _right, "c-f": _right}.items():
        keys.add(key, filter=_INSERTING)(act)
    keys.add("X", filter=vi_navigation_mode)(_cut_before)
    keys.add("x", filter=vi_navigation_mode)(_cut_after)
    _bind_operators(keys)
    moves = create_text_object_decorator(keys)
    for key in ("h", "left"):
        moves(key)(lambda event: TextObject(-min(_before(event), event.current_buffer.document.cursor_position_col)))
    for key in ("l", "right"):
        moves(key)(lambda event: TextObject(min(_after(event), _rest(event))))


def replace_before(buffer: Buffer, count: int, text: str) -> None:
    """Put `text` in the place of the last `count` characters before the cursor, at once: the line is never empty."""
    start, end = buffer.cursor_position - count, buffer.cursor_position
    buffer.document = Document(f"{buffer.text[:start]}{text}{buffer.text[end:]}", start + len(text))


def _bind_operators(keys: KeyBindings) -> None:
    """Bind vi's d and c, which make two of a text where the motion behind them goes nowhere, as `d0` on its start."""
    operator = create_operator_decorator(keys)

    @operator("d")
    def _(event: KeyPressEvent, reach: TextObject) -> None:
        _cut(event, reach)

    @operator("c")
    def _(event: KeyPressEvent, reach: TextObject) -> None:
        _cut(event, reach)
        event.app.vi_state.input_mode = InputMode.INSERT


def _cut(event: KeyPressEvent, reach: TextObject) -> None:
    if reach.type is TextObjectType.EXCLUSIVE and reach.start == reach.end:
        return
    event.current_buffer.document, cut = reach.cut(event.current_buffer)
    if cut.text:
        event.app.clipboard.set_data(cut)


class Steps:
    """Tells before which keys a text is kept for undo: the first of a run, and then where enough has changed."""

    def __init__(self) -> None:
        self._kept = 0

    def __call__(self, event: KeyPressEvent) -> bool:
        size = len(event.current_buffer.text)
        if event.is_repeat and abs(size - self._kept) < max(_STEP, size * _SHARE):
            return False
        self._kept = size
        return True


class WholeCharacters:
    """Keeps a cursor that is moved out of the middle of a character."""

    def __init__(self) -> None:
        self._text, self._position = "", 0

    def __call__(self, buffer: Buffer) -> None:
        text, position = buffer.text, buffer.cursor_position
        moved, forward = text == self._text, position > self._position
        self._text, self._position = text, position
        if moved and not text.isascii():
            buffer.cursor_position = graphemes.whole(text, position, forward=forward)


def _before(event: KeyPressEvent) -> int:
    """Return how long the characters before the cursor are that a key is about."""
    buffer = event.current_buffer
    return buffer.cursor_position - graphemes.before(buffer.text, buffer.cursor_position, max(0, event.arg))


def _after(event: KeyPressEvent) -> int:
    buffer = event.current_buffer
    return graphemes.after(buffer.text, buffer.cursor_position, max(0, event.arg)) - buffer.cursor_position


def _rest(event: KeyPressEvent) -> int:
    return len(event.current_buffer.document.current_line_after_cursor)


def _left(event: KeyPressEvent) -> None:
    event.current_buffer.cursor_left(count=_before(event))


def _right(event: KeyPressEvent) -> None:
    event.current_buffer.cursor_right(count=_after(event))


def _delete_before(event: KeyPressEvent) -> None:
    event.current_buffer.delete_before_cursor(count=_before(event))


def _delete_after(event: KeyPressEvent) -> None:
    event.current_buffer.delete(count=_after(event))


def _cut_before(event: KeyPressEvent) -> None:
    count = min(_before(event), event.current_buffer.document.cursor_position_col)
    if cut := event.current_buffer.delete_before_cursor(count=count):
        event.app.clipboard.set_text(cut)


def _cut_after(event: KeyPressEvent) -> None:
    if cut := event.current_buffer.delete(count=min(_after(event), _rest(event))):
        event.app.clipboard.set_text(cut)


def _insert(event: KeyPressEvent) -> None:
    """Insert what was typed, with all the characters that have come with it."""
    event.current_buffer.insert_text(foreign(event.data) * event.arg)
    if event.arg == 1 and event.current_buffer.text.strip() and not _recording(event):
        # On a line with text in it every character is only itself.
        event.current_buffer.insert_text(foreign(_run(event)))


def _run(event: KeyPressEvent) -> str:
    """Take the characters that are waiting to be processed."""
    queue = event.key_processor.input_queue
    run: list[str] = []
    while queue and queue[0].key == queue[0].data:  # neither a named key nor the end of a wait
        run.append(queue.popleft().data)
    return "".join(run)


def _recording(event: KeyPressEvent) -> bool:
    """Tell whether a macro is being recorded, key by key."""
    return bool(event.app.emacs_state.is_recording or event.app.vi_state.recording_register)
