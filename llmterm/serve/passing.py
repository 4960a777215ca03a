"""An answer that lives as long as its one reader: on no record, and ended with the connection that it goes out by."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from llmterm.errors import LlmtermError, ProviderError
from llmterm.events import Entry
from llmterm.messages import EndReason
from llmterm.serve.frames import ALIVE_SECONDS, STREAM_HEADERS, portions
from llmterm.serve.metrics import Account
from llmterm.serve.refusals import DrainingError
from llmterm.states import TurnState
from llmterm.turn import Turn

T = TypeVar("T")

# Ends at which what there is counts as an answer.
_WHOLE = (
    EndReason.STOP,
    EndReason.STOP_SEQUENCE,
    EndReason.LENGTH,
    EndReason.LIMIT,
    EndReason.CONTINUATION,
    EndReason.REFUSAL,
    EndReason.OTHER,
)


class PassingAnswer:
    """Reads a turn for one client, who slows it down where he is slow."""

    def __init__(self, turn: Turn, account: Account) -> None:
        self.turn = turn
        self._account = account
        self.reason = EndReason.CANCEL
        """Why it has ended, once it has."""
        self._reader = turn.reader(waited_for=True)
        turn.start()

    async def begun(self, request: Request) -> None:
        """Wait until something has come, or nothing will: until then a failure can have a status of its own.

        Raises why there is no answer, and ClientDisconnect where its client has gone.
        """
        with suppress(TimeoutError):  # its client has to hear something
            async with asyncio.timeout(ALIVE_SECONDS):
                await staying(request, self._come(lambda: self._said))
        if not self._said and (failure := self.failure) is not None:
            raise failure

    async def whole(self, request: Request) -> None:
        """Wait for its end. Raises why there is none, and ClientDisconnect where its client has gone."""
        try:
            await staying(request, self._come(lambda: False))
            self.reason = self.turn.reason
            if (failure := self.failure) is not None:
                raise failure
        finally:
            await self.cancel()

    async def _come(self, enough: Callable[[], bool]) -> None:
        while self.turn.state is TurnState.STREAMING and not enough():
            self._reader.skip()
            await self._reader.arrived()

    @property
    def _said(self) -> bool:
        reply = self.turn.reply
        return not reply.blank or bool(reply.thoughts)

    def portions(self) -> AsyncGenerator[list[Entry], None]:
        """Return what comes, from its beginning on; nothing, now and then, while nothing does."""
        reader = self.turn.reader(waited_for=True)
        self._reader.leave()
        return portions(reader, lambda: self.turn.state is not TurnState.STREAMING)

    @property
    def failure(self) -> LlmtermError | None:
        """Why the answer is none, or not whole; None for one that is. Raises what is a bug."""
        turn = self.turn
        if turn.error is not None:
            if isinstance(turn.error, LlmtermError):
                return turn.error
            raise turn.error
        if turn.reason in _WHOLE or turn.state is TurnState.STREAMING:
            return None
        if turn.reason is EndReason.CRASH:
            return DrainingError("the service is ending", hint="try again in a moment")
        return ProviderError(f"the answer was cut short: {turn.reason}")

    async def cancel(self) -> None:
        """End it, its connection to the provider too."""
        self._reader.leave()
        self._account.settle()  # one that has failed is cancelled from then on
        await self.turn.cancel()
        self._account.settle()


class PassingResponse(StreamingResponse):
    """Sends an answer, and does what is to be done at its `end` with the connection, whatever that ends by."""

    def __init__(self, content: AsyncIterator[bytes], end: Callable[[], Awaitable[None]]) -> None:
        super().__init__(content, media_type="text/event-stream", headers=STREAM_HEADERS)
        self._end = end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._end()


async def staying(request: Request, coming: Coroutine[Any, Any, T]) -> T:
    """Return what comes. Raises ClientDisconnect where its client has gone before; then it is cancelled."""
    gone, working = asyncio.ensure_future(request.receive()), asyncio.ensure_future(coming)
    try:
        await asyncio.wait({gone, working}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return working.result()
    finally:
        gone.cancel()
        working.cancel()
