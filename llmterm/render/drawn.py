"""Lines as they are drawn: text with styles (SGR) and links (OSC 8), neither of which takes a cell.

A line stands alone: no style or link is open at its end. `patch` makes one line of the screen into another by writing
only from where they differ, for which it must be certain in which cell that is, whatever the terminal.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from unicodedata import category

from llmterm.render.cells import ONE_CELL, TWO_CELLS, clusters, wide

_ESCAPES = r"\x1b\[[0-9;]*m|\x1b\]8;[^\x1b\x07]*\x1b\\"
_SEQUENCE = re.compile(f"({_ESCAPES})")
_RESET, _NO_LINK = "\x1b[0m", "\x1b]8;;\x1b\\"
_CLEAR_RIGHT = "\x1b[K"


@cache
def _sure() -> re.Pattern[str]:
    return re.compile(f"(?:{_ESCAPES}|[{ONE_CELL}{TWO_CELLS}])*")


def bare(line: str) -> str:
    """Return the text of a line."""
    return _SEQUENCE.sub("", line) if "\x1b" in line else line


def clip(line: str, columns: int, cell_len: Callable[[str], int]) -> str:
    """Return as much of the beginning of `line` as fits, with nothing left open."""
    if (line.isascii() and len(line) <= columns) or cell_len(bare(line)) <= columns:
        return line
    kept: list[str] = []
    room = columns
    for index, part in enumerate(_SEQUENCE.split(line)):
        if index % 2:
            kept.append(part)
            continue
        for cluster in [part] if cell_len(part) <= room else clusters(part):
            room -= cell_len(cluster)
            if room < 0:
                return "".join([*kept, *_closing("".join(kept), styled="\x1b[" in line)])
            kept.append(cluster)
    return "".join(kept)


def behind(line: str, count: int) -> str:
    """Return `line` without its first `count` visible characters, as far in as it was; "" if they end in a word."""
    text = bare(line)
    parts = _SEQUENCE.split(line)
    for index in range(0, len(parts), 2):
        at = 0
        while count and at < len(parts[index]):
            count -= not parts[index][at].isspace()
            at += 1
        parts[index] = parts[index][at:]
    if bare("".join(parts))[:1].strip():
        return ""
    for index in range(0, len(parts), 2):
        parts[index] = parts[index].lstrip()
        if parts[index]:
            break
    return text[: len(text) - len(text.lstrip())] + "".join(parts)


def patch(old: str, new: str) -> str:
    """Return what makes a row that shows `old`, with the cursor at its beginning, show `new`."""
    same = _common(old, new)
    head, tail = new[:same], new[same:]
    clear = _CLEAR_RIGHT if bare(old[same:]) else ""
    if not (clear or bare(tail)):
        return ""
    before = bare(head)
    column = len(before) + (0 if before.isascii() else len(wide().findall(before)))
    return f"\x1b[{column}C{clear}{_still_open(head)}{tail}" if column else f"{clear}{new}"


def _common(old: str, new: str) -> int:
    """Return how many characters at the beginning are the same, and sure to be in the same cells on any terminal."""
    match = _sure().match(new, 0, _equal(old, new))
    assert match is not None
    return 0 if _joins(old[match.end() :]) or _joins(new[match.end() :]) else match.end()


def _equal(old: str, new: str) -> int:
    """Return how many characters at the beginning are the same."""
    least, most = 0, min(len(old), len(new))
    while least < most:
        middle = (least + most + 1) // 2
        if old.startswith(new[least:middle], least):
            least = middle
        else:
            most = middle - 1
    return least


def _joins(text: str) -> bool:
    """Tell whether `text` may change the character before it."""
    if text[:1].isascii() and text[:1] != "\x1b":
        return False
    first = bare(text)[:1]
    return not _sure().fullmatch(first) and category(first) in ("Mn", "Mc", "Me", "Cf", "Sk", "Lo", "So")


def _still_open(head: str) -> str:
    """Return the styles and the link that are open at the end of `head`."""
    if "\x1b" not in head:
        return ""
    link = ""
    styles: list[str] = []
    for sequence in _SEQUENCE.findall(head):
        if sequence.startswith("\x1b]"):
            link = "" if sequence == _NO_LINK else sequence
        elif sequence == _RESET:
            styles.clear()
        else:
            styles.append(sequence)
    return "".join([link, *styles])


def _closing(head: str, *, styled: bool) -> list[str]:
    return [_RESET if styled else "", _NO_LINK if "\x1b]8;" in _still_open(head) else ""]
