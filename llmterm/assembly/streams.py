"""Standard output for answers, standard error for everything else.

A stream that was closed when the program began is the null device from then on, and what cannot be said on standard
error is left unsaid: neither is a reason for a question not to be answered.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from io import RawIOBase
from typing import Any, Self, TextIO

from llmterm.assembly.outlet import Outlet, same_file
from llmterm.assembly.secrets import secrets_of
from llmterm.errors import UsageError
from llmterm.redaction import Secrets

# What can come on standard input: as much as a file may have.
MOST_BYTES = 50 * 1024 * 1024


def notice(line: str, secrets: Secrets | None = None) -> None:
    """Say a line on standard error. It may hold what a server has said: nothing in it is executed.

    No secret is in it; where none are given, they are those of the process's environment and of its settings.
    """
    known = secrets_of(os.environ) if secrets is None else secrets
    with suppress(OSError):
        sys.stderr.write(_noticed(line, known))


def open_closed() -> None:
    """Put the null device in the place of each standard stream that is closed.

    Its number would otherwise be that of the next file or socket, and what is said would be written into that.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is not None:
            continue
        null = os.open(os.devnull, os.O_RDWR)
        if null != number:
            os.dup2(null, number)
            os.close(null)
        setattr(sys, name, open(number, "w" if number else "r", encoding="utf-8", closefd=False))  # noqa: SIM115 - for good


def piped() -> bytes:
    """Return all that comes on standard input. Raises UsageError."""
    try:
        data = sys.stdin.buffer.read(MOST_BYTES + 1) or b""
    except OSError as error:
        raise UsageError(f"standard input cannot be read: {error.strerror}") from None
    if len(data) > MOST_BYTES:
        raise UsageError("there is too much on standard input", hint=f"at most {MOST_BYTES:,} bytes can be asked about")
    return data


def flush() -> OSError | None:
    """Write out what Python still holds, which it else does at the exit, with a code of its own where that fails.

    Return why standard output could not be written.
    """
    failure = None
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError as error:
            failure = error if stream is sys.stdout else failure
            let_go(stream)
    return failure


def let_go(stream: TextIO) -> None:
    """Forget a stream that takes nothing any more, and what Python holds for it."""
    with suppress(OSError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
        stream.flush()


class Output:
    """Where an answer goes: its text to standard output, whatever else there is to read to standard error.

    What is thought and what is said begins on a line of its own, and the text ends with its line. Nothing here waits
    for a reader but `room` and `drained`.
    """

    def __init__(self, out: TextIO, err: TextIO, secrets: Secrets) -> None:
        self._secrets = secrets
        self._out = Outlet()
        self._beside = self._out if same_file(out, err) else Outlet()
        self._write = _writer(out, self._out)
        self._write_beside = _writer(err, self._beside)
        self._err = _raw(err)
        self._together = out.isatty() and err.isatty()
        self._status = ""
        # Whether the last line of either is still without its end.
        self._in_text = self._in_thinking = False

    def text(self, text: str) -> None:
        """Write more of the answer. Raises OSError."""
        if self._status and self._together:
            self.status("")
        if self._in_thinking:
            self._end_thinking()
        self._write(text)
        self._in_text = not text.endswith("\n")

    def thinking(self, text: str) -> None:
        self._begin_beside()
        with suppress(OSError):
            self._write_beside(text)
        self._in_thinking = not text.endswith("\n")

    def notice(self, line: str) -> None:
        self._begin_beside()
        self._end_thinking()
        with suppress(OSError):
            self._write_beside(_noticed(line, self._secrets))

    def status(self, line: str) -> None:
        """Have `line` stand on standard error, a terminal, until another one does, or what there is to be read."""
        if line == self._status:
            return
        self._status = line
        with suppress(OSError):
            self._beside.put(self._err, f"\r\x1b[K{line}".encode())

    def end(self) -> None:
        """End the lines that are not ended. Raises OSError."""
        self._end_thinking()
        if self._in_text:
            self._in_text = False
            self._write("\n")

    async def room(self) -> None:
        """Wait for a reader that is far behind."""
        await self._out.room()
        await self._beside.room()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Wait until all is written, unless it is cancelled or cannot be written. Raises OSError where there was no
        other error.
        """
        if error is None:
            await self.drained()
        elif isinstance(error, Exception) and not isinstance(error, OSError):
            with suppress(OSError):
                await self.drained()

    async def drained(self) -> None:
        """Wait until all is written, with the end of its line. Raises OSError where the text is not."""
        self.end()
        await self._out.room(0)
        await self._beside.room(0)
        self._write("")

    def _begin_beside(self) -> None:
        self.status("")
        if self._in_text and self._together:
            self._in_text = False
            with suppress(OSError):
                self._write_beside("\n")

    def _end_thinking(self) -> None:
        if self._in_thinking:
            self._in_thinking = False
            with suppress(OSError):
                self._write_beside("\n")


def _noticed(line: str, secrets: Secrets) -> str:
    from llmterm.render.sanitize import clean

    return f"llmterm: {secrets.redact(clean(line))}\n"


def _writer(stream: TextIO, outlet: Outlet) -> Callable[[str], None]:
    """Return what writes text to `stream`: as it is, but on a terminal made harmless."""
    stream.flush()
    raw = _raw(stream)
    sanitizer = None
    if stream.isatty():
        from llmterm.render.sanitize import Sanitizer

        sanitizer = Sanitizer()

    def write(text: str) -> None:
        outlet.put(raw, (sanitizer.feed(text) if sanitizer else text).encode("utf-8", "replace"))

    return write


def _raw(stream: TextIO) -> RawIOBase:
    # An unbuffered one (`python -u`, PYTHONUNBUFFERED) has no buffer before what it writes to.
    buffer: Any = stream.buffer
    raw: RawIOBase = getattr(buffer, "raw", buffer)
    return raw
