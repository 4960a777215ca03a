"""The front matter of a Markdown file: what stands between two lines of `---` at its very beginning.

It is written like YAML, as in other tools, and is the part of it that nobody has to look up: `key: text`, quotes where
they are wanted, `key: [one, two]` or lines of `- one` for a list, and comments. Nothing is guessed, as YAML does: every
value is text here, and what reads it says what it has to be. All else of YAML is refused with its line, not misread.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeAlias, TypeVar

_FENCE = re.compile(r"---[ \t]*")
_ENTRY = re.compile(r"(?P<key>[^\W\d][\w-]*)[ \t]*:(?:[ \t]+(?P<value>.*))?")
_ITEM = re.compile(r"[ \t]*-(?:[ \t]+(?P<value>.*))?")
_QUOTED = r'"(?:[^"\\]|\\.)*"|' + r"'(?:[^']|'')*'"
_SCALAR = re.compile(rf"(?P<quoted>{_QUOTED})[ \t]*(?:#.*)?")
# In a list in brackets, up to the next comma.
_LISTED = re.compile(rf"[ \t]*(?P<item>{_QUOTED}|[^\s,\"'\[\]{{}}][^,\[\]{{}}]*)[ \t]*(?P<end>,|\Z)")
_LIST = re.compile(rf"\[(?P<items>(?:{_QUOTED}|[^\]\"'])*)\][ \t]*(?:#.*)?")
# How a plain text may not begin: it means something in YAML that it does not here.
_OTHERWISE = tuple("|>&*!%@`{[\"'")

T = TypeVar("T")
Value: TypeAlias = str | tuple[str, ...]


class Entry(NamedTuple):
    """A value, and the line it begins on, from 1."""

    line: int
    value: Value


class FrontMatter(NamedTuple):
    """What a file says: its entries, and the text below them. `complaints` are by line."""

    entries: Mapping[str, Entry]
    body: str
    complaints: Sequence[tuple[int, str]] = ()


def parse(text: str) -> FrontMatter:
    """Return what the text of a file says; one that does not begin with a line of `---` is all body."""
    lines = text.split("\n")
    if not _FENCE.fullmatch(lines[0]):
        return FrontMatter({}, text.strip())
    end = next((at for at, line in enumerate(lines[1:], 1) if _FENCE.fullmatch(line)), None)
    if end is None:
        return FrontMatter({}, "", [(1, 'the front matter has no end: put a line of "---" below it')])
    entries, complaints = _entries(lines[1:end])
    return FrontMatter(entries, "\n".join(lines[end + 1 :]).strip(), complaints)


def _entries(lines: Sequence[str]) -> tuple[dict[str, Entry], list[tuple[int, str]]]:
    entries: dict[str, Entry] = {}
    complaints: list[tuple[int, str]] = []
    opened = ""  # the key that items may follow
    for number, line in enumerate(lines, 2):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            if (item := _ITEM.fullmatch(line)) and opened:
                before = entries[opened]
                entries[opened] = Entry(before.line, (*before.value, _value(opened, item["value"] or "", _scalar)))
                continue
            opened = ""
            key, value = _entry(line)
        except ValueError as error:
            complaints.append((number, str(error)))
            continue
        if key in entries:
            complaints.append((number, f"{key} is there twice"))
        elif value is None:
            opened, entries[key] = key, Entry(number, ())
        else:
            entries[key] = Entry(number, value)
    return entries, complaints


def _entry(line: str) -> tuple[str, Value | None]:
    """Return a key and its value, None where that is a list below it. Raises ValueError."""
    found = _ENTRY.fullmatch(line)
    if found is None:
        raise ValueError('must be "key: value", or "- item" of a list below its key')
    value = (found["value"] or "").strip()
    if not value or value.startswith("#"):
        return found["key"], None
    if value.startswith("["):
        return found["key"], _value(found["key"], value, _list)
    return found["key"], _value(found["key"], value, _scalar)


def _value(key: str, text: str, read: Callable[[str], T]) -> T:
    try:
        return read(text)
    except ValueError as error:
        raise ValueError(f"{key} {error}") from None


def _list(value: str) -> tuple[str, ...]:
    found = _LIST.fullmatch(value)
    if found is None:
        raise ValueError('must be a list like "[one, two]" on one line')
    items, at, rest = [], 0, found["items"].strip()
    while at < len(rest):
        item = _LISTED.match(rest, at)
        if item is None:
            raise ValueError('must be a list like "[one, two]" on one line')
        items.append(_scalar(item["item"]))
        at = item.end()
    return tuple(items)


def _scalar(value: str) -> str:
    """Return the text that a value is. Raises ValueError."""
    value = value.strip()
    if found := _SCALAR.fullmatch(value):
        quoted = found["quoted"]
        return _unescaped(quoted) if quoted.startswith('"') else quoted[1:-1].replace("''", "'")
    if value.startswith(_OTHERWISE):
        raise ValueError("is more of YAML than is understood here: put a text into quotes, a long one below the ---")
    return re.sub(r"[ \t]+#.*", "", value)


def _unescaped(quoted: str) -> str:
    try:
        return str(json.loads(quoted, strict=False))
    except ValueError:
        raise ValueError("has a \\ in \"...\" that means nothing: write \\\\, or put it into '...'") from None
