"""The real program in a pseudo-terminal, and the screen that a person would see.

`Program` runs a command with pexpect and feeds what it writes to a pyte screen. Everything waits for something to be
seen; nothing waits for time to pass.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import termios
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import pexpect
import pyte

LLMTERM = [sys.executable, "-m", "llmterm"]
PATIENCE = 60.0
# Seconds that a program has to end when its terminal is closed.
GRACE = 5.0


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

    def _text(self, row: int) -> str:
        cells = [" "] * self.columns
        for column, cell in self.buffer[row].items():
            if column < self.columns:
                cells[column] = cell.data
        return "".join(cells).rstrip()


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
        self._child = pexpect.spawn(
            command[0],
            list(command[1:]),
            env=dict(env),
            dimensions=(rows, columns),
            timeout=PATIENCE,
            cwd=cwd,
            echo=True,
        )
        # Without this pexpect waits before each send, for the sake of programs that ask for passwords.
        self._child.delaybeforesend = None
        self.modes_before = set(self.screen.mode)
        self.stty_before = self.stty()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        """End the program where it still runs: by closing its terminal, and if that does not help, by force."""
        if self._child.closed:
            return
        if not self._child.isalive():
            self._child.close()
            return
        killing = threading.Timer(GRACE, os.kill, (self.pid, signal.SIGKILL))
        killing.start()
        try:
            self.hang_up()
        finally:
            killing.cancel()

    @property
    def pid(self) -> int:
        pid: int = self._child.pid
        return pid

    @property
    def exit_code(self) -> int:
        """The exit code, or minus the signal, once the program has ended."""
        self.wait_for_end()
        if self._child.signalstatus is not None:
            return -int(self._child.signalstatus)
        return int(self._child.exitstatus)

    def hang_up(self) -> int:
        """Close the terminal, as when its window is closed; return the exit code, or minus the signal."""
        process = self._child.ptyproc
        process.fileobj.close()
        _, status = os.waitpid(self.pid, 0)
        self._child.closed = process.closed = process.terminated = True  # nobody is there to be closed any more
        return os.waitstatus_to_exitcode(status)

    def stty(self) -> list[Any]:
        """The terminal driver's settings, as `stty -a` shows them."""
        return termios.tcgetattr(self._child.child_fd)

    def send(self, text: str) -> None:
        self._child.send(text)

    def resize(self, columns: int, rows: int) -> None:
        self._child.setwinsize(rows, columns)
        self.screen.resize(rows, columns)

    @property
    def lines(self) -> list[str]:
        """What scrolled away and what is on the screen, oldest line first, without trailing blanks."""
        return self.screen.above + self.screen.rows

    @property
    def text(self) -> str:
        return "\n".join(self.lines).rstrip()

    @property
    def words(self) -> str:
        """The text with line ends and runs of blanks as one blank, as wrapping makes no difference to it."""
        return " ".join(self.text.split())

    def wait_for(self, wanted: str | Callable[[], bool], timeout: float = PATIENCE) -> None:
        """Wait until a regular expression matches the text, or until a condition holds."""
        condition = wanted if callable(wanted) else lambda: re.search(wanted, self.text) is not None
        deadline = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < deadline, f"not seen: {wanted}\n{self.text}"
            if not self._read():
                assert condition(), f"ended before: {wanted}\n{self.text}"
                return

    def wait_for_end(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while self._read():
            assert time.monotonic() < deadline, f"does not end\n{self.text}"
        self._child.wait()

    def _read(self) -> bool:
        """Take in what the program has written; return whether it still runs."""
        try:
            data = self._child.read_nonblocking(65536, timeout=0.05)
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return False
        self.written += data
        self._stream.feed(data)
        return True

    @property
    def modes_left(self) -> set[int]:
        """Terminal modes that are not as they were found, by their private number."""
        changed = set(self.screen.mode) ^ self.modes_before
        return {mode >> 5 for mode in changed} | ({25} if self.screen.cursor.hidden else set())
