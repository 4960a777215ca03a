"""Whether somebody is at the terminal that an answer goes to, who can read it as it is drawn and pause it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping


def attended(environ: Mapping[str, str]) -> bool:
    """Tell whether an answer can be drawn on standard output, and keys be read.

    The terminal has to be this program's own: not one that it only writes to, in the background or beside others. Where
    standard input is the null device, as `xargs` has it, nobody is meant to be there.
    """
    if not sys.stdout.isatty() or environ.get("TERM", "dumb") in ("", "dumb"):
        return False
    if sys.stdin.isatty():
        return _in_foreground(sys.stdin.fileno())
    return (
        not _is_null(sys.stdin.fileno()) and _can_be_read(sys.stdout.fileno()) and _in_foreground(sys.stdout.fileno())
    )


def has_keys() -> bool:
    """Tell whether standard input is a terminal whose keys are for this program."""
    return sys.stdin.isatty() and _in_foreground(sys.stdin.fileno())


def _is_null(descriptor: int) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(os.devnull))
    except OSError:
        return False


def _in_foreground(descriptor: int) -> bool:
    """Tell whether the terminal's keys are for this process: another one is stopped when it asks for them."""
    if sys.platform == "win32":
        return True
    try:
        return os.tcgetpgrp(descriptor) == os.getpgrp()
    except OSError:
        return False


def _can_be_read(descriptor: int) -> bool:
    if sys.platform == "win32":
        return True
    import fcntl

    return fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDWR
