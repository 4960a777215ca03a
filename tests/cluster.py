"""A Ray cluster of two nodes on this machine, on two addresses of its own."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.terminal import PATIENCE, environment

# What the processes that answer are called.
WORKER = "ray::Seat"
HEAD, OTHER = "127.0.0.2", "127.0.0.3"


class Cluster:
    """Two nodes of a processor each, that are known by the token that only they have."""

    def __init__(self, folder: Path) -> None:
        self.token = secrets.token_hex(24)
        self._folder = folder
        self._nodes: list[subprocess.Popen[bytes]] = []
        with socket.socket() as free:
            free.bind((HEAD, 0))
            self._port = free.getsockname()[1]

    @property
    def address(self) -> str:
        return f"{HEAD}:{self._port}"

    @property
    def environ(self) -> dict[str, str]:
        return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": self.token}

    def begin(self) -> None:
        place = ["--port", str(self._port), "--include-dashboard", "false", "--temp-dir", str(self._folder)]
        self._start("--head", *place, "--node-ip-address", HEAD)
        self._start("--address", self.address, "--node-ip-address", OTHER)

    def processes(self, name: str) -> list[int]:
        """Return the numbers of those whose command line begins so."""
        return [pid for pid in self._processes() if _words(pid).startswith(name)]

    def end(self) -> None:
        """End it, and nothing else that may run on this machine."""
        for node in reversed(self._nodes):
            node.terminate()
        for node in self._nodes:
            node.wait()
        for pid in self._processes():
            os.kill(pid, signal.SIGKILL)

    def _start(self, *words: str) -> None:
        log = self._folder / f"{len(self._nodes)}.log"
        ray = Path(sys.executable).with_name("ray")
        with log.open("wb") as output:
            node = subprocess.Popen(
                [ray, "start", "--block", "--num-cpus", "1", "--disable-usage-stats", *words],
                env={**environment(self._folder), **self.environ},
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
            )
        self._nodes.append(node)
        wait(lambda: b"Ray runtime started" in log.read_bytes(), log.read_text)

    def _processes(self) -> list[int]:
        token = f"RAY_AUTH_TOKEN={self.token}\0".encode()
        found = list[int]()
        for each in Path("/proc").glob("[0-9]*/environ"):
            pid = int(each.parent.name)
            try:
                if token in each.read_bytes() and pid != os.getpid():
                    found.append(pid)
            except OSError:  # somebody else's, or over
                continue
        return found


def _words(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def wait(condition: Callable[[], bool], said: Callable[[], str]) -> None:
    """Wait until `condition` holds of another process, which tells nobody; `said` is shown where it never does."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, said()
        time.sleep(0.1)
