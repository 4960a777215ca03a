"""Files that a message mentions: `@path` in its text, read and put into the message or attached to it.

A text file becomes part of the message, under its name; an image or a PDF is attached. A name that is no file stays
the text it is. `@` never takes a hidden file: text pasted from elsewhere must not send a key along; `/attach` does.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from llmterm.chat.commands import Choice, Suggestion
from llmterm.errors import UsageError
from llmterm.messages import Attachment

# Bytes. A larger text fills most contexts; a larger image or PDF no provider takes.
_TEXT_LIMIT = 512 * 1024
_FILE_LIMIT = 50 * 1024 * 1024
_COMPLETIONS = 100

_MENTION = re.compile(r'(?<!\S)@(?:"(?P<quoted>[^"\n]+)"|(?P<bare>\S+))')
_BEING_MENTIONED = re.compile(r'(?:^|(?<=\s))@(?:"(?P<quoted>[^"\n]*)|(?P<bare>[^\s"]*))\Z')
_BLANK = re.compile(r"\s")
_CLOSING = ".,;:!?)]}'\""
_LANGUAGE = re.compile(r"[\w+#-]+")
_LIKE_A_FILE = re.compile(r"/|\.\w{1,5}$")
_TICKS = re.compile(r"`{3,}|~{3,}")
# What the first bytes of a file say: https://en.wikipedia.org/wiki/List_of_file_signatures
_SIGNATURES = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"GIF8[79]a"), "image/gif"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "image/webp"),
    (re.compile(rb"%PDF-"), "application/pdf"),
)


@dataclass(frozen=True, slots=True)
class TextFile:
    """A text file to put into a message."""

    name: str
    text: str
    size: int

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
            data = file.read(_FILE_LIMIT + 1)  # some files do not tell their size, or grow
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror}") from None
    except (RuntimeError, ValueError) as error:  # no such user, a NUL
        raise UsageError(f"{name} cannot be read: {error}") from None
    size = len(data)
    if size > _FILE_LIMIT:
        raise UsageError(f"{name} is too large", hint=f"at most {_FILE_LIMIT:,} bytes can be attached")
    if kind := media_type(data):
        return Attachment(name=path.name, media_type=kind, data=data)
    text = _text(data)
    if text is None:
        raise UsageError(f"{name} cannot be attached", hint="a text in UTF-8, PNG, JPEG, GIF, WebP or PDF can be")
    if size > _TEXT_LIMIT:
        raise UsageError(f"{name} is too large", hint=f"{size:,} bytes; a text may have {_TEXT_LIMIT:,}")
    return TextFile(name, text.replace("\r\n", "\n"), size)


def _text(data: bytes) -> str | None:
    """Return the text that `data` is or, where that would be too large, begins with; None where it is no text."""
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(data[:_TEXT_LIMIT], final=len(data) <= _TEXT_LIMIT)
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text.removeprefix("\ufeff")


def expand(text: str, folder: Path) -> tuple[str, tuple[Attachment, ...], list[str]]:
    """Return `text` with the text files that it mentions behind it, what else is attached, and what is to be said."""
    blocks: dict[str, str] = {}
    attached: dict[str, Attachment] = {}
    said: list[str] = []
    for name in _mentioned(text, folder):
        if _hidden(folder, name):
            said.append(f"{name} is hidden, and was not attached: /attach {name} does it")
            continue
        found = read(folder, name)
        if isinstance(found, Attachment):
            attached[name] = found
        elif (block := found.block()) not in text:  # a question that is edited has it already
            blocks[name] = block
        said.append(f"attached {name} ({_bytes(found):,} bytes)")
    said += [f"there is no file {name}: it is sent as it stands" for name in _missing(text, folder)]
    return "\n\n".join([text, *blocks.values()]), tuple(attached.values()), said


def suggestions(text: str, folder: Path) -> list[Suggestion]:
    """Return what the path that `text` ends in, if it mentions one, may become."""
    mention = _BEING_MENTIONED.search(text)
    if mention is None:
        return []
    typed = mention["quoted"] if mention["quoted"] is not None else mention["bare"]
    return [
        Suggestion(_quoted(path) if _BLANK.search(path) else f"@{path}", len(mention.group()), about)
        for path, about in paths(typed, folder)
        if not _hidden(folder, path)
    ]


def _quoted(path: str) -> str:
    """Return the mention of a path with blanks in it; that of a folder is open, for what is in it."""
    return f'@"{path}' if path.endswith("/") else f'@"{path}"'


def paths(typed: str, folder: Path) -> Sequence[Choice]:
    """Return the paths that `typed` may become, folders with a slash behind them."""
    parent, slash, name = typed.rpartition("/")
    try:
        entries = sorted((folder / Path(parent + slash).expanduser()).iterdir())
    except (OSError, RuntimeError, ValueError):
        return []
    wanted = [
        each
        for each in entries
        # A name with a line break in it would end the line.
        if each.name.startswith(name) and each.name.isprintable() and (name or not each.name.startswith("."))
    ]
    return [_choice(each, parent + slash) for each in wanted[:_COMPLETIONS]]


def _choice(path: Path, before: str) -> Choice:
    try:
        return (f"{before}{path.name}/", "folder") if path.is_dir() else (before + path.name, _size(path))
    except OSError:
        return before + path.name, ""


def _size(path: Path) -> str:
    return f"{path.stat().st_size:,} bytes"


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


def _missing(text: str, folder: Path) -> list[str]:
    """Return what in `text` looks like the name of a file and is none."""
    names = (mention["quoted"] or mention["bare"].rstrip(_CLOSING) for mention in _MENTION.finditer(text))
    return [name for name in dict.fromkeys(names) if _LIKE_A_FILE.search(name) and not _is_file(folder, name)]


def _is_file(folder: Path, name: str) -> bool:
    try:
        return (folder / Path(name).expanduser()).is_file()
    except (OSError, RuntimeError, ValueError):  # no such user, a name too long, a NUL
        return False


def _hidden(folder: Path, name: str) -> bool:
    """Tell whether a file, or what it links to, is hidden; the folder that the program runs in does not count."""
    found = (folder / Path(name).expanduser()).resolve()
    where = folder.resolve()
    parts = found.relative_to(where).parts if found.is_relative_to(where) else found.parts
    return any(part.startswith(".") and part not in (".", "..") for part in (*Path(name).parts, *parts))
