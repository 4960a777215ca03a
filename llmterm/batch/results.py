"""What has become of the questions of a batch, in two files: the answers, and beside them what has failed.

A line for each, written by one call as soon as it is there. A program that is killed leaves at most its last line half
written; who goes on cuts that off, and has every line before it. Nothing that stands in a file is ever changed.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from llmterm.errors import UsageError
from llmterm.files import write

# How each line begins.
_BEGINS = b'{"id": '
# What a machine that loses its power loses at most, in seconds; a program that is killed loses none of it.
_SYNC_SECONDS = 1.0
_LOCKED = "is being written by another batch"


class Lines:
    """A file of JSON objects with an `id`, a line each, that is only added to."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        """Open the file, and make it where there is none. Raises UsageError for one that is none of a batch.

        `cost` is what all answers in it have cost.
        """
        self.path = path
        self._clock = clock
        self._synced = clock()
        try:
            self._file: BinaryIO = path.open("a+b", buffering=0)
        except OSError as error:
            raise UsageError(f"{path} cannot be written: {error.strerror}") from None
        try:
            self._lock()
            self.cost = 0.0
            self.ids = self._ids()
        except BaseException:
            self._file.close()
            raise

    def add(self, values: Iterable[Mapping[str, Any]]) -> None:
        """Write a line for each, and at least once a second have the disk keep them. Raises OSError."""
        data = b"".join(json.dumps(each, ensure_ascii=False).encode("utf-8", "replace") + b"\n" for each in values)
        view = memoryview(data)
        while view:  # a disk that is getting full takes a part
            view = view[os.write(self._file.fileno(), view) :]
        if data and self._clock() - self._synced >= _SYNC_SECONDS:
            self.sync()

    def close(self) -> None:
        """Have all of it on the disk. Raises OSError."""
        try:
            self.sync()
        finally:
            self._file.close()

    def sync(self) -> None:
        """Have what is written on the disk."""
        with suppress(OSError):  # a pipe, or a device
            os.fsync(self._file.fileno())
        self._synced = self._clock()

    def _lock(self) -> None:
        if sys.platform == "win32":
            return
        import fcntl

        try:
            fcntl.flock(self._file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UsageError(f"{self.path} {_LOCKED}") from None

    def _ids(self) -> set[str]:
        """Return the ids in the file, and leave no half line in it."""
        found: set[str] = set()
        whole = 0
        with self.path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                value = _object(line)
                key = value.get("id")
                if not line.endswith(b"\n") and (number > 1 or line.startswith(_BEGINS[: len(line)])):
                    break  # half a line: what it was about is asked again
                if not isinstance(key, str):
                    raise UsageError(
                        f"{self.path}, line {number}: this is no file of a batch", hint="-o names another file"
                    )
                found.add(key)
                cost = value.get("cost")
                self.cost += cost if isinstance(cost, int | float) else 0.0
                whole += len(line)
        if self.path.is_file() and whole < self.path.stat().st_size:
            os.truncate(self.path, whole)
        return found


class Results:
    """The answers, and the failures in a file of their own beside them."""

    def __init__(self, path: Path, *, resume: bool = False, retry_failed: bool = False) -> None:
        """Raises UsageError where there are answers, and nobody said that they are to be gone on with."""
        beside = failures_of(path)
        if not (resume or retry_failed):
            for each in (path, beside):
                if each.is_file() and each.stat().st_size:
                    raise UsageError(f"{each} is there already", hint="--resume goes on with it, -o names another file")
        self._answers = Lines(path)
        try:
            if retry_failed:
                _forget(beside)  # what it was about is asked again, also by whoever is killed now
            self._failures = Lines(beside)
        except BaseException:
            self._answers.close()
            raise
        self.cost = self._answers.cost + self._failures.cost
        """What all answers have cost, with those that have failed, and failed before they were asked again."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._answers.close()
        self._failures.close()
        with suppress(OSError):
            if not self._failures.path.stat().st_size:
                self._failures.path.unlink()

    def has(self, key: str) -> bool:
        """Tell whether it is known what has become of a question."""
        return key in self._answers.ids or key in self._failures.ids

    def sync(self) -> None:
        """Have all that was written on the disk."""
        self._answers.sync()
        self._failures.sync()

    def add(self, answers: Iterable[Mapping[str, Any]], failures: Iterable[Mapping[str, Any]]) -> None:
        """Write what has become of some questions. Raises OSError."""
        self._answers.add(answers)
        self._failures.add(failures)


def _forget(failures: Path) -> None:
    """Have nothing have failed, and keep what that has cost."""
    if not failures.is_file():
        return
    with closing(Lines(failures)) as before:
        cost = before.cost
    if cost:
        line = {"id": "", "error": "what was asked again has cost this", "kind": "earlier", "cost": cost}
        write(failures, json.dumps(line) + "\n")
    else:
        failures.unlink(missing_ok=True)


def failures_of(path: Path) -> Path:
    """Return where the failures are: `answers.failed.jsonl` for `answers.jsonl`."""
    return path.with_name(f"{path.stem}.failed{path.suffix or '.jsonl'}")


def _object(line: bytes) -> dict[str, Any]:
    """Return the object of a line, an empty one where it is none."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
