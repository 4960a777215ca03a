"""Who streams an answer: a process, and whether it still lives.

A process id alone would not do: ids are used again, in a container at every start. Where the system tells (Linux),
the moment of the process's birth goes with it. A process on another host counts as dead, so that a host that changed
its name locks nobody out; should it live after all, its next write is refused (see `AnswerLog`).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NamedTuple


class Owner(NamedTuple):
    pid: int
    host: str
    born: str

    @classmethod
    def current(cls) -> Owner:
        pid = os.getpid()
        return cls(pid=pid, host=_host(), born=birth(pid))

    def alive(self) -> bool:
        return self.pid > 0 and self.host == _host() and _runs(self.pid) and self.born == birth(self.pid)


def _host() -> str:
    import socket  # not at start-up

    return socket.gethostname()


def birth(pid: int) -> str:
    """Return when the process began, in ticks of its kernel; nothing where that cannot be known, or for a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    # proc(5): the second field, the name, is in parentheses and may hold anything; the third is the state.
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] == "Z" else fields[19]


if sys.platform == "win32":

    def _runs(pid: int) -> bool:
        # os.kill would end the process: on Windows every signal but two is TerminateProcess.
        import ctypes

        query_limited_information, still_active = 0x1000, 259
        kernel = ctypes.windll.kernel32
        handle = kernel.OpenProcess(query_limited_information, False, pid)
        if not handle:
            return False
        code = ctypes.c_ulong()
        kernel.GetExitCodeProcess(handle, ctypes.byref(code))
        kernel.CloseHandle(handle)
        return code.value == still_active

else:

    def _runs(pid: int) -> bool:
        try:
            os.kill(pid, 0)
        except (ProcessLookupError, OverflowError):
            return False
        except PermissionError:
            pass  # somebody else's, but there
        return True
