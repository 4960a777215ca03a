"""One answer: asked for, streamed, paused at any instant, resumed, ended.

A `Turn` knows no keyboard, no console and no database. It has `start`, `pause`, `steer`, `resume`, `cancel`, `events`
and `snapshot`; whoever owns a screen or a store looks at its `reply` and reads its `events`.

One task, the pump, awaits nothing but the provider, so that a pause lands inside the network read and the socket
closes at once. What the pump receives goes into a log that any number of readers follow, each at its own pace; the
stream waits only for those that ask for it, and with no reader at all it runs to its end.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, assert_never

from llmterm import log
from llmterm.citations import Citations
from llmterm.conversation import mode_of, resumed, stops
from llmterm.errors import CursorRefusedError, LlmtermError, NetworkError, PrefillRefusedError, TurnStateError
from llmterm.eventlog import EventLog, Reader
from llmterm.events import Entry, Notice, SegmentEnded, SegmentStarted, StateChanged
from llmterm.fallback import Fallback, Fallbacks
from llmterm.messages import (
    Carried,
    Cited,
    Continuation,
    Cursor,
    CursorMoved,
    EndReason,
    Finished,
    Reply,
    Request,
    Snapshot,
    StreamEvent,
    StreamLimits,
    TextDelta,
    ThinkingDelta,
    Usage,
    UsageReport,
)
from llmterm.progress import Progress
from llmterm.providers import EventStream, Provider
from llmterm.providers.attachments import note
from llmterm.recall import Recall
from llmterm.segment import OpenSegment, Told
from llmterm.states import AT_REST, BY_PROVIDER, TRANSITIONS, TurnState, end_reason, outcome
from llmterm.threads import in_turns

if TYPE_CHECKING:
    from llmterm.steering import Steering

__all__ = ["Turn", "TurnState"]

# Those of an answer that are kept, as it may be cut before the last of them.
_MOST_CHECKPOINTS = 32
# Ends at which what comes next is not what the model was about to say.
_TURNED = (EndReason.CANCEL, EndReason.MARKER, EndReason.RESTART)


class Turn:
    """An answer to one request. Not safe for use from more than one event loop; any number of tasks may call it."""

    def __init__(
        self,
        provider: Provider,
        asked: Request | Snapshot,
        marker: str | None = None,
        *,
        limits: StreamLimits | None = None,
        clock: Callable[[], float] = time.monotonic,
        fallbacks: Sequence[Fallback] = (),
        seam_seconds: float = 1.0,
        log: EventLog | None = None,
    ) -> None:
        """Make a turn that is ready, or, of a snapshot, one that is paused as that says.

        With a `marker` the model can pause itself by writing it. Where a provider cannot begin an answer, the first
        of the `fallbacks` that can does. For at most `seam_seconds` the beginning of a continuation is held back, to
        see how it joins what was there. It tells what comes in `log`, where that has told of the answer before: up to
        where it rests.
        """
        rest = asked if isinstance(asked, Snapshot) else None
        self.request = asked if isinstance(asked, Request) else asked.request
        self.reason = EndReason.PAUSE if rest is None else rest.reason
        self.error: BaseException | None = None
        self.end_words = ""
        """What the provider said of the end, where it was no usual one. From outside, as all that it says."""
        self._state = TurnState.READY if rest is None else TurnState.PAUSED if log is None else log.state
        self._detaching = False
        self._provider = provider
        self._limits = limits or StreamLimits()
        self._marker = marker
        self._clock = clock
        self._pump: asyncio.Task[EndReason] | None = None
        self._stopping: EndReason | None = None
        self._segment: OpenSegment | None = None
        self._streaming: EventStream | None = None
        self._steering: Steering | None = None
        self._one_steers = asyncio.Lock()
        self._refused = False  # whether a cursor was refused since the answer streams
        self._behind: Reply | None = None  # what there was when the last cursor was gone on from
        self._checkpoints: deque[Cursor] = deque(maxlen=_MOST_CHECKPOINTS)
        if rest is not None and rest.reply.cursor is not None and not rest.reply.cursor.runs:
            self._checkpoints.append(rest.reply.cursor)
        self._citations = Citations()
        # Its figures are those of no segment: it may be of an answer that was streaming.
        self._log = log or EventLog(None if rest is None else rest.reply.close())
        self._seam_seconds = seam_seconds
        self._fallbacks = Fallbacks(fallbacks)
        self.progress = Progress(self._log)
        last = self.reply.segments[-1] if self.reply.segments else None
        self.started_over = last.cut if last and last.end_reason is EndReason.RESTART else ""
        """What the model said when it started the answer over instead of going on with it; the turn paused there."""

    @property
    def state(self) -> TurnState:
        """Where the turn is now."""
        return self._state

    @property
    def over(self) -> bool:
        """Whether nothing more can come."""
        return self._state in (TurnState.DONE, TurnState.CANCELLED)

    @property
    def provider(self) -> Provider:
        """Who answers: after a fallback, or a resume elsewhere, another one than at first."""
        return self._provider

    @property
    def reply(self) -> Reply:
        """The answer as received so far: what all `events` together make."""
        return self._log.reply

    def belong(self, session: str) -> None:
        """Have all that is asked from now on be of that session, "" for none."""
        self.request = replace(self.request, session=session)

    def start(self) -> None:
        """Ask for the answer. Raises TurnStateError unless the turn is ready."""
        if self._state is not TurnState.READY:
            raise TurnStateError(f"a turn that is {self._state} cannot start")
        self._stream(None, "")

    def resume(
        self,
        *,
        guidance: str = "",
        continuation: Continuation | None = None,
        provider: Provider | None = None,
        model: str | None = None,
    ) -> None:
        """Resume the answer from what is there, with another provider or model if given.

        Where the same generation can go on it does, from its cursor: what came behind that comes again. Not so with
        `guidance`, by another model, or where another `continuation` says how that is asked for, whatever is known of
        the model: then nothing goes on there.
        Raises TurnStateError unless the turn is paused or failed.
        """
        if self._state not in AT_REST:
            raise TurnStateError(f"a turn that is {self._state} cannot be resumed")
        before, self._provider = self._provider, provider or self._provider
        if model is not None:
            self.request = replace(self.request, model=model)
        cursor, continuation = self.reply.cursor, None if continuation == "cursor" else continuation
        if cursor is not None and self._can_go_on(cursor) and not guidance and continuation is None:
            back = self._go_back(cursor)
            if back and not cursor.runs:
                self.note(Notice(f"the last {back:,} characters are written again, from where the provider can go on"))
            self._stream("cursor", "")
            return
        self._let_go(before)
        self._stream(continuation or self._provider.continuation(self.request.model), guidance)

    async def pause(self, reason: EndReason = EndReason.PAUSE, *, upto: int | None = None) -> Snapshot:
        """Stop the stream, keep everything received, and return it. At any moment, any number of times.

        With `upto` the answer ends after so many characters of text, those that somebody has seen; what came after
        them is taken back.
        """
        await self._stop(reason)
        if upto is not None and upto < len(self.reply.body) and self._state is not TurnState.CANCELLED:
            checkpoints = self._checkpoints_upto(upto)
            self._let_go()
            self._checkpoints = checkpoints
            cut = self.reply.cut(len(self.reply.body) - upto, reason)
            self._log.rewrite(cut.at(checkpoints[-1] if checkpoints else None))
            self.reason = reason
            if self._state is TurnState.DONE:
                self._move(TurnState.PAUSED)
        return self.snapshot()

    async def detach(self, reason: EndReason = EndReason.PAUSE) -> Snapshot:
        """Leave the answer, which goes on at its provider, and return where it is to be taken up again.

        Where the provider lets none go on, this is a pause, and the snapshot has no cursor. At any moment, as `pause`.
        """
        self._detaching = self._stopping is None
        await self._stop(reason)
        return self.snapshot()

    async def steer(self, guidance: str) -> bool:
        """Have the answer go on under `guidance` without a pause, where its provider can do that; tell whether it does.

        Where it does not, nothing has changed, unless it has come to its end, or to rest, meanwhile. One waits for
        another.
        """
        from llmterm.steering import Steering  # not for every start

        async with self._one_steers:
            if self._streaming is None or self._stopping is not None:
                return False
            steering = self._steering = Steering(self._streaming, guidance)
            return await steering.came_about()

    def rewrite(self, reply: Reply) -> None:
        """Put `reply` in the place of the answer so far. Raises TurnStateError unless the turn is paused or failed."""
        if self._state not in AT_REST:
            raise TurnStateError(f"an answer that is {self._state} cannot be rewritten")
        self._let_go()
        cursor = reply.cursor  # of an earlier reply that comes back: what ran there was ended when it was left
        self._log.rewrite(reply.at(None) if cursor is not None and cursor.runs else reply)

    async def cancel(self) -> Snapshot:
        """End the turn for good, keeping what was received. At any moment, any number of times."""
        await self._stop(EndReason.CANCEL)
        self._let_go()
        if TurnState.CANCELLED in TRANSITIONS[self._state]:
            self.reason = EndReason.CANCEL
            self._move(TurnState.CANCELLED)
        return self.snapshot()

    def note(self, notice: Notice) -> None:
        """Tell all readers what somebody else has to say about this answer."""
        self._log.append(notice)

    def snapshot(self) -> Snapshot:
        """Return all that it takes to go on with the answer, here or in another process, as it stands."""
        return Snapshot(request=self.request, reply=self.reply, reason=self.reason)

    @property
    def places(self) -> range:
        """Those that a reader can go on from: from where its log begins up to where that is now."""
        return range(self._log.first, self._log.seq + 1)

    async def events(self, after: int = 0) -> AsyncIterator[Entry]:
        """Yield all that the turn has told after `after`, and go on live, over its pauses, until it is over.

        Any number of tasks may, each at its own pace: what one missed comes in one piece. Raises the turn's error
        where the answer has failed.
        """
        reader = self.reader(after)
        try:
            async for entry in reader:
                yield entry
                if self._state is TurnState.FAILED and self.error is not None and reader.at_end:
                    raise self.error
        finally:
            reader.leave()

    def reader(self, after: int = 0, *, waited_for: bool = False) -> Reader:
        """Return a reader of the events. One that is `waited_for` slows the stream down to its own pace."""
        return self._log.reader(after, bound=self._limits.buffer_size if waited_for else None)

    def _go_back(self, cursor: Cursor) -> int:
        """Have the answer be what it was at the cursor; return how many characters of its text are taken back."""
        self._behind = self.reply
        self._checkpoints = self._checkpoints_upto(cursor.text)
        back = max(0, len(self.reply.body) - cursor.text)
        if back or len(self.reply.thoughts) != cursor.thinking:
            self._log.rewrite(self.reply.back_to(cursor))
        return back

    def _place(self, cursor: Cursor | None) -> None:
        self._log.place(cursor)
        if cursor is not None and not cursor.runs:
            self._checkpoints.append(cursor)

    def _checkpoints_upto(self, text: int) -> deque[Cursor]:
        return deque((each for each in self._checkpoints if each.text <= text), _MOST_CHECKPOINTS)

    def _can_go_on(self, cursor: Cursor) -> bool:
        """Tell whether who would be asked now is who goes on there."""
        return (cursor.provider, cursor.model) == (self._provider.name, self.request.model)

    def _let_go(self, provider: Provider | None = None) -> None:
        """Have the same generation go on no more, where one does at the provider: what comes is another one."""
        cursor, provider = self.reply.cursor, provider or self._provider
        self._checkpoints.clear()
        if cursor is None:
            return
        self._log.place(None)
        if cursor.runs and cursor.provider == provider.name:
            provider.stop(cursor)

    def _move(self, state: TurnState) -> None:
        if state not in TRANSITIONS[self._state]:
            raise TurnStateError(f"a turn cannot go from {self._state} to {state}")
        self._state = state
        streaming = state is TurnState.STREAMING
        words = self.end_words if self.error is None else str(self.error)
        self._log.append(StateChanged(state, None if streaming else self.reason, words))

    def _stream(self, continuation: Continuation | None, guidance: str) -> None:
        self.error = None
        self.end_words = ""
        self._detaching = self._refused = False
        self._move(TurnState.STREAMING)
        self._stopping = None
        self.progress = Progress(self._log)
        self.started_over = ""
        self._segment = self._open(continuation, guidance)
        self._pump = asyncio.create_task(self._receive_all(self._segment, continuation, guidance), name="llmterm-pump")
        # Not in the pump's own `finally`: a task that is cancelled before its first step never gets there.
        self._pump.add_done_callback(self._conclude)

    def _open(self, continuation: Continuation | None, guidance: str) -> OpenSegment:
        started = SegmentStarted(
            provider=self._provider.name,
            model=self.request.model,
            mode="fresh" if continuation is None else mode_of(self.reply, continuation),
            guidance=guidance,
        )
        self._log.append(started)
        return OpenSegment(started, self.reply, progress=self.progress, cost=self._provider.cost, clock=self._clock)

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

    async def _receive_all(self, segment: OpenSegment, continuation: Continuation | None, guidance: str) -> EndReason:
        recall = await in_turns(Recall(self.reply.body, self._marker, stops(self.reply, self.request.model)).read())
        while True:
            request = await self._ask(segment, continuation, guidance, recall)
            if request.exhausted:
                return self._exhausted()
            try:
                end = await self._receive_from(request, segment)
                if (checkpoint := self._continued(end, request)) is None:
                    return end
                # As long as a request may be; the user sees only that the answer goes on.
                self._log.append(SegmentEnded((self._segment or segment).close(self.reply, end)))
                self._go_back(checkpoint)
                continuation, guidance = "cursor", ""
                segment = self._segment = self._open(continuation, guidance)
                recall = await in_turns(Recall(self.reply.body, self._marker).read())
            except LlmtermError as error:
                instead = None if self._stopping or segment.begun else await self._instead(error, request)
                if instead is None:
                    raise
                # In the same breath; the user sees only that the answer goes on.
                continuation, words = instead
                segment = self._segment = self._open(continuation, guidance)
                if words:
                    self.progress.say(words)
                if recall.before is not self.reply.body:
                    recall = await in_turns(Recall(self.reply.body, self._marker).read())

    def _continued(self, end: EndReason, request: Request) -> Cursor | None:
        """Return from where the provider wants to be asked to go on, where it does, and has come on since `request`."""
        cursor = self.reply.cursor
        if end is not EndReason.CONTINUATION or cursor is None or cursor.runs or self._refused:
            return None
        return None if request.cursor is not None and request.cursor.place == cursor.place else cursor

    async def _instead(self, error: LlmtermError, request: Request) -> tuple[Continuation, str] | None:
        """Return how the answer is asked for after an error at its beginning, and what is to be said of that; None
        where it is not."""
        match error:
            case CursorRefusedError():
                self._refused = True
                self._checkpoints.clear()
                self._log.place(None)
                if self._behind is not None and self._behind.body is not self.reply.body:
                    self._log.rewrite(self._behind.at(None))
                words = f"{error.message}: what is there is sent again, and the answer goes on from that"
                return self._provider.continuation(request.model), words
            case PrefillRefusedError() if request.continuation not in (None, "instruct"):
                self._provider.cannot_prefill(request.model)
                return "instruct", ""
            case _ if not self.reply.segments and (other := await self._fallbacks.next_for(error, self.progress)):
                self._let_go()
                self._provider, model = other
                self.request = replace(self.request, model=model)
                return self._provider.continuation(model), f"{self._provider.name}/{model} answers instead"
        return None

    async def _ask(
        self, segment: OpenSegment, continuation: Continuation | None, guidance: str, recall: Recall
    ) -> Request:
        """Return what a segment is asked for with, as it is sent."""
        request = self.request
        if continuation is not None:
            request = resumed(self.snapshot(), continuation, guidance, recall.ends)
        request = await in_turns(note(request, self._provider.accepts(request.model)))
        # The marker is a stop sequence where an end by it can be told from others: there the model really stops.
        stop = self._marker if self._marker is not None and self._provider.says_stop(request.model) else ""
        segment.ask(request, recall, "" if request.options.stop else stop)
        if stop:
            request = replace(request, options=replace(request.options, stop=(*request.options.stop, stop)))
        return request

    def _exhausted(self) -> EndReason:
        """End a segment for which nothing is left of the answer's limit, and keep it in the record: the next has a new
        limit."""
        self._log.append(UsageReport(Usage()))
        self._log.keep(Finished(EndReason.LENGTH))
        return EndReason.LENGTH

    async def _receive_from(self, request: Request, segment: OpenSegment) -> EndReason:
        stream = self._streaming = await self._provider.open(request, self._limits, self.progress)
        before: list[EventStream] = []  # those that were steered
        broken = False
        try:
            while True:
                end = await self._receive(stream, segment)
                following = await self._following(request, segment) if end in BY_PROVIDER else None
                if following is None:
                    return end
                before.append(stream)
                stream, segment = following
        except LlmtermError:
            broken = True  # here; where it can, the answer goes on there
            raise
        finally:
            self._streaming = None
            if self._steering is not None:
                await self._steering.aclose()
            for each in before:
                await each.aclose()
            if self._detaching or broken:
                await stream.detach()
            else:
                await stream.aclose()

    async def _receive(self, stream: EventStream, segment: OpenSegment) -> EndReason:
        try:
            while events := await stream.read():
                for event in events:
                    self._take(event, segment)
                    if segment.end is not None:
                        return segment.end
                if self._limits.max_chunks is not None and self.reply.chunks >= self._limits.max_chunks:
                    return EndReason.LIMIT
                await self._log.room()
        except asyncio.CancelledError:
            for event in stream.rest():
                if segment.end is not None:
                    break
                self._take(event, segment)
            raise
        raise NetworkError(f"{self._provider.name}: the answer broke off without an end")

    async def _following(self, request: Request, segment: OpenSegment) -> tuple[EventStream, OpenSegment] | None:
        """Return what follows a segment that was steered, and begin with that; None where nothing does."""
        steering = self._steering
        if steering is None:
            return None
        recall = await in_turns(Recall(self.reply.body, self._marker).read())
        stream = await steering.follower()
        if stream is None:
            return None
        steering.take()
        self._streaming, self._steering = stream, None
        self._log.append(SegmentEnded(segment.close(self.reply, EndReason.PAUSE)))
        following = self._segment = self._open("instruct", steering.guidance)
        following.ask(request, recall, "")
        return stream, following

    def _take(self, event: StreamEvent, segment: OpenSegment) -> None:
        """Take in what a segment makes of an event; see to it that its seam does not wait for ever."""
        self._tell(segment.take(event))
        if segment.end is not None:
            self._retract(segment)
        elif segment.awaits_release():
            asyncio.get_running_loop().call_later(self._seam_seconds, self._release, segment)

    def _tell(self, told: Iterable[Told]) -> None:
        for event in told:
            match event:
                case TextDelta() | ThinkingDelta() | UsageReport():
                    self._log.append(event)
                case Carried() | Finished():
                    self._log.keep(event)
                case Cited():
                    self._citations.add(event)
                case CursorMoved():
                    if self._segment is not None and self.reply.finish is None:
                        self._place(self._segment.cursor(event, self.reply))
                case _:
                    assert_never(event)

    def _retract(self, segment: OpenSegment) -> None:
        """Take back the beginning of the marker where that is in the earlier text."""
        if segment.retract:
            self._log.rewrite(self.reply.cut(segment.retract))

    def _release(self, segment: OpenSegment) -> None:
        """Take in what a seam holds back, where the stream still goes on."""
        if self._segment is not segment or self._state is not TurnState.STREAMING or self._stopping is not None:
            return
        self._tell(segment.release())
        self._retract(segment)
        if segment.end is not None and self._pump is not None:
            self._stopping = segment.end
            self._pump.cancel()

    def _end_of(self, pump: asyncio.Task[EndReason]) -> EndReason:
        if pump.cancelled():
            # Not by `_stop` where no reason was given: the loop itself is ending.
            return self._stopping or EndReason.CANCEL
        error = pump.exception()
        if error is None:
            return pump.result()
        if self._stopping is not None:
            return self._stopping  # what went wrong while a stream was being closed is nobody's business any more
        self._fail(error)
        return end_reason(error)

    def _conclude(self, pump: asyncio.Task[EndReason]) -> None:
        """The one place where streaming ends: close the segment, settle the state, wake the reader."""
        try:
            end = self._close(self._end_of(pump))
        except Exception as error:
            # A bug, such as in what reckons the cost. Nobody else would hear of it here, and all would wait for ever.
            self._fail(error)
            self._log.append(SegmentEnded(None))
            end = EndReason.ERROR
        self.reason = end
        # A failure in the middle of an answer is a pause; a bug of ours never is.
        there = len(self.reply.body) > 0 or self.reply.cursor is not None
        resumable = there and isinstance(self.error, LlmtermError)
        self._move(outcome(end, resumable=resumable))

    def _close(self, end: EndReason) -> EndReason:
        """Put the segment into the record; return what its end was after all."""
        segment = self._segment
        assert segment is not None
        self._tell(segment.flush())
        self.end_words = segment.words
        if segment.restarted and end is not EndReason.CANCEL:
            end = EndReason.RESTART
            self.started_over = segment.held
        if end is EndReason.PAUSE and self.reply.finish is not None:
            end = self.reply.finish  # the answer was over before the key took effect
        self._settle_cursor(end)
        if end in BY_PROVIDER:
            for line in self._citations.untold():
                self._log.append(Notice(line))
        self._log.append(SegmentEnded(segment.close(self.reply, end)))
        return end

    def _settle_cursor(self, end: EndReason) -> None:
        """Keep the cursor where the answer goes on there after that end, or nothing of it would be made meanwhile."""
        cursor = self.reply.cursor
        left = self._detaching or (self.error is not None and not isinstance(self.error, CursorRefusedError))
        if end in BY_PROVIDER and not (end is EndReason.CONTINUATION and self._stopping is EndReason.PAUSE):
            self._log.place(None)  # not before: until its end is on the record the answer can be read on to that
        elif cursor is not None and (end in _TURNED or (cursor.runs and not left)):
            self._let_go()

    def _fail(self, error: BaseException) -> None:
        """Keep an error: whatever it is, it belongs to whoever reads `events`."""
        self.error = error
        log.event("failure", kind=type(error).__name__, error=str(error))
