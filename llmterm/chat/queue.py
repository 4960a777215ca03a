"""The messages that wait to be sent. Pure.

What is sent while an answer streams waits for its end. Up takes the last of the queue back into the line, once more the
one before it; an edited one goes back to its own place, or to another one, or nowhere where nothing is left of it, or
as it was where what was made of it is given up.
After a stop, or a failure, what waits is held: it is sent one by one, by the user.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class _Taken(NamedTuple):
    """A message as it waited before it was taken into the line."""

    place: int
    text: str


class MessageQueue:
    """`waiting` are the messages, the first one first."""

    def __init__(self) -> None:
        self.waiting: list[str] = []
        # Where the message that is in the line belongs; None where that is a new one, which comes last.
        self._place: int | None = None
        self._taken = _Taken(0, "")
        self._held = self._offered = False

    def add(self, text: str) -> None:
        """Have a message wait, in its own place if it came from here, else after all others."""
        place, self._place = self._place, None
        if text.strip():
            self.waiting.insert(len(self.waiting) if place is None else place, text)

    @property
    def edited(self) -> bool:
        """Whether the message in the line came from here, and goes back."""
        return self._place is not None

    def movable(self, text: str) -> bool:
        """Tell whether, with `text` in the line, another message can be taken out."""
        return bool(self.waiting) and (self._place is not None or not text.strip())

    def move(self, text: str, step: int) -> str:
        """Put the message in the line back, and take out the one so many before or behind it; return the new line."""
        place = len(self.waiting) if self._place is None else self._place
        count = len(self.waiting)
        if self._place is not None:
            self.add(text)
        target = place + step if step < 0 or len(self.waiting) > count else place
        if step < 0:
            target = max(0, target)
        if not 0 <= target < len(self.waiting):
            return ""
        self._place, self._taken = target, _Taken(target, self.waiting.pop(target))
        return self._taken.text

    def put_back(self) -> None:
        """Have the message that is in the line wait where it was, as it was: what was made of it is given up."""
        self._place = min(self._taken.place, len(self.waiting))
        self.add(self._taken.text)

    @property
    def place(self) -> int | None:
        """Before which of those that wait the message in the line belongs; None where it does not come from here."""
        return self._place

    def shift(self, step: int) -> None:
        """Have the message in the line, which came from here, wait so many places further behind, or before."""
        if self._place is not None:
            self._place = min(max(0, self._place + step), len(self.waiting))

    @property
    def held(self) -> bool:
        """Whether messages wait that are not sent by themselves."""
        return self._held and bool(self.waiting)

    @property
    def idle(self) -> bool:
        """Whether nothing waits that is sent by itself."""
        return self._held or not self.waiting

    def hold(self, *first: str) -> None:
        """Have nothing sent by itself: `first` and all that waits become the user's line, one after the other."""
        self.waiting = [text for text in (*first, *self.waiting) if text.strip()]
        self._held = self._offered = True

    def enclose(self, text: str, *, asks: Callable[[str], bool], typing: bool) -> bool:
        """Send `text` along with the message whose turn comes next; return whether that is one of these, and asks.

        It is the user's line where something is `typing` there and nothing is sent by itself.
        """
        if not self.waiting or (self._held and typing) or self._place == 0 or not asks(self.waiting[0]):
            return False
        self.waiting[0] = f"{self.waiting[0]}\n\n{text}"
        return True

    def drop(self, text: str) -> None:
        """Have a message not wait any more, if it does."""
        if text in self.waiting:
            self.waiting.remove(text)

    def offer(self, *, next_one: bool = True) -> None:
        """Have the next message that is held become the line; or none, until this is called again."""
        self._offered = next_one

    def offered(self) -> str:
        """Give up the message that the next line begins with, "" for none."""
        text = self.waiting.pop(0) if self.held and self._offered else ""
        self._held = self.held
        return text

    def next(self, text: str) -> str | None:
        """Give up the message whose turn it is; None where there is none, where it is held, or being edited as `text`.

        One that is being edited is an ordinary line from then on.
        """
        if self.held:
            return None
        if self._place == 0 and text.strip():
            self._place = None
            return None
        if self._place is not None:
            self._place = self._place - 1 if self._place else None
            self._taken = self._taken._replace(place=max(0, self._taken.place - 1))
        return self.waiting.pop(0) if self.waiting else None
