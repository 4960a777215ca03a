"""Disks that are full or can only be read: real ones, mounted for a test. Without the right to mount it is skipped."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import need


@contextmanager
def small_disk(folder: Path, size: str = "1m") -> Iterator[Path]:
    """Mount a disk of `size` at `folder`, which is made."""
    folder.mkdir()
    with _mounted("-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)):
        yield folder


def fill(folder: Path) -> Path:
    """Leave no byte free on the disk, and return the file whose end frees it."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        block = 1 << 16
        while block:
            try:
                block = block if file.write(bytes(block)) == block else block // 2
            except OSError:
                block //= 2
    return filler


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Have what is in the folder be read and not be written, by anybody, inside."""
    with _mounted("--bind", str(folder), str(folder)):
        _run("mount", "-o", "remount,bind,ro", str(folder))
        yield


@contextmanager
def _mounted(*arguments: str) -> Iterator[None]:
    try:
        _run("mount", *arguments)
    except (OSError, subprocess.CalledProcessError):
        need("right to mount a disk")
    try:
        yield
    finally:
        _run("umount", "-l", arguments[-1])


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
