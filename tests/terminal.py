"""The real program in a pseudo-terminal, and the screen that a person would see.

`Program` has a command started and feeds what it writes to a pyte screen. Everything waits for something to be
seen; nothing waits for time to pass.
"""

from __future__ import annotations

import os
import re
import select
import signal
import termios
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from io import FileIO
from pathlib import Path
from typing import Any, Self

import pyte

from tests.starter import LLMTERM as LLMTERM
from tests.starter import Command, starter

PATIENCE = 60.0
# The chat is there: its welcome, and its own prompt below. The first prompt is there before the program is.
READY = r"(?ms)^llmterm .*^>"
# Seconds that a program has to end when its terminal is closed.
GRACE = 30.0
# What pyte takes for text, or for a style: private sequences that switch what keys send, and ask for a name.
_UNKNOWN = re.compile(rb"\x1b\[[<>][\d;]*[a-z]")


def environment(home: Path, **more: str) -> dict[str, str]:
    """Return the environment of a new user: an empty home, a terminal, no keys, and no Ollama where one may run."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "TERM": "xterm-256color",
        "LANG": "C.UTF-8",
        "LLMTERM_DATA_DIR": str(home / "data"),
        "XDG_CONFIG_HOME": str(home / "config"),
        "OLLAMA_HOST": "127.0.0.1:9",
        **more,
    }


class Screen(pyte.Screen):
    """A screen that keeps the text of what scrolled away, `above`. It is cheap to read: tests do after each write."""

    def reset(self) -> None:
        super().reset()
        self.above: list[str] = []

    @property
    def rows(self) -> list[str]:
        """The text of each row without trailing blanks."""
        return [self._text(row) for row in range(self.lines)]

    def index(self) -> None:
        top, bottom = self.margins or (0, self.lines - 1)
        if self.cursor.y == bottom:
            self.above.append(self._text(top))
        super().index()

    def erase_in_display(self, how: int = 0, *args: Any, **kwargs: Any) -> None:
        super().erase_in_display(how, *args, **kwargs)
        if how == 3:
            self.above.clear()

    def set_margins(self, *margins: int | None, private: bool = False) -> None:
        """Take XTRESTORE, which has the same letter, for none."""
        if not private:
            super().set_margins(*margins)

    def select_graphic_rendition(self, *attrs: int, **more: Any) -> None:
        """Show what is faint in grey: pyte knows no such text."""
        grey = (38, 5, 245) if attrs[:1] == (2,) else ()
        super().select_graphic_rendition(*grey, *attrs, **more)

    def _text(self, row: int) -> str:
        cells = [" "] * self.columns
        for column, cell in self.buffer[row].items():
            if column < self.columns:
                cells[column] = cell.data
        return "".join(cells).rstrip()


def said(lines: Sequence[str]) -> Iterator[str]:
    """Yield lines as a reader takes them, whatever stands left of them."""
    before = ""
    for line in lines:
        typed = line.startswith(">") or (before == ">" and line.startswith("  "))
        asked = line.startswith("▌")
        if asked:
            yield line.replace("▌", " " if before == "▌" else ">", 1)
        else:
            yield line if typed else line.removeprefix("  ")
        before = ">" if typed else "▌" if asked else ""


class Program:
    """A program in a terminal of `columns` by `rows`."""

    def __init__(
        self,
        command: Sequence[str],
        env: Mapping[str, str],
        *,
        columns: int = 80,
        rows: int = 24,
        cwd: Path | str | None = None,
    ) -> None:
        self.screen = Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self.written = b""
        ours, theirs = os.openpty()
        self._terminal = FileIO(ours, "r+")
        termios.tcsetwinsize(theirs, (rows, columns))
        self._started = starter().start(Command(command, env, str(cwd or Path.cwd())), [theirs])
        self.modes_before = set(self.screen.mode)
        self.stty_before = self.stty()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        """End the program where it still runs: by closing its terminal, and if that does not help, by force."""
        killing = threading.Timer(GRACE, os.kill, (self.pid, signal.SIGKILL))
        killing.start()
        try:
            self.hang_up()
        finally:
            killing.cancel()

    @property
    def pid(self) -> int:
        return self._started.pid

    @property
    def exit_code(self) -> int:
        """The exit code, or minus the signal, once the program has ended."""
        self.wait_for_end()
        return self._started.wait()

    def hang_up(self) -> int:
        """Close the terminal, as when its window is closed; return the exit code, or minus the signal."""
        self._terminal.close()
        return self._started.wait()

    def stty(self) -> list[Any]:
        """The terminal driver's settings, as `stty -a` shows them."""
        return termios.tcgetattr(self._terminal)

    def send(self, text: str) -> None:
        data = text.encode()
        while data:
            data = data[self._terminal.write(data) or 0 :]

    def resize(self, columns: int, rows: int) -> None:
        termios.tcsetwinsize(self._terminal, (rows, columns))
        self.screen.resize(rows, columns)

    @property
    def lines(self) -> list[str]:
        """What scrolled away and what is on the screen, oldest line first, without trailing blanks."""
        return self.screen.above + self.screen.rows

    @property
    def text(self) -> str:
        """What is said on these lines: less the margin of answers, and with ">" before what the user has said."""
        return "\n".join(said(self.lines)).rstrip()

    @property
    def words(self) -> str:
        """The text with line ends and runs of blanks as one blank, as wrapping makes no difference to it."""
        return " ".join(self.text.split())

    def wait_for(self, wanted: str | Callable[[], bool], timeout: float = PATIENCE) -> None:
        """Wait until a regular expression matches the text, or until a condition holds."""
        condition = wanted if callable(wanted) else lambda: re.search(wanted, self.text) is not None
        deadline = time.monotonic() + timeout
        while not ((callable(wanted) or self._drawn) and condition()):
            assert time.monotonic() < deadline, f"not seen: {wanted}\n{self.text}"
            if not self._read():
                assert condition(), f"ended before: {wanted}\n{self.text}"
                return

    @property
    def _drawn(self) -> bool:
        """Whether no frame is half read: a terminal shows it once it is whole (DECSET 2026)."""
        return self.written.rfind(b"\x1b[?2026h") <= self.written.rfind(b"\x1b[?2026l")

    def wait_for_end(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while self._read():
            assert time.monotonic() < deadline, f"does not end\n{self.text}"

    def _read(self) -> bool:
        """Take in what the program has written; return whether more can come."""
        if not select.select([self._terminal], [], [], 0.05)[0]:
            return True
        try:
            data = self._terminal.read(65536)
        except OSError:  # how Linux says that nobody has the other side open
            data = b""
        if data:
            self.written += data
            self._stream.feed(_UNKNOWN.sub(b"", data))
        return bool(data)

    @property
    def modes_left(self) -> set[int]:
        """Terminal modes that are not as they were found, by their private number."""
        changed = set(self.screen.mode) ^ self.modes_before
        return {mode >> 5 for mode in changed} | ({25} if self.screen.cursor.hidden else set())
