"""`!command`: a command of the user's shell, run because the user has typed it, and for no other reason.

What it says is shown, and is put into the line for the next message. Nothing that a model writes comes here.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
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
    """Run a command until its end, or until `stop`. It reads nothing, and ends with us. Raises UsageError."""
    try:
        process = await asyncio.create_subprocess_shell(
            command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=folder,
            env=dict(environ),
            executable=environ.get("SHELL") or None,
            # What it starts is ended with it, and Ctrl-Z is not for it.
            start_new_session=sys.platform != "win32",
        )
    except OSError as error:
        raise UsageError(f"the shell cannot be run: {error.strerror}", hint="$SHELL names it") from None
    said = bytearray()
    reading = asyncio.create_task(_read(process, said))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({reading, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not reading.done():
            _signal(process, signal.SIGTERM)
        # What it has left behind may hold its output open for ever.
        await asyncio.wait({reading}, timeout=_ENDING)
    finally:
        stopping.cancel()
        reading.cancel()
        await _end(process)
    cut = len(said) > MOST
    return Ran(_read_as_text(bytes(said[:MOST])), process.returncode or 0, cut)


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
    ended = f"ended by {signal.Signals(-ran.code).name}" if ran.code < 0 else f"exit code {ran.code}"
    block = f"Output of `{command}` ({ended}{', cut' if ran.cut else ''}):\n{_fenced(ran.output)}\n"
    if not plain:  # there the line says it all
        for said in _shown(ran.output):
            view.say(said)
    view.say(f"{ended}{f', only {MOST:,} bytes are kept' if ran.cut else ''}")
    if ran.output.strip():
        line.append(block, f"output: {size_of(ran.output)}")
    return left


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


async def _read(process: asyncio.subprocess.Process, said: bytearray) -> None:
    assert process.stdout is not None
    while piece := await process.stdout.read(1 << 16):
        said += piece[: MOST + 1 - len(said)]
    await process.wait()


async def _end(process: asyncio.subprocess.Process) -> None:
    """See to it that nothing of it goes on."""
    if process.returncode is None:
        _signal(process, signal.SIGTERM)
        with suppress(TimeoutError):
            async with asyncio.timeout(_ENDING):
                await process.wait()
    if process.returncode is None:
        _signal(process, getattr(signal, "SIGKILL", signal.SIGTERM))
        await process.wait()


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        if sys.platform == "win32":
            process.terminate()
        else:
            os.killpg(process.pid, number)
