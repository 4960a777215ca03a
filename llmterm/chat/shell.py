"""`!command`: a command of the user's shell, run because the user has typed it, and for no other reason.

What it says is shown, and is put into the line for the next message. Nothing that a model writes comes here.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from llmterm.chat.commands import Commands
from llmterm.chat.decision import Decision, Gesture, Leave, Send, Steer
from llmterm.chat.input import InputLine
from llmterm.chat.machine import Machine, Ran
from llmterm.chat.pasted import size_of
from llmterm.chat.view import View
from llmterm.errors import UsageError
from llmterm.threads import in_thread

# So much of what it says is kept, in bytes; more fills most contexts.
MOST = 256 * 1024
# ECMA-48, 5.3 and 5.4: what sets colours and moves the cursor, and strings such as titles and links.
_CONTROL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[ -/]*[0-~]")
_OVERWRITTEN = re.compile(r"^[^\n]*\r(?=[^\n])", re.MULTILINE)
# How many lines of it are shown.
_SHOWN = 40
# How long one that is stopped may take for its own end, in seconds.
_ENDING = 1.0


async def run(command: str, environ: Mapping[str, str], folder: Path, stop: asyncio.Event) -> Ran:
    """Run a command until its end, or until `stop`; what it has started ends with it. It reads nothing.

    Raises UsageError.
    """
    try:
        process = await in_thread(_start, command, environ, folder)
    except OSError as error:
        raise UsageError(f"the shell cannot be run: {error.strerror}", hint="$SHELL names it") from None
    said = bytearray()
    # In threads: what asyncio makes of a process waits for its pipes, too, which anything left behind may hold open.
    reading = asyncio.create_task(in_thread(_read, process, said))
    over = asyncio.create_task(in_thread(process.wait))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({over, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not over.done():
            _signal(process, signal.SIGTERM)
        await asyncio.wait({reading}, timeout=_ENDING)
    finally:
        stopping.cancel()
        await _end(process, over, reading)
    return Ran(_read_as_text(bytes(said[:MOST])), process.returncode or 0, len(said) > MOST)


async def shell(text: str, line: InputLine, view: View, machine: Machine, *, plain: bool) -> Leave | None:
    """Run a command for the user; what it says becomes part of the line. Esc and Ctrl-C stop it; return how he left.

    What is sent meanwhile waits.
    """
    command, stop = Commands.of_shell(text), asyncio.Event()
    running = asyncio.create_task(machine.shell(command, stop))
    left: Leave | None = None
    with line.saying(lambda: f"{text} runs - Esc stops it"):
        while not running.done():
            deciding = asyncio.create_task(line.decision())
            await asyncio.wait({running, deciding}, return_when=asyncio.FIRST_COMPLETED)
            if not deciding.done():
                deciding.cancel()
                await asyncio.wait({deciding})
            if not deciding.cancelled():
                left = _decide(deciding.result(), line, view, stop) or left
    try:
        ran = await running
    except UsageError as error:
        view.say(str(error), error=True)
        return left
    # A key in its environment is one that the program was given: it is none to be sent along.
    output, ended = machine.mask(ran.output), _ended(ran.code)
    block = f"Output of `{command}` ({ended}{', cut' if ran.cut else ''}):\n{_fenced(output)}\n"
    if not plain:  # there the line says it all
        for said in _shown(output):
            view.say(said)
    if ran.code or ran.cut or not output.strip():
        view.say(f"{ended}{f', only {MOST:,} bytes are kept' if ran.cut else ''}")
    if output.strip() and not line.queue.enclose(block, asks=_asks, typing=bool(line.text.strip())):
        line.append(block, f"output: {size_of(output)}")
    return left


def _asks(text: str) -> bool:
    return not (Commands.is_command(text) or Commands.of_shell(text))


def _decide(decision: Decision, line: InputLine, view: View, stop: asyncio.Event) -> Leave | None:
    match decision:
        case Send(text) | Steer(text):
            line.queue.add(text)
            view.note(f"queued as the next message: {text}")
            view.refresh()
        case Gesture.STOP:
            stop.set()
        case Leave():
            stop.set()
            return decision
        case _:
            pass  # nothing streams that could be paused
    return None


def _read_as_text(said: bytes) -> str:
    """Return what was said to a terminal as a text: without colours, and of a row that was written over the last."""
    text = _CONTROL.sub("", said.decode("utf-8", "replace")).replace("\r\n", "\n")
    return _OVERWRITTEN.sub("", text)


def _shown(output: str) -> list[str]:
    lines = output.rstrip("\n").split("\n") if output.strip() else []
    more = len(lines) - _SHOWN
    return lines if more <= 0 else [*lines[:_SHOWN], f"… and {more:,} lines more, which go along"]


def _fenced(output: str) -> str:
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", output)), default=0))
    return f"{fence}\n{output.rstrip(chr(10))}\n{fence}"


def _start(command: str, environ: Mapping[str, str], folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        shell=True,  # it is one that the user has typed for the shell
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=folder,
        env=dict(environ),
        executable=environ.get("SHELL") or None,
        # A group of its own can be ended as a whole, and Ctrl-Z is not for it.
        start_new_session=sys.platform != "win32",
    )


def _read(process: subprocess.Popen[bytes], said: bytearray) -> None:
    """Read to the end, and keep what is kept."""
    assert process.stdout is not None
    with process.stdout as pipe:
        while piece := os.read(pipe.fileno(), 1 << 16):
            said += piece[: MOST + 1 - len(said)]


async def _end(process: subprocess.Popen[bytes], over: asyncio.Task[int], reading: asyncio.Task[None]) -> None:
    """See to it that nothing of it goes on."""
    for number in (signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)):
        if over.done() and reading.done():
            return
        _signal(process, number)
        await asyncio.wait({over, reading}, timeout=_ENDING)


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        if sys.platform == "win32":
            process.terminate()
        else:
            os.killpg(process.pid, number)


def _ended(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"ended by {signal.Signals(-code).name}"
    except ValueError:  # one of those that have no names
        return f"ended by signal {-code}"
