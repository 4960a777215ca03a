"""How much of a text is laid out at once, so that no line or block can keep the screen waiting.

Where a line or a block is cut depends on nothing but its own beginning: neither on how the text was cut into chunks nor
on what comes later. What counts is the work, not the length: a table with one letter in each cell takes a hundred times
as long as prose.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

# What parts of a text take to be parsed and laid out, measured, where a byte of prose takes 1.
_WORK = {"\n": 14, "|": 30, "[": 15, **dict.fromkeys("=(){};#<", 10), **dict.fromkeys("_`!&$\\", 2)}
_ITEM = re.compile(r"^[ >]*(?:[-*+]|\d+[.)])[ \t]", re.MULTILINE)
_WORK_OF_ITEM = 35
# What a character of a line takes at most.
_MOST_WORK = 32

# What is longer is data, or an attempt to be a nuisance.
_LONGEST_LINE = 10_000
_LARGEST_BLOCK = 26_000
# In a paragraph it can hardly be seen where it was cut.
_LARGEST_PARAGRAPH = 13_000
# What is looked at in one go must hold the largest block, and more; see `end_of_turn`.
AT_ONCE = 60_000
# What may be done in a frame, but for a block that must be laid out whole.
IN_PASSING = 6_000
# How far back a blank is looked for to cut at.
_NEAR = 200
# The line that is too much, the next, which tells that the block goes on, and the rest of one that was cut.
_LINES_MORE = 3
_FILLED = re.compile(r"\S[^\n]*\n")


def work(text: str) -> int:
    """Return about how much work it is to lay out `text`."""
    size = len(text.encode(errors="replace")) + _WORK_OF_ITEM * len(_ITEM.findall(text))
    return size + sum(each * text.count(mark) for mark, each in _WORK.items())


def long_line(text: str) -> int:
    """Return where the first line of `text` that is too long must be cut; 0 if none is."""
    start = 0
    while (len(text) - start) * _MOST_WORK > _LONGEST_LINE:
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        if cut := cut_of(text[start:end]):
            return start + cut
        start = end + 1
    return 0


def cut_of(line: str) -> int:
    """Return where a line must be cut that is too long; 0 if it is not."""
    if len(line) * _MOST_WORK <= _LONGEST_LINE or work(line[: _LONGEST_LINE + 1]) <= _LONGEST_LINE:
        return 0
    end = bisect_right(range(1, _LONGEST_LINE), _LONGEST_LINE, key=lambda size: work(line[:size]))
    blank = line.rfind(" ", max(0, end - _NEAR), end)
    return blank + 1 if blank >= 0 else end


def lines_at_once(kind: str, lines: Sequence[str]) -> int:
    """Return how many of a block's lines may be laid out at once; `kind` is that of its first token."""
    # A paragraph may still become a heading, by the line that comes next.
    most = _LARGEST_PARAGRAPH if kind in ("paragraph_open", "heading_open") else _LARGEST_BLOCK
    sizes = [work(f"{line}\n") for line in lines]
    # The last of them does not count: what it belongs to may not be certain.
    if sum(sizes[:-1]) <= most:
        return len(lines)
    return max(1, bisect_right(list(accumulate(sizes)), most))


def end_of_turn(text: str) -> int:
    """Return the end of the whole lines of `text` that are looked at in one go: a block that is too large, and more."""
    end = text.rfind("\n") + 1
    if work(text[:end]) <= _LARGEST_BLOCK:
        return end
    size = bisect_right(range(end), _LARGEST_BLOCK, key=lambda size: work(text[:size]))
    for _ in range(_LINES_MORE):
        match = _FILLED.search(text, size, end)
        if match is None:
            return end
        size = match.end()
    return size
