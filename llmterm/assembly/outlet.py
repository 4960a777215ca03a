"""Standard streams that are written so that a reader that does not read holds up nothing but itself.

What a pipe has room for it gets at once; everything else is written in a thread. What is put in comes out in its order
and whole. How much waits is for the caller to ask for, and to wait: that is how a slow reader slows the stream down,
and not the loop.
"""

from __future__ import annotations

import asyncio
import os
import select
import stat
import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from io import RawIOBase
from typing import TextIO

# Bytes that may wait for a reader. As much as a pipe holds: less would have the two wait for each other.
_MOST = 64 * 1024
_PIECE = 64 * 1024
# Bytes that a pipe with room for any takes without waiting (POSIX, `write`).
if sys.platform == "win32":
    _SURE = 0
else:
    _SURE = select.PIPE_BUF


class Outlet:
    """Writes to some streams, in one order. Made, and asked, on the loop; who writes is a thread that nobody joins."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._moved = asyncio.Event()
        self._awaited = False  # a loop that is woken for each write does little else
        self._lock = threading.Condition()
        # All below is changed with the lock held.
        self._waiting: deque[tuple[RawIOBase, bytes]] = deque()
        self._size = 0
        self._failures: dict[RawIOBase, OSError] = {}
        self._rooms: dict[RawIOBase, Callable[[], bool]] = {}
        self._thread: threading.Thread | None = None

    def put(self, stream: RawIOBase, data: bytes) -> None:
        """Have more written to a stream. Raises OSError where what was put before could not be."""
        self.check(stream)
        if not self._size and self._has_room(stream):
            try:
                data = data[stream.write(data[:_SURE]) or 0 :]
            except OSError as error:
                self._failures[stream] = error
                raise
            if not data:
                return
        with self._lock:
            self._waiting.append((stream, data))
            self._size += len(data)
            self._lock.notify()
        if self._thread is None:
            self._thread = threading.Thread(target=self._write_all, daemon=True, name="llmterm-outlet")
            self._thread.start()

    async def room(self, most: int = _MOST) -> None:
        """Wait until no more than so many bytes wait."""
        while self._size > most:
            self._moved.clear()
            self._awaited = True
            if self._size > most:
                await self._moved.wait()
        self._awaited = False

    def check(self, stream: RawIOBase) -> None:
        """Raise OSError where something could not be written to a stream."""
        if failure := self._failures.get(stream):
            raise failure

    def _has_room(self, stream: RawIOBase) -> bool:
        """Tell whether a write of `_SURE` bytes is sure not to wait, as only pipes can promise."""
        if stream not in self._rooms:
            self._rooms[stream] = _room_of(stream)
        return self._rooms[stream]()

    def _write_all(self) -> None:
        while True:
            with self._lock:
                while not self._waiting:
                    self._lock.wait()
                stream = self._waiting[0][0]
                found: list[bytes] = []
                while self._waiting and self._waiting[0][0] is stream:
                    found.append(self._waiting.popleft()[1])
            self._write(stream, memoryview(b"".join(found)))

    def _write(self, stream: RawIOBase, data: memoryview) -> None:
        while data:
            written = len(data)
            if stream not in self._failures:
                try:
                    # None from a descriptor that somebody else has made one that does not wait.
                    written = stream.write(data[:_PIECE]) or _wait_for(stream)
                except OSError as error:
                    with self._lock:
                        self._failures[stream] = error
            data = data[written:]
            with self._lock:
                self._size -= written
            if self._awaited:
                with suppress(RuntimeError):  # the loop is closed
                    self._loop.call_soon_threadsafe(self._moved.set)


def _room_of(stream: RawIOBase) -> Callable[[], bool]:
    if sys.platform == "win32" or not stat.S_ISFIFO(os.fstat(stream.fileno()).st_mode):
        return lambda: False
    poll = select.poll()
    poll.register(stream, select.POLLOUT)
    return lambda: bool(poll.poll(0))


def _wait_for(stream: RawIOBase) -> int:
    select.select([], [stream], [])
    return 0


def same_file(one: TextIO, other: TextIO) -> bool:
    """Tell whether two streams lead to the same place: what is written to both is then read in one order."""
    try:
        first, second = os.fstat(one.fileno()), os.fstat(other.fileno())
    except (OSError, ValueError):
        return False
    return (first.st_dev, first.st_ino) == (second.st_dev, second.st_ino)
