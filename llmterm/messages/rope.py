"""Text in pieces, which grows at its end: what is said is there once, whoever has it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Rope:
    """A pure value with an append that does not copy all of it. How it is cut makes no difference to what it is.

    Small parts at least halve in length from each to the next, and none grows by merging beyond `LARGEST`: a character
    is copied a few times only, and a long text is never there twice.
    """

    LARGEST: ClassVar[int] = 65_536

    parts: tuple[str, ...] = ()

    @classmethod
    def of(cls, text: str | Rope) -> Rope:
        return text if isinstance(text, Rope) else cls((text,))

    @classmethod
    def joined(cls, ropes: Iterable[Rope]) -> Rope:
        return cls(tuple(chain.from_iterable(rope.parts for rope in ropes)))

    @property
    def blank(self) -> bool:
        """Whether there is nothing to read in it."""
        return all(not part or part.isspace() for part in self.parts)

    def add(self, text: str) -> Rope:
        if not text:
            return self
        parts = self.parts
        keep = len(parts)
        size = len(text)
        while keep and len(parts[keep - 1]) < 2 * size and size + len(parts[keep - 1]) <= self.LARGEST:
            keep -= 1
            size += len(parts[keep])
        if keep == len(parts):
            return Rope((*parts, text))
        return Rope((*parts[:keep], "".join((*parts[keep:], text))))

    def slice(self, start: int, end: int) -> str:
        """Return the characters from `start` to `end`. The nearer they are to the end, the sooner."""
        first, behind = len(self.parts), len(self)
        while first and behind > start:
            first -= 1
            behind -= len(self.parts[first])
        found: list[str] = []
        for part in self.parts[first:]:
            if behind >= end:
                break
            found.append(part[max(0, start - behind) : end - behind])
            behind += len(part)
        return "".join(found)

    def tail(self, most: int) -> str:
        """Return its last characters, at most so many."""
        return self.slice(max(0, len(self) - most), len(self))

    def rstrip(self) -> Rope:
        """Return it without the white space that it ends in."""
        parts = self.parts
        while parts and not parts[-1].rstrip():
            parts = parts[:-1]
        return Rope((*parts[:-1], parts[-1].rstrip())) if parts else Rope()

    def head(self, size: int) -> Rope:
        """Return its first `size` characters."""
        kept: list[str] = []
        for part in self.parts:
            if size <= 0:
                break
            kept.append(part[:size])
            size -= len(part)
        return Rope(tuple(kept))

    def common(self, other: Rope) -> int:
        """Return how many characters both have in common at their beginning. Pieces that both have are not read."""
        start = shared = 0
        for one, two in zip(self.parts, other.parts, strict=False):
            if one is not two:
                break
            start, shared = start + len(one), shared + 1
        text, at = other.slice(start, len(other)), 0
        for part in self.parts[shared:]:
            if not text.startswith(part, at):
                return start + at + _common(part, text[at : at + len(part)])
            at += len(part)
        return start + at

    def __str__(self) -> str:
        return "".join(self.parts)

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Rope):
            return NotImplemented
        return self.parts == other.parts or (len(self) == len(other) and str(self) == str(other))

    def __hash__(self) -> int:
        return hash(str(self))


def _common(one: str, other: str) -> int:
    """Return how many characters two texts have in common at their beginning: as memory is compared, in halves."""
    start, size = 0, len(one)
    while size:
        if start < len(one) and one[start : start + size] == other[start : start + size]:
            start += size
        else:
            size //= 2
    return min(start, len(one), len(other))
