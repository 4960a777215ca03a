"""One answer, from its first token to its end, through as many pauses as it has.

The order that matters most is kept here: a pause is on disk before the screen says so. A store that fails is
reported, and the answer on the screen outlives it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from llmterm.chat.commands import Commands
from llmterm.chat.decision import Decision, Leave, Leaving, Prompt, Resume, Send, Stop
from llmterm.chat.stage import Stage, Wish
from llmterm.chat.status import pause_line
from llmterm.chat.view import View
from llmterm.conversation import mode_of
from llmterm.errors import LlmtermError, SessionError, UsageError
from llmterm.keys import Key
from llmterm.messages import EndReason, Message, Options, Status
from llmterm.providers.registry import ProviderRegistry
from llmterm.sessions import AnswerLog
from llmterm.turn import Turn, TurnState

# States from which an answer can be gone on with.
_RESTING = (TurnState.PAUSED, TurnState.FAILED)
_KEPT = "llmterm chat --continue goes on with it"
# Commands that would leave an open answer behind.
_NOT_AT_REST = ("/clear", "/continue", "/discard")


@dataclass(slots=True, kw_only=True)
class Choices:
    """What the user may change while the chat goes on."""

    provider: str
    model: str
    options: Options
    fallback: tuple[str, ...] = ()
    """Who answers, in this order, where the provider cannot begin: "provider" or "provider/model"."""
    named: bool = False
    """Provider or model were named on the command line: they also go on with an answer that others began."""


class Answering:
    """Plays answers on a stage, and rests with the user while one is paused."""

    def __init__(
        self,
        *,
        registry: ProviderRegistry,
        stage: Stage,
        view: View,
        prompt: Prompt,
        commands: Commands,
        choices: Choices,
        chords: asyncio.Queue[Key] | None,
        suspend: Callable[[], None],
        retake: Callable[[], None],
    ) -> None:
        """`chords` is where a global key source, if there is one, puts what it hears while a prompt is up.

        `suspend` stops the program as Ctrl-Z does; `retake` puts the terminal into our modes after a prompt left it.
        """
        self._registry = registry
        self._stage = stage
        self._view = view
        self._prompt = prompt
        self._commands = commands
        self._choices = choices
        self._chords = chords
        self._suspend = suspend
        self._retake = retake

    async def play(self, turn: Turn, log: AnswerLog) -> Message | None:
        """Stream, rest, stream again, until the answer is over; return it, unless nothing of it came.

        Raises the turn's error where the answer failed before anything came.
        """
        leaving: Leaving | None = None
        rested = False
        while turn.state not in (TurnState.CANCELLED, TurnState.DONE):
            if turn.state in _RESTING:
                if leaving is not None:
                    self._view.pause()
                    self._view.say(_KEPT)
                    raise leaving
                rested = True
                await self._rest(turn, log)
            try:
                wish = await self._stream(turn, log)
            except LlmtermError:
                # Where a pause came before, the failure is one more: the same keys try again, or end the answer.
                if not rested or turn.state is not TurnState.FAILED:
                    raise
                continue
            if wish in (Wish.LEAVE, Wish.LEAVE_INTERRUPTED):
                leaving = Leaving(interrupted=wish is Wish.LEAVE_INTERRUPTED)
            elif wish is Wish.SUSPEND:
                self._view.pause()
                self._suspend()
                self._resume(turn, log, "")
        message = self._finish(turn, log)
        if leaving is not None:
            raise leaving
        return message

    async def _stream(self, turn: Turn, log: AnswerLog) -> Wish:
        """Play the answer, if it streams; afterwards what there is of it is on disk."""
        if turn.state is not TurnState.STREAMING:
            return Wish.NOTHING
        while self._chords is not None and not self._chords.empty():
            self._chords.get_nowait()  # pressed when there was nothing to pause
        label = self._registry.label(turn.provider.name, turn.request.model)
        try:
            return await self._stage.play(turn, log, label)
        except asyncio.CancelledError:
            await turn.pause(EndReason.CRASH)  # the program is being ended; the answer can be gone on with
            self._view.pause()
            raise
        finally:
            self._save(turn, log)

    def _save(self, turn: Turn, log: AnswerLog) -> None:
        if turn.state in _RESTING:
            self.record(lambda: log.pause(turn.reply, turn.reason))

    def _finish(self, turn: Turn, log: AnswerLog) -> Message | None:
        self._view.close()
        stopped = turn.state is TurnState.CANCELLED
        if stopped and not turn.reply.text and not turn.reply.thinking:
            self.record(log.discard)
            return None
        status: Status = "interrupted" if stopped else "complete"
        self.record(lambda: log.finish(turn.reply, status))
        if turn.reason is EndReason.REFUSAL:
            self._view.say("the provider's filter ended this answer", error=True)
        return turn.reply.message(status)

    # An answer at rest

    async def _rest(self, turn: Turn, log: AnswerLog) -> None:
        """Wait for what is to become of a paused answer, and do it."""
        self._view.pause()
        trouble = f"{turn.error}\n" if turn.error else ""
        decision = await self._decide(trouble + pause_line(turn.reply, turn.reason, self._elsewhere(turn)))
        self._retake()
        match decision:
            case Resume():
                self._resume(turn, log, "")
            case Send(text) if Commands.is_command(text):
                await self._command(text)
            case Send(text):
                self._resume(turn, log, text)
            case Stop():
                await turn.cancel()
            case Leave(interrupted):
                self._view.say(_KEPT)
                raise Leaving(interrupted=interrupted)

    def _elsewhere(self, turn: Turn) -> str:
        """Return the first of the fallbacks that is not the one that wrote last."""
        here = (turn.provider.name, turn.request.model)
        return next((each for each in self._choices.fallback if self._registry.resolve(each) != here), "")

    def _resume(self, turn: Turn, log: AnswerLog, guidance: str) -> None:
        if turn.state not in _RESTING:
            return
        model = self._choices.model
        try:
            provider = self._registry.get(self._choices.provider)
            provider.preparation(model)  # refuses a model that cannot be
        except LlmtermError as error:
            self._view.say(str(error), error=True)
            return
        mode = mode_of(turn.reply, provider.continuation(model))
        self.record(lambda: log.resume(provider=provider.name, model=model, mode=mode, guidance=guidance))
        self._view.resume(guidance)
        turn.resume(guidance=guidance, provider=provider, model=model)

    async def _command(self, text: str) -> None:
        try:
            if text.split()[0] in _NOT_AT_REST:
                raise UsageError("an answer is still open", hint="Esc ends it")
            await self._commands.run(text)
        except LlmtermError as error:
            self._view.say(str(error), error=True)

    async def _decide(self, line: str) -> Decision:
        prompt = asyncio.ensure_future(self._prompt.paused(line, self._stage.take_typed()))
        waiting: set[asyncio.Future[Decision]] = {prompt}
        if self._chords is not None:
            waiting.add(asyncio.ensure_future(_chord(self._chords)))
        try:
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if prompt in done:
                return prompt.result()
        finally:
            for each in waiting:
                each.cancel()
            await asyncio.wait(waiting)
        self._stage.typed = self._prompt.unsent
        return Resume()

    def record(self, write: Callable[[], object]) -> None:
        """Write to the store; the answer on the screen outlives a store that cannot."""
        try:
            write()
        except SessionError as error:
            self._view.say(str(error), error=True)


async def _chord(queue: asyncio.Queue[Key]) -> Decision:
    while (await queue.get()).name != "chord":
        pass
    return Resume()
