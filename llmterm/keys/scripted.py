"""Keys from a program: for tests, and for those who embed the chat and press its keys themselves."""

from __future__ import annotations

import asyncio
from typing import Self

from llmterm.keys import Key


class ScriptedKeys:
    """A `KeySource` that hears what it is told, entered or not, in that order."""

    def __init__(self, *, queue: asyncio.Queue[Key] | None = None) -> None:
        self.queue: asyncio.Queue[Key] = asyncio.Queue() if queue is None else queue

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        return None

    async def get(self) -> Key:
        """Wait for the next key."""
        return await self.queue.get()

    def press(self, *keys: Key | str) -> None:
        """Press each key; a plain string is a key's name."""
        for key in keys:
            self.queue.put_nowait(_named(key) if isinstance(key, str) else key)

    def type(self, text: str) -> None:
        """Press what types `text`, character by character; a newline is Enter."""
        for char in text:
            self.queue.put_nowait(Key("enter") if char == "\n" else Key.typing(char))


def _named(name: str) -> Key:
    return Key.typing(" ") if name == "space" else Key(name)
