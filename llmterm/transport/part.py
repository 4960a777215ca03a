"""A file that is still coming, beside the place where it will be: `NAME.part`, and a note of where it comes from.

What has been written stays, whatever ends the program; a part that nothing has come of goes. Pieces are gathered on
the loop and written by `flush`, which may run in a thread: should its caller be cancelled, leaving the part waits for
it and writes the rest. On POSIX only one process at a time can have a part open.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from llmterm.errors import ConfigError, LlmtermError

_STEP = 1024 * 1024
_NO_ROOM = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a file comes from. `validator` is how the server marks this version of it, "" if it does not.

    `size` is in bytes, `None` if the server does not say.
    """

    address: str
    validator: str = ""
    size: int | None = None


class Part:
    """Use it in a `with`. Whatever the disk refuses is a ConfigError."""

    def __init__(self, target: Path) -> None:
        self.size = 0  # bytes that are in the file, and in the hash
        self.waiting = 0  # bytes that are not in the file yet
        self._target = target
        self._path = target.with_name(f"{target.name}.part")
        self._note = target.with_name(f"{target.name}.part.json")
        self._pieces: list[bytes] = []
        self._digest = hashlib.sha256()
        self._busy = threading.Lock()

    def __enter__(self) -> Self:
        with self._disk():
            self._target.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("ab+", buffering=0)
            if not _held(self._file.fileno(), self._path):
                self._file.close()
                raise ConfigError(f"{self._target.name} is being fetched already", hint="wait for the other llmterm")
        return self

    def __exit__(self, *exc: object) -> None:
        with suppress(LlmtermError):
            self.flush()
        with self._busy:
            if self._file.closed:
                return
            empty = os.fstat(self._file.fileno()).st_size == 0
            self._file.close()
        if empty:
            with suppress(OSError):
                self._path.unlink(missing_ok=True)
                self._note.unlink(missing_ok=True)

    @property
    def received(self) -> int:
        return self.size + self.waiting

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def origin(self) -> Origin | None:
        """Return where the bytes come from that an earlier run has left here, if that is known."""
        try:
            note = json.loads(self._note.read_bytes())
        except (OSError, ValueError, RecursionError):
            return None
        match note:
            case {"address": str(address), "validator": str(validator), "size": int() | None as size}:
                # It goes into a header.
                valid = validator.isascii() and validator.isprintable()
                return Origin(address=address, validator=validator if valid else "", size=size)
            case _:
                return None

    def reread(self) -> bool:
        """Take the next piece of what an earlier run has left into the hash; False when there is no more."""
        with self._busy, self._disk():
            if self._file.closed:
                return False
            self._file.seek(self.size)
            data = self._file.read(_STEP)
            self._digest.update(data)
            self.size += len(data)
            return bool(data)

    def begin(self, origin: Origin) -> None:
        """Forget what is there; what comes now is from `origin`."""
        self.clear()
        with self._disk():
            self._note.write_text(json.dumps(asdict(origin)), "utf-8")

    def clear(self) -> None:
        """Take everything out; left like this, the part is removed."""
        with self._busy, self._disk():
            if os.fstat(self._file.fileno()).st_size:
                self._file.truncate(0)
            self._pieces, self.waiting = [], 0
            self.size, self._digest = 0, hashlib.sha256()

    def add(self, piece: bytes) -> bool:
        """Take a piece; True if it is time to flush."""
        self._pieces.append(piece)
        self.waiting += len(piece)
        return self.waiting >= _STEP

    def flush(self) -> None:
        """Write what waits."""
        with self._busy, self._disk():
            data = memoryview(b"".join(self._pieces))
            self._pieces, self.waiting = [], 0
            while data:
                written = self._file.write(data)
                self._digest.update(data[:written])
                self.size += written
                data = data[written:]

    def finish(self) -> None:
        """Move the file, which is whole, to its place."""
        with self._busy, self._disk():
            os.fsync(self._file.fileno())
            if sys.platform == "win32":
                self._file.close()  # an open file cannot be moved there; elsewhere it is moved before the lock goes
            self._path.replace(self._target)
            self._note.unlink(missing_ok=True)

    @contextmanager
    def _disk(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in _NO_ROOM:
                what, hint = (
                    f"no room left on the disk for {self._target}",
                    "make room, and give the same command again",
                )
            else:
                what = f"cannot write {self._path}: {error.strerror or type(error).__name__}"
                hint = "is the folder yours to write in?"
            raise ConfigError(what, hint=hint) from None


if sys.platform == "win32":

    def _held(descriptor: int, path: Path) -> bool:
        return True

else:

    def _held(descriptor: int, path: Path) -> bool:
        """Lock the file, and tell whether it is ours and still the one at `path`."""
        import fcntl

        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            pass  # a file system that has no locks
        # Another process may have finished it, and moved it away, between opening and locking.
        return path.exists() and os.path.samestat(os.fstat(descriptor), path.stat())
