"""Files that a user names: read to go with a message, and written whole or not at all.

A text is read as UTF-8, or as the mark at its beginning says, and an image or a PDF is known by its first bytes. Where
single characters of a text are none in UTF-8 (a log in Latin-1), U+FFFD stands for them, and that is said; where most
of it is, or where it has a NUL, it is no text that a model could read.
"""

from __future__ import annotations

import codecs
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from llmterm.errors import UsageError
from llmterm.messages import Attachment

# Bytes. A larger text fills most contexts; a larger image or PDF no provider takes.
TEXT_LIMIT = 512 * 1024
FILE_LIMIT = 50 * 1024 * 1024
TAKEN = "a text in UTF-8, PNG, JPEG, GIF, WebP or PDF can be"

_LANGUAGE = re.compile(r"[\w+#-]+")
_TICKS = re.compile(r"`{3,}|~{3,}")
# What no text has, but for the marks of a terminal's output.
_BINARY = re.compile(r"[\x00-\x06\x0e-\x1a\x1c-\x1f]")
_INSTEAD = "\ufffd"
# What the first bytes of a file say: https://en.wikipedia.org/wiki/List_of_file_signatures
_SIGNATURES = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"GIF8[79]a"), "image/gif"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "image/webp"),
    (re.compile(rb"%PDF-"), "application/pdf"),
)
# Those of UTF-32 first: one of UTF-16 begins one of them. https://www.unicode.org/faq/utf_bom.html
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


@dataclass(frozen=True, slots=True)
class Text:
    """What bytes say; `note` is to be said of it, "" for nothing."""

    text: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class TextFile:
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


def decoded(data: bytes, *, whole: bool = True) -> Text | None:
    """Return the text that `data` is, or begins with where it is not `whole`; None where it is none."""
    mark, encoding = next((each for each in _MARKS if data.startswith(each[0])), (b"", "utf-8"))
    data = data[len(mark) :]
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(data, final=whole)
    except UnicodeDecodeError:
        text = codecs.getincrementaldecoder(encoding)("replace").decode(data, final=whole)
        return _mended(text, encoding)
    return None if "\0" in text else Text(text)


def _mended(text: str, encoding: str) -> Text | None:
    """Return a text in which U+FFFD stands for what could not be read, None where that is most of it."""
    count = text.count(_INSTEAD)
    if count * 2 > len(text) or _BINARY.search(text):
        return None
    some = "1 character is" if count == 1 else f"{count:,} characters are"
    return Text(text, f"{some} not in {encoding.upper()}, and {_INSTEAD} stands there instead")


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


def write(path: Path, text: str) -> None:
    """Write a text to a file, in the place of what is there, whose permissions it keeps; a link stays one.

    Raises OSError, RuntimeError or ValueError, and has then changed nothing.
    """
    path = path.resolve()
    half = path.with_name(f".llmterm-{os.urandom(4).hex()}")
    try:
        with half.open("x", encoding="utf-8", errors="replace", newline="") as file:
            file.write(text)
        with suppress(FileNotFoundError):
            half.chmod(path.stat().st_mode & 0o7777)
        half.replace(path)
    except BaseException:
        with suppress(OSError):
            half.unlink()
        raise
