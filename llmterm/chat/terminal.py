"""The user's terminal, taken for the length of a chat and given back exactly as it was found.

Between prompts the terminal stays in raw mode, so that no key typed while an answer begins or ends is echoed or
lost. Signals that end or stop a program come through here as well: every way out passes `restore`.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from llmterm.keys.replies import Keyboard  # a pipe has no keys

# DECSET: https://invisible-island.net/xterm/ctlseqs/ctlseqs.html
BRACKETED_PASTE, FOCUS_REPORTS = 2004, 1004
# Whatever was being drawn: synchronized output off, cursor on, colours plain.
_DRAWN = "\x1b[?2026l\x1b[?25h\x1b[0m"

# An answer that has not come so many seconds after the question is not waited for by who leaves.
_ANSWER_SECONDS = 1.0
# What ends a program unless it is caught, but for its own faults.
_ENDING = ("SIGTERM", "SIGHUP", "SIGINT", "SIGQUIT", "SIGABRT", "SIGALRM", "SIGUSR1", "SIGUSR2", "SIGXCPU")
# Those of them that a terminal sends for a key.
_TYPED = ("SIGINT", "SIGQUIT")


class Terminal:
    """The terminal of `descriptor`; `write` puts text on it. Enter it before drawing, leave it last."""

    def __init__(
        self,
        descriptor: int,
        write: Callable[[str], None],
        *,
        modes: Sequence[int] = (BRACKETED_PASTE, FOCUS_REPORTS),
        drawing: bool = True,
        question: str = "",
        settle: Callable[[float], None] = lambda seconds: None,
        keyboard: Callable[[], Keyboard | None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`modes` are on while the terminal is taken; `drawing` says that more than text is written to it.

        `question` is put to the terminal once, first; `settle` reads what it answers, for so many seconds at most.
        Whoever has the terminal next would have it typed otherwise. `keyboard` is how it tells more keys apart, as far
        as is known: it is switched on with the modes, or as soon as it is `heard` of.
        """
        self._descriptor = descriptor
        self._write = write
        self._enter = "".join(f"\x1b[?{mode}h" for mode in modes)
        self._question = question
        self._settle = settle
        self._keyboard = keyboard
        self._taken = False
        self._switched: Keyboard | None = None
        self._clock = clock
        # When the question was put, until it is answered or given up.
        self._asked: float | None = None
        self._reset = "".join(f"\x1b[?{mode}l" for mode in reversed(modes)) + (_DRAWN if drawing else "")
        self._termios: Any = None
        self._found: Any = None
        with suppress(ImportError):  # Windows: prompt_toolkit sets and resets the console's modes itself
            self._termios = importlib.import_module("termios")

    def __enter__(self) -> Self:
        if self._termios is not None:
            with suppress(self._termios.error):
                self._found = self._termios.tcgetattr(self._descriptor)
        self.take()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.restore()

    def take(self) -> None:
        """Put the terminal into the modes of a chat."""
        if self._found is not None:
            t = self._termios
            mode = [*self._found[:6], list(self._found[6])]
            mode[0] &= ~(t.IXON | t.IXOFF | t.ICRNL | t.INLCR | t.IGNCR)
            mode[3] &= ~(t.ECHO | t.ICANON | t.IEXTEN | t.ISIG)
            mode[6][t.VMIN], mode[6][t.VTIME] = 1, 0
            with suppress(t.error):
                t.tcsetattr(self._descriptor, t.TCSANOW, mode)
        with suppress(OSError):
            self._write(self._enter + self._question)
        if self._question:
            self._question, self._asked = "", self._clock()
        self._taken = True
        self.heard()

    def heard(self) -> None:
        """The terminal may have said how it tells more keys apart: have it do so, if it is taken."""
        keyboard = self._keyboard()
        if self._taken and self._switched is None and keyboard is not None:
            self._switched = keyboard
            with suppress(OSError):
                self._write(keyboard.on)

    def restore(self) -> None:
        """Give the terminal back as it was found; it may already be gone."""
        self._taken = False
        if self._asked is not None:
            left, self._asked = self._asked + _ANSWER_SECONDS - self._clock(), None
            self._settle(max(0.0, left))
        with suppress(OSError):
            self._write((self._switched.off if self._switched is not None else "") + self._reset)
        self._switched = None
        if self._found is not None:
            with suppress(self._termios.error):
                self._termios.tcsetattr(self._descriptor, self._termios.TCSADRAIN, self._found)

    def suspend(self) -> None:
        """Give the terminal back, stop this process as Ctrl-Z does, and take the terminal again afterwards."""
        stop = getattr(signal, "SIGTSTP", None)
        if stop is None:
            return
        self.restore()
        # The whole group, as the terminal's own Ctrl-Z would: whoever started us waits in it, and the shell for both.
        os.kill(0, stop)
        self.take()


class Signals:
    """Turns the signals that end a program into the cancellation of one task, and remembers which it was.

    While the terminal is lent to an editor or a pager, a Ctrl-C or Ctrl-\\ typed there is meant for that alone.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._lent = False
        self._installed: list[int] = []

    def lend(self) -> None:
        """Another program has the terminal."""
        self._lent = True

    def take_back(self) -> None:
        """It is ours again."""
        self._lent = False

    def install(self, task: asyncio.Task[Any]) -> None:
        loop = asyncio.get_running_loop()
        for name in _ENDING:
            number = getattr(signal, name, None)
            if number is None or signal.getsignal(number) is signal.SIG_IGN:  # as `nohup` has it
                continue
            with suppress(NotImplementedError, ValueError):  # Windows, or not the main thread
                loop.add_signal_handler(number, self._end, number, task)
                self._installed.append(number)

    @contextmanager
    def fatal(self) -> Iterator[None]:
        """Have each of them end the program where it stands, as it does any that is stopped.

        To end in its own way it would need a terminal that is the shell's by then, and be stopped for that again.
        """
        handlers = {number: signal.signal(number, signal.SIG_DFL) for number in self._installed}
        try:
            yield
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
                if sys.platform != "win32":
                    signal.siginterrupt(number, False)

    def remove(self) -> None:
        loop = asyncio.get_running_loop()
        while self._installed:
            loop.remove_signal_handler(self._installed.pop())

    def _end(self, number: int, task: asyncio.Task[Any]) -> None:
        if self._lent and signal.Signals(number).name in _TYPED:
            return
        first = self.received is None
        self.received = number
        if first:
            task.cancel()
