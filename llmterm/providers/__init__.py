"""What a provider is to the rest of the program.

A provider turns a `Request` into an `EventStream`. Each has its own file, with `payload(request)` and `parse(frame)`
as pure functions; `stream.py` joins those to the transport.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from llmterm.conversation import ContinuationMode
from llmterm.messages import Request, StreamEvent, StreamLimits


class EventStream(Protocol):
    """One answer as it arrives. Its reader owns it: one reader at a time, and `aclose` in any case."""

    async def read(self) -> Sequence[StreamEvent]:
        """Wait for the next events. The last is `Finished`; after it there is only the empty sequence.

        Raises ProviderError, and nothing else. May be cancelled; `rest` then has what came meanwhile.
        """
        ...

    def rest(self) -> Sequence[StreamEvent]:
        """Return what has been received and not been read, without waiting."""
        ...

    async def aclose(self) -> None:
        """Stop the answer, if it is not over, and let go of its connection. Idempotent."""
        ...


class Provider(Protocol):
    """A source of answers."""

    @property
    def name(self) -> str: ...

    def continuation(self, model: str) -> ContinuationMode:
        """Return how `model` is best asked to go on with an answer."""
        ...

    def preparation(self, model: str) -> str:
        """Return what an answer of `model` has to wait for before it is asked for, or "". Raises as `open` does."""
        ...

    async def open(self, request: Request, limits: StreamLimits) -> EventStream:
        """Ask for an answer. Raises ProviderError or ConfigError."""
        ...

    async def aclose(self) -> None: ...
