"""What a text that is being typed may become."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

# A value that an argument may have, and a few words about it.
Choice: TypeAlias = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What a text may become: `text` in the place of its last `replaced` characters, and a few words about it."""

    text: str
    replaced: int
    about: str = ""
