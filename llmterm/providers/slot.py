"""What llama.cpp's one slot holds: the conversation that was answered last. Others wait in llama.cpp's prompt cache.

A request that names the slot takes it as it is, and computes only what the slot does not hold. Before any other request
llama.cpp copies what the slot holds to the prompt cache, and takes from there what resembles the request most
(https://github.com/ggml-org/llama.cpp/pull/16391). That is right for a conversation that waits there, but a new one
would take, and destroy, one that only begins alike; and each copy costs some ten milliseconds for a thousand tokens.
So a request has one of three places. Where this memory is wrong an answer is as right as ever, only later.

One that was stopped before anything came, and is asked again, finds its own prompt computed, or half of it, and what it
goes on with is rounded otherwise than that of the prompt computed in one go. So how much of it was there at first is
remembered, and the slot brought back to that.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from llmterm.framing import Frame
from llmterm.messages import Message, Request, TextDelta, ThinkingDelta, UsageReport
from llmterm.providers.timings import Timings, timings
from llmterm.providers.wire import Wire, WireEvent

# "here": goes on with what the slot holds; "waiting": with what waits in the cache; "new": with neither.
Place: TypeAlias = Literal["here", "waiting", "new"]

_MOST_WAITING = 64


@dataclass(slots=True)
class Holding:
    """A request that was answered, or begun.

    `had` is how many tokens of its prompt were there when it came, None while the engine has not said it. `begun` is
    whether anything of the answer has come. `leaving` sees to a stream that was closed before that was said.
    """

    request: Request
    had: int | None = None
    begun: bool = False
    leaving: asyncio.Task[None] | None = None

    def note(self, said: Timings) -> None:
        self.had = said.had if self.had is None else self.had


class Slot:
    """The memory of one engine. `held` is what was answered last."""

    def __init__(self) -> None:
        self.held: Holding | None = None
        self._waiting: deque[Holding] = deque(maxlen=_MOST_WAITING)

    def place(self, request: Request) -> Place:
        """Return where the conversation of `request` is."""
        if any(_continues(request, each.request) for each in self._waiting):
            return "waiting"
        return "here" if self.held is not None and _continues(request, self.held.request) else "new"

    def again(self, request: Request) -> Holding | None:
        """Return what is known of `request` if it was asked before and nothing has come, else None."""
        known = [*self._waiting, *([self.held] if self.held else [])]
        return next(
            (each for each in reversed(known) if not each.begun and each.request.messages == request.messages), None
        )

    def take(self, request: Request) -> Holding:
        """Note that the slot is for `request` from now on."""
        again = self.again(request)
        had = again.had if again else None
        known = [*self._waiting, *([self.held] if self.held else [])]
        waiting = [each for each in known if each is not again and not _continues(request, each.request)]
        self._waiting = deque(waiting, _MOST_WAITING)
        self.held = Holding(request, had)
        return self.held


def _continues(request: Request, earlier: Request) -> bool:
    """Tell whether `request` has the question of `earlier`, and more after it."""
    asked = question(earlier)
    return len(asked) < len(request.messages) and request.messages[: len(asked)] == asked


def question(request: Request) -> tuple[Message, ...]:
    """Return the messages without an answer that is to be continued, of which a later request may have more."""
    messages = request.messages
    return messages[:-1] if messages and messages[-1].role == "assistant" else messages


def reporting(wire: Wire, holding: Holding) -> Wire:
    """Return `wire`, with what the engine says of its work noted, and the tokens counted up to each piece of text."""

    def parse(frame: Frame) -> Iterator[WireEvent]:
        said = timings(frame)
        holding.note(said)
        for event in wire.parse(frame):
            holding.begun |= isinstance(event, ThinkingDelta) or (
                isinstance(event, TextDelta) and not event.text.isspace()
            )
            yield event
        if said.usage is not None:
            yield UsageReport(said.usage)

    return replace(wire, parse=parse)
