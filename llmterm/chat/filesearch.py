"""Files below a folder by a few letters of their names, folders included, without what is hidden or what git ignores.

What git leaves out only git knows for certain, so it is asked (https://git-scm.com/docs/git-ls-files); a folder that is
in no repository, or a machine without git, is gone through. All of this is for a thread: the list of a large folder
takes seconds to make. It is made anew with each mention, while the last one is searched.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import suppress
from heapq import merge
from pathlib import Path
from typing import NamedTuple

from llmterm.chat.status import count
from llmterm.chat.suggestion import Choice
from llmterm.render.sanitize import is_plain
from llmterm.threads import in_thread

# How many are shown, and how many are looked at: of a larger folder the rest is found by its path.
_SHOWN = 100
_MOST = 200_000
# So many paths are sorted at once: less than a millisecond.
_SORTED = 4096
_PATIENCE = 10.0  # seconds
# No program that a repository names may run because somebody looks for a file in it.
_GIT = ("-c", "core.fsmonitor=false", "ls-files", "--cached", "--others", "--exclude-standard", "-z")


class Listing(NamedTuple):
    """Paths below a folder, folders with a slash behind them; and all of them folded, for comparing."""

    paths: list[str]
    folded: list[str]


_NOTHING = Listing([], [])


class Files:
    """Finds the files of a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._listing: Listing | None = None
        self._making: asyncio.Task[Listing] | None = None

    def begin(self) -> None:
        """A file is about to be looked for: look what there is now."""
        if self._making is None:
            self._making = asyncio.get_running_loop().create_task(in_thread(listing, self.folder))
            self._making.add_done_callback(self._made)

    async def find(self, typed: str) -> list[Choice]:
        """Return what `typed` may mean, the likeliest first, with a word about each."""
        if self._listing is None:
            self.begin()
        if self._listing is None and self._making is not None:
            await asyncio.wait({self._making})
        return await in_thread(matching, self._listing or _NOTHING, typed, self.folder)

    async def weigh(self, name: str) -> str:
        """Return in a few words what is in the folder of that name."""
        return await in_thread(_weighed, self.folder / name)

    def _made(self, making: asyncio.Task[Listing]) -> None:
        self._making = None
        if not making.cancelled() and making.exception() is None:
            self._listing = making.result()


def listing(folder: Path) -> Listing:
    """Return what there is to find."""
    found = _by_git(folder)
    files = [path for path in (found if found is not None else _walked(folder)) if _shows(path)]
    folders = {parent for path in files for parent in _parents(path)}
    paths = _ordered([*files, *folders])
    return Listing(paths, [path.casefold() for path in paths])


def _ordered(paths: list[str]) -> list[str]:
    """Return the paths, the ones in fewer folders first.

    Sorted in small parts: while something is sorted no other thread has its turn.
    """
    depths: dict[int, list[str]] = {}
    for path in paths:
        depths.setdefault(path.rstrip("/").count("/"), []).append(path)
    found: list[str] = []
    for _, each in sorted(depths.items()):
        found += merge(*(sorted(each[start : start + _SORTED]) for start in range(0, len(each), _SORTED)))
    return found


def matching(listed: Listing, typed: str, folder: Path) -> list[Choice]:
    """Return the paths that `typed` may mean: a name that begins so, one with it in it, a path with its letters."""
    wanted = typed.casefold()
    found: dict[str, None] = {}
    for number in _meant(wanted, listed.folded):
        found[listed.paths[number]] = None
        if len(found) == _SHOWN:
            break
    return [choice for path in found if (choice := _choice(path, folder)) is not None]


def _weighed(folder: Path) -> str:
    folder = folder.expanduser()
    files = [path for path in listing(folder).paths if not path.endswith("/")]
    size = 0
    for path in files:
        with suppress(OSError):
            size += (folder / path).stat().st_size
    return f"folder, {count(len(files), 'file')}, {size:,} bytes"


def _meant(wanted: str, folded: list[str]) -> Iterator[int]:
    """Yield the numbers of what is meant, the likelier ones first, and some twice; the last way is the dearest."""
    inside = [number for number, path in enumerate(folded) if wanted in path]
    yield from (number for number in inside if folded[number].rstrip("/") == wanted.rstrip("/"))
    yield from (number for number in inside if _name(folded[number]).startswith(wanted))
    yield from (number for number in inside if folded[number].startswith(wanted))
    yield from (number for number in inside if wanted in _name(folded[number]))
    yield from inside
    possible: Iterable[int] = range(len(folded))
    for letter in dict.fromkeys(wanted):
        possible = [number for number in possible if letter in folded[number]]
    # The first of each letter will do: nothing is tried twice.
    letters = re.compile("".join(f"[^{each}]*+{each}" for each in map(re.escape, wanted))).match
    yield from (number for number in possible if letters(folded[number]))


def _name(path: str) -> str:
    return path[path.rstrip("/").rfind("/") + 1 :]


def _choice(path: str, folder: Path) -> Choice | None:
    """Return a path with a word about it; None for one that is not there any more."""
    if path.endswith("/"):
        return path, "folder"
    try:
        return path, f"{(folder / path).stat().st_size:,} bytes"
    except OSError:
        return None


def _by_git(folder: Path) -> list[str] | None:
    git = shutil.which("git")
    if git is None:
        return None
    environ = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    with suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(
            [git, *_GIT], cwd=folder, env=environ, capture_output=True, timeout=_PATIENCE, check=False
        )
        if done.returncode == 0:
            # A file that is in conflict stands there several times.
            return list(dict.fromkeys(os.fsdecode(done.stdout).split("\0")))[:_MOST]
    return None


def _walked(folder: Path) -> list[str]:
    found: list[str] = []
    for where, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        before = os.path.relpath(where, folder)
        before = "" if before == "." else f"{before}/".replace(os.sep, "/")
        found += [before + name for name in files]
        if len(found) >= _MOST:
            break
    return found[:_MOST]


def _shows(path: str) -> bool:
    """Tell whether a path may be shown: nothing of it is hidden, and it hides nothing."""
    if not path or path.startswith(".") or "/." in path:
        return False
    return (path.isascii() and path.isprintable()) or is_plain(path)


def _parents(path: str) -> Iterator[str]:
    end = path.rfind("/")
    while end > 0:
        yield path[: end + 1]
        end = path.rfind("/", 0, end)
