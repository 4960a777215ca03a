"""The real program in a real terminal that lays long lines out anew when its width changes: tmux."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from tests.terminal import PATIENCE, said
from tests.x11 import require


class Tmux:
    """A program in a window of its own, of a tmux server of its own, for the length of a `with`."""

    def __init__(
        self, folder: Path, command: Sequence[str], env: Mapping[str, str], *, columns: int = 80, rows: int = 24
    ) -> None:
        """`folder` holds the server's socket; its path must be short, as sockets have it."""
        require("tmux")
        self._tmux = ["tmux", "-S", str(folder / "t"), "-f", os.devnull]
        self._env = dict(env)
        settings = " ".join(f"{name}={shlex.quote(value)}" for name, value in env.items())
        program = f"exec env -u TERM {settings} TERM=tmux-256color {shlex.join(command)}"
        self._start = ["new-session", "-d", "-x", str(columns), "-y", str(rows), program]

    def __enter__(self) -> Self:
        self._run(*self._start)
        self._pid = int(self._run("display-message", "-p", "#{pane_pid}"))
        return self

    def __exit__(self, *exc: object) -> None:
        # The program first: what it still writes would be in the way of whoever removes its folder.
        with suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGHUP)
        deadline = time.monotonic() + PATIENCE
        while _runs(self._pid):
            assert time.monotonic() < deadline, "does not end by a hang-up"
            time.sleep(0.02)
        subprocess.run([*self._tmux, "kill-server"], env=self._env, capture_output=True)  # or it has ended by itself

    def send(self, text: str) -> None:
        self._run("send-keys", "-l", text)

    def press(self, key: str) -> None:
        """Press a key by tmux's name of it."""
        self._run("send-keys", key)

    def resize(self, columns: int, rows: int) -> None:
        self._run("resize-window", "-x", str(columns), "-y", str(rows))

    @property
    def text(self) -> str:
        """What scrolled away and what is on the screen, each line as it was written, however wide the window is, as a
        reader takes it.
        """
        shown = self._run("capture-pane", "-p", "-J", "-S", "-")
        return "\n".join(said([line.rstrip() for line in shown.split("\n")])).rstrip()

    def wait_for(self, wanted: str | Callable[[], bool]) -> None:
        """Wait until a regular expression matches the text, or until a condition holds."""
        condition = wanted if callable(wanted) else lambda: re.search(wanted, self.text) is not None
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, f"not seen: {wanted}\n{self.text}"
            time.sleep(0.02)

    def _run(self, *command: str) -> str:
        done = subprocess.run([*self._tmux, *command], env=self._env, capture_output=True, text=True, check=True)
        return done.stdout


def _runs(pid: int) -> bool:
    """Tell whether the program has not ended; that nobody has asked how it ended is no matter."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout.strip()
    return state != "" and not state.startswith("Z")
