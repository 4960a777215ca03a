"""Starts programs in terminals and on pipes: llmterm as a fork of a process that has imported it already.

Starting Python and importing what an answer needs is most of what a test with the program would cost. So each process
that runs tests has one of these beside it, `python -m tests.starter SOCKET`, which imports once and forks for each
program. What it forks goes through the whole `main`, with streams, a directory and an environment of its own.

Everything else is executed as usual: any other command, llmterm where the environment changes Python itself, and all
where no process may go on after a fork, as on macOS. Tests of streams and signals start the program by themselves.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import pkgutil
import runpy
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TextIO

import llmterm

LLMTERM = [sys.executable, "-m", "llmterm"]
_FORKS = sys.platform == "linux"
# What Python reads of the environment when it starts, by how the names begin.
_PYTHONS_OWN = ("LANG", "LC_", "PYTHON")
_LANGUAGE = {"LANG": "C.UTF-8"}
# What a chat imports, besides llmterm itself, when it is used.
_USED = ("anyio._backends._asyncio", "httpcore2", "prompt_toolkit.input.vt100")


@dataclass(frozen=True, slots=True)
class Command:
    """What is to be started, and where."""

    words: Sequence[str]
    environment: Mapping[str, str]
    directory: str

    def forks(self) -> bool:
        """Whether a fork is the same as a start."""
        pythons_own = {name: value for name, value in self.environment.items() if name.startswith(_PYTHONS_OWN)}
        return _FORKS and list(self.words[: len(LLMTERM)]) == LLMTERM and pythons_own == _LANGUAGE

    def run(self) -> None:
        """Become it."""
        os.chdir(self.directory)
        if not self.forks():
            os.execvpe(self.words[0], list(self.words), dict(self.environment))
        os.environ.clear()
        os.environ.update(self.environment)
        time.tzset()
        _reopen_streams()
        sys.argv[1:] = self.words[len(LLMTERM) :]
        sys.path[0] = self.directory
        runpy.run_module("llmterm", run_name="__main__", alter_sys=True)


def _reopen_streams() -> None:
    """Have Python's streams as it makes them for what the descriptors are now."""
    sys.stdin = open(0, errors=sys.stdin.errors, closefd=False)  # noqa: SIM115 - it ends with the program
    sys.stdout = open(1, "w", errors=sys.stdout.errors, closefd=False)  # noqa: SIM115 - it ends with the program
    sys.stderr = open(2, "w", buffering=1, errors=sys.stderr.errors, closefd=False)  # noqa: SIM115 - it ends with the program


class Started:
    """A program that was started; `report` tells its number, and in the end how it ended."""

    def __init__(self, report: TextIO) -> None:
        self._report = report
        self._ended: int | None = None
        started = report.readline()
        assert started, "the process that starts programs has ended"
        self.pid = int(started)

    def wait(self) -> int:
        """Wait for its end; return the exit code, or minus the signal."""
        if self._ended is None:
            with self._report:
                self._ended = os.waitstatus_to_exitcode(int(self._report.readline()))
        return self._ended


class Starter:
    """The process beside the tests that starts what they want."""

    def __init__(self) -> None:
        self._requests, theirs = socket.socketpair()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.starter", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            cwd=Path(__file__).parents[1],
            env={"PATH": os.environ["PATH"], **_LANGUAGE},
            start_new_session=True,
        )
        theirs.close()

    def start(self, command: Command, streams: Sequence[int]) -> Started:
        """Start a command in a terminal, where `streams` is its descriptor, or on three pipes; they are closed here."""
        ours, theirs = os.pipe()
        request = json.dumps(asdict(command)).encode() + b"\n"
        sent = socket.send_fds(self._requests, [request], [theirs, *streams])
        self._requests.sendall(request[sent:])
        for descriptor in (theirs, *streams):
            os.close(descriptor)
        return Started(open(ours))

    def end(self) -> None:
        self._requests.close()
        self._process.wait()


@cache
def starter() -> Starter:
    """The one of this process, which ends with it."""
    started = Starter()
    atexit.register(started.end)
    return started


def run(
    words: Sequence[str], environment: Mapping[str, str], *, input: bytes = b"", cwd: Path | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run a command on pipes to its end."""
    (given, stdin), (stdout, said), (stderr, told) = os.pipe(), os.pipe(), os.pipe()
    started = starter().start(Command(words, environment, str(cwd or Path.cwd())), (given, said, told))
    with ThreadPoolExecutor() as readers, open(stdout, "rb") as out, open(stderr, "rb") as err:
        reading = readers.submit(out.read), readers.submit(err.read)
        with suppress(BrokenPipeError), open(stdin, "wb") as asking:
            asking.write(input)
        return subprocess.CompletedProcess(words, started.wait(), *(each.result() for each in reading))


def run_text(words: Sequence[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """The same with text, and nothing on standard input."""
    done = run(words, environment)
    return subprocess.CompletedProcess(words, done.returncode, done.stdout.decode(), done.stderr.decode())


def _serve(requests: socket.socket) -> Command | None:
    """Fork for each request, until there are no more; return, in a process that was forked, what it is to become."""
    while True:
        data, received, _, _ = socket.recv_fds(requests, 65536, 4)
        while data and not data.endswith(b"\n"):
            data += requests.recv(65536)
        if not data:
            return None
        keeper = os.fork()
        if keeper == 0:
            requests.close()
            return _keep(Command(**json.loads(data)), *received)
        for descriptor in received:
            os.close(descriptor)
        _reap()


def _reap() -> None:
    """Take leave of the keepers whose program has ended."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _keep(command: Command, report: int, *streams: int) -> Command:
    """Fork the program and tell of its start and its end; return only in the program."""
    program = os.fork()
    if program:
        for descriptor in streams:
            os.close(descriptor)
        os.write(report, f"{program}\n".encode())
        os.write(report, f"{os.waitpid(program, 0)[1]}\n".encode())
        os._exit(0)
    os.close(report)
    if len(streams) == 1:
        os.login_tty(streams[0])
        return command
    os.setsid()
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
        os.close(descriptor)
    return command


def _import() -> None:
    for module in pkgutil.walk_packages(llmterm.__path__, "llmterm."):
        if module.name != "llmterm.__main__":
            importlib.import_module(module.name)
    for name in _USED:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # what is never looked at stays shared


if __name__ == "__main__":
    if _FORKS:
        _import()
    with socket.socket(fileno=int(sys.argv[1])) as listening:
        found = _serve(listening)
    if found is not None:
        found.run()
