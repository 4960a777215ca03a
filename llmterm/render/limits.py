"""How much of a text is laid out at once, so that no line or block can keep the screen waiting.

Where a line or a block is cut depends on nothing but its own beginning: neither on how the text was cut into chunks nor
on what comes later.
"""

from __future__ import annotations

from collections.abc import Sequence

# What is longer is data, or an attempt to be a nuisance.
LONGEST_LINE = 8_000
_LARGEST_BLOCK = 20_000
# What is looked at in one go must hold the largest block, and a line more.
AT_ONCE = 3 * _LARGEST_BLOCK
# How far back a blank is looked for to cut at.
_NEAR = 200


def long_line(text: str) -> int:
    """Return where the first line of `text` that is too long must be cut; 0 if none is."""
    start = 0
    while len(text) - start > LONGEST_LINE:
        end = text.find("\n", start)
        if end < 0 or end - start > LONGEST_LINE:
            return start + cut_of(text[start : start + LONGEST_LINE])
        start = end + 1
    return 0


def cut_of(line: str) -> int:
    """Return where to cut a line, of which `line` is as much as may be laid out."""
    blank = line.rfind(" ", len(line) - _NEAR)
    return blank + 1 if blank >= 0 else len(line)


def lines_at_once(lines: Sequence[str]) -> int:
    """Return how many of a block's lines may be laid out at once."""
    # The last of them does not count: what it belongs to may not be certain.
    if sum(map(len, lines[:-1])) + len(lines) - 1 <= _LARGEST_BLOCK:
        return len(lines)
    size = count = 0
    for line in lines:
        size += len(line) + 1
        if size > _LARGEST_BLOCK:
            break
        count += 1
    return max(1, count)
