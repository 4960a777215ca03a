"""What the user decides with a key, when what can be decided, and the two Ctrl-C that mean leaving."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias


class Phase(Enum):
    """What the line is for. The same key is another decision in each."""

    ASKING = "a message is asked for"
    BUSY = "an answer is made ready, or streams"
    RESTING = "it is asked what is to become of an answer at rest"
    CONFIRMING = "a yes is asked for"


# Two Ctrl-C within this many seconds leave the program.
TWICE = 2.0


@dataclass(frozen=True, slots=True)
class Send:
    """A message, a command, or, while an answer is at rest, a word of guidance.

    `emptied` says that what stood in the line at first was emptied, and not only written over; `shortcut` that it was
    never in the line.
    """

    text: str
    emptied: bool = False
    shortcut: bool = False


@dataclass(frozen=True, slots=True)
class Steer:
    """Pause the answer, if it streams, and resume it in one stroke, with a word of guidance."""

    text: str


@dataclass(frozen=True, slots=True)
class Resume:
    """Resume the answer, with a word of `guidance` if there is one, as it was `typed`; `said` is what is said of it."""

    typed: str = ""
    guidance: str = ""
    said: tuple[str, ...] = ()


class Gesture(Enum):
    """Decisions that say all by their name."""

    PAUSE = "pause the answer"
    STOP = "keep what there is of the answer and end it"
    HURRY = "do not wait for a busy provider any longer"
    COMPOSE = "open what is being typed in the user's editor"
    SUSPEND = "stop the program, as Ctrl-Z does"


@dataclass(frozen=True, slots=True)
class Leave:
    """Leave the program; `interrupted` when by Ctrl-C."""

    interrupted: bool = False


Decision: TypeAlias = Send | Steer | Resume | Gesture | Leave


class Interrupts:
    """Counts Ctrl-C where there is nothing to empty: one stops what goes on, a second within two seconds leaves."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last: float | None = None

    @property
    def armed(self) -> bool:
        """Whether the next one leaves."""
        return self._last is not None and self._clock() - self._last <= TWICE

    def press(self) -> bool:
        """Note a Ctrl-C; return whether it is the second."""
        second = self.armed
        self._last = self._clock()
        return second

    def disarm(self) -> None:
        """Another key was pressed, or something was emptied: a Ctrl-C from before it is no first one any more."""
        self._last = None
