"""Typing into a prompt, in time and memory that grow with the text, and no faster.

prompt_toolkit keeps the whole text for undo before every key, although it means to do so once for a run of them, and
takes text that comes at once key by key.
"""

from __future__ import annotations

from prompt_toolkit.filters import emacs_insert_mode, vi_insert_mode
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.key_binding.bindings.named_commands import get_by_name
from prompt_toolkit.keys import Keys

# What one undo takes back of a run of keys, at least: so many characters, and this share of the text. The share makes
# the sum of all that is kept a multiple of the text.
_STEP = 20
_SHARE = 1 / 50

_INSERTING = vi_insert_mode | emacs_insert_mode
_DELETING = {"backspace": "backward-delete-char", "delete": "delete-char"}


def bind_typing(keys: KeyBindings) -> None:
    """Bind the keys that insert and delete a character."""
    steps = Steps()
    keys.add(Keys.Any, filter=_INSERTING, save_before=steps)(_insert)
    for key, command in _DELETING.items():
        keys.add(key, filter=_INSERTING, save_before=steps)(get_by_name(command).handler)


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


def _insert(event: KeyPressEvent) -> None:
    """Insert what was typed, with all the characters that have come with it."""
    event.current_buffer.insert_text(event.data * event.arg)
    if event.arg == 1 and event.current_buffer.text.strip() and not _recording(event):
        # On a line with text in it every character is only itself.
        event.current_buffer.insert_text(_run(event))


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
