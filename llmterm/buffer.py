"""What has been received and not been taken yet: bounded, so that a slow reader slows the network down.

The bound is in chunks of the wire. It never drops anything by itself: whoever fills it asks for `room` first.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator

from llmterm.messages import StreamEvent, TextDelta, ThinkingDelta


class EventBuffer:
    """One writer, one reader. `held` keeps the reader out while the writer goes on."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._events: deque[StreamEvent] = deque()
        self._arrival = asyncio.Event()
        self._room = asyncio.Event()
        self._full = asyncio.Event()
        self.waiting = 0
        """Chunks that nobody has taken yet."""
        self.held = False

    @property
    def unread(self) -> bool:
        return bool(self._events)

    def put(self, event: StreamEvent) -> None:
        self._events.append(event)
        self.waiting += _chunks(event)
        if self.waiting >= self._size:
            self._full.set()
        self._arrival.set()

    async def room(self) -> None:
        """Wait until there is room for more."""
        while self.waiting >= self._size:
            self._room.clear()
            await self._room.wait()

    async def full(self) -> None:
        """Wait until there is no room."""
        while self.waiting < self._size:
            self._full.clear()
            await self._full.wait()

    def take(self) -> Iterator[StreamEvent]:
        """Give out what there is, until `held`."""
        while self._events and not self.held:
            event = self._events.popleft()
            self.waiting -= _chunks(event)
            if self.waiting < self._size:
                self._room.set()
            yield event

    @property
    def characters(self) -> int:
        """Characters of text that nobody has taken yet."""
        return sum(len(event.text) for event in self._events if isinstance(event, TextDelta))

    def drop(self) -> int:
        """Forget what nobody has taken; return how many characters of text it had."""
        dropped = self.characters
        self._events.clear()
        self.waiting = 0
        self._room.set()
        return dropped

    async def arrival(self) -> None:
        """Wait for the next event, or for `wake`."""
        self._arrival.clear()
        await self._arrival.wait()

    def wake(self) -> None:
        """Let the reader look again."""
        self._arrival.set()


def _chunks(event: StreamEvent) -> int:
    return event.chunks if isinstance(event, TextDelta | ThinkingDelta) else 0
