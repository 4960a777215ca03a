"""One answer: asked for, streamed, paused at any instant, gone on with, ended.

A `Turn` knows no keyboard, no console and no database. It has `start`, `pause`, `resume`, `cancel`, `events` and
`snapshot`; whoever owns a screen or a store looks at its `reply` and iterates its `events`.

One task, the pump, awaits nothing but the provider, so that a pause lands inside the network read and the socket
closes at once. What the pump receives is in `reply` before anything else happens; what a slow reader has not taken
yet waits in a bounded buffer and stays there over a pause.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import TypeAlias, assert_never

from llmterm import log
from llmterm.conversation import continuation, mode_of
from llmterm.errors import ConnectError, LlmtermError, NetworkError, StreamTimeoutError, TurnStateError
from llmterm.messages import (
    Continuation,
    EndReason,
    Finished,
    Mode,
    Reply,
    Request,
    Snapshot,
    StreamEvent,
    StreamLimits,
    TextDelta,
    ThinkingDelta,
    UsageReport,
)
from llmterm.progress import Progress
from llmterm.providers import Provider
from llmterm.segment import OpenSegment

# Gives a provider and a model of it, or raises one of our errors.
Fallback: TypeAlias = Callable[[], Awaitable[tuple[Provider, str]]]


class TurnState(StrEnum):
    READY = "ready"
    STREAMING = "streaming"
    PAUSED = "paused"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


_TRANSITIONS: dict[TurnState, frozenset[TurnState]] = {
    TurnState.READY: frozenset({TurnState.STREAMING, TurnState.CANCELLED}),
    TurnState.STREAMING: frozenset({TurnState.PAUSED, TurnState.DONE, TurnState.FAILED, TurnState.CANCELLED}),
    TurnState.PAUSED: frozenset({TurnState.STREAMING, TurnState.CANCELLED}),
    TurnState.FAILED: frozenset({TurnState.STREAMING, TurnState.CANCELLED}),
    TurnState.DONE: frozenset(),
    TurnState.CANCELLED: frozenset(),
}


class Turn:
    """An answer to one request. Not safe for use from more than one event loop; any number of tasks may call it."""

    def __init__(
        self,
        provider: Provider,
        request: Request,
        marker: str | None = None,
        *,
        reply: Reply | None = None,
        reason: EndReason | None = None,
        limits: StreamLimits | None = None,
        clock: Callable[[], float] = time.monotonic,
        fallbacks: Sequence[Fallback] = (),
        progress: Callable[[], Progress] = Progress,
    ) -> None:
        """Make a turn that is ready, or, given the `reply` so far, one that is paused for `reason`.

        With a `marker` the model can pause itself by writing it. Where a provider cannot begin an answer, the first
        of the `fallbacks` that can does. `progress` makes the one for each segment.
        """
        self.request = request
        self.reply = reply or Reply()
        self.reason = reason or EndReason.PAUSE
        self.error: BaseException | None = None
        self._state = TurnState.READY if reply is None else TurnState.PAUSED
        self._provider = provider
        self._limits = limits or StreamLimits()
        self._marker = marker
        self._clock = clock
        self._pump: asyncio.Task[EndReason] | None = None
        self._stopping: EndReason | None = None
        self._buffer: deque[StreamEvent] = deque()
        self._waiting = 0  # chunks in the buffer
        self._fallbacks = deque(fallbacks)
        self._make_progress = progress
        self.progress = progress()
        self._arrival = asyncio.Event()
        self._room = asyncio.Event()

    @property
    def state(self) -> TurnState:
        return self._state

    @property
    def provider(self) -> Provider:
        return self._provider

    def start(self) -> None:
        """Ask for the answer. Raises TurnStateError unless the turn is ready."""
        if self._state is not TurnState.READY:
            raise TurnStateError(f"a turn that is {self._state} cannot start")
        self._stream(self.request, "fresh", "")

    def resume(
        self,
        *,
        guidance: str = "",
        mode: Continuation | None = None,
        provider: Provider | None = None,
        model: str | None = None,
    ) -> None:
        """Go on with the answer, from what is there, with another provider or model if given.

        Raises TurnStateError unless the turn is paused or failed.
        """
        if self._state not in (TurnState.PAUSED, TurnState.FAILED):
            raise TurnStateError(f"a turn that is {self._state} cannot go on")
        self._provider = provider or self._provider
        if model is not None:
            self.request = replace(self.request, model=model)
        mode = mode or self._provider.continuation(self.request.model)
        self._stream(continuation(self.request, self.reply, mode, guidance), mode_of(self.reply, mode), guidance)

    async def pause(self, reason: EndReason = EndReason.PAUSE) -> Snapshot:
        """Stop the stream, keep everything received, and return it. At any moment, any number of times."""
        await self._stop(reason)
        return self.snapshot()

    async def cancel(self) -> Snapshot:
        """End the turn for good, keeping what was received. At any moment, any number of times."""
        await self._stop(EndReason.CANCEL)
        if TurnState.CANCELLED in _TRANSITIONS[self._state]:
            self._move(TurnState.CANCELLED)
            self.reason = EndReason.CANCEL
        return self.snapshot()

    def snapshot(self) -> Snapshot:
        return Snapshot(request=self.request, reply=self.reply, reason=self.reason)

    async def events(self) -> AsyncIterator[StreamEvent]:
        """Yield what arrives until the stream ends in whatever way; call it again after `resume`.

        Raises the turn's error where the answer failed.
        """
        while True:
            while self._buffer:
                event = self._buffer.popleft()
                self._waiting -= _chunks(event)
                if self._waiting < self._limits.buffer_size:
                    self._room.set()
                yield event
            if self._state is not TurnState.STREAMING:
                break
            self._arrival.clear()
            await self._arrival.wait()
        if self._state is TurnState.FAILED and self.error is not None:
            raise self.error

    def _move(self, state: TurnState) -> None:
        if state not in _TRANSITIONS[self._state]:
            raise TurnStateError(f"a turn cannot go from {self._state} to {state}")
        self._state = state

    def _stream(self, request: Request, mode: Mode, guidance: str) -> None:
        self._move(TurnState.STREAMING)
        self.error = None
        self._stopping = None
        self.progress = self._make_progress()
        segment = OpenSegment(
            request,
            self.reply,
            provider=self._provider.name,
            progress=self.progress,
            cost=self._provider.cost,
            mode=mode,
            guidance=guidance,
            marker=self._marker,
            clock=self._clock,
        )
        self._pump = asyncio.create_task(self._receive_all(request, segment), name="llmterm-pump")
        # Not in the pump's own `finally`: a task that is cancelled before its first step never gets there.
        self._pump.add_done_callback(lambda pump: self._conclude(segment, self._end_of(pump)))

    async def _stop(self, reason: EndReason) -> None:
        """Cancel the pump once and wait for its end; a later, stronger reason replaces an earlier one."""
        pump = self._pump
        if pump is None or self._state is not TurnState.STREAMING:
            return
        first = self._stopping is None
        if first or reason is EndReason.CANCEL:
            self._stopping = reason
        if first:
            pump.cancel()
        # asyncio.wait, because it does not raise the pump's cancellation as if it were the caller's.
        await asyncio.wait({pump})

    async def _receive_all(self, request: Request, segment: OpenSegment) -> EndReason:
        while True:
            try:
                return await self._receive_from(request, segment)
            except LlmtermError as error:
                if segment.begun or self.reply.segments or not await self._fall_back(error):
                    raise
            request = self.request
            segment.move(request, provider=self._provider.name, cost=self._provider.cost)
            self.progress.say(f"{self._provider.name}/{request.model} answers instead")

    async def _fall_back(self, error: LlmtermError) -> bool:
        """Turn to the next provider that can be had; return whether there is one."""
        while self._fallbacks:
            self.progress.say(str(error))
            try:
                self._provider, model = await self._fallbacks.popleft()()
            except LlmtermError as unusable:
                error = unusable
                continue
            self.request = replace(self.request, model=model)
            return True
        return False

    async def _receive_from(self, request: Request, segment: OpenSegment) -> EndReason:
        stream = await self._provider.open(request, self._limits, self.progress)
        try:
            while events := await stream.read():
                for event in events:
                    end = self._receive(event, segment)
                    if end is not None:
                        return end
                if self._limits.max_chunks is not None and self.reply.chunks >= self._limits.max_chunks:
                    return EndReason.LIMIT
                while self._waiting >= self._limits.buffer_size:
                    self._room.clear()
                    await self._room.wait()
        except asyncio.CancelledError:
            for event in stream.rest():
                if self._receive(event, segment) is not None:
                    break
            raise
        finally:
            await stream.aclose()
        raise NetworkError(f"{self._provider.name}: the answer broke off without an end")

    def _receive(self, event: StreamEvent, segment: OpenSegment) -> EndReason | None:
        """Take one event in; return why the stream is over, if it is."""
        match event:
            case TextDelta(text, chunks):
                segment.touch()
                self._keep(TextDelta(segment.join(text), chunks))
                if segment.marker_found:
                    self.reply = self.reply.cut(segment.retract) if segment.retract else self.reply
                    return EndReason.MARKER
            case ThinkingDelta():
                segment.touch()
                self._keep(event)
            case UsageReport():
                self._keep(event)
            case Finished(reason):
                self._flush(segment)
                self._keep(event)
                return reason
            case _:
                assert_never(event)
        return None

    def _keep(self, event: StreamEvent) -> None:
        self.reply = self.reply.add(event)
        self._buffer.append(event)
        self._waiting += _chunks(event)
        self._arrival.set()

    def _flush(self, segment: OpenSegment) -> None:
        text = segment.flush()
        if text:
            self._keep(TextDelta(text, 0))

    def _end_of(self, pump: asyncio.Task[EndReason]) -> EndReason:
        if pump.cancelled():
            # Not by `_stop` where no reason was given: the loop itself is ending.
            return self._stopping or EndReason.CANCEL
        error = pump.exception()
        if error is None:
            return pump.result()
        # Whatever it is, it belongs to whoever reads `events`.
        self.error = error
        log.event("failure", kind=type(error).__name__, error=str(error))
        return _end_reason(error)

    def _conclude(self, segment: OpenSegment, end: EndReason) -> None:
        """The one place where streaming ends: close the segment, settle the state, wake the reader."""
        self._flush(segment)
        if end is EndReason.PAUSE and self.reply.finish is not None:
            end = self.reply.finish  # the answer was over before the key took effect
        self.reply = segment.close(self.reply, end)
        self.reason = end
        self._move(self._outcome(end))
        self._arrival.set()

    def _outcome(self, end: EndReason) -> TurnState:
        match end:
            case EndReason.CANCEL:
                return TurnState.CANCELLED
            case EndReason.STOP | EndReason.STOP_SEQUENCE | EndReason.REFUSAL | EndReason.OTHER:
                return TurnState.DONE
            case EndReason.NETWORK | EndReason.TIMEOUT | EndReason.ERROR:
                # A failure in the middle of an answer is a pause; a bug of ours never is.
                resumable = self.reply.text and isinstance(self.error, LlmtermError)
                return TurnState.PAUSED if resumable else TurnState.FAILED
            case EndReason.PAUSE | EndReason.CRASH | EndReason.MARKER | EndReason.LENGTH | EndReason.LIMIT:
                return TurnState.PAUSED
            case _:
                assert_never(end)


def _chunks(event: StreamEvent) -> int:
    return event.chunks if isinstance(event, TextDelta | ThinkingDelta) else 0


def _end_reason(error: BaseException) -> EndReason:
    match error:
        case StreamTimeoutError():
            return EndReason.TIMEOUT
        case NetworkError() | ConnectError():
            return EndReason.NETWORK
        case _:
            return EndReason.ERROR
