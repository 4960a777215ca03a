"""The global hot key: a chord that is heard while any window has the focus. By pynput, in a thread.

The listener's library hears every key of every window. All but the chord's, the modifiers and SPACE are dropped in
its thread, at once; those enter the loop by `call_soon_threadsafe`, and only there is anything decided or remembered.
SPACE counts only while the terminal has the focus: it was typed at us, not at another window.

pynput is optional and imported on entering: its import fails without a display.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from threading import Thread
from typing import Any, Self

from llmterm.keys import Key, KeysUnavailableError
from llmterm.keys.chord import DEFAULT_CHORD, MODIFIERS, Chord, Hand

# X key symbols that pynput has no name for. With Shift held the Alt keys are Meta: were it unheard, an Alt let go
# then would seem to be held for ever.
_X_MODIFIERS = {0xFFE7: "alt", 0xFFE8: "alt", 0xFE03: "alt_gr"}
_START_SECONDS = 5.0


class GlobalKeys:
    """The `KeySource` of the chord, and of SPACE while `focused()`."""

    def __init__(
        self,
        *,
        focused: Callable[[], bool],
        chord: str = DEFAULT_CHORD,
        queue: asyncio.Queue[Key] | None = None,
    ) -> None:
        """Raises `UsageError` for a chord that is none. Entering raises `KeysUnavailableError` where it cannot work."""
        self.queue: asyncio.Queue[Key] = asyncio.Queue() if queue is None else queue
        self._chord = Chord.parse(chord)
        self._focused = focused
        self._hand = Hand(self._chord)
        self._listener: Any = None

    async def __aenter__(self) -> Self:
        keyboard = _import_keyboard()
        loop = asyncio.get_running_loop()
        self._hand = Hand(self._chord)
        names = _names(keyboard, self._chord)

        def forward(act: Callable[[str], None]) -> Callable[[Any], None]:
            def heard(key: Any) -> None:
                name = names.get(listener.canonical(key))
                if name is not None:
                    with suppress(RuntimeError):  # the loop is closed already
                        loop.call_soon_threadsafe(act, name)

            return heard

        listener = keyboard.Listener(on_press=forward(self._press), on_release=forward(self._release))
        await _start(listener)
        self._listener = listener
        return self

    async def __aexit__(self, *exc: object) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            # Not waited for: on X its thread notices only when the next key is pressed, and then keeps it to itself.
            _stop(listener)

    async def get(self) -> Key:
        """Wait for the next key."""
        return await self.queue.get()

    def _press(self, name: str) -> None:
        key = self._hand.press(name)
        if key is None or self._listener is None:
            return
        if key.name == "chord" or self._focused():
            self.queue.put_nowait(key)

    def _release(self, name: str) -> None:
        self._hand.release(name)


async def _start(listener: Any) -> None:
    """Run the listener in a thread until it is stopped; return when it listens."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[str] = loop.create_future()
    ended: asyncio.Future[str] = loop.create_future()

    def settle(future: asyncio.Future[str], text: str) -> None:
        with suppress(RuntimeError):  # the loop is closed already
            loop.call_soon_threadsafe(lambda: None if future.done() else future.set_result(text))

    # Not listener.start(): an error in a thread of its own would be a traceback on the screen, and wait() would hang.
    def listen() -> None:
        reason = "it ended at once"
        try:
            listener.run()
        except Exception as error:  # whatever the platform's library raises
            reason = _first_line(error)
        settle(ended, reason)

    def wait() -> None:
        listener.wait()
        settle(ready, "")

    for job in (listen, wait):
        Thread(target=job, daemon=True).start()
    try:
        await asyncio.wait([ready, ended], timeout=_START_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        _check(listener, ready, ended)
    except BaseException:
        _stop(listener)
        raise


def _check(listener: Any, ready: asyncio.Future[str], ended: asyncio.Future[str]) -> None:
    if getattr(listener, "IS_TRUSTED", True) is False:  # said by the macOS listener only
        raise KeysUnavailableError(
            "the global hot key needs a permission: allow this terminal under "
            "System Settings > Privacy & Security > Accessibility"
        )
    if ended.done():
        raise KeysUnavailableError(f"the global hot key cannot listen: {ended.result()}")
    if not ready.done():
        raise KeysUnavailableError(f"the global hot key did not begin to listen within {_START_SECONDS:g} seconds")


def _stop(listener: Any) -> None:
    """Tell the listener to stop, without waiting: it may hang, or raise, when it never came up or is gone already."""

    def stop() -> None:
        with suppress(Exception):
            listener.stop()

    Thread(target=stop, daemon=True).start()


def _names(keyboard: Any, chord: Chord) -> dict[Any, str]:
    """Return the only keys that are heard, in the listener's canonical form."""

    def canonical(name: str) -> Any:
        return keyboard.HotKey.parse(name if len(name) == 1 else f"<{name}>")[0]

    names = {canonical(name): name for name in {*MODIFIERS, "space", chord.key}}
    names[keyboard.Key.alt_gr] = "alt_gr"
    return names | {keyboard.KeyCode.from_vk(symbol): name for symbol, name in _X_MODIFIERS.items()}


def _import_keyboard() -> Any:
    try:
        from pynput import keyboard
    except ImportError as error:  # also where the display cannot be opened: pynput turns that into one
        raise KeysUnavailableError(why_not(error, os.environ)) from error
    return keyboard


def why_not(error: ImportError, environ: Mapping[str, str]) -> str:
    """Say in one line why pynput could not be imported."""
    display = environ.get("DISPLAY")
    if environ.get("XDG_SESSION_TYPE") == "wayland" and not display:
        return "the global hot key cannot work in this Wayland session: it needs an X display"
    if (error.name or "").partition(".")[0] == "pynput":
        return "the global hot key needs pynput: pip install 'llmterm[global-keys]'"
    if "X connection" not in str(error) or sys.platform in {"win32", "darwin"}:
        return f"the global hot key cannot load pynput: {_first_line(error)}"
    if not display:
        return "the global hot key needs an X display, and DISPLAY is not set"
    return f"the global hot key cannot open the X display {display}"


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
