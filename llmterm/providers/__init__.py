"""What a provider is to the rest of the program.

A provider turns a `Request` into an `EventStream`. Each has its own file, with `payload(request)` and `parse(frame)`
as pure functions, gathered in a `Wire`; `http.py` joins a wire to the transport.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from llmterm.messages import Continuation, Cursor, Request, StreamEvent, StreamLimits, Usage
from llmterm.progress import Progress
from llmterm.providers.attachments import Accepts


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

    async def detach(self) -> None:
        """Let go of the connection and of nothing else: the answer goes on, and its last `CursorMoved` says where.

        A provider at which no answer goes on without its reader stops it, as `aclose` does.
        """
        ...

    async def steer(self, word: str) -> EventStream | None:
        """Have another answer follow this one, to `word`: wait for its stream, and return it; None where none follows.

        This one ends where the provider finds that safe, and is to be read to that end; or it goes on as it was.
        Raises nothing.
        """
        ...


class Provider(Protocol):
    """A source of answers."""

    @property
    def name(self) -> str:
        """Its name in the configuration, in messages and in the record."""
        ...

    def continuation(self, model: str) -> Continuation:
        """Return how `model` is best asked to go on with an answer."""
        ...

    def says_stop(self, model: str) -> bool:
        """Tell whether an answer that ends at a stop sequence can be told from one that ends by itself."""
        ...

    def accepts(self, model: str) -> Accepts:
        """Return what may go with a message to `model` besides its text."""
        ...

    def cannot_prefill(self, model: str) -> None:
        """Take note that `model` has refused a literal continuation: `continuation` is another one from now on."""
        ...

    def stop(self, cursor: Cursor) -> None:
        """Have an answer that goes on there go on no more. That is done meanwhile; `aclose` waits for it."""
        ...

    def preparation(self, model: str) -> str:
        """Return what an answer of `model` has to wait for before it is asked for, or "". Raises as `open` does."""
        ...

    async def open(self, request: Request, limits: StreamLimits, progress: Progress) -> EventStream:
        """Ask for an answer; the stream's first `read` waits for it. Raises ProviderError or ConfigError.

        The request has only attachments that the model `accepts`: see `noted`. One with a cursor reads on there; the
        stream raises CursorRefusedError where nothing is to be read any more.
        """
        ...

    def cost(self, model: str, usage: Usage) -> float | None:
        """Return what `usage` costs: as the provider states it, else in the currency of the price, None without one."""
        ...

    async def models(self) -> Sequence[str]:
        """Return the names of the models there are. Raises ProviderError or ConfigError."""
        ...

    async def aclose(self) -> None:
        """Let go of all connections; what is still being answered breaks off. Idempotent."""
        ...
