"""The chat itself: a prompt, questions, commands, and the session they belong to.

It owns the order of things, and nothing else: an answer is played by `Answering`, drawing is the view's, keys and
journal are the stage's, the words are the status module's, and each group of commands has a module of its own.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from itertools import chain
from pathlib import Path

from llmterm import __version__
from llmterm.chat.answering import Answering
from llmterm.chat.attaching import Attaching
from llmterm.chat.browsing import Browsing
from llmterm.chat.choosing import Choices, Choosing
from llmterm.chat.commands import Command, Commands, Suggestion
from llmterm.chat.copying import Copying
from llmterm.chat.decision import Compose, Leave, Leaving, Prompt, Send
from llmterm.chat.mentions import suggestions
from llmterm.chat.notifying import Notifier
from llmterm.chat.pausing import Pausing
from llmterm.chat.redoing import Redoing
from llmterm.chat.seaming import Seaming
from llmterm.chat.session import ChatSession
from llmterm.chat.stage import Stage
from llmterm.chat.status import bar, count, queue_lines
from llmterm.chat.telling import Telling
from llmterm.chat.versions import Versions
from llmterm.chat.view import View
from llmterm.conversation import Conversation
from llmterm.errors import LlmtermError, SessionError
from llmterm.keys import Key
from llmterm.marker import marker_for, marker_note
from llmterm.messages import Attachment, Message, Options, StreamLimits, TextDelta, ThinkingDelta
from llmterm.providers.attaching import refused
from llmterm.providers.registry import ProviderRegistry
from llmterm.render.sanitize import is_plain
from llmterm.sessions import OpenAnswer, SessionStore, StoredSession
from llmterm.threads import in_thread
from llmterm.turn import Turn, TurnState

# Between two steps of getting ready: time enough for the keys that are being typed.
_WARMING_SECONDS = 0.05
# Seconds that the end of the program waits for a store that somebody else keeps locked.
_PATIENCE = 2.0
# How often a store that failed is tried again while nothing else happens.
_CATCHING_UP_SECONDS = 1.0
_PAGE = {"pageup": "/pager"}
# While messages are held, on an empty line.
_NEXT = {"enter": ""}
# Where a yes is asked for.
_NO = {"enter": "n"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What of the user's machine a chat can be told to use. All of them may raise UsageError.

    `edit` gives a text back as the user's editor left it, `page` shows one in the pager, `copy` puts one into the
    clipboard and says where that is, `paste` gives what is in there, a text or an image. `examine` gives the lines
    of a doctor's report. `suspend` stops the program as Ctrl-Z does. Relative paths begin in `folder`. `mask` hides the
    program's secrets in what is given away.
    """

    edit: Callable[[str], Awaitable[str]]
    page: Callable[[str], Awaitable[None]]
    copy: Callable[[str], Awaitable[str]]
    paste: Callable[[], Awaitable[str | Attachment | None]]
    examine: Callable[[], Awaitable[list[str]]]
    suspend: Callable[[], None]
    folder: Path
    mask: Callable[[str], str]


class Chat:
    """One conversation at a time, in a terminal."""

    def __init__(
        self,
        *,
        registry: ProviderRegistry,
        store: SessionStore,
        prompt: Callable[[Chat], Prompt],
        stage: Stage,
        view: View,
        chords: asyncio.Queue[Key] | None,
        outside: Outside,
        notifier: Notifier,
        retake: Callable[[], None],
        clear_screen: Callable[[], None],
        choices: Choices,
        system: str,
        marker: str | None,
        limits: StreamLimits,
        keys: Mapping[str, str],
    ) -> None:
        """`prompt` makes the prompt of a chat; `chords` and `retake` are those of `Answering`, `keys` of `Pausing` and
        `Versions`."""
        self._registry = registry
        self._stage = stage
        self._view = view
        self._outside = outside
        self._retake = retake
        self._clear_screen = clear_screen
        self._choices = choices
        self._marker = marker
        self._note = marker_note(marker) if marker is not None else ""
        self._limits = limits
        self._session = session = ChatSession(store, system=system)
        # What is to be asked, until it is on its way; and the messages that are held, as they were last listed.
        self._unsent = ""
        self._listed: list[str] = []
        self._choosing = Choosing(registry=registry, choices=choices, say=view.say)
        self._attaching = Attaching(
            folder=outside.folder,
            say=view.say,
            check=self._check,
            clipboard=outside.paste,
            type_in=lambda text: stage.ahead.put(stage.ahead.text + text),
        )
        self._redoing = Redoing(
            session=session,
            say=view.say,
            note=view.note,
            echo=view.echo,
            ask=partial(self._ask, again=True),
            attach=self._attaching.again,
            give_back=stage.ahead.hold,
            restore=lambda: self._pausing.restore(),
        )
        self._pausing = Pausing(
            registry=registry,
            view=view,
            choose=self._choosing.go_over,
            edit=outside.edit,
            edit_question=self._redoing.edit,
            keys=keys,
        )
        self._browsing = Browsing(session=session, say=view.say, choices=choices, note=self._note, reopen=self._reopen)
        self._versions = Versions(
            session=session,
            say=view.say,
            note=view.note,
            columns=lambda: view.columns,
            reopen=self._reopen,
            keys=keys,
        )
        self._commands = Commands(self._sections(keys))
        self._prompt = prompt(self)
        self._answering = Answering(
            registry=registry,
            stage=stage,
            view=view,
            prompt=self._prompt,
            commands=self._commands,
            choices=choices,
            chords=chords,
            suspend=outside.suspend,
            retake=retake,
            pausing=self._pausing,
            notifier=notifier,
            edit=self.edit,
            guide=self._attaching.guidance,
        )

    async def run(self, session: StoredSession | None = None, question: str = "") -> int:
        """Chat until the user leaves; return the exit code. With `session`, go on with that; ask `question` first."""
        behind = [asyncio.create_task(self._warm()), asyncio.create_task(self._keep_up())]
        try:
            if session is not None and session.answer is not None:
                self._adopt(session.answer)  # the welcome says who answers
            self._welcome()
            if question:
                self._stage.ahead.queue.append(question)
            if session is not None:
                await self._open(session)
            else:
                self._browsing.offer()
            while True:
                await self._round()
        except Leaving as leaving:
            if leaving.kept:
                self._view.say("llmterm chat --continue goes on with it")
            return 130 if leaving.interrupted else 0
        finally:
            for task in behind:
                task.cancel()
            self._try(lambda: self._session.keeper.last_chance(_PATIENCE))

    def bar(self) -> str:
        """Return the line below the prompt."""
        return bar(
            label=self._registry.label(self._choices.provider, self._choices.model),
            messages=self._session.messages,
            title=self._session.title,
            attached=self._attaching.names,
            long=self._view.long and bool(self._session.messages),
            editing=self._session.editing,
            version=self._versions.standing,
            held=len(self._stage.ahead.queue) if self._stage.ahead.held else 0,
        )

    async def complete(self, text: str) -> list[Suggestion]:
        """Return what `text`, which stands before the cursor, may become.

        Models and files are named by others: a name with something hidden in it is not offered.
        """
        try:
            if text.startswith("/") and "\n" not in text:
                found = await self._commands.complete(text)
            else:
                found = await in_thread(suggestions, text, self._outside.folder)
            return [each for each in found if is_plain(each.text)]
        except LlmtermError as error:
            return [Suggestion("", 0, str(error))]  # nothing to put in, but it is seen why

    def echo(self, text: str) -> None:
        """Show what was sent."""
        self._view.echo(text)

    async def edit(self, text: str) -> str:
        """Return `text` as the user's editor leaves it; as it is where that cannot be."""
        try:
            return await self._outside.edit(text)
        except LlmtermError as error:
            self._view.say(str(error), error=True)
            return text

    def suspend(self) -> None:
        """Stop the program, as Ctrl-Z does, and come back."""
        self._outside.suspend()

    async def _warm(self) -> None:
        """Make the first answer and the first pause as quick as the later ones, while the user types."""
        # What is loaded stays: the collector need not look through all of it in the middle of an answer.
        gc.freeze()
        await asyncio.sleep(_WARMING_SECONDS)
        for _ in chain(self._prompt.warm(), self._view.warm()):
            await asyncio.sleep(_WARMING_SECONDS)
        gc.freeze()

    async def _keep_up(self) -> None:
        """Put on the record what could not be put there when it was said, also while nothing else happens."""
        while True:
            await asyncio.sleep(_CATCHING_UP_SECONDS)
            self._session.keeper.catch_up()
            if not self._session.streaming:
                self._session.store.rest()

    def _welcome(self) -> None:
        label = self._registry.label(self._choices.provider, self._choices.model)
        self._view.say(f"llmterm {__version__} - {label}\nSPACE pauses an answer and goes on with it - /help\n\n")

    async def _round(self) -> None:
        self._tell_trouble()
        for line in self._session.keeper.news():
            self._view.say(line)
        self._session.store.rest()
        text, replaced = await self._next_message()
        if not text:
            self._stage.ahead.offer()
            return
        try:
            if Commands.is_command(text):
                await self._run(text, replaced)
            else:
                # A SPACE that came just too late to pause an answer is not part of the next question.
                self._unsent = text.strip("\n") if "\n" in text.strip() else text.strip()
                await self._choosing.decide()
                await self._attaching.send(self._unsent, self._ask)
        except LlmtermError as error:
            self._view.say(str(error), error=True)
            if self._unsent:
                self._view.say("what you typed is in the line again; Ctrl-C empties it")
        unsent, self._unsent = self._unsent, ""
        if unsent:
            self._stage.ahead.hold(unsent)

    async def _run(self, command: str, replaced: str) -> None:
        """Run a command; the message that it was typed in the place of outlives it."""
        edited = self._session.editing
        if replaced:
            self._stage.ahead.hold(replaced)
        try:
            await self._commands.run(command)
        finally:
            if edited and not self._session.editing:
                self._stage.ahead.drop(replaced)  # the question is no longer to be edited

    async def _next_message(self) -> tuple[str, str]:
        """Wait for the next message or command; return it, and the message it was typed in the place of, if any."""
        ahead = self._stage.ahead
        queued = ahead.next()
        if queued is not None:
            self._view.echo(queued)
            return queued, ""
        given = ahead.begin()
        self._list_held()
        shortcuts = {**_PAGE, **self._versions.shortcuts(), **(_NEXT if ahead.held else {})}
        decision = await self._prompt.ask(given, shortcuts)
        while isinstance(decision, Compose):
            given = await self.edit(decision.text)
            decision = await self._prompt.ask(given, shortcuts)
        self._retake()
        if isinstance(decision, Leave):
            raise Leaving(interrupted=decision.interrupted)
        if decision.emptied:
            ahead.offer(next_one=False)  # nothing takes the place of what the user has emptied
        elif Commands.replaces(given, decision.text):
            return decision.text, given
        return decision.text, ""

    def _list_held(self) -> None:
        """Show which messages wait that are not sent by themselves, where these are others than before."""
        ahead = self._stage.ahead
        held = queue_lines(ahead.queue, self._view.columns) if ahead.held else []
        if held and held != self._listed:
            self._view.say("\n".join(held))
        self._listed = held

    async def _confirm(self, question: str) -> bool:
        """Ask the user for a yes. Whatever else is typed is a no; a message among it goes back into the line."""
        self._view.say(f"{question} y/N")
        decision = await self._prompt.ask("", _NO, remember=False)
        self._retake()
        if not isinstance(decision, Send):
            return False
        typed = decision.text.strip()
        if typed.lower() not in ("y", "yes", "n", "no"):
            self._stage.ahead.put(typed)
        return typed.lower() in ("y", "yes")

    def _check(self, attachments: Sequence[Attachment]) -> None:
        """Raise UsageError for what the model does not take."""
        choices = self._choices
        label = self._registry.label(choices.provider, choices.model)
        accepts = self._registry.get(choices.provider).accepts(choices.model)
        if refusal := refused(attachments, accepts, label):
            raise refusal

    # One answer, from the question to its end

    async def _ask(self, question: Message, *, again: bool = False) -> bool:
        """Have the question answered; tell whether it was taken.

        One that comes to nothing goes back into the line, unless it is asked `again`.
        """
        await self._choosing.decide()
        provider = self._registry.get(self._choices.provider)
        # Refuses a model that cannot be, before anything is written.
        provider.preparation(self._choices.model)
        self._check(question.attachments)
        log = self._session.ask(question, self._choices)
        self._tell_trouble()
        turn = self._turn(self._session.conversation.add(question))
        typed, self._unsent = self._unsent, ""
        self._view.begin()
        try:
            answer = await self._answering.play(turn, log)
        except LlmtermError:
            if turn.state is TurnState.FAILED:
                self._give_back(typed)
            raise
        except (Leaving, asyncio.CancelledError) as leaving:
            if self._left_unanswered(turn, again=again) and isinstance(leaving, Leaving):
                leaving.kept = False
                self._view.say("the answer before this one stays")
            raise
        if answer is None and self._session.replacing:
            # Stopped before anything came that could replace what there was.
            self._give_back(typed)
            return False
        self._session.say(question, *([answer] if answer else []))
        self._hold(turn)
        return True

    def _give_back(self, typed: str) -> None:
        """Nothing came: the question goes back to the user, and out of the record."""
        self._view.close()
        self._unsent = typed
        self._stage.ahead.hold()  # nothing is sent by itself after a failure
        self._try(self._session.withdraw)

    def _left_unanswered(self, turn: Turn, *, again: bool) -> bool:
        """The program is left with the answer open, to be gone on with; unless, of a question that was asked `again`,
        nothing came: its earlier answer is more. Return whether that is so, and the question off the record.
        """
        came = turn.state is TurnState.DONE or turn.reply.text or turn.reply.thinking
        if not again or not self._session.replacing or came:
            return False
        self._try(self._session.withdraw)
        return True

    def _try(self, write: Callable[[], object]) -> None:
        """Write to the store; what was said outlives a store that cannot."""
        try:
            write()
        except SessionError as error:
            self._view.say(str(error), error=True)

    def _tell_trouble(self) -> None:
        """Say why something is not kept, once."""
        if trouble := self._session.keeper.untold():
            self._view.say(trouble, error=True)

    def _hold(self, turn: Turn) -> None:
        """After a stop nothing that was queued is sent by itself."""
        if turn.state is TurnState.CANCELLED:
            self._stage.ahead.hold()

    def _turn(self, asked: Conversation, answer: OpenAnswer | None = None) -> Turn:
        """Return the turn that answers `asked`, or goes on with an answer that is open."""
        choices = self._choices
        marker, note = marker_for(self._marker, asked.messages[-1].text if asked.messages else "")
        request = asked.request(model=choices.model, options=choices.options, note=note)
        return Turn(
            self._registry.get(choices.provider),
            request if answer is None else answer.snapshot(request),
            marker,
            limits=self._limits,
            fallbacks=self._registry.fallbacks(choices.fallback, besides=(choices.provider, choices.model)),
        )

    # Sessions

    async def _reopen(self, stored: StoredSession, *, at_once: bool = False) -> None:
        """Go over to another session; an open answer in it goes on with whom it began."""
        if stored.answer is not None:
            self._adopt(stored.answer)
        await self._open(stored, at_once=at_once)

    async def _open(self, stored: StoredSession, *, at_once: bool = False) -> None:
        """Show where the session stands. If it has an open answer rest there, or go on with it `at_once`."""
        self._session.open(stored)
        messages = stored.conversation.messages
        if stored.answer is None:
            await self._show(messages, 2)
            return
        await self._show(messages, 1)
        await self._continue(stored.answer, at_once=at_once)

    async def _show(self, messages: tuple[Message, ...], last: int) -> None:
        if len(messages) > last:
            self._view.say(f"{count(len(messages) - last, 'earlier message')}: /pager all shows the whole session")
        for message in messages[-last:]:
            if message.role == "user":
                self._view.echo(message.text)
            else:
                self._view.begin()
                self._view.event(TextDelta(message.text))
                await self._stage.draw()
                self._view.close()

    def _adopt(self, answer: OpenAnswer) -> None:
        """Have an answer go on within its limit, and with whom began it if he is there and nobody else was named."""
        limit = Options(max_tokens=answer.options.max_tokens)
        self._choices.options = _overlaid(limit, self._choices.options)
        if self._choices.named:
            return
        try:
            self._choosing.choose(answer.provider, answer.model)
        except LlmtermError as error:
            self._view.say(str(error), error=True)
            self._view.say(f"{self._choices.provider}/{self._choices.model} goes on with the answer")
        else:
            self._choices.options = _overlaid(answer.options, self._choices.options)

    async def _continue(self, answer: OpenAnswer, *, at_once: bool) -> None:
        log = self._session.reopen(answer)
        turn = self._turn(self._session.conversation, answer)
        reply = turn.reply
        self._view.begin()
        if reply.thinking:
            self._view.event(ThinkingDelta(reply.thinking))
        self._view.event(TextDelta(reply.text))
        message = await self._answering.play(turn, log, at_once=at_once)
        if message is not None:
            self._session.say(message)
        self._hold(turn)

    # Commands

    def _sections(self, keys: Mapping[str, str]) -> dict[str, list[Command]]:
        session, say, outside = self._session, self._view.say, self._outside
        telling = Telling(
            session=session,
            choices=self._choices,
            pausing=self._pausing,
            note=self._note,
            say=say,
            help=lambda: self._commands.help(),
            examine=outside.examine,
            keys=keys,
        )
        copying = Copying(
            session=session,
            pausing=self._pausing,
            folder=outside.folder,
            mask=outside.mask,
            say=say,
            confirm=self._confirm,
            copy=outside.copy,
            page=self._page,
        )
        seaming = Seaming(session=session, pausing=self._pausing, say=say, show=lambda whole: self._show((whole,), 1))
        ending = [
            Command(name="clear", argument="", summary="begin a new session on a clear screen", run=self._clear),
            Command(name="quit", argument="", summary="leave (Ctrl-D does too)", run=self._quit),
        ]
        return {
            "who answers, and how": self._choosing.commands(),
            "an answer at rest": [*self._pausing.commands(), *seaming.commands()],
            "the last question": [*self._redoing.commands(), *self._versions.commands()],
            "files and clipboard": [*self._attaching.commands(), *copying.commands()],
            "sessions": self._browsing.commands(),
            "what there is": telling.commands(),
            "the end": ending,
        }

    async def _page(self, text: str) -> None:
        """Show a text in the user's pager, as it is drawn, which for a long one takes its time."""
        await self._outside.page(await in_thread(self._view.page, text))

    async def _clear(self, _argument: str) -> None:
        self._session.new()
        self._clear_screen()

    async def _quit(self, _argument: str) -> None:
        raise Leaving(interrupted=False)


def _overlaid(kept: Options, given: Options) -> Options:
    """Return the options an answer was asked for with, under those that were given since."""
    chosen = {field.name: getattr(given, field.name) for field in fields(Options)}
    return replace(kept, **{name: value for name, value in chosen.items() if value not in (None, ())})
