"""A clock that is ahead of the machine's, and can be set forward while a program runs by it.

As a program (`python -m benchmarks.clock FILE ARGUMENTS`) this is llmterm by such a clock: FILE says how far ahead it
is. A wait that is under way when it is set forward ends by the machine's clock, or with the next thing that happens;
everything else is as if the time had passed, but for the dates on the record.
"""

from __future__ import annotations

import mmap
import struct
import sys
import time
from pathlib import Path

_AHEAD = struct.Struct("d")


class Clock:
    """How many seconds a program is ahead, kept in `file`."""

    def __init__(self, file: Path) -> None:
        file.write_bytes(_AHEAD.pack(0.0))
        self.file = file
        self.ahead = 0.0

    def forward(self, seconds: float) -> None:
        self.ahead += seconds
        with self.file.open("r+b") as shared:
            shared.write(_AHEAD.pack(self.ahead))


def _follow(file: Path) -> None:
    """Have this process's clocks go by `file`. What has taken one of them before keeps what it has."""
    with file.open("r+b") as opened:
        shared = mmap.mmap(opened.fileno(), _AHEAD.size)
    monotonic, wall = time.monotonic, time.time

    def ahead() -> float:
        seconds: float = _AHEAD.unpack_from(shared)[0]
        return seconds

    time.monotonic = lambda: monotonic() + ahead()
    time.time = lambda: wall() + ahead()


if __name__ == "__main__":
    _follow(Path(sys.argv[1]))
    del sys.argv[1]
    from llmterm.__main__ import main

    main()
