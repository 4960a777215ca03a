"""One answer, from its first token to its end, through as many pauses as it has.

The order that matters most is kept here: a pause is on disk before the screen says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from llmterm.chat.choosing import Choices
from llmterm.chat.commands import Commands
from llmterm.chat.decision import Compose, Decision, Leave, Leaving, Prompt, Resume, Send, Stop
from llmterm.chat.notifying import Notifier
from llmterm.chat.pausing import Pausing, at_rest
from llmterm.chat.record import AnswerRecord
from llmterm.chat.stage import Stage, Wish
from llmterm.chat.status import BY_ITSELF, ending, held_line, pause_line, queue_lines
from llmterm.chat.view import View
from llmterm.errors import LlmtermError, UsageError
from llmterm.eventlog import Reader
from llmterm.events import Notice
from llmterm.keys import Key
from llmterm.keys.autorepeat import Autorepeat
from llmterm.messages import EndReason, Message
from llmterm.providers.registry import ProviderRegistry
from llmterm.recorded import RecordedTurn
from llmterm.turn import Turn, TurnState

# States from which an answer can be gone on with.
_RESTING = (TurnState.PAUSED, TurnState.FAILED)
# Commands that would leave an open answer behind.
_NOT_AT_REST = (
    "/branch",
    "/clear",
    "/continue",
    "/discard",
    "/load",
    "/new",
    "/retry",
    "/versions",
)


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
        pausing: Pausing,
        notifier: Notifier,
        edit: Callable[[str], Awaitable[str]],
        guide: Callable[[str], Awaitable[str]],
    ) -> None:
        """`chords` is where a global key source, if there is one, puts what it hears while a prompt is up that does not
        hear it itself.

        `suspend` stops the program as Ctrl-Z does; `retake` puts the terminal into our modes after a prompt left it.
        `edit` gives a text back as the user's editor left it, and never raises; `guide` puts the files into a word of
        guidance that it mentions.
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
        self._pausing = pausing
        self._notifier = notifier
        self._edit = edit
        self._guide = guide
        self._chosen = ("", "")

    async def play(self, turn: Turn, record: AnswerRecord, *, at_once: bool = False) -> Message | None:
        """Stream, rest, stream again, until the answer is over; return it, unless nothing of it came.

        One that is at rest goes on `at_once`, or when the user says so.
        Raises the turn's error where the answer failed before anything came.
        """
        self._chosen = (self._choices.provider, self._choices.model)
        reader = self._pausing.reader = turn.reader(waited_for=True)
        reader.skip()  # of an earlier run, and on the screen already
        try:
            async with RecordedTurn(turn, record) as recorded:
                if turn.state is TurnState.READY:
                    turn.start()
                return await self._play(recorded, reader, at_once=at_once)
        finally:
            reader.leave()
            self._pausing.reader = None

    async def _play(self, recorded: RecordedTurn, reader: Reader, *, at_once: bool) -> Message | None:
        turn = recorded.turn
        leaving: Leaving | None = None
        rested = held = False
        alone = self._choices.auto_resume  # how often an answer that broke off goes on by itself
        while held or not reader.at_end or turn.state not in (TurnState.CANCELLED, TurnState.DONE):
            if held:
                await self._rest_held(recorded, reader)
            elif turn.state in _RESTING and not reader.unread:
                if leaving is not None:
                    self._view.pause()
                    leaving.kept = True
                    raise leaving
                rested = True
                if at_once:
                    at_once = False
                    await self._stage.draw()
                    self._view.pause()
                    self._resume(turn, "")
                    continue
                alone -= turn.reason is EndReason.NETWORK
                await self._rest(recorded, reader, by_itself=turn.reason is EndReason.NETWORK and alone >= 0)
            try:
                wish = await self._stream(recorded, reader)
            except LlmtermError:
                # Where a pause came before, the failure is one more: the same keys try again, or end the answer.
                if not rested or turn.state is not TurnState.FAILED:
                    raise
                continue
            held = wish is Wish.HOLD
            leaving = leaving or _leaving(wish)
            if wish is Wish.SUSPEND:
                self._view.pause()
                self._suspend()
                self._resume(turn, "")
        message = await self._finish(recorded)
        if leaving is not None:
            raise leaving
        return message

    async def _stream(self, recorded: RecordedTurn, reader: Reader) -> Wish:
        """Play the answer, if it streams; afterwards what there is of it is on disk."""
        turn = recorded.turn
        if turn.state is not TurnState.STREAMING and reader.at_end:
            return Wish.NOTHING
        while self._chords is not None and not self._chords.empty():
            self._chords.get_nowait()  # pressed when there was nothing to pause
        label = self._registry.label(turn.provider.name, turn.request.model)
        began = self._stage.clock()
        try:
            wish = await self._stage.play(recorded, reader, label)
            if turn.state is TurnState.DONE or turn.reason in BY_ITSELF:
                self._notifier.ended(f"{label} {ending(turn.reason)}", self._stage.clock() - began)
            return wish
        except asyncio.CancelledError:
            await turn.pause(EndReason.CRASH)  # the program is being ended; the answer can be gone on with
            self._view.pause()
            await self._keep(recorded)
            raise

    async def _keep(self, recorded: RecordedTurn) -> None:
        """Put the answer on disk as it is when the program is left: at rest, or whole if it has ended unseen."""
        if recorded.turn.state is TurnState.DONE:
            await recorded.finish()
        else:
            await recorded.kept()

    async def _finish(self, recorded: RecordedTurn) -> Message | None:
        turn = recorded.turn
        self._view.close()
        message = await recorded.finish()
        if message is None:
            return None
        if message.status == "interrupted":
            self._view.note("stopped; /continue goes on with the answer")
        said = f": {turn.end_words}" if turn.end_words else ""
        if turn.reason is EndReason.REFUSAL:
            self._view.say(f"the provider's filter ended this answer{said}", error=True)
        elif turn.reason is EndReason.OTHER:
            self._view.say(f"the provider ended this answer early{said}", error=True)
        elif turn.reply.blank:
            self._view.say("the answer is empty")
        return message

    # An answer at rest

    async def _rest(self, recorded: RecordedTurn, reader: Reader, *, by_itself: bool) -> None:
        """Wait for what is to become of a paused answer, unless it goes on `by_itself`, and do it."""
        turn = recorded.turn
        await self._stage.draw()
        self._view.pause()
        self._pass_over(reader)
        if by_itself:
            self._view.say("the connection broke; the answer goes on")
            self._resume(turn, "")
            return
        trouble = f"{turn.error}\n" if turn.error else ""
        queue = "".join(f"{row}\n" for row in queue_lines(self._stage.ahead.queue, self._view.columns))
        line = trouble + queue + pause_line(turn.reply, turn.reason, self._elsewhere(turn))
        decision = await self._decide(turn, lambda: line)
        match decision:
            case Resume():
                self._resume(turn, "")
            case Send(text) if Commands.is_command(text):
                await self._act(recorded, reader, text)
            case Send(text):
                await self._guided(turn, text)
            case Stop(unsent):
                self._stage.ahead.put(unsent)
                await turn.cancel()
                self._pass_over(reader)
            case Leave(interrupted):
                raise Leaving(interrupted=interrupted, kept=True)
            case Compose():
                pass  # `_decide` has asked again

    async def _rest_held(self, recorded: RecordedTurn, reader: Reader) -> None:
        """Wait while the screen is held and the stream is read on, as far as the buffer and the time reach."""
        turn = recorded.turn
        self._view.pause()
        limit = asyncio.create_task(self._limit(turn, reader))
        try:
            decision = await self._decide_held(turn, reader)
        except asyncio.CancelledError:
            await turn.pause(EndReason.CRASH)  # the program is being ended
            await self._keep(recorded)
            raise
        except Leaving:
            await turn.pause()
            await self._keep(recorded)
            raise
        finally:
            limit.cancel()
            await asyncio.wait({limit})
        await self._answer_held(turn, reader, decision)
        reader.go_on()

    async def _decide_held(self, turn: Turn, reader: Reader) -> Decision | None:
        """Wait for what ends the hold; commands are run meanwhile. Return None where one of them has ended it.

        Raises Leaving.
        """
        while True:
            decision = await self._decide(
                turn, lambda: held_line(turn.reply, reader.waiting, streaming=turn.state is TurnState.STREAMING)
            )
            match decision:
                case Send(text) if Commands.is_command(text):
                    if await self._changed_by(text, turn, reader):
                        return None
                    self._view.pause()
                case Leave(interrupted):
                    raise Leaving(interrupted=interrupted, kept=True)
                case _:
                    return decision

    async def _changed_by(self, text: str, turn: Turn, reader: Reader) -> bool:
        """Run a command while the answer is held; return whether it changed it, which ends the hold."""
        changed = False

        async def cut() -> None:
            nonlocal changed
            changed = True
            await self._cut(turn, reader)

        self._pausing.turn, self._pausing.goes_on, self._pausing.cut = turn, False, cut
        try:
            await self._command(text)
        finally:
            self._pausing.turn, self._pausing.cut = None, at_rest
        if changed:
            self._pass_over(reader)
        return changed

    async def _answer_held(self, turn: Turn, reader: Reader, decision: Decision | None) -> None:
        """Do what was decided about a held answer."""
        match decision:
            case None:
                self._go_on(turn)
            case Send(text):
                await self._cut(turn, reader)
                await self._guided(turn, text)
            case Stop(unsent):
                self._stage.ahead.put(unsent)
                await turn.cancel()
                self._view.resume("")
            case _:
                self._view.resume("")

    async def _limit(self, turn: Turn, reader: Reader) -> None:
        """Cut the stream where the buffer is full, or when it was held for long enough."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._choices.hold_limit):
                await reader.filled()
        if turn.state is TurnState.STREAMING:
            await turn.pause()

    async def _cut(self, turn: Turn, reader: Reader) -> None:
        """End the answer where it was shown."""
        await turn.pause(upto=reader.text)
        self._pass_over(reader)

    async def _act(self, recorded: RecordedTurn, reader: Reader, text: str) -> None:
        """Run a command at a pause, and go on with the answer where it says so."""
        turn = recorded.turn
        self._pausing.turn, self._pausing.goes_on = turn, False
        try:
            await self._command(text)
        finally:
            self._pausing.turn = None
        await recorded.kept()
        self._pass_over(reader)
        await self._stage.draw()
        self._go_on(turn)

    def _go_on(self, turn: Turn) -> None:
        """Go on with the answer if a command says so."""
        if self._pausing.goes_on:
            self._view.pause()
            self._resume(turn, "")

    def _pass_over(self, reader: Reader) -> None:
        """Take what is not read for seen: a command has shown what it has made of the answer. What failed is said."""
        for entry in reader.pending():
            if isinstance(entry.event, Notice) and entry.event.failure:
                self._view.say(entry.event.text, error=True)

    def _elsewhere(self, turn: Turn) -> str:
        """Return the first of the fallbacks that is not the one that wrote last."""
        here = (turn.provider.name, turn.request.model)
        return next((each for each in self._choices.fallback if self._registry.resolve(each) != here), "")

    async def _guided(self, turn: Turn, text: str) -> None:
        if not self._resume(turn, await self._guide(text)):
            self._stage.ahead.put(text)

    def _resume(self, turn: Turn, guidance: str) -> bool:
        """Go on with the answer; return whether that is so, and it was not refused."""
        if turn.state not in _RESTING:
            return False
        name, model = self._choices.provider, self._choices.model
        if (name, model) == self._chosen:
            name, model = turn.provider.name, turn.request.model  # another may have stepped in
        try:
            provider = self._registry.get(name)
            provider.preparation(model)  # refuses a model that cannot be
        except LlmtermError as error:
            self._view.say(str(error), error=True)
            return False
        continuation = self._choices.resume_mode or provider.continuation(model)
        self._view.resume(guidance)
        turn.resume(guidance=guidance, mode=continuation, provider=provider, model=model)
        return True

    async def _command(self, text: str) -> None:
        try:
            if text.split()[0] in _NOT_AT_REST:
                raise UsageError("an answer is still open", hint="Esc ends it")
            await self._commands.run(text)
        except LlmtermError as error:
            self._view.say(str(error), error=True)

    async def _decide(self, turn: Turn, line: Callable[[], str]) -> Decision:
        while isinstance(decision := await self._ask(turn, line), Compose):
            self._stage.ahead.put(await self._edit(decision.text))
        return decision

    async def _ask(self, turn: Turn, line: Callable[[], str]) -> Decision:
        self._pausing.turn = turn
        given, shortcuts = self._stage.ahead.take(), self._pausing.shortcuts()
        prompt = asyncio.ensure_future(self._prompt.paused(line, given, shortcuts))
        waiting: set[asyncio.Future[Decision]] = {prompt}
        if self._chords is not None:
            waiting.add(asyncio.ensure_future(_chord(self._chords, self._stage.autorepeat)))
        try:
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if prompt in done:
                decision = prompt.result()
                if isinstance(decision, Send) and not decision.emptied and Commands.replaces(given, decision.text):
                    self._stage.ahead.put(given)
                if isinstance(decision, Resume):
                    self._stage.ahead.put(decision.unsent)
                return decision
        finally:
            for each in waiting:
                each.cancel()
            await asyncio.wait(waiting)
            self._pausing.turn = None
            self._retake()
        self._stage.ahead.put(self._prompt.unsent)
        return Resume()


def _leaving(wish: Wish) -> Leaving | None:
    if wish not in (Wish.LEAVE, Wish.LEAVE_INTERRUPTED):
        return None
    return Leaving(interrupted=wish is Wish.LEAVE_INTERRUPTED)


async def _chord(queue: asyncio.Queue[Key], autorepeat: Autorepeat) -> Decision:
    while True:
        key = await queue.get()
        if key.name == "chord" and (await autorepeat.pressed(key, queue.get))[0]:
            return Resume()
