"""The chat itself: a prompt, questions, commands, and the sessions they belong to.

It owns the order of things, and nothing else: an answer is played by `Answering`, drawing is the view's, keys and
journal are the stage's, the words are the status module's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import fields, replace
from itertools import chain

from llmterm import __version__
from llmterm.chat.answering import Answering
from llmterm.chat.choosing import Choices, Choosing
from llmterm.chat.commands import Command, Commands
from llmterm.chat.decision import Leave, Leaving, Prompt
from llmterm.chat.pausing import Pausing, seams, unseamed
from llmterm.chat.stage import Stage
from llmterm.chat.view import View
from llmterm.conversation import Conversation
from llmterm.errors import LlmtermError, UsageError
from llmterm.keys import Key
from llmterm.marker import marker_for
from llmterm.messages import EndReason, Message, Options, Reply, StreamLimits, TextDelta, ThinkingDelta
from llmterm.progress import Progress
from llmterm.providers.registry import ProviderRegistry
from llmterm.sessions import AnswerLog, OpenAnswer, SessionStore, StoredSession
from llmterm.turn import Turn, TurnState

# Between two steps of getting ready: time enough for the keys that are being typed.
_WARMING_SECONDS = 0.05


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
        edit: Callable[[str], Awaitable[str]],
        keys: Mapping[str, str],
    ) -> None:
        """`chords`, `suspend` and `retake` are those of `Answering`, `edit` and `keys` those of `Pausing`."""
        self._registry = registry
        self._store = store
        self._stage = stage
        self._view = view
        self._retake = retake
        self._clear_screen = clear_screen
        self._choices = choices
        self._marker = marker
        self._limits = limits
        self._conversation = Conversation(system=system)
        self._session: str | None = None
        self._draft = ""
        self._choosing = Choosing(registry=registry, choices=choices, say=view.say)
        self._pausing = Pausing(registry=registry, view=view, choose=self._choosing.choose, edit=edit, keys=keys)
        self._commands = Commands(self._command_list())
        self._prompt = prompt(self._commands)
        self._answering = Answering(
            registry=registry,
            stage=stage,
            view=view,
            prompt=self._prompt,
            commands=self._commands,
            choices=choices,
            chords=chords,
            suspend=suspend,
            retake=retake,
            pausing=self._pausing,
        )

    async def run(self, session: StoredSession | None = None) -> int:
        """Chat until the user leaves; return the exit code. With `session`, go on with that."""
        warming = asyncio.create_task(self._warm())
        try:
            self._welcome()
            if session is not None:
                await self._reopen(session)
            else:
                self._offer()
            while True:
                await self._round()
        except Leaving as leaving:
            return 130 if leaving.interrupted else 0
        finally:
            warming.cancel()

    async def _warm(self) -> None:
        """Make the first answer and the first pause as quick as the later ones, while the user types."""
        await asyncio.sleep(_WARMING_SECONDS)
        for _ in chain(self._prompt.warm(), self._view.warm()):
            await asyncio.sleep(_WARMING_SECONDS)

    def _welcome(self) -> None:
        label = self._registry.label(self._choices.provider, self._choices.model)
        self._view.say(f"llmterm {__version__} - {label}\nSPACE pauses an answer and goes on with it - /help\n\n")

    def _offer(self) -> None:
        """Point at the newest answer that is not over: cut by the end of an earlier run, or left at a pause."""
        opened = next((info for info in self._store.infos() if info.state in ("cut", "paused")), None)
        if opened is not None:
            self._view.say(f"“{opened.title}” has an answer that is not over")
            self._view.say(f"/continue {opened.id} goes on with it - /discard {opened.id} drops it\n\n")

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
            raise Leaving(interrupted=decision.interrupted)
        return decision.text

    # One answer, from the question to its end

    async def _ask(self, question: str) -> None:
        # A SPACE that came just too late to pause an answer is not part of the next question.
        question = question.strip("\n") if "\n" in question.strip() else question.strip()
        self._draft = question  # until it is on its way, an error gives it back
        # Refuses a model that cannot be, before anything is written.
        self._registry.get(self._choices.provider).preparation(self._choices.model)
        if self._session is None:
            self._session = self._store.create(system=self._conversation.system)
        asked = self._conversation.ask(question)
        message_id = self._store.add(self._session, asked.messages[-1])
        log = self._begin()
        turn = self._turn(asked, log)
        self._draft = ""
        self._view.begin()
        turn.start()
        try:
            answer = await self._answering.play(turn, log)
        except LlmtermError:
            if turn.state is TurnState.FAILED:
                self._give_back(question, log, message_id)
            raise
        # Not `asked`: the system prompt may have been set at a pause.
        self._conversation = self._conversation.add(asked.messages[-1], *([answer] if answer else []))
        self._keep_draft(turn)

    def _give_back(self, question: str, log: AnswerLog, message_id: int) -> None:
        """Nothing came: the question goes back to the user, and out of the record."""
        self._view.close()
        # With what was queued behind it: nothing is sent by itself after a failure.
        self._draft = "\n".join(filter(None, (question, self._stage.take_queue())))
        self._answering.record(log.discard)
        self._answering.record(lambda: self._store.truncate(self._session or "", message_id))

    def _keep_draft(self, turn: Turn) -> None:
        """After a stop nothing that was queued is sent by itself."""
        if turn.state is TurnState.CANCELLED:
            self._draft = self._stage.take_queue()

    def _turn(
        self, asked: Conversation, log: AnswerLog, *, reply: Reply | None = None, reason: EndReason | None = None
    ) -> Turn:
        """Return the turn that answers `asked`, or goes on with `reply`."""
        choices = self._choices
        marker, note = marker_for(self._marker, asked.messages[-1].text if asked.messages else "")

        def say(line: str) -> None:
            self._answering.say(line)
            self._answering.record(lambda: log.move(provider=turn.provider.name, model=turn.request.model))

        turn = Turn(
            self._registry.get(choices.provider),
            asked.request(model=choices.model, options=choices.options, note=note),
            marker,
            reply=reply,
            reason=reason,
            limits=self._limits,
            fallbacks=self._registry.fallbacks(choices.fallback, besides=(choices.provider, choices.model)),
            progress=lambda: Progress(say),
        )
        return turn

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
            self._choices.options = _overlaid(answer.options, self._choices.options)
        log = self._store.reopen(answer)
        reply = Reply.of(answer.message)
        turn = self._turn(self._conversation, log, reply=reply, reason=answer.reason)
        self._view.begin()
        if reply.thinking:
            self._view.event(ThinkingDelta(reply.thinking))
        self._view.event(TextDelta(reply.text))
        message = await self._answering.play(turn, log)
        if message is not None:
            self._conversation = self._conversation.add(message)
        self._keep_draft(turn)

    # Commands

    def _command_list(self) -> list[Command]:
        return [
            Command(name="help", argument="", summary="what can be typed here", run=self._help),
            Command(name="?", argument="", summary="what an answer at rest can be told", run=self._show_pause_keys),
            *self._choosing.commands(),
            *self._pausing.commands(),
            Command(
                name="seams",
                argument="[undo N]",
                summary="show where a continued answer was joined, or undo one",
                run=self._show_seams,
            ),
            Command(name="system", argument="[TEXT]", summary="show or set the system prompt", run=self._set_system),
            Command(name="continue", argument="[ID]", summary="go on with an earlier session", run=self._go_on),
            Command(name="discard", argument="[ID]", summary="drop an answer that is not over", run=self._discard),
            Command(name="clear", argument="", summary="start a new conversation on a clear screen", run=self._clear),
            Command(name="quit", argument="", summary="leave (Ctrl-D does too)", run=self._quit),
        ]

    async def _help(self, _argument: str) -> None:
        keys = [
            "Enter sends - Alt-Enter or Esc Enter begins a new line - Ctrl-D leaves",
            "while an answer streams: SPACE pauses it - Esc or Ctrl-C stops it - any other key types ahead",
            "at a pause: SPACE goes on - a text and Enter guides it - Esc keeps what there is - ? lists the rest",
        ]
        self._view.say("\n".join([*self._commands.help(), "", *keys]))

    async def _show_pause_keys(self, _argument: str) -> None:
        self._view.say("\n".join(self._pausing.help()))

    async def _show_seams(self, argument: str) -> None:
        """Of the answer at rest, else of the last one."""
        turn = self._pausing.turn
        last = self._conversation.messages[-1] if self._conversation.messages else None
        if turn is None and (last is None or last.role != "assistant"):
            raise UsageError("there is no answer yet")
        reply = turn.reply if turn else Reply.of(last) if last else Reply()
        word, _, number = argument.partition(" ")
        if not word:
            self._view.say("\n".join(seams(reply)) or "no seam was changed: every continuation came as it is here")
            return
        if word != "undo" or not number.isdecimal():
            raise UsageError("what about the seams?", hint="/seams, or /seams undo N")
        if turn is not None:
            self._pausing.undo(int(number))
            return
        whole = unseamed(reply, int(number)).message(last.status if last else "complete")
        self._store.rewrite(self._session or "", whole)
        self._conversation = replace(self._conversation, messages=(*self._conversation.messages[:-1], whole))
        self._show((whole,))

    async def _set_system(self, text: str) -> None:
        if text:
            self._conversation = replace(self._conversation, system=text)
            if self._session is not None:
                self._store.set_system(self._session, text)
        self._view.say(self._conversation.system or "there is no system prompt")

    async def _go_on(self, session: str) -> None:
        await self._reopen(self._store.load(session or self._newest_open()))

    async def _discard(self, session: str) -> None:
        answer = self._store.load(session or self._newest_open()).answer
        if answer is None:
            raise UsageError("the answer of that session is over")
        self._store.reopen(answer).discard()
        self._view.say("dropped")

    def _newest_open(self) -> str:
        """Return the newest session whose answer is not over, else the newest of all."""
        infos = [info for info in self._store.infos() if info.id != self._session]
        opened = (info for info in infos if info.state in ("cut", "paused"))
        found = next(opened, infos[0] if infos else None)
        if found is None:
            raise UsageError("there is no earlier session")
        return found.id

    async def _clear(self, _argument: str) -> None:
        self._session = None
        self._conversation = Conversation(system=self._conversation.system)
        self._clear_screen()

    async def _quit(self, _argument: str) -> None:
        raise Leaving(interrupted=False)


def _overlaid(kept: Options, given: Options) -> Options:
    """Return the options an answer was asked for with, under those that were given since."""
    chosen = {field.name: getattr(given, field.name) for field in fields(Options)}
    return replace(kept, **{name: value for name, value in chosen.items() if value not in (None, ())})
