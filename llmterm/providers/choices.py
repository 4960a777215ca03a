"""Keeps to one answer where a server gives several to one question, told apart by an index.

Nobody asked for several. The first index that speaks counts, and nothing of the others. But some servers count the
index up with every token of the one answer there is: where no index has come twice, what the next one says is held back
until there have been more of them than anybody has answers. Pure, and independent of how the chunks are cut.
"""

from __future__ import annotations

from collections.abc import Sequence

from llmterm.messages import Finished, TextDelta, ThinkingDelta
from llmterm.providers.wire import Choice, Whole, WireEvent

# With more indexes than this, each of them once, they are counted up.
_MOST_ANSWERS = 8


class Choices:
    """`take` the events of an index and get those that count; `close` gives what is held back at the end."""

    def __init__(self, spoken: int) -> None:
        """`spoken` is in how many chunks index 0 has said something up to now."""
        self._lead = 0 if spoken else None
        self._last = 0
        self._heard = {0} if spoken else set[int]()
        self._several = spoken > 1
        self._counted_up = False
        self._ended: set[int] = set()
        self._held: list[WireEvent] = []

    def take(self, choice: Choice) -> Sequence[WireEvent]:
        if self._counted_up:
            return choice.events
        speaks = any(isinstance(event, TextDelta | ThinkingDelta | Whole) for event in choice.events)
        if speaks and self._lead is None:
            self._lead = self._last = choice.index
            self._heard.add(choice.index)
            self._several |= choice.beside
            return choice.events
        if any(isinstance(event, Finished) for event in choice.events):
            self._ended.add(choice.index)
        counted = speaks and choice.index == self._last + 1 and choice.index not in self._heard
        if choice.beside or len(self._ended) > 1 or (speaks and not counted):
            self._several = True
        if self._several:
            self._held.clear()
        elif counted:
            return self._hold(choice)
        elif choice.index != self._lead:
            self._held += choice.events
        return choice.events if choice.index == self._lead else ()

    def close(self) -> Sequence[WireEvent]:
        held, self._held = self._held, []
        return held

    def _hold(self, choice: Choice) -> Sequence[WireEvent]:
        self._last = choice.index
        self._heard.add(choice.index)
        self._held += choice.events
        self._counted_up = len(self._heard) > _MOST_ANSWERS
        return self.close() if self._counted_up else ()
