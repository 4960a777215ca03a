"""The configuration file, the data folder, the sessions in it, and the room there is for more."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from llmterm import config
from llmterm.assembly.doctor.check import Check
from llmterm.config import Settings
from llmterm.errors import LlmtermError, SessionError
from llmterm.sessions import SessionStore

_LITTLE = 100 * 1024 * 1024
_STORE_SECONDS = 1.0
_OTHERS = 0o077
_OTHERS_WRITE = 0o022


def configuration(environ: Mapping[str, str]) -> tuple[Settings, Check]:
    """Return the settings of the file, the default ones where it is broken, and what there is to say about it."""
    path = config.config_path(environ)
    try:
        settings = config.load(environ=environ)
    except LlmtermError as error:
        first, *more = str(error).splitlines()
        value = f"{first} (and {len(more)} more)" if more else first
        return Settings(), Check(
            name="configuration", state="problem", value=value, hint=f"mend {path}, or move it away"
        )
    if not path.exists():
        return settings, Check(name="configuration", state="ok", value=f"{path}: none, which is fine")
    if any(remote.api_key for remote in settings.providers.remotes.values()) and _mode(path) & _OTHERS:
        value = f"{path}: has a key in it, and others can read it (mode {_mode(path):o})"
        return settings, Check(name="configuration", state="warning", value=value, hint=f"chmod 600 {path}")
    return settings, Check(name="configuration", state="ok", value=str(path))


def storage_checks(environ: Mapping[str, str]) -> Iterator[Check]:
    folder = config.data_dir(environ)
    yield _folder(folder)
    yield from _space(folder)
    yield _sessions(folder)


def _folder(folder: Path) -> Check:
    hint = "set LLMTERM_DATA_DIR to a folder of yours that can be written"
    there = _nearest(folder)
    if not there.is_dir():
        return Check(name="data folder", state="problem", value=f"{folder}: {there} is not a folder", hint=hint)
    if not os.access(there, os.W_OK | os.X_OK):
        return Check(name="data folder", state="problem", value=f"{folder}: {there} cannot be written", hint=hint)
    if there != folder:
        return Check(name="data folder", state="ok", value=f"{folder}: not there yet, the first chat makes it")
    mode = _mode(folder)
    value = f"{folder}: can be written{f' (mode {mode:o})' if mode else ''}"
    if mode & _OTHERS_WRITE:
        return Check(name="data folder", state="warning", value=f"{value}, by others too", hint=f"chmod go-w {folder}")
    return Check(name="data folder", state="ok", value=value)


def _space(folder: Path) -> Iterator[Check]:
    try:
        free = shutil.disk_usage(_nearest(folder)).free
    except OSError:
        return
    little = free < _LITTLE
    hint = "free some space: answers are kept as they come" if little else ""
    yield Check(name="free space", state="warning" if little else "ok", value=size(free), hint=hint)


def _sessions(folder: Path) -> Check:
    store = SessionStore(folder, timeout=_STORE_SECONDS)
    try:
        if not store.path.exists():
            return Check(name="sessions", state="ok", value="none yet")
        count = len(store.infos())
        files = [store.path, *(store.path.with_name(store.path.name + end) for end in ("-wal", "-shm"))]
        used = sum(file.stat().st_size for file in files if file.exists())
    except SessionError as error:
        return Check(name="sessions", state="problem", value=error.message, hint=error.hint)
    except OSError as error:
        return Check(name="sessions", state="problem", value=f"{store.path}: {error.strerror}", hint="who owns it?")
    finally:
        store.close()
    value = f"{count:,} {'session' if count == 1 else 'sessions'}, {size(used)}"
    if _mode(store.path) & _OTHERS:
        value = f"{value}, and others can read them"
        return Check(name="sessions", state="warning", value=value, hint=f"chmod 600 {store.path}")
    return Check(name="sessions", state="ok", value=value)


def size(count: float) -> str:
    """Return a number of bytes as people say it."""
    for unit in ("bytes", "KiB", "MiB"):
        if count < 1024:
            return f"{count:,.0f} {unit}"
        count /= 1024
    return f"{count:,.1f} GiB"


def _nearest(path: Path) -> Path:
    """Return `path`, or the nearest of the folders above it that there is."""
    try:
        return next(each for each in (path, *path.absolute().parents) if each.exists())
    except (OSError, StopIteration):
        return path


def _mode(path: Path) -> int:
    """Return who may do what with a file, 0 where that is unknown: Windows keeps it elsewhere."""
    if sys.platform == "win32":
        return 0
    try:
        return path.stat().st_mode & 0o777
    except OSError:
        return 0
