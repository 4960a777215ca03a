"""A chord, the notation of it, and the hand that presses it. Pure: which library hears the keys is not known here.

The notation is pynput's, but read here, so that a setting can be checked where pynput cannot be imported. Chords that
would be heard in ordinary typing are refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from llmterm.errors import UsageError
from llmterm.keys import Key

DEFAULT_CHORD = "<ctrl>+<alt>+<space>"
MODIFIERS = frozenset({"ctrl", "alt", "shift", "cmd"})

_NAMED = frozenset({"space", *(f"f{number}" for number in range(1, 13))})
_PART = r"(?:<(\w+)>|([^\s<>]))"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chord:
    """One key and the modifiers held with it, by name."""

    modifiers: frozenset[str]
    key: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a chord such as `<ctrl>+<alt>+p`; raises `UsageError`."""
        if not re.fullmatch(rf"{_PART}(?:\+{_PART})*", text):
            raise _bad_chord(text, "it is not made of <names> and single characters joined by +")
        parts = [(name or char).lower() for name, char in re.findall(rf"{_PART}(?:\+|$)", text)]
        for part in parts:
            if part not in MODIFIERS | _NAMED and not (len(part) == 1 and part.isprintable()):
                raise _bad_chord(text, f"there is no key <{part}>")
        keys = [part for part in parts if part not in MODIFIERS]
        if len(keys) != 1:
            raise _bad_chord(text, "it needs exactly one key besides the modifiers")
        chord = cls(modifiers=MODIFIERS & set(parts), key=keys[0])
        if chord.types:
            raise _bad_chord(text, "without ctrl, alt or cmd it would be heard whenever somebody types it")
        return chord

    @property
    def types(self) -> bool:
        """Whether pressing it is ordinary typing."""
        return self.modifiers <= {"shift"} and (len(self.key) == 1 or self.key == "space")

    @property
    def names(self) -> frozenset[str]:
        return self.modifiers | {self.key}


def _bad_chord(text: str, why: str) -> UsageError:
    return UsageError(
        f"the global hot key {text!r} is not a chord: {why}",
        hint=f"write it like {DEFAULT_CHORD}, <cmd>+p or <f9>; the names are ctrl alt shift cmd space f1 to f12",
    )


class Hand:
    """What is held down, as far as it matters, and what a press of one key more means. Pure but for that memory."""

    def __init__(self, chord: Chord) -> None:
        self._chord = chord
        self._held: set[str] = set()

    def press(self, name: str) -> Key | None:
        """Note a press; a key that repeats itself because it is held means nothing more."""
        if name in self._held:
            return None
        self._held.add(name)
        if name == self._chord.key and self._held == self._chord.names:
            return Key("chord")
        return Key.typing(" ") if self._held == {"space"} else None

    def release(self, name: str) -> None:
        self._held.discard(name)
