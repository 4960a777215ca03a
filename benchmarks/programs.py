"""The programs under measurement: llmterm in a terminal and on a pipe, the bare loop, and the server they talk to.

All run with this interpreter, with an empty home of their own, and against the same server.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.answer import END, Recipe
from benchmarks.child import PATIENCE, Child, Usage

TERMINAL = (100, 40)
PROMPT = rb"m> \x1b\["
_LLMTERM = (sys.executable, "-m", "llmterm")
_ROOT = Path(__file__).parent.parent


class Reports:
    """What the server tells, as it happens."""

    def __init__(self, server: Child) -> None:
        self._server = server
        self._rest = b""

    def poll(self, event: str, timeout: float = 0.0) -> int | None:
        """Return when the next `event` happened, in nanoseconds, skipping others; None if it did not in time."""
        while line := self._line(timeout):
            if line["event"] == event:
                return line["at"]
        return None

    def wait_for(self, event: str) -> int:
        at = self.poll(event, PATIENCE)
        if at is None:
            raise RuntimeError(f"the server does not tell of {event!r}")
        return at
