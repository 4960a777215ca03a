"""What a text in markdown leaves open at its end: a code block, a table, a list.

Line by line and by CommonMark's rules for fences (https://spec.commonmark.org/0.31.2/#fenced-code-blocks); enough to
tell a model where it is, and to tell code from prose at a seam.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_FENCE = re.compile(r"[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)?(`{3,}(?=[^`]*$)|~{3,})[ \t]*([^\s`]*)")
_CLOSING = re.compile(r"[ \t>]*(`{3,}|~{3,})[ \t\r]*$")
_TABLE_ROW = re.compile(r"[ \t]*\|")
# So much of the end of a text is enough to know it again.
_FEW_LINES = 6
_FEW_CHARACTERS = 400
# As far back as the beginning of a paragraph is looked for.
_MEMORY = 20_000
_LIST_ITEM = re.compile(r"[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]+\S")


class End(NamedTuple):
    """The code block that a text leaves open, as its marks and its language: at its end, and `above` its last line."""

    fence: tuple[str, str] | None = None
    above: tuple[str, str] | None = None

    @classmethod
    def of(cls, text: str) -> End:
        fences = Fences()
        fences.feed(text)
        return fences.end


class Fences:
    """Finds the end of a text that is read in pieces, which may be cut anywhere."""

    def __init__(self) -> None:
        self._above: tuple[str, str] | None = None
        self._line = ""

    def feed(self, text: str) -> None:
        lines, newline, line = text.rpartition("\n")
        if newline:
            self._above, self._line = _behind(self._above, self._line + lines), ""
        self._line += line

    @property
    def end(self) -> End:
        return End(_behind(self._above, self._line), self._above)


def _behind(fence: tuple[str, str] | None, lines: str) -> tuple[str, str] | None:
    """Return the fence that is open behind some whole lines."""
    if "```" not in lines and "~~~" not in lines:
        return fence
    for line in lines.split("\n"):
        if fence is None:
            if match := _FENCE.match(line):
                fence = match[1], match[2]
        elif _closes(fence[0], line):
            fence = None
    return fence


def open_block(text: str, end: End) -> str:
    """Return what a text stands in, in words for a model; "" for plain paragraphs. Of `text` the last is enough, where
    `end` is that of all of it."""
    if fence := end.fence:
        return f"a code block in {fence[1]}" if fence[1] else "a code block"
    paragraph = text[-_MEMORY:].rstrip().rpartition("\n\n")[2]
    lines = paragraph.split("\n")
    if text.endswith("\n\n") and not _LIST_ITEM.match(lines[-1]):
        return ""
    if _TABLE_ROW.match(lines[-1]):
        return "a table"
    if any(_LIST_ITEM.match(line) for line in lines):
        return "a list"
    return ""


def ending(text: str) -> str:
    """Return the last words of a text, or the last lines of its last block, as markdown that can be gone on with.

    Of a code block, and of a table, it has the beginning too, by which it is one. Of a text of megabytes it takes its
    time.
    """
    block, fenced = _last_block(text)
    lines = block.split("\n")
    head = 1 if fenced else 2 if _TABLE_ROW.match(lines[0]) else 0
    first = max(head, len(lines) - _FEW_LINES + head)
    if head:
        return "\n".join([*lines[:head], *(line[-_FEW_CHARACTERS:] for line in lines[first:])])
    # An item of a list is one by its indentation, seen from the item that it belongs to.
    first = next(at for at in range(first, -1, -1) if lines[at][:1].strip() or not at)
    words = "\n".join(lines[first:])
    cut = words[-_FEW_CHARACTERS:]
    if len(cut) < len(words):
        cut = cut.partition(" ")[2] or cut
    whole = len(cut) == len(block) or _LIST_ITEM.match(cut)
    return cut if whole else f"… {cut}"


def _last_block(text: str) -> tuple[str, bool]:
    """Return what begins behind the last blank line that no code, list or quote goes on behind; and whether that is a
    code block that is open.
    """
    start, place, fence, begins = 0, 0, None, True
    for line in text.splitlines(keepends=True):
        if fence is None:
            match = _FENCE.match(line.rstrip("\r\n"))
            if line[:1].strip(" \t>\r\n") and (begins or match):
                start = place
            fence, begins = match and match[1], not line.strip()
        elif _closes(fence, line.rstrip("\r\n")):
            fence, begins = None, True
        place += len(line)
    return text[start:], fence is not None


class CodeBlock(NamedTuple):
    """A fenced block: its language as written behind the fence, and its lines."""

    language: str
    code: str


def code_blocks(text: str) -> list[CodeBlock]:
    """Return the fenced code blocks of `text`, one that is still open too; code has the fence's indentation less."""
    blocks: list[CodeBlock] = []
    fence: re.Match[str] | None = None
    lines: list[str] = []
    for line in text.replace("\r\n", "\n").split("\n"):
        if fence is None:
            fence, lines = _FENCE.match(line), []
        elif _closes(fence[1], line):
            blocks.append(_code_block(fence, lines))
            fence = None
        else:
            lines.append(line)
    return [*blocks, _code_block(fence, lines)] if fence else blocks


def _closes(mark: str, line: str) -> bool:
    match = _CLOSING.match(line)
    return match is not None and match[1][0] == mark[0] and len(match[1]) >= len(mark)


def _code_block(fence: re.Match[str], lines: list[str]) -> CodeBlock:
    before = fence.string[: fence.start(1)]
    quote = before.count(">")
    width = len(before)

    def inner(line: str) -> str:
        if quote:
            return re.sub(rf"\A(?:[ \t]*>){{0,{quote}}} ?", "", line)
        return line[min(width, len(line) - len(line.lstrip(" \t"))) :]

    return CodeBlock(language=fence[2], code="\n".join(map(inner, lines)))
