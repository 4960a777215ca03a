"""Open files: each answer that streams takes one, and a system gives a process 256 or 1,024 unless it is asked."""

from __future__ import annotations

import sys

from llmterm.errors import UsageError

# What a program has open besides: its streams, the store, kept connections.
_BESIDE = 128


def require(streams: int) -> None:
    """Ask for as many as so many answers at once take. Raises UsageError where the system allows no more."""
    if sys.platform == "win32":
        return
    import resource

    needed = streams + _BESIDE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard not in (resource.RLIM_INFINITY, -1) and hard < needed:
        raise UsageError(
            f"{streams:,} answers at once take {needed:,} open files, and the system allows {hard:,}",
            hint="ulimit -Hn says so; ask for fewer at once",
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
