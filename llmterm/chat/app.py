"""The chat itself: asks, plays answers, rests while one is paused, and keeps the record of it all.

It owns the order of things, and nothing else: drawing is the view's, keys and journal are the stage's, the words are
the status module's. The order that matters most: a pause is on disk before the screen says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from llmterm import __version__
from llmterm.chat.answer import Stage, Wish
from llmterm.chat.commands import Command, Commands
from llmterm.chat.decision import Decision, Leave, Prompt, Resume, Send, Stop
from llmterm.chat.status import pause_line
from llmterm.chat.view import View
from llmterm.conversation import Conversation
from llmterm.errors import LlmtermError, SessionError, UsageError
from llmterm.keys import Key
from llmterm.marker import marker_note, mentions
from llmterm.messages import EndReason, Message, Options, Reply, Request, StreamLimits, TextDelta, ThinkingDelta
from llmterm.providers.registry import ProviderRegistry
from llmterm.sessions import AnswerLog, OpenAnswer, SessionStore, StoredSession
from llmterm.turn import Turn, TurnState


@dataclass(slots=True, kw_only=True)
class Choices:
    """What the user may change while the chat goes on."""

    provider: str
    model: str
    options: Options
    named: bool = False
    """Provider or model were named on the command line: they also go on with an answer that others began."""


class _Leaving(Exception):
    def __init__(self, *, interrupted: bool) -> None:
        self.interrupted = interrupted


class Chat:
    """One conversation at a time, in a terminal."""

    def __init__(
        self,
        *,
        registry: ProviderRegistry,
        store: SessionStore,
        prompt: Callable[[Commands], Prompt],
        stage: Stage,
        view: View,
        chords: asyncio.Queue[Key] | None,
        suspend: Callable[[], None],
        retake: Callable[[], None],
        clear_screen: Callable[[], None],
        choices: Choices,
        system: str,
        marker: str | None,
        limits: StreamLimits,
    ) -> None:
        """`chords` is where a global key source, if there is one, puts what it hears while a prompt is up.

        `suspend` stops the program as Ctrl-Z does; `retake` puts the terminal into our modes after a prompt left it.
        """
        self._registry = registry
        self._store = store
        self._stage = stage
        self._view = view
        self._chords = chords
        self._suspend = suspend
        self._retake = retake
        self._clear_screen = clear_screen
        self._choices = choices
        self._marker = marker
        self._limits = limits
        self._conversation = Conversation(system=system)
        self._session: str | None = None
        self._draft = ""
        self._commands = Commands(self._command_list())
        self._prompt = prompt(self._commands)

    async def run(self, session: StoredSession | None = None) -> int:
        """Chat until the user leaves; return the exit code. With `session`, go on with that."""
        try:
            self._welcome()
            if session is not None:
                await self._reopen(session)
            else:
                self._offer()
            while True:
                await self._round()
        except _Leaving as leaving:
            return 130 if leaving.interrupted else 0

    def _welcome(self) -> None:
        label = self._registry.label(self._choices.provider, self._choices.model)
        self._view.say(f"llmterm {__version__} - {label}\nSPACE pauses an answer and goes on with it - /help\n\n")

    def _offer(self) -> None:
        """Point at an answer that the end of an earlier run has cut, if that was the last thing that happened."""
        newest = next(iter(self._store.infos()), None)
        if newest is not None and newest.state == "cut":
            self._view.say(
                f"an answer in “{newest.title}” was cut short - /continue goes on with it - /discard drops it"
            )

    async def _round(self) -> None:
        text = await self._next_message()
        try:
            if Commands.is_command(text):
                await self._commands.run(text)
            else:
                await self._ask(text)
        except LlmtermError as error:
            self._view.say(str(error), error=True)

    async def _next_message(self) -> str:
        if self._stage.queue:
            text = self._stage.queue.popleft()
            self._view.say(f"> {text}")
            return text
        draft = "\n".join(part for part in (self._draft, self._stage.take_typed()) if part)
        self._draft = ""
        decision = await self._prompt.ask(draft)
        self._retake()
        if isinstance(decision, Leave):
            raise _Leaving(interrupted=decision.interrupted)
        return decision.text

    # One answer, from the question to its end

    async def _ask(self, question: str) -> None:
        self._draft = question  # until it is on its way, an error gives it back
        provider = self._registry.get(self._choices.provider)
        provider.preparation(self._choices.model)  # refuses a model that cannot be, before anything is written
        if self._session is None:
            self._session = self._store.create(system=self._conversation.system)
        asked = self._conversation.ask(question)
        message_id = self._store.add(self._session, asked.messages[-1])
        log = self._begin()
        turn = Turn(provider, *self._request(asked), limits=self._limits)
        self._draft = ""
        self._view.begin()
        turn.start()
        try:
            answer = await self._play(turn, log)
        except LlmtermError:
            # Nothing came. The question goes back to the user, and out of the record.
            self._view.close()
            self._draft = question
            self._record(log.discard)
            self._record(lambda: self._store.truncate(self._session or "", message_id))
            raise
        self._conversation = asked if answer is None else asked.add(answer)

    def _request(self, asked: Conversation) -> tuple[Request, str | None]:
        """Return the request for the next answer, and the marker to look for in it."""
        mentioned = any(mentions(self._marker or "", each.text) for each in asked.messages[-1:])
        marker = None if mentioned else self._marker
        note = marker_note(marker) if marker else ""
        return asked.request(model=self._choices.model, options=self._choices.options, note=note), marker

    async def _play(self, turn: Turn, log: AnswerLog) -> Message | None:
        """Stream, rest, stream again, until the answer is over; return it, unless nothing of it came.

        Raises the turn's error where the answer failed before anything came.
        """
        leaving: _Leaving | None = None
        while turn.state not in (TurnState.CANCELLED, TurnState.DONE):
            if turn.state is TurnState.PAUSED:
                if leaving is not None:
                    self._view.pause()
                    raise leaving
                await self._rest(turn, log)
            wish = await self._stream(turn, log)
            if wish in (Wish.LEAVE, Wish.LEAVE_INTERRUPTED):
                leaving = _Leaving(interrupted=wish is Wish.LEAVE_INTERRUPTED)
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
        if turn.state is TurnState.PAUSED:
            self._record(lambda: log.pause(turn.reply, turn.reason))

    def _finish(self, turn: Turn, log: AnswerLog) -> Message | None:
        self._view.close()
        stopped = turn.state is TurnState.CANCELLED
        if stopped:
            self._draft = self._stage.take_queue()
        if stopped and not turn.reply.text and not turn.reply.thinking:
            self._record(log.discard)
            return None
        message = turn.reply.message("interrupted" if stopped else "complete")
        self._record(lambda: log.finish(message))
        if turn.reason is EndReason.REFUSAL:
            self._view.say("the provider's filter ended this answer", error=True)
        return message

    # An answer at rest

    async def _rest(self, turn: Turn, log: AnswerLog) -> None:
        """Wait for what is to become of a paused answer, and do it."""
        self._view.pause()
        trouble = f"{turn.error}\n" if turn.error else ""
        decision = await self._decide(trouble + pause_line(turn.reply, turn.reason))
        self._retake()
        match decision:
            case Resume():
                self._resume(turn, log, "")
            case Send(text) if Commands.is_command(text):
                await self._command_at_rest(text)
            case Send(text):
                self._resume(turn, log, text)
            case Stop():
                await turn.cancel()
            case Leave(interrupted):
                raise _Leaving(interrupted=interrupted)

    def _resume(self, turn: Turn, log: AnswerLog, guidance: str) -> None:
        if turn.state is not TurnState.PAUSED:
            return
        provider = self._registry.get(self._choices.provider)
        self._record(lambda: log.resume(provider=provider.name, model=self._choices.model, guidance=guidance))
        self._view.resume(guidance)
        turn.resume(guidance=guidance, provider=provider, model=self._choices.model)

    async def _command_at_rest(self, text: str) -> None:
        try:
            if text.split()[0] in ("/clear", "/continue", "/discard"):
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
            return prompt.result() if prompt in done else Resume()
        finally:
            for each in waiting:
                each.cancel()
            await asyncio.wait(waiting)

    def _record(self, write: Callable[[], object]) -> None:
        """Write to the store; the answer on the screen outlives a store that cannot."""
        try:
            write()
        except SessionError as error:
            self._view.say(str(error), error=True)

    # Sessions

    def _begin(self) -> AnswerLog:
        assert self._session is not None
        return self._store.begin(
            self._session,
            provider=self._choices.provider,
            model=self._choices.model,
            options=self._choices.options,
        )

    async def _reopen(self, session: StoredSession) -> None:
        """Show where the session stands, and go on with its open answer if it has one."""
        self._session = session.id
        self._conversation = session.conversation
        messages = session.conversation.messages
        if session.answer is None:
            if messages:
                self._show(messages[-2:])
            return
        self._show(messages[-1:])
        await self._continue(session.answer)

    def _show(self, messages: tuple[Message, ...]) -> None:
        for message in messages:
            if message.role == "user":
                self._view.say(f"> {message.text}")
            else:
                self._view.begin()
                self._view.event(TextDelta(message.text))
                self._view.close()

    async def _continue(self, answer: OpenAnswer) -> None:
        if not self._choices.named:
            self._choices.provider, self._choices.model = answer.provider, answer.model
            self._choices.options = answer.options
        log = self._store.reopen(answer)
        reply = Reply.of(answer.message)
        request, marker = self._request(self._conversation)
        turn = Turn(
            self._registry.get(self._choices.provider),
            request,
            marker,
            reply=reply,
            reason=answer.reason,
            limits=self._limits,
        )
        self._view.begin()
        if reply.thinking:
            self._view.event(ThinkingDelta(reply.thinking))
        self._view.event(TextDelta(reply.text))
        message = await self._play(turn, log)
        if message is not None:
            self._conversation = self._conversation.add(message)

    # Commands

    def _command_list(self) -> list[Command]:
        return [
            Command(name="help", argument="", summary="what can be typed here", run=self._help),
            Command(name="model", argument="[NAME]", summary="show or change the model", run=self._set_model),
            Command(
                name="provider",
                argument="[NAME]",
                summary="show or change the provider",
                run=self._set_provider,
                values=lambda: self._registry.names,
            ),
            Command(name="system", argument="[TEXT]", summary="show or set the system prompt", run=self._set_system),
            Command(name="continue", argument="[ID]", summary="go on with an earlier session", run=self._go_on),
            Command(name="discard", argument="", summary="drop the answer that was cut short", run=self._discard),
            Command(name="clear", argument="", summary="start a new conversation on a clear screen", run=self._clear),
            Command(name="quit", argument="", summary="leave (Ctrl-D does too)", run=self._quit),
        ]

    async def _help(self, _argument: str) -> None:
        keys = [
            "Enter sends - Alt-Enter or Esc Enter begins a new line - Ctrl-D leaves",
            "while an answer streams: SPACE pauses it - Esc or Ctrl-C stops it - any other key types ahead",
            "at a pause: SPACE goes on - a text and Enter guides it - Esc keeps what there is",
        ]
        self._view.say("\n".join([*self._commands.help(), "", *keys]))

    async def _set_model(self, name: str) -> None:
        if name:
            self._registry.get(self._choices.provider).preparation(name)
            self._choices.model = name
        self._view.say(self._registry.label(self._choices.provider, self._choices.model))

    async def _set_provider(self, name: str) -> None:
        if name:
            self._registry.get(name)
            self._choices.provider, self._choices.model = name, self._registry.default_model(name)
        self._view.say(self._registry.label(self._choices.provider, self._choices.model))

    async def _set_system(self, text: str) -> None:
        if text:
            self._conversation = replace(self._conversation, system=text)
            if self._session is not None:
                self._store.set_system(self._session, text)
        self._view.say(self._conversation.system or "there is no system prompt")

    async def _go_on(self, session: str) -> None:
        await self._reopen(self._store.load(session or self._newest()))

    async def _discard(self, _argument: str) -> None:
        answer = self._store.load(self._newest()).answer
        if answer is None:
            raise UsageError("no answer was cut short")
        self._store.reopen(answer).discard()
        self._view.say("dropped")

    def _newest(self) -> str:
        newest = self._store.latest()
        if newest is None:
            raise UsageError("there is no earlier session")
        return newest

    async def _clear(self, _argument: str) -> None:
        self._session = None
        self._conversation = Conversation(system=self._conversation.system)
        self._clear_screen()

    async def _quit(self, _argument: str) -> None:
        raise _Leaving(interrupted=False)


async def _chord(queue: asyncio.Queue[Key]) -> Decision:
    while (await queue.get()).name != "chord":
        pass
    return Resume()
