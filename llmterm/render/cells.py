"""How wide text is on a terminal, and where to break it. Plain text only: no escape sequences, no tabs.

Terminals disagree about what is made of several characters: a family of emoji is 2 cells where it is drawn as one
picture and 6 where it is not. `cell_len` is the most that it may take, and what rows are measured with: none is too
long anywhere; `usual_len` is what most of them take, for what stands in columns.
Widths are rich's, which is imported when the first text comes that is not ASCII. Sets of thousands of characters, which
take milliseconds to compile, are compiled when they are first needed.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import pairwise
from unicodedata import category

# A Han or kana character is a word of its own, with the punctuation that may not begin a line.
_IDEOGRAPHS = "\u2e80-\u303f\u3040-\ua4cf\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef\U00020000-\U0003fffd"
_CLOSING = "、。，．：；！？）」』】〉》〕”’…"

# Of one cell everywhere, or of two, and never part of something larger.
ONE_CELL = " -~\xa1-\xac\xae-\u02ff\u0370-\u0482\u048a-\u052f\u2010-\u2027\u2500-\u25a0"
TWO_CELLS = "\u3001-\u3029\u3041-\u3096\u30a1-\u30fe\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uff01-\uff60"
_JOINER = "\u200d"
# Letters of flags, skin tones, and the planes where characters are added that are wide from the start.
_DISPUTED = re.compile("[\u200d\U00016000-\U0001ffff]")
_FLAG = re.compile("[\U0001f1e6-\U0001f1ff]")
_TONE = re.compile("[\U0001f3fb-\U0001f3ff]")
_NEW = re.compile("[\U00016000-\U0001b3ff\U0001f000-\U0001fbff]")


@cache
def _word() -> re.Pattern[str]:
    return re.compile(rf"\s*(?:[{_IDEOGRAPHS}][{_CLOSING}]*|[^\s{_IDEOGRAPHS}]+)")


@cache
def _narrow() -> re.Pattern[str]:
    return re.compile(f"[{ONE_CELL}]*")


@cache
def wide() -> re.Pattern[str]:
    """Return what finds each character of two cells."""
    return re.compile(f"[{TWO_CELLS}]")


@cache
def _even() -> re.Pattern[str]:
    return re.compile(f"[{ONE_CELL}{TWO_CELLS}]*")


def usual_len(text: str) -> int:
    """Return how many cells `text` occupies on most terminals."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len as measure

    return measure(text)


def cell_len(text: str) -> int:
    """Return how many cells `text` occupies at most."""
    if text.isascii():
        return len(text)
    if not _DISPUTED.search(text):
        return usual_len(text)
    size = sum(map(usual_len, text.split(_JOINER)))
    size += len(_FLAG.findall(text)) + 2 * len(_TONE.findall(text))
    return size + sum(category(character) == "Cn" and usual_len(character) < 2 for character in _NEW.findall(text))


def clusters(text: str) -> list[str]:
    """Cut `text` into what is one character to a reader, as far as a terminal may draw it as one."""
    from rich.cells import split_graphemes

    pieces: list[str] = []
    for start, end, _ in split_graphemes(text)[0]:
        piece = text[start:end]
        if pieces and _FLAG.fullmatch(pieces[-1]) and _FLAG.match(piece):
            pieces[-1] += piece
        else:
            pieces.append(piece)
    return pieces


def shortened(text: str, columns: int) -> str:
    """Return what fits of a text, with a mark where the rest is missing."""
    return text if cell_len(text) <= columns else f"{chop(text, max(1, columns - 1))[0]}…"


def chop(text: str, width: int) -> list[str]:
    """Cut `text` anywhere, into at least one piece, of at most `width` cells each if its characters fit at all.

    What is one character stays whole if it fits.
    """
    if text.isascii() or _narrow().fullmatch(text):
        return [text[start : start + width] for start in range(0, len(text), width)] or [""]
    return _chop_even(text, width) if width > 1 and _even().fullmatch(text) else _chop_clusters(text, width)


def _chop_even(text: str, width: int) -> list[str]:
    pieces: list[str] = []
    start = 0
    while start < len(text):
        size = width
        # Leaving out as many as are too many, if all of them were wide, never leaves out too many.
        while (excess := len(wide().findall(text, start, start + size)) + min(size, len(text) - start) - width) > 0:
            size = min(size, len(text) - start) - (excess + 1) // 2
        pieces.append(text[start : start + size])
        start += size
    return pieces


def _chop_clusters(text: str, width: int) -> list[str]:
    pieces = [""]
    room = width
    sizes: dict[str, int] = {}
    for cluster in clusters(text):
        if cluster not in sizes:
            sizes[cluster] = cell_len(cluster)
        if sizes[cluster] <= width:
            if sizes[cluster] > room and pieces[-1]:
                pieces.append("")
                room = width
            pieces[-1] += cluster
            room -= sizes[cluster]
            continue
        for part in cluster:
            # Together, for a sign may make the one before it wider.
            if pieces[-1] and cell_len(pieces[-1] + part) > width:
                pieces.append("")
            pieces[-1] += part
        room = width - cell_len(pieces[-1])
    return pieces


def breaks(text: str, width: int) -> list[int]:
    """Return where to cut one line of `text` so that no piece is wider than `width` and words stay whole.

    Greedy: a cut depends only on what stands between it and the cut before, so text that grows at its end
    never moves a cut except the last. White space at a cut stays at the end of its piece.
    """
    if len(text) <= width and text.isascii():
        return []
    cuts: list[int] = []
    column = 0
    for match in _word().finditer(text):
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


def longest_word(text: str) -> int:
    """Return how many cells the longest piece takes that is broken only where it must be."""
    return max((cell_len(match.group().lstrip()) for match in _word().finditer(text)), default=0)


def height(text: str, width: int) -> int:
    """Return how many rows a terminal makes of one line of `text` that is wider than its window; at least so many."""
    if _even().fullmatch(text):
        return len(chop(text, width))
    least = sum(2 if wide().match(cluster) else 1 for cluster in clusters(text))
    return max(1, -(-least // width))


def wrap(text: str, width: int) -> list[str]:
    """Return one line of `text` as lines of at most `width` cells, without trailing white space."""
    cuts = [0, *breaks(text, width), len(text)]
    return [text[start:end].rstrip() for start, end in pairwise(cuts)]
