"""One answer in the chat, from its first token to its end, through as many pauses as it has.

What comes next is decided by `with_answer`; here it is done. The order that matters most is kept: a
pause is on disk before the screen says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Literal, assert_never

from llmterm.chat.answer import Answer
from llmterm.chat.commands import Commands
from llmterm.chat.commands.paused import shortcuts
from llmterm.chat.context import Context
from llmterm.chat.decision import Gesture, Leave, Resume, Send, Steer
from llmterm.chat.input import InputLine
from llmterm.chat.live import Live, first_of
from llmterm.chat.notifier import Notifier
from llmterm.chat.outcome import (
    Ask,
    Fill,
    New,
    Open,
    Outcome,
    Pick,
    Rewrite,
    Say,
    Show,
    Step,
    Unseam,
    Wish,
    Word,
    Write,
    with_answer,
)
from llmterm.chat.status import BY_ITSELF, GUIDING, count, ending, figures, held_line, pause_line
from llmterm.errors import LlmtermError, UsageError
from llmterm.messages import EndReason, Rope, TextDelta, cut_off
from llmterm.states import AT_REST, TurnState


class AnswerLoop:
    """Plays `answer`, and rests with the user while it is paused."""

    def __init__(
        self,
        *,
        context: Context,
        commands: Commands,
        line: InputLine,
        live: Live,
        notifier: Notifier,
        answer: Answer,
    ) -> None:
        self._context = context
        self._choices = context.choices
        self._view = context.view
        self._commands = commands
        self._line = line
        self._live = live
        self._notifier = notifier
        self._answer = answer
        self._turn = answer.turn
        # Who was asked, and how often the answer is resumed by itself where it breaks.
        self._chosen = (self._choices.provider, self._choices.model)
        self._alone = self._choices.auto_resume

    async def run(self, wish: Wish) -> Leave | None:
        """Stream, rest, stream again, until the answer is over or has failed before anything came, or the user leaves;
        return how, if so. `wish` is what it begins with.

        Raises whatever is a bug.
        """
        leave: Leave | None = None
        while True:
            if isinstance(wish, Leave):
                leave = wish
            step = with_answer(wish, self._turn.state, unread=self._answer.unread, rested=self._turn.rested)
            match step:
                case Step.CLOSE:
                    await self._close()
                    return leave
                case Leave():
                    self._view.pause()
                    return leave
                case Step.FAIL:
                    self._view.close()
                    return None
                case _:
                    wish = await self._take(step)

    async def _take(self, step: Literal[Step.PLAY, Step.HOLD, Step.REST, Step.SUSPEND] | Resume) -> Wish:
        """Do what does not end it; return what the user wishes then."""
        match step:
            case Step.PLAY:
                return await self._play()
            case Step.HOLD:
                return await self._hold()
            case Step.REST:
                return await self._rest()
            case Resume():
                return await self._resume(step)
            case Step.SUSPEND:
                self._view.pause()
                self._context.machine.suspend()
                return Resume()
            case _:
                assert_never(step)

    async def _play(self) -> Wish:
        """Show the answer as it comes; afterwards what there is of it is on disk."""
        from llmterm.chat.performance import Performance  # not for every start

        turn = self._turn
        self._line.answer()
        label = self._context.registry.label(*turn.who)
        began = self._live.clock()
        try:
            outcome = await Performance(self._live, self._answer, label).run()
        except asyncio.CancelledError:
            self._view.pause()  # the program is being ended
            raise
        if turn.state is TurnState.DONE or turn.reason in BY_ITSELF:
            self._notifier.ended(f"{label} {ending(turn.reason)}", self._live.clock() - began)
        return await self._apply(outcome)

    async def _close(self) -> None:
        turn = self._turn
        message = turn.reply.message("interrupted" if turn.state is TurnState.CANCELLED else "complete")
        self._view.close("" if message.body.blank else cut_off(message))
        await turn.finish()
        if turn.state is TurnState.CANCELLED:
            if not (turn.reply.body or turn.reply.thoughts):
                return
            if not self._context.settings.once:
                self._view.note("stopped; /continue goes on with the answer")
        said = f": {turn.end_words}" if turn.end_words else ""
        if turn.reason is EndReason.REFUSAL:
            self._view.say(f"the provider's filter ended this answer{said}", error=True)
        elif turn.reason is EndReason.OTHER:
            self._view.say(f"the provider ended this answer early{said}", error=True)
        elif turn.reply.blank:
            self._view.say("the answer is empty")

    # At rest

    async def _rest(self) -> Wish:
        """Wait for what is to become of a paused answer, unless it is resumed by itself."""
        turn = self._turn
        await self._live.draw()
        self._view.pause()
        self._say_notices()
        self._alone -= turn.reason is EndReason.NETWORK
        if turn.reason is EndReason.NETWORK and self._alone >= 0:
            self._view.say("the connection broke; the answer goes on")
            return Resume()
        if self._context.settings.once and turn.reason in BY_ITSELF:
            return Leave()
        if turn.error:
            self._view.say(str(turn.error), error=True)
        with self._context.resting(self._answer):
            return await self._rested()

    async def _rested(self) -> Wish:
        """Do what the user decides of an answer at rest, or show what somebody else has made of it."""
        turn, said, shown = self._turn, self._pause_line(), self._turn.reply.body
        decision = await first_of(
            self._line.decide(
                lambda: turn.progress.line or (GUIDING if self._line.text.strip() else said), shortcuts(self._context)
            ),
            self._answer.reader.arrived(),
        )
        match decision:
            case None:
                return await self._moved(shown)
            case Gesture.STOP if self._view.dismiss():
                return Word.DONE  # what was closed so is the help
            case Send(text) if Commands.is_command(text):
                return await self._command(text)
            case Send(text) if Commands.of_shell(text):
                return await self._live.run_shell(text) or Word.DONE
            case Send(text):
                return await self._guided(text)
            case Gesture():
                await turn.cancel()
                self._say_notices()
                return Word.DONE
            case Resume() | Leave():
                return decision

    async def _moved(self, shown: Rope) -> Wish:
        """Show what has become of the answer, which was `shown`, while it was at rest here, by somebody else."""
        if self._turn.state not in AT_REST:
            self._view.resume(self._turn.guidance)
        elif self._turn.reply.body is not shown:
            await self._show_changed()
        return Word.DONE

    def _pause_line(self) -> str:
        known = () if self._context.settings.plain else self._figures()
        return pause_line(self._turn.reply, self._turn.reason, self._elsewhere(), known)

    def _figures(self) -> Sequence[str]:
        who, registry = self._turn.who, self._context.registry
        return figures(self._turn.reply, registry.label(*who), registry.window(*who))

    def _elsewhere(self) -> str:
        """Return the first of the fallbacks that is not the one that wrote last."""
        here, resolve = self._turn.who, self._context.registry.resolve
        return next((each for each in self._choices.fallback if resolve(each) != here), "")

    async def _hold(self) -> Wish:
        """Wait while the screen is held and the stream is read on, as far as the buffer and the time reach."""
        self._view.pause()
        limit = asyncio.create_task(self._limit())
        try:
            with self._context.resting(self._answer):
                return await self._held()
        finally:
            limit.cancel()
            await asyncio.wait({limit})

    async def _held(self) -> Wish:
        """Wait for what ends the hold; commands are run meanwhile, and one that changes the answer ends it."""
        answer = self._answer
        while True:
            wish = await self._held_wish(await self._line.decide(self._held_line, shortcuts(self._context)))
            match wish:
                case Leave():
                    await self._turn.leave()
                    self._say_notices()
                    answer.let_go()
                    return wish
                case Resume():
                    await answer.cut()
                    return wish
                case Word.DONE | Word.HOLD | Word.SUSPEND:
                    if not answer.reader.held:
                        return wish
                    self._view.pause()
                case _:
                    assert_never(wish)

    async def _held_wish(self, decision: Send | Resume | Gesture | Leave) -> Wish:
        match decision:
            case Send(text) if Commands.is_command(text):
                return await self._command(text)
            case Send(text) if Commands.of_shell(text):
                return await self._live.run_shell(text) or Word.DONE
            case Send(text):
                return await self._guided(text)
            case Gesture.STOP if self._view.dismiss():
                return Word.DONE
            case Resume() | Gesture():
                if isinstance(decision, Gesture):
                    await self._turn.cancel()
                self._view.resume("")
                self._answer.let_go()
                return Word.DONE
            case Leave():
                return decision

    def _held_line(self) -> str:
        waiting = self._answer.reader.waiting
        return held_line(self._answer.reply, waiting, streaming=self._turn.state is TurnState.STREAMING)

    async def _limit(self) -> None:
        """Cut the stream where the buffer is full, or when it was held for long enough."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._choices.hold_limit):
                await self._answer.reader.filled()
        await self._turn.pause()

    async def _guided(self, text: str) -> Wish:
        try:
            guidance, said = await self._context.attachments.guidance(text)
        except LlmtermError as error:
            self._view.say(str(error), error=True)
            self._line.put(text)
            return Word.DONE
        return Resume(text, guidance, tuple(said))

    async def _resume(self, resume: Resume) -> Wish:
        self._say_notices()
        await self._live.draw()
        self._view.pause()
        who = (self._choices.provider, self._choices.model)
        if who == self._chosen:
            who = self._turn.who  # another may have stepped in
        try:
            await self._turn.resume(guidance=resume.guidance, continuation=self._choices.resume_mode, who=who)
        except LlmtermError as error:
            self._view.say(str(error), error=True)
            if resume.guidance:
                self._line.put(resume.typed)
            return Word.DONE
        self._view.resume(resume.guidance)
        for each in resume.said:
            self._view.say(each)
        return Word.DONE

    # Commands

    async def _command(self, text: str) -> Wish:
        """Run commands, one after the other; return what they come to together."""
        wanted: Wish = Word.DONE
        try:
            for line in Commands.lines(text):
                wish = await self._apply(await self._commands.run(self._context, line))
                wanted = wanted if wish is Word.DONE else wish
                if isinstance(wish, Leave):
                    break
        except LlmtermError as error:
            self._view.say(str(error), error=True)
        return wanted

    async def _apply(self, outcome: Outcome) -> Wish:
        """Do what a command has come to on the spot; return what the user wishes besides."""
        answer = self._answer
        match outcome:
            case Word.DONE | Say() | Show() | Fill() | Write():
                await self._live.perform(outcome)
                return Word.DONE
            case Pick():
                self._view.say(outcome.text)
                return Word.DONE
            case Rewrite(text, resumes):
                await answer.cut()
                if not text or text != answer.reply.text:
                    await answer.rewrite(text)
                    await self._show_changed()
                return Resume() if resumes else Word.DONE
            case Unseam(number):
                await answer.cut()
                await answer.unseam(number)
                await self._show_changed()
                return Word.DONE
            case Word.RESTORE:
                await answer.cut()
                await answer.restore()
                await self._show_changed()
                return Word.DONE
            case Steer(text):
                return await self._guided(text)
            case Word.HOLD | Word.SUSPEND | Resume() | Leave():
                return outcome
            case Ask() | Open() | New():
                raise UsageError("an answer is still open", hint="Esc ends it")
            case _:
                assert_never(outcome)

    async def _show_changed(self) -> None:
        """Keep the answer as it is now, and show it."""
        await self._turn.kept()
        notices, reply = list(self._answer.passed_over()), self._answer.reply
        changed = f"the answer is now {count(len(reply.body), 'character')} long"
        self._view.begin(changed if reply.body else "the answer begins again")
        for notice in notices:
            self._view.say(notice.text, error=notice.failure)
        for part in reply.body.parts:
            self._view.event(TextDelta(part))

    def _say_notices(self) -> None:
        notices = list(self._answer.passed_over())
        if notices:
            self._view.settle()
        for notice in notices:
            self._view.say(notice.text, error=notice.failure)
