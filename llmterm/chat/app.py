"""The chat itself: a prompt, questions, commands, and the session they belong to.

What comes next is decided by `without_answer`; here it is done. What is done with an open answer is `AnswerLoop`'s.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
from collections.abc import Awaitable
from typing import TYPE_CHECKING, NamedTuple, assert_never

from llmterm import __version__
from llmterm.chat.answer import Answer
from llmterm.chat.commands import Commands, sessions, versions
from llmterm.chat.context import Context
from llmterm.chat.decision import Leave, Resume
from llmterm.chat.input import InputLine, Typed
from llmterm.chat.live import Live, first_of
from llmterm.chat.loop import AnswerLoop
from llmterm.chat.notifier import Notifier
from llmterm.chat.outcome import Ask, Fill, New, Open, Outcome, Pick, Say, Show, Word, Write, without_answer
from llmterm.chat.status import count
from llmterm.errors import LlmtermError, SessionError
from llmterm.messages import Options, TextDelta, ThinkingDelta
from llmterm.openblock import ending
from llmterm.recorded import Standing
from llmterm.sessions import OpenAnswer, StoredSession
from llmterm.states import TurnState
from llmterm.threads import in_thread

if TYPE_CHECKING:
    from llmterm.chat.host import Host, Played  # not for every start, as they are nothing but types

# Before getting ready: time enough for the first frame, and the keys that were typed before it.
_WARMING_SECONDS = 0.05
# Seconds that the end of the program waits for a store that somebody else keeps locked.
_PATIENCE = 2.0
# What asking takes, and resuming, that the prompt does not: a quarter of a second, in which no key would be heard.
FIRST_ANSWER = (
    "llmterm.providers.http",
    "httpcore2",
    "anyio",
    "llmterm.seam",
    "llmterm.respondent",
    "llmterm.chat.performance",
)


class Ended(NamedTuple):
    """How a question has ended: what stands of it, why it failed if it did, and how the user left if he has.

    `turn` is its answer, None where it was not asked at all, and `session` where it is kept.
    """

    standing: Standing
    failure: LlmtermError | None = None
    leave: Leave | None = None
    turn: Played | None = None
    session: str | None = None


class Chat:
    """One conversation at a time, in a terminal."""

    def __init__(
        self,
        *,
        context: Context,
        commands: Commands,
        line: InputLine,
        live: Live,
        notifier: Notifier,
        host: Host,
    ) -> None:
        self._context = context
        self._commands = commands
        self._line = line
        self._live = live
        self._notifier = notifier
        self._host = host
        self._session = context.session
        self._choices = context.choices
        self._registry = context.registry
        self._view = context.view

    async def run(self, session: StoredSession | None = None, question: str = "") -> int:
        """Chat until the user leaves; return the exit code. With `session`, go on with that; ask `question` first."""
        warming = asyncio.create_task(self._warm())
        await self._line.open()
        try:
            if session is not None and session.answer is not None:
                self._adopt(session.answer)  # the welcome says who answers
            self._view.say(self._welcome())
            if question:
                # Nothing but what is typed here is a command of the shell.
                self._line.queue.add(f" {question}" if Commands.of_shell(question) else question)
            outcome: Outcome = Word.DONE
            if session is not None:
                outcome = await self._open(Open(session))
            elif not self._host.shared:  # there somebody else may be about to go on with his
                outcome = await sessions.offer(self._context)
            while not isinstance(outcome, Leave):
                outcome = await self._next(outcome)
            if waiting := self._line.queue.waiting:
                self._view.say(f"{count(len(waiting), 'message')} not sent: Up has them in the next chat")
            if self._session.id is not None:
                self._view.say(self._host.left)
            return 130 if outcome.interrupted else 0
        finally:
            warming.cancel()
            await self._try(self._session.keeper.last_chance(_PATIENCE))
            await self._line.close()

    async def once(self, ask: Ask, session: StoredSession | None = None) -> Ended:
        """Have a question answered in a new session, or in that one, and what is sent meanwhile after it; return how it
        has ended.

        Raises LlmtermError where it cannot be asked.
        """
        await self._line.open()
        try:
            if session is not None:
                self._session.open(session)
            ended = await self._ask(ask)
            if ended.failure is not None:
                self._line.queue.hold()
            outcome: Outcome = ended.leave or Word.DONE
            while not (isinstance(outcome, Leave) or (outcome is Word.DONE and self._line.queue.idle)):
                outcome = await self._next(outcome)
        finally:
            await self._try(self._session.keeper.last_chance(_PATIENCE))
            await self._line.close()
        return ended._replace(session=None if self._session.keeper.lost else self._session.id)

    def _welcome(self) -> str:
        choices = self._choices
        lines = [
            f"llmterm {__version__} - {self._context.label}",
            self._context.settings.advice(choices.provider, choices.model),
            "SPACE pauses an answer and goes on with it - /help",
        ]
        return "\n".join(filter(None, lines)) + "\n\n"

    async def _next(self, outcome: Outcome) -> Outcome:
        """Do what is to be done; return what it has come to."""
        try:
            match without_answer(outcome):
                case Word.DONE:
                    return await self._prompt()
                case Say() | Show() | Fill() | Write() as effect:
                    await self._live.perform(effect)
                    return Word.DONE
                case Pick() as pick:
                    return self._pick(pick)
                case Ask() as ask:
                    return await self._answer(ask)
                case Open() as opened:
                    return await self._go_over(opened)
                case New() as new:
                    return await self._begin(new)
                case Leave() as leave:
                    return leave
                case _ as never:
                    assert_never(never)
        except LlmtermError as error:
            self._view.say(str(error), error=True)
            return Word.DONE

    def _pick(self, pick: Pick) -> Outcome:
        return Word.DONE if self._line.pick(f"/{pick.command} ", pick.values) else Say(pick.text)

    async def _prompt(self) -> Outcome:
        """Wait for a message or a command; return what it comes to."""
        await self._session.keeper.rest()
        for line, failure in self._session.news():
            self._view.say(line, error=failure)
        typed = await self._said_or_changed()
        match typed:
            case StoredSession() as stored:
                return Open(stored, since=self._since(stored))
            case Leave():
                return typed
            case Typed(""):
                self._line.queue.offer()
                return Word.DONE
            case Typed(text) if Commands.is_command(text):
                return await self._command(typed)
            case Typed(text) if Commands.of_shell(text):
                return await self._live.run_shell(text) or Word.DONE
            case Typed(text):
                # A SPACE that came just too late to pause an answer is not part of the next question.
                return await self._question(text.strip("\n") if "\n" in text.strip() else text.strip())

    async def _said_or_changed(self) -> Typed | Leave | StoredSession:
        """Wait for a message or a command, or until somebody else has gone on with the session."""
        shortcuts = versions.shortcuts(self._context)
        if not self._host.shared or self._session.talk.editing:
            return await self._line.message(shortcuts)
        return await first_of(self._line.message(shortcuts), self._host.changed())

    def _since(self, stored: StoredSession) -> int:
        """Return how many messages of a session are on the screen, as it was until now."""
        pairs = zip(self._session.talk.messages, stored.conversation.messages, strict=False)
        return next((at for at, (ours, theirs) in enumerate(pairs) if ours != theirs), self._session.talk.size)

    async def _command(self, typed: Typed) -> Outcome:
        """Run commands, one after the other; the message that they were typed in the place of outlives them."""
        edited = self._session.talk.editing
        if typed.replaced:
            self._line.queue.hold(typed.replaced)
        try:
            for line in Commands.lines(typed.text):
                outcome = await self._commands.run(self._context, line)
                while not (outcome is Word.DONE or isinstance(outcome, Leave)):
                    outcome = await self._next(outcome)
                if isinstance(outcome, Leave):
                    return outcome
        finally:
            if edited and not self._session.talk.editing:
                self._line.queue.drop(typed.replaced)  # the question is no longer to be edited
        return Word.DONE

    async def _question(self, text: str) -> Outcome:
        """Return the question that is to be asked, with all that goes with it."""
        try:
            question, said = await self._context.attachments.question(text)
            taken = self._choices.taken
            if taken is not None and not self._session.talk.editing:  # one that is edited was put into it before
                question = question.saying(taken.role.question(question.text))
        except LlmtermError as error:
            self._fail(error, text)
            return Word.DONE
        return Ask(question, typed=text, said=tuple(said))

    async def _decide(self) -> None:
        """Wait until it is known who answers, if that is still looked for."""
        if said := await self._choices.decide(self._registry):
            self._view.say(said)

    def _fail(self, error: LlmtermError, typed: str) -> None:
        """Say what has failed, and give back what was typed."""
        self._view.say(str(error), error=True)
        if typed:
            self._view.say("what you typed is in the line again; Ctrl-C empties it")
        self._line.queue.hold(typed)

    # Answers

    async def _answer(self, ask: Ask) -> Outcome:
        """Have the question answered; where it comes to nothing all is as it was."""
        session, attachments, queue = self._session, self._context.attachments, self._line.queue
        if ask.again:
            self._view.echo(ask.question.text)
        taken = None if ask.again else attachments.take()
        ended = Ended(Standing.WITHDRAWN)
        try:
            ended = await self._ask(ask)
        except LlmtermError as error:
            ended = Ended(Standing.WITHDRAWN, failure=error)
        finally:
            if taken is not None and ended.standing is Standing.WITHDRAWN:
                attachments.give_back(taken)
        if ended.failure is not None:
            if ask.again:
                await session.restore()
            self._fail(ended.failure, ask.typed)
        elif ended.standing is Standing.WITHDRAWN:
            queue.hold(ask.typed)
            if ask.again and (ended.leave is not None or await session.restore()):
                self._view.say("the answer before this one stays")
        return ended.leave or Word.DONE

    async def _ask(self, ask: Ask) -> Ended:
        """Ask, and play the answer. Raises our errors where that cannot be: nothing is written then."""
        await self._decide()
        turn = await self._host.ask(ask.question)
        for line in ask.said:
            self._view.say(line)
        return await self._play(turn)

    async def _play(self, turn: Played, *, on_screen: bool = False) -> Ended:
        """Play the turn to its end; one that is `on_screen`, as far as it has come, goes on at once."""
        answer = Answer(turn)
        try:
            async with turn:
                self._view.begin()
                if on_screen:
                    self._view.event(TextDelta(await in_thread(ending, turn.reply.text)))
                else:
                    for part in turn.reply.thoughts.parts:
                        self._view.event(ThinkingDelta(part))
                    for part in turn.reply.body.parts:
                        self._view.event(TextDelta(part))
                leave = await AnswerLoop(
                    context=self._context,
                    commands=self._commands,
                    line=self._line,
                    live=self._live,
                    notifier=self._notifier,
                    answer=answer,
                ).run(Resume() if on_screen else Word.DONE)
            for notice in answer.passed_over():
                self._view.say(notice.text, error=notice.failure)
        finally:
            answer.reader.leave()
        if turn.state is TurnState.CANCELLED:
            self._line.queue.hold()  # after a stop nothing that was queued is sent by itself
        failed = turn.state is TurnState.FAILED and turn.standing is Standing.WITHDRAWN
        failure = turn.error if failed and isinstance(turn.error, LlmtermError) else None
        return Ended(turn.standing, failure, leave, turn)

    # Sessions

    async def _begin(self, new: New) -> Outcome:
        self._session.new()
        if new.blank:
            self._view.blank()
            return Word.DONE
        if new.title:
            await self._session.set_title(new.title)
        return Say(f"a new session{f', “{self._session.talk.title}”' if new.title else ''}")

    async def _go_over(self, opened: Open) -> Outcome:
        before = self._context.label
        if opened.stored.answer is not None and not opened.at_once:
            self._adopt(opened.stored.answer)
        if said := self._context.goes_on(before):
            self._view.say(said)
        return await self._open(opened)

    async def _open(self, opened: Open) -> Outcome:
        """Show where the session stands. If it has an open answer rest there, or go on with it."""
        stored = opened.stored
        self._session.open(stored)
        if opened.said:
            self._view.say(opened.said)
        if stored.answer is None:
            await self._show(opened, 2)
            if stored.forks:
                await self._try(self._session.whole())
            if not opened.said and (standing := versions.standing(self._session)):
                self._view.note(standing)
            return Word.DONE
        if not opened.at_once:
            await self._show(opened, 1)
        ended = await self._play(await self._host.go_on(stored.answer), on_screen=opened.at_once)
        return ended.leave or Word.DONE

    async def _show(self, opened: Open, most: int) -> None:
        """Show the last messages, unless they are on the screen already."""
        new, messages = max(0, self._session.talk.size - opened.since), opened.stored.conversation.messages
        if new > most:
            self._view.say(f"{count(new - most, 'earlier message')}: /pager all shows the whole session")
        for message in messages[len(messages) - min(new, most) :]:
            await self._live.show(message)

    def _adopt(self, answer: OpenAnswer) -> None:
        """Have an answer go on within its limit, and with whom began it if he is there and nobody else was named."""
        choices = self._choices
        choices.lay_under(Options(max_tokens=answer.options.max_tokens))
        if choices.named:
            return
        try:
            choices.choose(self._registry, answer.provider, answer.model)
        except LlmtermError as error:
            self._view.say(str(error), error=True)
            self._view.say(f"{choices.provider}/{choices.model} goes on with the answer")
        else:
            choices.lay_under(answer.options)

    # The record

    async def _try(self, written: Awaitable[None]) -> None:
        """Wait until it is written to the store; what was said outlives a store that cannot."""
        try:
            await written
        except SessionError as error:
            self._view.say(str(error), error=True)

    async def _warm(self) -> None:
        """Make the first answer and the first pause as quick as the later ones, while the user types."""
        await asyncio.sleep(_WARMING_SECONDS)
        await in_thread(self._view.warm)  # it computes, but a key has its turn in between
        for name in FIRST_ANSWER:
            await in_thread(importlib.import_module, name)
        # What is loaded stays: the collector need not look through all of it in the middle of an answer.
        gc.freeze()
