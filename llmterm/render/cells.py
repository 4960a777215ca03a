"""How wide text is on a terminal, and where to break it. Plain text only: no escape sequences, no tabs.

Widths are rich's, everywhere, so that whoever lays out a line and whoever draws it agree.
Rich is imported when the first text comes that is not ASCII.
"""

from __future__ import annotations

import re
from itertools import pairwise

# A Han or kana character is a word of its own, with the punctuation that may not begin a line.
_WIDE = "\u2e80-\u303f\u3040-\ua4cf\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef\U00020000-\U0003fffd"
_CLOSING = "、。，．：；！？）」』】〉》〕”’…"
_WORD = re.compile(rf"\s*(?:[{_WIDE}][{_CLOSING}]*|[^\s{_WIDE}]+)")


def cell_len(text: str) -> int:
    """Return how many cells `text` occupies."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len as measure

    return measure(text)


def chop(text: str, width: int) -> list[str]:
    """Cut `text` anywhere, into at least one piece, of at most `width` cells each if its characters fit at all."""
    if text.isascii():
        return [text[start : start + width] for start in range(0, len(text), width)] or [""]
    from rich.cells import chop_cells

    return [piece for piece in chop_cells(text, width) if piece] or [text]


def breaks(text: str, width: int) -> list[int]:
    """Return where to cut one line of `text` so that no piece is wider than `width` and words stay whole.

    Greedy: a cut depends only on what stands between it and the cut before, so text that grows at its end
    never moves a cut except the last. White space at a cut stays at the end of its piece.
    """
    if len(text) <= width and text.isascii():
        return []
    cuts: list[int] = []
    column = 0
    for match in _WORD.finditer(text):
        word = match.group()
        size = cell_len(word)
        if column + size <= width:
            column += size
            continue
        start = match.start()
        if column:
            start = match.end() - len(word.lstrip())
            cuts.append(start)
        *full, last = chop(text[start : match.end()], width)
        for piece in full:
            start += len(piece)
            cuts.append(start)
        column = cell_len(last)
    return cuts


def wrap(text: str, width: int) -> list[str]:
    """Return one line of `text` as lines of at most `width` cells, without trailing white space."""
    cuts = [0, *breaks(text, width), len(text)]
    return [text[start:end].rstrip() for start, end in pairwise(cuts)]
