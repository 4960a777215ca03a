"""The real program, with a watch that counts what its event loop waits for: `python -m tests.watched FILE ARGUMENTS`.

Python tells an audit hook of each file, folder, name, process and sleep before it is waited for. What is told in the
thread of a loop that runs is written to FILE, a line each: what it was, and who in the program has asked for it. So
nothing is timed, and the same run always finds the same. Not counted is code that is imported, and what the operating
system has to do for a process that is started.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import llmterm

_WAITS = frozenset(
    {
        "glob.glob",
        "open",
        "os.listdir",
        "os.mkdir",
        "os.remove",
        "os.rename",
        "os.rmdir",
        "os.scandir",
        "os.truncate",
        "shutil.rmtree",
        "socket.connect",
        "socket.getaddrinfo",
        "socket.gethostbyname",
        "sqlite3.connect",
        "subprocess.Popen",
        "tempfile.mkdtemp",
        "tempfile.mkstemp",
        "time.sleep",
    }
)
_PACKAGE = Path(llmterm.__file__).parent
_NOT_OURS = ("<frozen importlib", "<frozen zipimport")
# asyncio's own: it connects without waiting, and starts processes in the only way there is.
_ASYNCIO = str(Path(asyncio.__file__).parent)


class LoopWatch:
    """Counts what is waited for on a loop while it is entered; `waits` are "event in module.function", in order.

    An audit hook is for good: outside of `with` it does nothing.
    """

    def __init__(self) -> None:
        self.waits: list[str] = []
        self._on = False
        sys.addaudithook(self._hear)

    def __enter__(self) -> LoopWatch:
        self._on = True
        return self

    def __exit__(self, *exc: object) -> None:
        self._on = False

    def _hear(self, event: str, arguments: tuple[object, ...]) -> None:
        if not self._on or event not in _WAITS or threading.current_thread() is not threading.main_thread():
            return  # a thread may wait
        if asyncio._get_running_loop() is None:
            return
        if event == "open" and isinstance(arguments[0], int):
            return  # a descriptor that is open
        frames = list(_frames(sys._getframe(1)))
        names = [frame.f_code.co_filename for frame in frames]
        if any(name.startswith(_NOT_OURS) for name in names) or names[0].startswith(_ASYNCIO):
            return
        ours = [frame for frame in frames if Path(frame.f_code.co_filename).is_relative_to(_PACKAGE)]
        if ours:
            where = Path(ours[0].f_code.co_filename).relative_to(_PACKAGE)
            self.waits.append(f"{event} in {where}:{ours[0].f_code.co_name}")


def _frames(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


if __name__ == "__main__":
    from llmterm.__main__ import main

    _, found, *sys.argv[1:] = sys.argv
    watch = LoopWatch()
    try:
        with watch:
            main()
    finally:
        Path(found).write_text("".join(f"{each}\n" for each in watch.waits), encoding="utf-8")
