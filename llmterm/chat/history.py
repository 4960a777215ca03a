"""What was typed in earlier chats, in a file that only this user can read.

A file that cannot be used (a folder has its name, a full or read-only disk, no permission, a link that leads nowhere)
costs no more than what it holds: what is typed from then on is remembered until the program ends. What the file holds
is read, and what is typed is written, in a thread of its own: no key waits for it.
"""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncGenerator, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path

from prompt_toolkit.history import FileHistory

from llmterm.lane import Lane


class PromptHistory(FileHistory):
    """The history of a prompt. `trouble` is why the file is not used any more, "" as long as it is."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self.trouble = ""
        self._path = path
        self._lane = Lane("llmterm-history")
        self._lane.put(self._prepare)

    async def ready(self, seconds: float = 0.2) -> None:
        """Wait until what the file holds can be called back, but no longer than so many seconds."""
        with suppress(TimeoutError):
            await asyncio.wait_for(anext(self.load(), None), seconds)

    async def load(self) -> AsyncGenerator[str, None]:
        if not self._loaded:
            written = len(self._loaded_strings)
            strings = await self._lane.run(lambda: list(self.load_history_strings()))
            if not self._loaded and not self.trouble:
                typed = len(self._loaded_strings) - written  # how many came meanwhile, which the file did not have
                self._loaded_strings = self._loaded_strings[:typed] + strings
            self._loaded = True
        for string in self._loaded_strings:
            yield string

    def load_history_strings(self) -> Iterable[str]:
        """Return what is in the file, the newest first; nothing of one that cannot be read."""
        if not self.trouble:
            try:
                return list(super().load_history_strings())
            except (OSError, ValueError) as error:
                self._give_up(error)
        return []

    def store_string(self, string: str) -> None:
        self._lane.put(partial(self._write, string))

    async def close(self, seconds: float = 1.0) -> None:
        """Wait until what was typed is written, but no longer than so many seconds."""
        self._lane.close()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._lane.run(lambda: None), seconds)

    def _prepare(self) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # Also where it is there already: whether it can be written is best known before something is typed. Not to
            # be waited for, as a pipe of that name would have it.
            handle = os.open(self._path, os.O_CREAT | os.O_WRONLY | os.O_APPEND | getattr(os, "O_NONBLOCK", 0), 0o600)
            try:
                usable = stat.S_ISREG(os.fstat(handle).st_mode) or os.path.realpath(self._path) == os.devnull
            finally:
                os.close(handle)
            if not usable:
                raise OSError("not a file")
        except (OSError, ValueError) as error:
            self._give_up(error)

    def _write(self, string: str) -> None:
        if self.trouble:
            return
        try:
            super().store_string(string)
        except (OSError, ValueError) as error:
            self._give_up(error)

    def _give_up(self, error: OSError | ValueError) -> None:
        why = getattr(error, "strerror", None) or error
        self.trouble = f"{self._path}: {why} (what you type is remembered until you leave)"
