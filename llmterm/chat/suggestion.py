"""What a text that is being typed may become."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

# A value that an argument may have, and a few words about it.
Choice: TypeAlias = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What a text may become: `text` in the place of its last `replaced` characters, and a few words about it.

    Where that is `all` there is to the line, whoever takes it sends it. A text that is `typed` already is not taken.
    """

    text: str
    replaced: int
    about: str = ""
    all: bool = False
    typed: bool = False


class Found(NamedTuple):
    """The suggestions for a text. Enter takes the first of them if it is `offered`, else only one that was moved to."""

    suggestions: Sequence[Suggestion] = ()
    offered: bool = False


# Finds what the text before the cursor may become; where a disk or a network has to be asked that is to be waited for.
Later: TypeAlias = Callable[[], Awaitable[Found]]
Find: TypeAlias = Callable[[str], Found | Later]


def nothing(_text: str) -> Found:
    return Found()
