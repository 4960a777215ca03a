"""The input of prompt_toolkit for a POSIX terminal, with every sequence understood or passed over, and none typed.

It stands where the bytes are read, so that a prompt and whoever else listens share one state: what one of them leaves
half read the next one goes on with. It keeps the time itself: a flush from outside, which cannot know what is held or
for how long, does nothing.
"""

from __future__ import annotations

import asyncio
import select
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import KeyPress

from llmterm.keys.keymap import presses
from llmterm.keys.replies import Replies
from llmterm.keys.scanner import Scanner, Waits
from llmterm.keys.sequences import ESC, Sequence, Token


class Reader(Protocol):
    """Reads what there is, as text, without waiting."""

    def read(self, count: int = 1024) -> str: ...


class DecodedInput(Input):
    """An input that reads by `reader`, and is in all else as `inner`."""

    def __init__(
        self,
        inner: Input,
        reader: Reader,
        *,
        replies: Replies,
        waits: Waits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`replies` takes in all sequences, `clock` gives seconds."""
        self._inner = inner
        self._reader = reader
        self._replies = replies
        self._scanner = Scanner(waits)
        self._clock = clock
        self._ready: list[KeyPress] = []
        self._last: KeyPress | None = None
        self._callback: Callable[[], None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def read_keys(self) -> list[KeyPress]:
        self._read()
        ready, self._ready = self._ready, []
        return ready

    def early(self) -> str:
        """Take in what has come before anybody listens, and return it up to the first sequence. Its keys are kept."""
        return self._read().partition(ESC)[0]

    def settle(self, seconds: float) -> None:
        """Read on until the terminal has said all that it will, for so long at most. It blocks.

        Keys that come meanwhile are kept.
        """
        until = self._clock() + seconds
        while not (self._replies.complete or self.closed):
            left = until - self._clock()
            if not select.select([self.fileno()], [], [], max(0.0, left))[0] or not self._read() or left <= 0:
                return

    @contextmanager
    def attach(self, input_ready_callback: Callable[[], None]) -> Iterator[None]:
        with self._inner.attach(input_ready_callback), self._calling(input_ready_callback):
            yield

    @contextmanager
    def detach(self) -> Iterator[None]:
        with self._inner.detach(), self._calling(None):
            yield

    @contextmanager
    def _calling(self, callback: Callable[[], None] | None) -> Iterator[None]:
        before, self._callback = self._callback, callback
        self._wake()
        try:
            yield
        finally:
            self._callback = before
            self._wake()

    def _read(self) -> str:
        """Take in what there is, and return it as it came."""
        data = self._reader.read()
        self._take(self._scanner.feed(data, self._clock()))
        if self.closed:
            self._take(self._scanner.end())
        self._wait()
        return data

    def _take(self, tokens: list[Token]) -> None:
        for token in tokens:
            if isinstance(token, Sequence):
                self._replies.note(token)
        found = presses(tokens, self._last)
        self._last = found[-1] if found else self._last
        self._ready += found

    def _wait(self) -> None:
        """Have the scanner expire in time, if anybody listens then."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._scanner.due is not None and self._callback is not None:
            delay = max(0.0, self._scanner.due - self._clock())
            self._timer = asyncio.get_running_loop().call_later(delay, self._expire)

    def _expire(self) -> None:
        self._timer = None
        self._read()  # what has come in time, however late it is read, keeps a sequence together
        self._take(self._scanner.expire(self._clock()))
        self._wait()
        self._wake()

    def _wake(self) -> None:
        """Have whoever listens fetch what is ready, and what is still waited for."""
        self._wait()
        if self._ready and self._callback is not None:
            asyncio.get_running_loop().call_soon(self._call)

    def _call(self) -> None:
        if self._ready and self._callback is not None:
            self._callback()

    def fileno(self) -> int:
        return self._inner.fileno()

    def typeahead_hash(self) -> str:
        return self._inner.typeahead_hash()

    @property
    def closed(self) -> bool:
        return self._inner.closed

    def raw_mode(self) -> AbstractContextManager[None]:
        return self._inner.raw_mode()

    def cooked_mode(self) -> AbstractContextManager[None]:
        return self._inner.cooked_mode()

    def close(self) -> None:
        self._inner.close()
