"""Names that a few typed letters may mean, the likeliest first. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")

# What a word in a name may begin behind.
_BOUNDARY = re.compile(r"[-_./ :]")
# How many ways there are to be meant.
_RANKS = 6


def ranked(
    typed: str, items: Iterable[T], name: Callable[[T], str], beside: Callable[[T], str] = lambda _: ""
) -> list[T]:
    """Return the items that `typed` may mean: equals among them stay in their order.

    A `name` is meant that begins so, has a word that begins so, has it anywhere, or has all its letters in that order.
    Words may also be looked for in what stands `beside` a name.
    """
    wanted = typed.casefold()
    letters = re.compile(".*?".join(map(re.escape, wanted)), re.DOTALL)
    words = wanted.split()
    ranks = [(_rank(wanted, letters, words, name(each).casefold(), beside(each)), each) for each in items]
    return [each for rank in range(_RANKS) for found, each in ranks if found == rank]


def _rank(wanted: str, letters: re.Pattern[str], words: list[str], name: str, beside: str) -> int | None:
    if name == wanted:
        return 0
    if name.startswith(wanted):
        return 1
    if any(part.startswith(wanted) for part in _BOUNDARY.split(name)):
        return 2
    if wanted in name:
        return 3
    if words and all(word in beside.casefold() for word in words):
        return 4
    return 5 if letters.search(name) else None
