"""What the user says: the next message, what is to become of an answer at rest, or a yes.

What is typed stays in the line whatever else happens; messages that wait are taken before any other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from typing import TYPE_CHECKING, NamedTuple, assert_never

from llmterm.chat.commands import Commands
from llmterm.chat.composer import Chords, Composer
from llmterm.chat.decision import Decision, Gesture, Leave, Phase, Resume, Send, Steer
from llmterm.chat.foot import Foot
from llmterm.chat.queue import MessageQueue
from llmterm.chat.status import queue_lines
from llmterm.chat.suggestion import Choice, Find
from llmterm.chat.view import View
from llmterm.errors import LlmtermError

if TYPE_CHECKING:
    from llmterm.chat.machine import Machine  # not for every start, as it is nothing but a type

_PAGE = {"pageup": "/pager"}
# While messages are held, on an empty line.
_NEXT = {"enter": ""}
# Where a yes is asked for.
_NO = {"enter": "n"}
# Until an answer that is resumed says more of itself.
_RESUMING = "SPACE pause"
# How often what stands below an answer at rest is looked at anew, in seconds: it may count what is waiting.
_REFRESH = 0.5


class Typed(NamedTuple):
    """What was typed, and the message that it, a command, was typed in the place of, if any."""

    text: str
    replaced: str = ""


class InputLine:
    """Asks the user, one question at a time."""

    def __init__(
        self,
        *,
        composer: Composer,
        queue: MessageQueue,
        foot: Foot,
        view: View,
        machine: Machine,
        find: Find,
        bar: Callable[[], str],
        chords: Chords | None,
    ) -> None:
        """`find` gives what the text being typed may become, `bar` the status line where no answer is open.

        `chords` waits for the global hot key, if there is one.
        """
        self.queue = queue
        self._composer = composer
        self._foot = foot
        self._view = view
        self._machine = machine
        self._find = find
        self._bar = bar
        self._chords = chords
        self._task: asyncio.Task[None] | None = None
        self._untold = True
        # The messages that are held, as they were last listed.
        self._listed: list[str] = []

    async def open(self) -> None:
        """Begin to listen."""
        await self._composer.ready()
        self._task = asyncio.create_task(
            self._composer.run(self._view.refresh, self._view.say, self._find, self._chords, self._view.displaced),
            name="llmterm-line",
        )
        await asyncio.sleep(0)

    async def close(self) -> None:
        """See to it that what was typed can be called back in the next chat. Takes a second at most."""
        await self._composer.close()
        if self._task is not None:
            await asyncio.wait({self._task})
            if not self._task.cancelled() and (error := self._task.exception()) is not None:
                raise error
        self._view.leave()

    @property
    def text(self) -> str:
        """What is being typed."""
        return self._composer.text

    def put(self, text: str) -> None:
        """Have `text` in the line, to be gone on with; one that is there already waits in the queue, held."""
        if self.text.strip() and self.text != text:
            self.queue.hold(self._composer.take())
        self._composer.put(text)

    def pick(self, text: str, values: Sequence[Choice]) -> bool:
        """Have one of `values` picked behind `text`; return False where something is being typed, or was sent since."""
        if self.text.strip() or self._composer.decided:
            return False
        self._composer.pick(text, values)
        return True

    def append(self, text: str, label: str = "") -> None:
        """Have `text` behind what is typed; of a long one, and one with a `label`, the line shows no more than that."""
        self._composer.append(text, label)

    def answer(self) -> None:
        """An answer streams from now on: keys mean that."""
        if self._composer.phase is not Phase.BUSY:
            self._composer.begin(Phase.BUSY)

    async def decision(self) -> Decision:
        """Wait for what is decided while an answer is made ready or streams."""
        return await self._composer.decision()

    @property
    def decided(self) -> bool:
        """Whether something was decided that nobody has asked for yet."""
        return self._composer.decided

    def saying(
        self, status: Callable[[], str], *, moving: Callable[[], str] = str, lasting: bool = False
    ) -> AbstractContextManager[None]:
        """Have the status line say what `status` does, as `Foot.saying` has it."""
        return self._foot.saying(status, moving=moving, lasting=lasting)

    async def message(self, shortcuts: Mapping[str, str]) -> Typed | Leave:
        """Wait for the next message or command: what is queued comes first. `shortcuts` are as for a `Composer`."""
        queued = self.queue.next(self.text)
        if queued is not None:
            self._echo(queued)
            return Typed(queued)
        self._tell()
        given = "" if self._composer.decided else self._given()
        shortcuts = {**_PAGE, **shortcuts, **(_NEXT if self.queue.held else {})}
        bar = self._bar()  # it goes over the whole conversation: made once, not for each key
        with self._foot.saying(str, lasting=True), self._foot.saying(lambda: bar):
            decision = await self._decided(Phase.ASKING, shortcuts)
        if isinstance(decision, Leave):
            return decision
        assert isinstance(decision, Send)
        if decision.text and not decision.shortcut:
            self._echo(decision.text.strip())  # a SPACE that came too late to pause an answer is no part of it
        if decision.emptied:
            self.queue.offer(next_one=False)  # nothing takes the place of what the user has emptied
        elif not decision.shortcut and Commands.replaces(given, decision.text):
            return Typed(decision.text, given)
        return Typed(decision.text)

    async def decide(self, line: Callable[[], str], shortcuts: Mapping[str, str]) -> Send | Resume | Gesture | Leave:
        """Wait for what is to become of an answer at rest; `line` is what the status line says, again and again."""
        if self.queue.edited:
            self.queue.add(self._composer.take())  # no word of guidance, but a message for later
        given = self.text
        with self._foot.saying(lambda: _RESUMING, lasting=True), self._foot.saying(line):
            decision = await self._decided(Phase.RESTING, shortcuts)
        match decision:
            case Send(text, emptied=False, shortcut=False) if Commands.replaces(given, text):
                self._composer.put(given)
        return decision

    async def confirm(self, question: str) -> bool:
        """Ask the user for a yes. Whatever else is typed is a no; a message among it goes back into the line."""
        draft = self._composer.take()
        self._view.say(f"{question} y/N")
        decision = await self._decided(Phase.CONFIRMING, _NO)
        self._composer.put(draft)
        if not isinstance(decision, Send):
            return False
        if not decision.shortcut:
            self._view.echo(decision.text.strip(), asks=False)
        typed = decision.text.strip()
        if typed.lower() not in ("y", "yes", "n", "no"):
            self.put(typed)
        return typed.lower() in ("y", "yes")

    def _echo(self, text: str) -> None:
        self._view.echo(text, asks=not (Commands.is_command(text) or Commands.of_shell(text)))

    async def _decided(self, phase: Phase, shortcuts: Mapping[str, str]) -> Send | Resume | Gesture | Leave:
        """Wait until something is decided that has a meaning now."""
        try:
            self._composer.begin(phase, shortcuts)
            while True:
                decision = await self._next(phase)
                match decision:
                    case Send() | Leave():
                        return decision
                    case Gesture.COMPOSE:
                        await self._compose()
                    case Gesture.SUSPEND:
                        self._machine.suspend()
                    case Resume() | Gesture.STOP if phase is Phase.RESTING:
                        return decision
                    case Resume() | Steer() | Gesture.STOP | Gesture.PAUSE | Gesture.HURRY:
                        pass  # what was pressed when there was nothing to pause any more means nothing
                    case _:
                        assert_never(decision)
                self._composer.begin(phase, shortcuts, again=True)
        finally:
            self._composer.begin(Phase.BUSY)  # what was decided may have been so before it was asked for

    async def _next(self, phase: Phase) -> Decision:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_REFRESH if phase is Phase.RESTING else None):
                    return await self._composer.decision()
            self._composer.invalidate()

    async def _compose(self) -> None:
        """Have the user's editor make of the line what it will; it is as it was where that cannot be."""
        self._composer.lend()  # until what it has left is in the line: no key may come in between
        try:
            self._composer.put(await self._machine.edit(self.text))
        except LlmtermError as error:
            self._view.say(str(error), error=True)
        finally:
            self._composer.retake()

    def _given(self) -> str:
        """Have the next of the messages that are held in the line, if that is empty; return what is in it."""
        offered = "" if self.text.strip() else self.queue.offered()
        if offered:
            self._composer.put(offered)
        held = queue_lines(self.queue.waiting, self._view.columns) if self.queue.held else []
        if held and held != self._listed:
            self._view.note("\n".join(held))
        self._listed = held
        return self.text

    def _tell(self) -> None:
        """Say once why what is typed is not kept for the next chat."""
        if self._composer.trouble and self._untold:
            self._untold = False
            self._view.say(f"no history: {self._composer.trouble}")
