"""What a text in markdown leaves open at its end: a code block, a table, a list.

Line by line and by CommonMark's rules for fences (https://spec.commonmark.org/0.31.2/#fenced-code-blocks); enough to
tell a model where it is, and to tell code from prose at a seam.
"""

from __future__ import annotations

import re

_FENCE = re.compile(r"[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)?(`{3,}(?=[^`]*$)|~{3,})[ \t]*([^\s`]*)")
_CLOSING = re.compile(r"[ \t>]*(`{3,}|~{3,})[ \t]*$")
_TABLE_ROW = re.compile(r"[ \t]*\|")
_LIST_ITEM = re.compile(r"[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]+\S")


def open_fence(text: str) -> tuple[str, str] | None:
    """Return the fence that is open at the end of `text`, as its marks and its language; None outside of code."""
    fence: tuple[str, str] | None = None
    if "```" not in text and "~~~" not in text:
        return None
    for line in text.split("\n"):
        if fence is None:
            if match := _FENCE.match(line):
                fence = match[1], match[2]
        elif (match := _CLOSING.match(line)) and match[1][0] == fence[0][0] and len(match[1]) >= len(fence[0]):
            fence = None
    return fence


def open_block(text: str) -> str:
    """Return what the end of `text` stands in, in words for a model; "" for plain paragraphs."""
    if fence := open_fence(text):
        return f"a code block in {fence[1]}" if fence[1] else "a code block"
    paragraph = text.rstrip().rpartition("\n\n")[2]
    lines = paragraph.split("\n")
    if text.endswith("\n\n") and not _LIST_ITEM.match(lines[-1]):
        return ""
    if _TABLE_ROW.match(lines[-1]):
        return "a table"
    if any(_LIST_ITEM.match(line) for line in lines):
        return "a list"
    return ""
