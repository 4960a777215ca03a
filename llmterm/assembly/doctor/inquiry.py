"""Asks a terminal what it can do, and waits for a moment for what it answers.

The questions end with one that all terminals answer: when that answer is there, what has not been said will not be.
The terminal's mode is put back on every way out, and what is typed meanwhile is lost: nobody else may be reading.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from llmterm.keys.replies import ASK_ATTRIBUTES, ASK_BACKGROUND, Replies
from llmterm.keys.scanner import Scanner
from llmterm.keys.sequences import Sequence

# https://invisible-island.net/xterm/ctlseqs/ctlseqs.html: DECRQM, its answer DECRPM, and that to primary DA.
_ASK_MODE = "\x1b[?{}$p"
_MODE = re.compile(r"\?(\d{1,6});(\d)\$y")
_FENCED = re.compile(rb"\x1b\[\?[\d;]*c")
_SECONDS = 1.0
_MOST_BYTES = 4096

SYNCHRONIZED = 2026
FOCUS = 1004


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What a terminal says: of a mode whether it has it; the background's red, green and blue, from 0 to 1.

    `None` is no answer to that; `answered` is whether there was any.
    """

    answered: bool = False
    synchronized: bool | None = None
    focus: bool | None = None
    background: tuple[float, float, float] | None = None


def understood(data: bytes) -> Answers:
    """Return what is said in `data`, whatever is in it besides."""
    replies = Replies()
    modes = {}
    for token in Scanner().feed(data.decode("latin-1"), 0.0):
        if isinstance(token, Sequence):
            replies.note(token)
            # 0 is "not recognized" and 4 "never": 1 and 2 are on and off, 3 is always.
            if mode := _MODE.fullmatch(token.body):
                modes[int(mode[1])] = mode[2] in "123"
    return Answers(
        answered=replies.complete,
        synchronized=modes.get(SYNCHRONIZED),
        focus=modes.get(FOCUS),
        background=replies.background,
    )


async def ask(descriptor: int, write: Callable[[str], None], *, seconds: float = _SECONDS) -> Answers:
    """Ask the terminal of `descriptor`, to which `write` writes; say what it answered within `seconds`."""
    try:
        termios: Any = importlib.import_module("termios")
    except ImportError:  # Windows
        return Answers()
    try:
        found = termios.tcgetattr(descriptor)
    except termios.error:  # no terminal after all
        return Answers()
    mode = [*found[:6], list(found[6])]
    mode[3] &= ~(termios.ECHO | termios.ICANON)
    mode[6][termios.VMIN], mode[6][termios.VTIME] = 1, 0
    termios.tcsetattr(descriptor, termios.TCSADRAIN, mode)
    try:
        write(f"{_ASK_MODE.format(SYNCHRONIZED)}{_ASK_MODE.format(FOCUS)}{ASK_BACKGROUND}{ASK_ATTRIBUTES}")
        return understood(await _heard(descriptor, seconds))
    finally:
        # What comes too late should not be taken for typed text.
        termios.tcsetattr(descriptor, termios.TCSAFLUSH, found)


async def _heard(descriptor: int, seconds: float) -> bytes:
    loop = asyncio.get_running_loop()
    done = asyncio.Event()
    data = bytearray()

    def take() -> None:
        try:
            piece = os.read(descriptor, 1024)
        except OSError:
            piece = b""
        data.extend(piece)
        if not piece or len(data) > _MOST_BYTES or _FENCED.search(data):
            loop.remove_reader(descriptor)
            done.set()

    try:
        loop.add_reader(descriptor, take)
    except (NotImplementedError, OSError):  # Windows; a file that cannot be waited for
        return b""
    try:
        async with asyncio.timeout(seconds):
            await done.wait()
    except TimeoutError:
        pass
    finally:
        loop.remove_reader(descriptor)
    return bytes(data)
