"""What llama.cpp's one slot holds: the conversation that was answered last. Others wait in llama.cpp's prompt cache.

A request that names the slot takes it as it is, and computes only what the slot does not hold. Before any other request
llama.cpp copies what the slot holds to the prompt cache, and takes from there what resembles the request most
(https://github.com/ggml-org/llama.cpp/pull/16391). That is right for a conversation that waits there, but a new one
would take, and destroy, one that only begins alike; and each copy costs some ten milliseconds for a thousand tokens.
So a request has one of three places. Where this memory is wrong an answer is as right as ever, only later.
"""

from __future__ import annotations

from collections import deque
from typing import Literal, TypeAlias

from llmterm.messages import Message, Request

# "here": goes on with what the slot holds; "waiting": with what waits in the cache; "new": with neither.
Place: TypeAlias = Literal["here", "waiting", "new"]

_MOST_WAITING = 64


class Slot:
    """The memory of one engine. `held` is the request that was answered last."""

    def __init__(self) -> None:
        self.held: Request | None = None
        self._waiting: deque[Request] = deque(maxlen=_MOST_WAITING)

    def place(self, request: Request) -> Place:
        """Return where the conversation of `request` is."""
        if any(_goes_on(request, each) for each in self._waiting):
            return "waiting"
        return "here" if self.held is not None and _goes_on(request, self.held) else "new"

    def take(self, request: Request) -> None:
        """Note that the slot is for `request` from now on."""
        held, self.held = self.held, request
        waiting = [each for each in self._waiting if not _goes_on(request, each)]
        if held is not None and not _goes_on(request, held):
            waiting.append(held)
        self._waiting = deque(waiting, _MOST_WAITING)


def _goes_on(request: Request, earlier: Request) -> bool:
    """Tell whether `request` has the question of `earlier`, and more after it."""
    asked = question(earlier)
    return len(asked) < len(request.messages) and request.messages[: len(asked)] == asked


def question(request: Request) -> tuple[Message, ...]:
    """Return the messages without an answer that is to be continued, of which a later request may have more."""
    messages = request.messages
    return messages[:-1] if messages and messages[-1].role == "assistant" else messages
