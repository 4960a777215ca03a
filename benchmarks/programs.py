"""The programs under measurement: llmterm in a terminal and on a pipe, the bare loop, and the server they talk to.

All run with this interpreter, as a new user with an empty home, and ask the same server.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.answer import END, Recipe
from benchmarks.child import PATIENCE, Child, Usage
from benchmarks.clock import Clock

LLMTERM = (sys.executable, "-m", "llmterm")
TERMINAL = (100, 40)
# The line as it is drawn for the first time; what was sent is echoed otherwise.
PROMPT = rb"\x1b\[1m>\x1b\[0m \r"
# The status line after an answer, or what has changed in it: while one streams it tells tokens a second.
ANSWERED = rb"2m(?:[^\s\x1b]+ - )?(?:about )?[\d,]* ?tokens?\b(?!/s)|/continue goes on"


class Programs:
    """Starts them, with `home` as theirs."""

    def __init__(self, server: Child, home: Path) -> None:
        self.home = home
        self.reports = Reports(server)
        self.port = self.reports.next()["port"]

    def env(self, home: Path | None = None, **more: str) -> dict[str, str]:
        home = home or self.home
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "TERM": "xterm-256color",
            "LANG": "C.UTF-8",
            "LLMTERM_DATA_DIR": str(home / "data"),
            "OPENAI_BASE_URL": f"http://127.0.0.1:{self.port}/v1",
            "OPENAI_API_KEY": "none",
            **more,
        }

    def chat(self, env: dict[str, str] | None = None, clock: Clock | None = None) -> Child:
        """Start a chat in a terminal, by the machine's clock or by another."""
        program = (sys.executable, "-m", "benchmarks.clock", str(clock.file)) if clock else LLMTERM
        return Child([*program, "chat"], env or self.env(), terminal=TERMINAL)

    def pipe(self, recipe: Recipe, env: dict[str, str] | None = None, *flags: str) -> Child:
        """Start `echo question | llmterm chat | us`."""
        return _asked(Child([*LLMTERM, "chat", *flags], env or self.env()), recipe)

    def bare(self, recipe: Recipe, provider: str = "openai", path: str = "/v1") -> Child:
        """Start the loop that has nothing but the libraries, for one provider, at a path of the server."""
        url = f"http://127.0.0.1:{self.port}{path}"
        return _asked(Child([sys.executable, "-m", "benchmarks.bare_loop", provider, url], self.env()), recipe)

    def bare_pause(self) -> Child:
        """Start, in a terminal, the program that can pause and nothing else."""
        url = f"http://127.0.0.1:{self.port}/v1"
        return Child([sys.executable, "-m", "benchmarks.bare_pause", url], self.env(), terminal=TERMINAL)

    def bare_genai(self, recipe: Recipe) -> Child:
        """Start the loop that has nothing but Gemini's SDK."""
        url = f"http://127.0.0.1:{self.port}"
        return _asked(Child([sys.executable, "-m", "benchmarks.bare_genai", url], self.env()), recipe)

    def in_terminal(self, recipe: Recipe) -> Usage:
        """Return what a chat of one question uses, from its start until it has left."""
        with self.chat() as chat:
            ask(chat, recipe)
            leave(chat)
            return chat.finish()

    def on_pipe(self, recipe: Recipe) -> Usage:
        with self.pipe(recipe) as child:
            return child.finish()

    def by_bare_loop(self, recipe: Recipe) -> Usage:
        with self.bare(recipe) as child:
            return child.finish()


class Reports:
    """What the server tells, in order."""

    def __init__(self, server: Child) -> None:
        self._server = server
        self._rest = b""

    def next(self, timeout: float = PATIENCE) -> dict[str, Any]:
        """Return the next report, or an empty one if none came in time."""
        while b"\n" not in self._rest:
            data = self._server.read(timeout)
            if not data:
                return {}
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        report: dict[str, Any] = json.loads(line)
        return report

    def wait_for(self, event: str, *, draining: Child) -> int:
        """Return when the next `event` happened, skipping others; a child that writes meanwhile is not held up."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            draining.read_for(0.002)
            while report := self.next(timeout=0):
                if report["event"] == event:
                    return int(report["at"])
        raise RuntimeError(f"the server does not tell of {event!r}")


@contextmanager
def programs() -> Iterator[Programs]:
    """Run the server, in an empty home."""
    with (
        tempfile.TemporaryDirectory(prefix="llmterm-bench-") as home,
        Child([sys.executable, "-m", "benchmarks.server"], dict(os.environ)) as server,
    ):
        yield Programs(server, Path(home))


def ask(chat: Child, recipe: Recipe) -> None:
    chat.wait_for(PROMPT)
    chat.write(recipe.question().encode() + b"\r")


def leave(chat: Child) -> None:
    """Wait for the end of the answer, and leave once it is over: a command that leaves waits for that."""
    chat.wait_for(END.encode())
    chat.write(b"/quit\r")


def _asked(child: Child, recipe: Recipe) -> Child:
    child.write(recipe.question().encode() + b"\n")
    child.close_input()
    return child
