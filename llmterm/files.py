"""Files that a user names: read to go with a message, and written whole or not at all.

An image or a PDF is known by its first bytes; whatever else can be read is a text.
"""

from __future__ import annotations

import errno
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from llmterm.decoding import decoded
from llmterm.errors import UsageError
from llmterm.messages import Attachment

# Bytes. A larger text fills most contexts; a larger image or PDF no provider takes.
TEXT_LIMIT = 512 * 1024
FILE_LIMIT = 50 * 1024 * 1024
TAKEN = "a text in UTF-8, PNG, JPEG, GIF, WebP or PDF can be"

_LANGUAGE = re.compile(r"[\w+#-]+")
# Spelled so that each alternative begins with characters: the search then skips all others at once.
_TICKS = re.compile(r"````*|~~~~*")
# What the first bytes of a file say: https://en.wikipedia.org/wiki/List_of_file_signatures
_SIGNATURES = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"GIF8[79]a"), "image/gif"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "image/webp"),
    (re.compile(rb"%PDF-"), "application/pdf"),
)


class TextFile(NamedTuple):
    """A text file to put into a message; `note` is to be said of it."""

    name: str
    text: str
    size: int
    note: str = ""

    def block(self) -> str:
        """Return the file as markdown: its name, and its text in a fence that nothing in it can close."""
        fence = "`" * (1 + max([2, *(len(run) for run in _TICKS.findall(self.text))]))
        suffix = Path(self.name).suffix.removeprefix(".")
        language = suffix if _LANGUAGE.fullmatch(suffix) else ""  # a backtick there, and it were no fence
        return f"File {self.name}:\n{fence}{language}\n{self.text.rstrip(chr(10))}\n{fence}"


def media_type(data: bytes) -> str:
    """Return what kind of image or document `data` is, "" for anything else."""
    return next((kind for signature, kind in _SIGNATURES if signature.match(data)), "")


def read(folder: Path, name: str) -> TextFile | Attachment:
    """Return the file. Raises UsageError where it cannot be read, is too large, or nothing that a model can take."""
    try:
        path = folder / Path(name).expanduser()
        if path.is_dir():
            raise UsageError(f"{name} is a folder", hint="attach the files in it one by one")
        if not path.is_file():
            path.stat()  # what is not there says so
            raise UsageError(f"{name} is no file", hint="a device or a pipe has no end to wait for")
        with path.open("rb") as file:
            data = file.read(FILE_LIMIT + 1)  # some files do not tell their size, or grow
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror}") from None
    except (RuntimeError, ValueError) as error:  # no such user, a NUL
        raise UsageError(f"{name} cannot be read: {error}") from None
    size = len(data)
    if size > FILE_LIMIT:
        raise UsageError(f"{name} is too large", hint=f"at most {FILE_LIMIT:,} bytes can be attached")
    if kind := media_type(data):
        return Attachment(name=path.name, media_type=kind, data=data)
    found = decoded(data[:TEXT_LIMIT], whole=size <= TEXT_LIMIT)
    if found is None:
        raise UsageError(f"{name} cannot be attached", hint=TAKEN)
    if size > TEXT_LIMIT:
        raise UsageError(f"{name} is too large", hint=f"{size:,} bytes; a text may have {TEXT_LIMIT:,}")
    return TextFile(name, found.text.replace("\r\n", "\n"), size, found.note)


def require_writable(name: str) -> None:
    """Raise UsageError where no file of that name can be written: better before something is made that it is for."""
    try:
        path = Path(name).expanduser()
        if path.is_dir():
            raise UsageError(f"{name} is a folder", hint="a file in it can be written")
        folder = path.resolve().parent
        if not _is_device(path) and not folder.is_dir():
            raise UsageError(f"{name} cannot be written: there is no folder {folder}")
        if not os.access(path if _is_device(path) else folder, os.W_OK):
            raise UsageError(f"{name} cannot be written: {os.strerror(errno.EACCES)}")
    except (OSError, RuntimeError, ValueError) as error:  # too long, no such user, a NUL
        raise UsageError(f"{name} cannot be written: {getattr(error, 'strerror', error)}") from None


def write(path: Path, text: str, *, private: bool = False) -> None:
    """Write a text to a file, in the place of what is there, whose permissions it keeps; a link stays one.

    A `private` one nobody else can read, from its first byte on. What is no file, such as a device or a named pipe, is
    written to as it is.

    Raises OSError, RuntimeError or ValueError, and has then changed nothing.
    """
    if _is_device(path):
        with path.open("w", encoding="utf-8", errors="replace", newline="") as file:
            file.write(text)
        return
    path = path.resolve()
    half = path.with_name(f".llmterm-{os.urandom(4).hex()}")
    try:
        descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o666)
        with open(descriptor, "w", encoding="utf-8", errors="replace", newline="") as file:
            file.write(text)
        if not private:
            with suppress(FileNotFoundError):
                half.chmod(path.stat().st_mode & 0o7777)
        half.replace(path)
    except BaseException:
        with suppress(OSError):
            half.unlink()
        raise


def _is_device(path: Path) -> bool:
    """Tell whether there is something else than a file or a folder. Its path may lead to what has none, as a pipe's."""
    return path.exists() and not path.is_file() and not path.is_dir()
