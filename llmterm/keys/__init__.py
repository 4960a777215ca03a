"""Keys: one value, and the seam that every source of them shares.

A source is an async context manager; while it is entered, each key pressed arrives in one `asyncio.Queue`, its own or
one of its owner, so that several sources can feed the same. The queue must be unbounded: a key never waits. What a
key means is not decided here, but by whoever reads it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, Self


@dataclass(frozen=True, slots=True)
class Key:
    """A key by name, and what it types.

    `name` is "text" for one printable character; else "space", "enter", "escape", "backspace", "tab", "up", "c-c",
    "alt-x", "paste" and so on; "focus-in" and "focus-out" when the terminal gains and loses the focus; "chord" for
    the global hot key; "eof" when no more keys can come. `text` is empty where a key types nothing.
    `origin` is the source's own note of what it has read, with which it can give an unread key back.
    """

    name: str
    text: str = ""
    origin: object = field(default=None, compare=False, repr=False)

    @classmethod
    def typing(cls, char: str, origin: object = None) -> Self:
        """Return the key that types the printable character `char`."""
        return cls("space" if char == " " else "text", char, origin)


class KeySource(Protocol):
    """Where keys come from. It can be entered again after it was left; leaving gives everything back as found."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *exc: object) -> None: ...

    async def get(self) -> Key:
        """Wait for the next key. To be cancelled while waiting loses none."""
        ...


class KeysUnavailableError(Exception):
    """A source that cannot work here; `str()` is one line that says why. The terminal's keys are always there."""


async def on_key(keys: KeySource, actions: Mapping[str, Callable[[], Awaitable[object] | None]]) -> None:
    """Wait for the first key that has an action, and take it; others are passed over, later ones left for the next.

    A key goes by its name, one that types a character by that: `{"space": turn.pause, "q": turn.cancel}`.
    """
    action = None
    while action is None:
        key = await keys.get()
        action = actions.get(key.text if key.name == "text" else key.name)
    taken = action()
    if taken is not None:
        await taken
