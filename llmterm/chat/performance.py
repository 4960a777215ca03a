"""An answer on the screen: events to the view and keys to the turn, at the same time.

Keys are raced with the stream; they never wait for the next chunk. What is typed while the answer streams is shown
below it and kept: a finished line is queued as the next message, an unfinished one stays to be gone on with.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any, assert_never

from llmterm.chat.answer import Answer
from llmterm.chat.commands import Commands
from llmterm.chat.decision import Decision, Gesture, Leave, Resume, Send, Steer
from llmterm.chat.live import FRAME_SECONDS, Live, ended
from llmterm.chat.outcome import Ask, Fill, New, Open, Outcome, Pick, Rewrite, Say, Show, Unseam, Wish, Word, Write
from llmterm.chat.status import drawing_line, streaming_line
from llmterm.errors import LlmtermError
from llmterm.events import Notice, Retraction, SegmentEnded, SegmentStarted, StateChanged, TurnEvent
from llmterm.messages import EndReason, TextDelta, ThinkingDelta, UsageReport
from llmterm.states import TurnState

# A frame may take this share of the time between frames: keys and sockets come first. But not for ever: what has
# come meanwhile makes the next frame dearer still.
_FRAME_SHARE = 0.2
_LONGEST_PAUSE = 0.1
# In how many frames what was held back is shown.
_CATCHING_UP_FRAMES = 45
# What stands beside the status line: the mark that moves, its blank, and the last cell, which stays free.
_BESIDE = 3
# A rate that is another one in each frame cannot be read.
_RATE_SECONDS = 0.5
# The elapsed time moves on also when nothing arrives.
_IDLE_FRAME_SECONDS = 0.5
# What moves while nothing of an answer is there yet.
_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_SPIN_SECONDS = 0.12
_ON_ITS_WAY = "your word is on its way"


class Performance:
    """Shows the answer until its stream ends, for whatever reason, and it is kept. Keys act on its turn."""

    def __init__(self, live: Live, answer: Answer, label: str) -> None:
        self._live = live
        self._view = live.view
        self._clock = live.clock
        self._turn = turn = answer.turn
        self._reader = reader = answer.reader
        self._label = label
        self._began = self._clock()
        self._first_token: float | None = None
        self._rate: float | None = None
        self._rated = -_RATE_SECONDS
        # What the user wants besides the answer's own end.
        self._wish: Wish | Steer = Word.DONE
        self._failure: Exception | None = None
        # What is being steered, and whether all that is shown is there.
        self._steers: set[asyncio.Task[None]] = set()
        self._left = False
        self._shown = reader.text  # characters of the answer's text
        self._taken_back = False  # some of what is shown is not in the answer any more
        self._parted = False  # the part that was being written has ended
        self._below: list[Notice] = []  # what is to be said when all of the answer is there
        self._changed = asyncio.Event()
        # The stream is over, and not all of it is drawn yet.
        self._drawing = False
        # After a hold what had come meanwhile is shown in portions, so that it can be followed.
        self._behind = reader.waiting > 0 and reader.text > 0
        behind = len(turn.reply.body) - reader.text
        reader.portion(max(1, behind // _CATCHING_UP_FRAMES) if self._behind else None)
        self._preparation = turn.preparation

    async def run(self) -> Wish | Steer:
        with self._live.line.saying(self._status, moving=self._spinner, lasting=True):
            await self._show()
            if self._steers and self._wish is not Word.HOLD:
                await asyncio.wait(self._steers)
            self._left = True
            if self._failure is not None:
                raise self._failure
            if self._turn.state is not TurnState.FAILED:
                await self._draw_rest()
                self._say_below()
        if self._failure is not None:
            raise self._failure
        return self._wish

    async def _show(self) -> None:
        """Show what comes, and act on keys, until the stream ends."""
        jobs = [asyncio.create_task(self._beside(job)) for job in (self._draw, self._listen)]
        try:
            await self._live.window.steady()
            self._view.frame()  # before anything that may take its time
            await self._show_events()
            kept = asyncio.create_task(self._turn.kept())
            try:
                # While the disk is waited for: a pause is said at once, and what the keys do comes after both.
                await self._live.window.steady()
                self._view.frame()
            finally:
                await kept
            await self._show_events()  # what the store has to say
        finally:
            await ended(*jobs)
        error = self._turn.error
        if self._turn.state is TurnState.FAILED and error is not None and not isinstance(error, LlmtermError):
            self._view.pause()  # a bug: there will be no other chance to show what came
            raise error

    async def _show_events(self) -> None:
        async for event in self._reader.streamed():
            self._show_event(event)
            self._shown = self._reader.text
            self._changed.set()
            await self._catch_up()

    async def _draw_rest(self) -> None:
        """Draw what there was no time for while it came, in frames, until the user has seen enough of them."""
        await self._live.window.steady()
        if self._view.frame():
            return
        self._drawing = True
        # After a stop the next decision is for what comes then: a message would only be held, with all that waits.
        stopped = self._turn.state is TurnState.CANCELLED
        listening = [] if stopped else [asyncio.create_task(self._beside(self._listen))]
        try:
            while self._drawing and not (stopped and self._live.line.decided):
                began = self._clock()
                self._drawing = not self._view.frame()
                await asyncio.sleep(max(0.0, FRAME_SECONDS - (self._clock() - began)))
                await self._live.window.steady()
        finally:
            await ended(*listening)
        self._view.hurry()

    def _show_event(self, event: TurnEvent) -> None:
        match event:
            case TextDelta() | ThinkingDelta():
                if self._first_token is None:
                    self._first_token = self._clock()
                self._view.event(event)
            case Notice(passing=False) if self._turn.state not in (TurnState.STREAMING, TurnState.FAILED):
                self._below.append(event)
            case Notice(text, passing=False, failure=failure):
                if self._taken_back:
                    self._view.settle()  # it is about what stands there
                self._view.say(text, error=failure)
            case SegmentStarted() | SegmentEnded() | StateChanged() | Retraction():
                self._show_turn(event)
            case Notice() | UsageReport():
                pass  # the status line says it, or it is said when the answer rests
            case _:
                assert_never(event)

    def _show_turn(self, event: SegmentStarted | SegmentEnded | StateChanged | Retraction) -> None:
        match event:
            case Retraction(text=text):
                self._taken_back = text < self._shown
            case SegmentEnded():
                self._parted = True
            case StateChanged():
                self._parted = False
            case SegmentStarted(mode="checkpoint") if self._taken_back:
                self._taken_back = self._parted = False
                self._show_again()
            case SegmentStarted(guidance=guidance):
                if self._parted:
                    self._view.pause()
                    self._view.resume(guidance)
                self._taken_back = self._parted = False
            case _:
                assert_never(event)

    def _show_again(self) -> None:
        """Show the answer anew, as far as it is still what was said: what stands above cannot be taken back."""
        self._view.begin()
        for part in self._turn.reply.body.head(self._reader.text).parts:
            self._view.event(TextDelta(part))

    def _say_below(self) -> None:
        if self._below:
            self._view.settle()
        for notice in self._below:
            self._view.say(notice.text, error=notice.failure)

    async def _catch_up(self) -> None:
        """After a hold, show what had come meanwhile in a second or two: quickly, but so that it can be followed."""
        if self._behind and self._reader.unread:
            await asyncio.sleep(FRAME_SECONDS)
        else:
            self._hurry()

    def _hurry(self) -> None:
        """Show what waits at once."""
        self._behind = False
        self._reader.portion(None)

    async def _beside(self, job: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run a job beside the stream; where it fails, the stream ends."""
        try:
            await job()
        except Exception as error:
            self._failure = error
            await self._turn.pause()

    async def _draw(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_SPIN_SECONDS if self._waits else _IDLE_FRAME_SECONDS):
                    await self._changed.wait()
            await self._live.window.steady()
            self._changed.clear()
            began = self._clock()
            if not self._view.frame():
                self._changed.set()
            cost = self._clock() - began
            await asyncio.sleep(min(max(FRAME_SECONDS, cost / _FRAME_SHARE), _LONGEST_PAUSE))

    async def _listen(self) -> None:
        # What is pressed once the screen is held, is for the prompt.
        while self._wish is not Word.HOLD and (
            self._turn.state is TurnState.STREAMING or self._behind or self._drawing
        ):
            decision = await self._live.line.decision()
            if self._drawing:
                self._decide_while_drawing(decision)
            else:
                await self._decide(decision)
            self._changed.set()

    async def _decide(self, decision: Decision) -> None:
        match decision:
            case Gesture.PAUSE:
                await self._pause()
            case Gesture.STOP:
                self._hurry()
                await self._turn.cancel()
            case Gesture.HURRY:
                self._turn.progress.hurry()
            case Gesture.COMPOSE:
                self._view.say("the editor takes the screen: Ctrl-SPACE pauses the answer first")
            case Gesture.SUSPEND:
                self._wish = Word.SUSPEND
                await (self._turn.leave() if self._goes_on else self._turn.pause())
            case Leave(interrupted=True):
                self._hurry()
                self._wish = decision
                await self._turn.cancel()
            case Leave():
                self._wish = decision
                await self._turn.leave()
            case Send(text) | Steer(text):
                self._sent(text, steers=isinstance(decision, Steer))
            case Resume():
                pass  # nothing is at rest
            case _:
                assert_never(decision)

    def _decide_while_drawing(self, decision: Decision) -> None:
        """The answer has ended, or rests: what would end or pause it, ends the drawing."""
        match decision:
            case Leave():
                self._wish = decision
            case Gesture.STOP | Gesture.PAUSE:
                pass
            case Send(text) | Steer(text):
                self._queue(text)
                return
            case Gesture.HURRY | Gesture.COMPOSE | Gesture.SUSPEND | Resume():
                return
            case _:
                assert_never(decision)
        self._drawing = False

    def _sent(self, text: str, *, steers: bool) -> None:
        if Commands.is_command(text):
            self._begin(text)
        elif steers:
            self._steer(text)
        else:
            self._queue(text)

    def _begin(self, text: str) -> None:
        """Run the commands of `text` that change nothing of the answer; the first other one, and all behind, wait."""
        lines = Commands.lines(text)
        waiting = next((n for n, line in enumerate(lines) if self._live.commands.waits(line)), len(lines))
        if lines[:waiting]:
            job = asyncio.create_task(self._run(lines[:waiting]))
            self._live.jobs.add(job)
            job.add_done_callback(self._live.jobs.discard)
        if lines[waiting:]:
            self._queue("\n".join(lines[waiting:]))

    async def _run(self, lines: list[str]) -> None:
        for line in lines:
            try:
                await self._apply(await self._live.commands.run(self._live.context, line))
            except LlmtermError as error:
                self._view.say(str(error), error=True)

    async def _apply(self, outcome: Outcome) -> None:
        match outcome:
            case Word.DONE | Say() | Show() | Fill() | Write():
                await self._live.perform(outcome)
            case Pick():
                self._view.say(outcome.text)
            case Steer(text):
                self._steer(text)
            case Word.RESTORE | Word.HOLD | Word.SUSPEND | Rewrite() | Unseam() | Resume():
                pass  # nothing is at rest
            case Ask() | Open() | New() | Leave():
                pass  # no command that is run meanwhile comes to that
            case _:
                assert_never(outcome)

    def _steer(self, text: str) -> None:
        """Steer the answer by what was typed, beside the keys: a provider takes its time to say whether it can."""
        self._hurry()
        job = asyncio.create_task(self._beside(partial(self._steered, text)))
        self._steers.add(job)
        job.add_done_callback(self._steers.discard)

    async def _steered(self, text: str) -> None:
        """Have the answer go on under `text`: without a pause where its provider can, and else over one."""
        turn, context = self._turn, self._live.context
        if turn.who == (context.choices.provider, context.choices.model):
            guidance, said = await context.attachments.guidance(text)
            if await turn.steer(guidance):
                for each in said:
                    self._view.say(each)
                return
        stopped = turn.state is not TurnState.STREAMING and turn.reason in (EndReason.PAUSE, EndReason.CANCEL)
        if stopped or self._left:
            self._live.line.append(text)  # the user has wanted something else since
            return
        await turn.pause()
        if turn.state is TurnState.PAUSED:
            self._wish = Steer(text)
        else:
            self._queue(text)  # it is over already

    def _queue(self, text: str) -> None:
        self._live.line.queue.add(text)
        self._view.note(f"queued as the next message: {text}")

    async def _pause(self) -> None:
        if self._turn.state is not TurnState.STREAMING and not self._reader.unread:
            return  # it is over, and all of it is shown
        if self._goes_on:
            await self._turn.leave()
        elif self._live.choices.holds or self._turn.state is not TurnState.STREAMING:
            self._wish = Word.HOLD
            self._reader.hold()
        else:
            await self._turn.pause()

    @property
    def _goes_on(self) -> bool:
        """Whether the answer, once it is left, goes on at its provider, and is to."""
        cursor, streaming = self._turn.reply.cursor, self._turn.state is TurnState.STREAMING
        return self._live.choices.holds and streaming and cursor is not None and cursor.runs

    @property
    def _waits(self) -> bool:
        return self._first_token is None and self._turn.state is TurnState.STREAMING

    def _spinner(self) -> str:
        turns = int((self._clock() - self._began) / _SPIN_SECONDS)
        return _SPINNER[turns % len(_SPINNER)] if self._waits else ""

    def _status(self) -> str:
        if self._drawing:
            return drawing_line(paused=self._turn.state is TurnState.PAUSED)
        if self._turn.state is TurnState.PAUSED:
            return "paused"
        now = self._clock()
        if self._first_token is not None and now >= self._rated + _RATE_SECONDS:
            chunks = self._turn.reply.chunks
            # What comes in a burst says nothing of how fast it was written.
            measured = chunks > 1 and now - self._first_token >= _RATE_SECONDS
            self._rate = chunks / (now - self._first_token) if measured else 0.0
            self._rated = now if measured else self._rated
        life, quiet = self._turn.progress.life
        return streaming_line(
            model=self._label,
            elapsed=now - self._began,
            rate=self._rate,
            preparation=_ON_ITS_WAY if self._steers else "" if self._first_token else self._preparation,
            waiting=self._turn.progress.line,
            life=life,
            quiet=quiet,
            typed=bool(self._live.line.text.strip()),
            columns=self._view.columns - _BESIDE,
        )
