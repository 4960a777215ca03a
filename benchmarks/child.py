"""A child process in a terminal or on pipes: its output drained and searched, its CPU and memory as the kernel counts.

Everything that waits has an end: `PATIENCE` seconds without what was waited for end the process and the benchmark.
"""

from __future__ import annotations

import fcntl
import os
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NoReturn, Self

PATIENCE = 600.0
_READ = 65536
# What was read and not matched yet is searched again with what comes next: more than any pattern is long.
_OVERLAP = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a process used in its life: seconds of wall clock and CPU, bytes of memory at its peak."""

    wall: float
    cpu: float
    peak: int
    status: int


class Child:
    """A process started here, to be used in a `with`, which does not leave it running."""

    def __init__(
        self, command: Sequence[str], env: Mapping[str, str], *, terminal: tuple[int, int] | None = None
    ) -> None:
        """Start `command`: in a terminal of columns and rows, or with pipes for its standard input and output."""
        spawn = _spawn_in_terminal if terminal else _spawn_on_pipes
        self.started = time.monotonic_ns()
        self.pid, self._input, self._output = spawn(command, env, terminal or (0, 0))
        self._unmatched = b""
        self._usage: Usage | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.kill()
        for descriptor in {self._input, self._output}:
            os.close(descriptor)

    def write(self, data: bytes) -> int:
        """Write to the process and return when, on the monotonic clock of the machine, in nanoseconds."""
        now = time.monotonic_ns()
        os.write(self._input, data)
        return now

    def close_input(self) -> None:
        os.close(self._input)
        self._input = self._output

    def read(self, timeout: float) -> bytes | None:
        """Return what the process has written, b"" if nothing came in time, None at the end of its output."""
        if not select.select([self._output], [], [], timeout)[0]:
            return b""
        try:
            return os.read(self._output, _READ) or None
        except OSError:  # how Linux ends the output of a terminal
            return None

    def wait_for(self, pattern: bytes) -> int:
        """Read until a regular expression matches what came since the last match; return when it was read."""
        self._wait_for(pattern)
        return time.monotonic_ns()

    def _wait_for(self, pattern: bytes) -> re.Match[bytes]:
        deadline = time.monotonic() + PATIENCE
        while True:
            if match := re.search(pattern, self._unmatched):
                self._unmatched = self._unmatched[match.end() :]
                return match
            data = self.read(deadline - time.monotonic())
            if not data:
                self._fail(f"{pattern!r} did not come")
            self._unmatched = self._unmatched[-_OVERLAP:] + data

    def wait_for_first(self, *patterns: bytes) -> int:
        """Read until one of several regular expressions matches; return the number of the one that matches first."""
        found = self._wait_for(b"|".join(b"(?P<_%d>%s)" % each for each in enumerate(patterns)))
        return next(number for number in range(len(patterns)) if found.group(f"_{number}") is not None)

    def read_for(self, seconds: float) -> None:
        """Read on for a while."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            data = self.read(left)
            if data is None:
                self._fail("it ended")
            self._unmatched = (self._unmatched + data)[-_OVERLAP:]

    def forget(self) -> None:
        """Take what was read so far as seen: `wait_for` will not look at it."""
        self._unmatched = b""

    def memory(self, field: Literal["VmRSS", "VmHWM"]) -> int:
        """Return the bytes of memory in use now, or at the peak so far (proc_pid_status(5))."""
        with open(f"/proc/{self.pid}/status", encoding="ascii") as status:
            fields = dict(line.split(":", 1) for line in status)
        return int(fields[field].split()[0]) * 1024

    def finish(self) -> Usage:
        """Read to the end and return what the process used."""
        deadline = time.monotonic() + PATIENCE
        while (data := self.read(deadline - time.monotonic())) is not None:
            if not data:
                self._fail("it does not end")
        usage = self._wait()
        if usage.status != 0:
            raise RuntimeError(f"the process ended with status {usage.status}")
        return usage

    def kill(self) -> int:
        """Kill the process if it still runs; return the moment just before."""
        now = time.monotonic_ns()
        if self._usage is None:
            os.kill(self.pid, signal.SIGKILL)
            self._wait()
        return now

    def _wait(self) -> Usage:
        if self._usage is None:
            _, status, usage = os.wait4(self.pid, 0)
            self._usage = Usage(
                wall=(time.monotonic_ns() - self.started) / 1e9,
                cpu=usage.ru_utime + usage.ru_stime,
                peak=usage.ru_maxrss * 1024,
                status=os.waitstatus_to_exitcode(status),
            )
        return self._usage

    def _fail(self, what: str) -> NoReturn:
        self.kill()
        raise RuntimeError(f"{what}; the last of its output: {self._unmatched!r}")


def _spawn_in_terminal(command: Sequence[str], env: Mapping[str, str], size: tuple[int, int]) -> tuple[int, int, int]:
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
    name = os.ttyname(slave)
    # The leader of a new session that opens a terminal has it as its controlling terminal.
    actions = [(os.POSIX_SPAWN_OPEN, 0, name, os.O_RDWR, 0), (os.POSIX_SPAWN_DUP2, 0, 1), (os.POSIX_SPAWN_DUP2, 0, 2)]
    pid = os.posix_spawn(command[0], [*command], env, file_actions=actions, setsid=True)
    os.close(slave)
    return pid, master, master


def _spawn_on_pipes(command: Sequence[str], env: Mapping[str, str], _: tuple[int, int]) -> tuple[int, int, int]:
    theirs_in, ours_in = os.pipe()
    ours_out, theirs_out = os.pipe()
    actions = [(os.POSIX_SPAWN_DUP2, theirs_in, 0), (os.POSIX_SPAWN_DUP2, theirs_out, 1)]
    pid = os.posix_spawn(command[0], [*command], env, file_actions=actions)
    os.close(theirs_in)
    os.close(theirs_out)
    return pid, ours_in, ours_out
