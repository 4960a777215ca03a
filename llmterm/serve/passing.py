"""An answer that lives as long as its one reader: on no record, and ended with the connection that it goes out by."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from starlette.requests import ClientDisconnect, Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from llmterm.errors import LlmtermError, ProviderError
from llmterm.events import TurnEvent
from llmterm.messages import EndReason
from llmterm.serve.frames import STREAM_HEADERS, TOGETHER_SECONDS, arrived
from llmterm.serve.metrics import Account
from llmterm.states import TurnState
from llmterm.turn import Turn

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
        await self._until(lambda: self._said, request)
        if not self._said and (failure := self.failure) is not None:
            raise failure

    async def whole(self, request: Request) -> None:
        """Wait for its end. Raises why there is none, and ClientDisconnect where its client has gone."""
        try:
            await self._until(lambda: False, request)
            self.reason = self.turn.reason
            if (failure := self.failure) is not None:
                raise failure
        finally:
            await self.cancel()

    async def _until(self, enough: Callable[[], bool], request: Request) -> None:
        """Wait for enough of the answer, or for its end. Raises ClientDisconnect where its client has gone."""
        gone = asyncio.ensure_future(request.receive())
        coming = asyncio.ensure_future(self._come(enough))
        try:
            await asyncio.wait({gone, coming}, return_when=asyncio.FIRST_COMPLETED)
            if not coming.done():
                raise ClientDisconnect
        finally:
            gone.cancel()
            coming.cancel()

    async def _come(self, enough: Callable[[], bool]) -> None:
        while self.turn.state is TurnState.STREAMING and not enough():
            self._reader.skip()
            await self._reader.arrived()

    @property
    def _said(self) -> bool:
        reply = self.turn.reply
        return not reply.blank or bool(reply.thoughts)

    async def batches(self) -> AsyncIterator[list[TurnEvent]]:
        """Yield what comes, from its beginning on; nothing, now and then, while nothing does."""
        reader, loop, sent = self.turn.reader(waited_for=True), asyncio.get_running_loop(), 0.0
        self._reader.leave()
        try:
            while True:
                if not reader.at_end:
                    # What comes in the same moment goes out together.
                    if (soon := sent + TOGETHER_SECONDS - loop.time()) > 0:
                        await asyncio.sleep(soon)
                    sent = loop.time()
                    yield [entry.event for entry in reader.pending()]
                elif self.turn.state is not TurnState.STREAMING:
                    self.reason = self.turn.reason
                    return
                elif not await arrived(reader):
                    yield []
        finally:
            reader.leave()

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
        return ProviderError(f"the answer was cut short: {turn.reason}")

    async def cancel(self) -> None:
        """End it, its connection to the provider too."""
        self._reader.leave()
        await self.turn.cancel()
        self._account.settle()


class PassingResponse(StreamingResponse):
    """Sends an answer, and ends it with the connection, whatever that ends by."""

    def __init__(self, answer: PassingAnswer, content: AsyncIterator[bytes]) -> None:
        super().__init__(content, media_type="text/event-stream", headers=STREAM_HEADERS)
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._answer.cancel()
