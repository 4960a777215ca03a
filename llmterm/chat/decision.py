"""What a user can answer to a prompt, and the two Ctrl-C that mean leaving."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

# Two Ctrl-C within this many seconds leave the program.
_TWICE = 2.0


@dataclass(frozen=True, slots=True)
class Send:
    """A message, a command, or, while an answer is at rest, a word of guidance.

    `emptied` says that what stood in the line at first was emptied, and not only written over.
    """

    text: str
    emptied: bool = False


@dataclass(frozen=True, slots=True)
class Resume:
    """Resume the answer, with a word of `guidance` if there is one; `unsent` was being typed."""

    unsent: str = ""
    guidance: str = ""


@dataclass(frozen=True, slots=True)
class Stop:
    """Keep what there is of the answer and end it; `unsent` was being typed."""

    unsent: str = ""


@dataclass(frozen=True, slots=True)
class Compose:
    """Open what is being typed in the user's editor, and ask again with what becomes of it."""

    text: str


@dataclass(frozen=True, slots=True)
class Leave:
    """Leave the program; `interrupted` when by Ctrl-C."""

    interrupted: bool = False


Decision: TypeAlias = Send | Resume | Stop | Compose | Leave


class Prompt(Protocol):
    """Asks the user. Both calls may be cancelled."""

    unsent: str
    """What was being typed at a pause whose prompt was cancelled."""

    def warm(self) -> Iterator[None]:
        """Get ready for the first pause, in small steps."""
        ...

    async def ask(self, text: str, shortcuts: Mapping[str, str], *, remember: bool = True) -> Send | Compose | Leave:
        """Wait for a message; `text` stands in the line already, `shortcuts` are as for `paused`.

        What is sent can be called back from then on, if it is one to `remember`.
        """
        ...

    async def paused(self, line: Callable[[], str], text: str, shortcuts: Mapping[str, str]) -> Decision:
        """Show the pause line, anew when it changes, and wait for what is to become of the answer.

        `shortcuts` are keys that, on an empty line, send a text; one that ends in a blank is put into the line.
        A text that is empty asks for the next of the messages that wait.
        """
        ...

    async def close(self) -> None:
        """See to it that what was typed can be called back in the next chat. Takes a second at most."""
        ...


class Interrupts:
    """Counts Ctrl-C: one stops what goes on, a second within two seconds leaves. Emptying a line is neither."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last: float | None = None

    def press(self, *, line: str = "", given: str = "") -> bool:
        """Note a Ctrl-C on a line that began as `given`; return whether it is the second.

        One that was given back is not what the user types: right after the Ctrl-C that stopped the answer, the second
        one leaves all the same.
        """
        if line.strip() and line != given:
            self._last = None
        now = self._clock()
        second = self._last is not None and now - self._last <= _TWICE
        self._last = None if line.strip() else now
        return second

    def sent(self) -> None:
        """Note that a message or a command was sent: a Ctrl-C from before it is no first one any more."""
        self._last = None
