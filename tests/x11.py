"""A virtual X server with windows and a keyboard, for what can only be tried where there is a display.

Xvfb is the server, xterm a window of somebody else, xdotool the fingers. Where one of them is missing the test is
skipped, but fails when LLMTERM_TEST_ALL is set, as it is where all tests have to run.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

# Without -noreset it forgets all when its last client leaves.
_XVFB = ("Xvfb", "-screen", "0", "320x240x24", "-nolisten", "tcp", "-noreset")


@dataclass(frozen=True, slots=True)
class Display:
    """An X server; `name` is what DISPLAY has to be."""

    name: str

    @property
    def environ(self) -> dict[str, str]:
        return {**os.environ, "DISPLAY": self.name}

    def xdotool(self, *words: str) -> str:
        """Press, type, focus: see `man xdotool`. Returns what it says, after the server has done it."""
        done = subprocess.run(["xdotool", *words], env=self.environ, check=True, capture_output=True, text=True)
        return done.stdout.strip()


def require(*programs: str, libraries: tuple[str, ...] = ()) -> None:
    """Skip the test, or fail it where everything has to run, unless all of this is installed."""
    missing = [program for program in programs if shutil.which(program) is None]
    missing += [library for library in libraries if importlib.util.find_spec(library) is None]
    if not missing:
        return
    reason = f"not installed: {', '.join(missing)}"
    if os.environ.get("LLMTERM_TEST_ALL"):
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def x_server(*options: str) -> Iterator[Display]:
    """Start a server on a free display, ready to be connected to; it ends with the block."""
    read_end, write_end = os.pipe()
    with (
        subprocess.Popen(
            [
                "Xvfb",
                "-displayfd",
                str(write_end),
                "-screen",
                "0",
                "320x240x24",
                "-nolisten",
                "tcp",
                "-noreset",
                *options,
            ],
            pass_fds=[write_end],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as server,
        open(read_end, encoding="ascii") as told,
    ):
        os.close(write_end)
        try:
            number = told.readline().strip()
            assert number, "Xvfb ended instead of telling its display"
            yield Display(f":{number}")
        finally:
            server.terminate()


@contextmanager
def other_window(display: Display) -> Iterator[str]:
    """Open a window of another program, give it the focus, and return its number."""
    with subprocess.Popen(
        ["xterm", "-class", "SomebodyElse", "-e", "cat"], env=display.environ, stderr=subprocess.DEVNULL
    ) as xterm:
        try:
            window = display.xdotool("search", "--sync", "--onlyvisible", "--limit", "1", "--class", "SomebodyElse")
            display.xdotool("windowfocus", "--sync", window)
            yield window
        finally:
            xterm.terminate()
