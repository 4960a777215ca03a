"""What answers the questions of a batch: what it is given for each, and what comes of it.

The values cross from one process to another where the engine is a cluster: they are plain, and no provider
is in them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeAlias

from llmterm.conversation import Conversation
from llmterm.messages import Options


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question with all that it takes to answer it. `model` is "provider/model", "" for the usual one."""

    id: str
    conversation: Conversation
    options: Options
    model: str = ""


class Spent(NamedTuple):
    """What all requests for an answer took, `cost` in the currency of the prices, None where none is known."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost: float | None = None


NOTHING = Spent()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """`record` is what its line says beside the id and the number; `length` is that of the answer, in tokens."""

    id: str
    record: Mapping[str, Any]
    length: int
    spent: Spent = NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """`error` is for people, and `kind` for programs: the name of the error, "refusal", "empty" or "schema"."""

    id: str
    error: str
    kind: str
    spent: Spent = NOTHING


Outcome: TypeAlias = Answered | Failed


class EngineLostError(Exception):
    """Nobody is left who could answer. What was asked is not answered, and has not failed."""


class Engine(Protocol):
    """Answers as many at once as it can; whoever asks has at most `room` questions asked at any time."""

    @property
    def room(self) -> int: ...

    async def answer(self, asked: Asked) -> Outcome:
        """Return what came of it. Raises EngineLostError, and what is a bug. Who is cancelled has it asked no more."""
        ...

    async def pause(self) -> None:
        """Pause all answers that stream, and begin none."""
        ...

    def resume(self) -> None:
        """Go on with all that was paused."""
        ...
