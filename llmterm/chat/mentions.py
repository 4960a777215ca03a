"""Files that a message mentions: `@path` in its text, read and put into the message or attached to it.

A text file becomes part of the message, under its name; an image or a PDF is attached. A folder, with a slash behind
it, stands for its text files. A name that is neither stays the text it is. `@` never takes a hidden file: text pasted
from elsewhere must not send a key along; `/attach` does.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from heapq import nsmallest
from pathlib import Path
from typing import TYPE_CHECKING

from llmterm.chat.status import count
from llmterm.chat.suggestion import Choice, Found, Later, Suggestion
from llmterm.errors import UsageError
from llmterm.files import TEXT_LIMIT, TextFile, read
from llmterm.messages import Attachment
from llmterm.render.sanitize import is_plain
from llmterm.threads import in_thread

if TYPE_CHECKING:
    from llmterm.chat.filesearch import Files
    from llmterm.config.roles import Role

_COMPLETIONS = 100
# How a path begins that is not looked for below the folder.
_ELSEWHERE = ("/", "~", "./", "../")

_MENTION = re.compile(r'(?<!\S)@(?:"(?P<quoted>[^"\n]+)"|(?P<bare>\S+))')
_BEING_MENTIONED = re.compile(r'(?:^|(?<=\s))@(?:"(?P<quoted>[^"\n]*)|(?P<bare>[^\s"]*))\Z')
_BLANK = re.compile(r"\s")
_CLOSING = ".,;:!?)]}'\""
_LIKE_A_FILE = re.compile(r"/|\.\w{1,5}$")


def expand(
    text: str, folder: Path, *, instead: str = "/attach does it"
) -> tuple[str, tuple[Attachment, ...], list[str]]:
    """Return `text` with the text files that it mentions behind it, what else is attached, and what is to be said.

    `instead` is how a hidden file can go along all the same.
    """
    blocks: dict[str, str] = {}
    attached: dict[str, Attachment] = {}
    said: list[str] = []
    for name in _mentioned(text, folder):
        if _hidden(folder, name):
            said.append(f"{name} is hidden, and was not attached: {instead}")
            continue
        found = read(folder, name)
        if isinstance(found, Attachment):
            attached[name] = found
        elif (block := found.block()) not in text:  # a question that is edited has it already
            blocks[name] = block
        said.append(f"attached {name} ({_bytes(found):,} bytes)")
        if isinstance(found, TextFile) and found.note:
            said.append(f"{name}: {found.note}")
    for name in _folders(text, folder):
        blocks |= {
            each.name: block for each in _texts(folder, name, said, instead) if (block := each.block()) not in text
        }
    said += [f"{name} {why}" for name in _names(text) if (why := _no_file(folder, name))]
    said += [f"there is no file {name}: it is sent as it stands" for name in _missing(text, folder)]
    return "\n\n".join([text, *blocks.values()]), tuple(attached.values()), said


def named(name: str, folder: Path) -> tuple[Sequence[TextFile | Attachment], list[str]]:
    """Return the file of that name, or the text files of the folder, and what is to be said of it.

    It may be hidden, and elsewhere: the user has named it. Raises UsageError where it cannot be read.
    """
    if _is_folder(folder, name):
        said: list[str] = []
        where = folder / Path(name).expanduser()
        return _texts_in(folder, f"{name.rstrip('/')}/", said, partial(_hidden, where)), said
    found = read(folder, name)
    return [found], [f"{name}: {found.note}"] if isinstance(found, TextFile) and found.note else []


def files_of(role: Role) -> tuple[list[TextFile | Attachment], list[str]]:
    """Return the files that go along with a role, which lie beside its own, and what is to be said of them.

    Raises UsageError where one cannot be read.
    """
    found: list[TextFile | Attachment] = []
    said: list[str] = []
    for name in role.attachments:
        try:
            files, more = named(name, role.path.parent)
        except UsageError as error:
            raise UsageError(f"role {role.name}: {error.message}", hint=error.hint) from None
        found += files
        said += more
    return found, said


def mentioned(text: str, files: Files) -> Found | Later:
    """Return what the path that `text` ends in, if it mentions one, may become."""
    mention = _BEING_MENTIONED.search(text)
    if mention is None:
        return Found()
    typed = mention["quoted"] if mention["quoted"] is not None else mention["bare"]
    if not typed:
        files.begin()
    return partial(_suggested, typed, len(mention.group()), files)


async def _suggested(typed: str, replaced: int, files: Files) -> Found:
    """Return files for a few letters of their names, or, where a path leads elsewhere, what is there."""
    folder = files.folder
    choices = await (in_thread(paths, typed, folder) if typed.startswith(_ELSEWHERE) else files.find(typed))
    # A name that is not hidden may be a link to one that is.
    shown = await in_thread(lambda: [each for each in choices if not _hidden(folder, each[0])])
    if shown and shown[0][0] == typed and _stands_for_files(typed):
        shown[0] = typed, await files.weigh(typed)
    return Found([_suggestion(path, about, typed, replaced) for path, about in shown], offered=bool(typed))


def _suggestion(path: str, about: str, typed: str, replaced: int) -> Suggestion:
    return Suggestion(_mention_of(path), replaced, about, typed=path == typed)


def _mention_of(path: str) -> str:
    """Return what mentions a path; that of a folder is open, for what is in it."""
    if _BLANK.search(path):
        return f'@"{path}' if path.endswith("/") else f'@"{path}" '
    return f"@{path}" if path.endswith("/") else f"@{path} "


def paths(typed: str, folder: Path) -> Sequence[Choice]:
    """Return the first paths that `typed` may become, folders with a slash behind them.

    However many files there are, of most of them nothing is looked at but the name.
    """
    parent, slash, name = typed.rpartition("/")
    where = parent + slash
    try:
        with os.scandir(folder / Path(where).expanduser()) as entries:
            wanted = (each for each in entries if _may_be_meant(each.name, name))
            first = nsmallest(_COMPLETIONS, wanted, key=lambda entry: entry.name)
    except (OSError, RuntimeError, ValueError):
        return []
    return [_choice(each, where) for each in first]


def _may_be_meant(name: str, typed: str) -> bool:
    """Tell whether a file's name may be what is being typed. One that begins with a dot is hidden until that is."""
    if not name.startswith(typed) or (not typed and name[0] == "."):
        return False
    # A name with a line break in it would end the line; and none is to hide what it is.
    return (name.isascii() and name.isprintable()) or is_plain(name)


def _choice(entry: os.DirEntry[str], before: str) -> Choice:
    try:
        if entry.is_dir():
            return f"{before}{entry.name}/", "folder"
        return before + entry.name, f"{entry.stat().st_size:,} bytes"
    except OSError:
        return before + entry.name, ""


def _bytes(found: TextFile | Attachment) -> int:
    return found.size if isinstance(found, TextFile) else len(found.data)


def _mentioned(text: str, folder: Path) -> Iterator[str]:
    """Yield the names of files in `text`, each once."""
    seen: set[str] = set()
    for mention in _MENTION.finditer(text):
        name = mention["quoted"] or mention["bare"]
        for candidate in (name, name.rstrip(_CLOSING)):
            if candidate and _is_file(folder, candidate):
                if candidate not in seen:
                    seen.add(candidate)
                    yield candidate
                break


def _folders(text: str, folder: Path) -> list[str]:
    """Return the folders that `text` mentions with a slash behind them."""
    return [name for name in _names(text) if _stands_for_files(name) and _is_folder(folder, name)]


def _stands_for_files(name: str) -> bool:
    """Tell whether the name of a folder stands for what is in it: one elsewhere may hold all there is."""
    return name.endswith("/") and not name.startswith(_ELSEWHERE) and ".." not in Path(name).parts


def _texts(folder: Path, name: str, said: list[str], instead: str) -> list[TextFile]:
    """Return the text files of a folder, and say how many there are. Raises UsageError where they are too much."""
    if _hidden(folder, name):
        said.append(f"{name} is hidden, and was not attached: {instead} for each file")
        return []
    return _texts_in(folder, name, said, lambda path: _hidden(folder, name + path))


def _texts_in(folder: Path, name: str, said: list[str], hidden: Callable[[str], bool]) -> list[TextFile]:
    from llmterm.chat.filesearch import listing  # few messages mention a folder

    where = folder / Path(name).expanduser()
    paths = [path for path in listing(where).paths if not path.endswith("/") and not hidden(path)]
    files: list[TextFile] = []
    size = 0
    for path in paths:
        with suppress(UsageError):  # no text, or one that is too large
            found = read(folder, name + path)
            files += [found] if isinstance(found, TextFile) else []
            size += found.size if isinstance(found, TextFile) else 0
        if size > TEXT_LIMIT:
            raise UsageError(
                f"{name} is too large", hint=f"{len(paths)} files; their text may have {TEXT_LIMIT:,} bytes in all"
            )
    left_out = f", {len(paths) - len(files)} others left out" if len(paths) > len(files) else ""
    said.append(f"attached {name}: {count(len(files), 'text file')}, {size:,} bytes{left_out}")
    return files


def _missing(text: str, folder: Path) -> list[str]:
    """Return what in `text` looks like the name of a file, and is the name of nothing."""
    return [name for name in _names(text) if _LIKE_A_FILE.search(name) and not _exists(folder, name)]


def _names(text: str) -> list[str]:
    """Return what `text` mentions, file or not, without what closes a sentence."""
    names = (mention["quoted"] or mention["bare"].rstrip(_CLOSING) for mention in _MENTION.finditer(text))
    return [name for name in dict.fromkeys(names) if name]


def _no_file(folder: Path, name: str) -> str:
    """Return why something that is there cannot be attached, "" for a file, and for what is not there."""
    if not _exists(folder, name) or _is_file(folder, name):
        return ""
    if _is_folder(folder, name):
        if name.startswith(_ELSEWHERE):
            return "is a folder, and was not attached: its files can be"
        return "" if name.endswith("/") else f"is a folder, and was not attached: @{name}/ attaches its text files"
    return "is no file, and was not attached: a device or a pipe has no end to wait for"


def _exists(folder: Path, name: str) -> bool:
    try:
        return (folder / Path(name).expanduser()).exists()
    except (OSError, RuntimeError, ValueError):
        return False


def _is_file(folder: Path, name: str) -> bool:
    try:
        return (folder / Path(name).expanduser()).is_file()
    except (OSError, RuntimeError, ValueError):  # no such user, a name too long, a NUL
        return False


def _is_folder(folder: Path, name: str) -> bool:
    try:
        return (folder / Path(name).expanduser()).is_dir()
    except (OSError, RuntimeError, ValueError):
        return False


def _hidden(folder: Path, name: str) -> bool:
    """Tell whether a file, or what it links to, is hidden; the folder that the program runs in does not count."""
    found = (folder / Path(name).expanduser()).resolve()
    where = folder.resolve()
    parts = found.relative_to(where).parts if found.is_relative_to(where) else found.parts
    return any(part.startswith(".") and part not in (".", "..") for part in (*Path(name).parts, *parts))
