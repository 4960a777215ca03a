"""The line that the user types in: asked for at a prompt, below a paused answer, or for a yes.

What was typed ahead stands in it, what is opened in the editor comes back to it, and nothing of it is lost when
something else ends the prompt.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from llmterm.chat.ahead import Ahead
from llmterm.chat.commands import Commands
from llmterm.chat.decision import Compose, Decision, Leave, Prompt, Resume, Send, Stop
from llmterm.chat.machine import Machine
from llmterm.chat.status import queue_lines
from llmterm.chat.view import View
from llmterm.errors import LlmtermError
from llmterm.keys import Key
from llmterm.keys.autorepeat import Autorepeat

_PAGE = {"pageup": "/pager"}
# While messages are held, on an empty line.
_NEXT = {"enter": ""}
# Where a yes is asked for.
_NO = {"enter": "n"}


class Typed(NamedTuple):
    """What was typed, and the message that it, a command, was typed in the place of, if any."""

    text: str
    replaced: str = ""


class InputLine:
    """Asks with a prompt, one question at a time."""

    def __init__(
        self,
        *,
        prompt: Prompt,
        ahead: Ahead,
        view: View,
        machine: Machine,
        retake: Callable[[], None],
        chords: asyncio.Queue[Key] | None,
        autorepeat: Autorepeat,
    ) -> None:
        """`retake` puts the terminal into our modes after a prompt has left it.

        `chords` is where a global key source, if there is one, puts what it hears while a prompt is up that does not
        hear it itself.
        """
        self.ahead = ahead
        self._prompt = prompt
        self._view = view
        self._machine = machine
        self._retake = retake
        self._chords = chords
        self._autorepeat = autorepeat
        # The messages that are held, as they were last listed.
        self._listed: list[str] = []

    def warm(self) -> Iterator[None]:
        return self._prompt.warm()

    async def close(self) -> None:
        await self._prompt.close()

    def forget_chords(self) -> None:
        """What was pressed when there was nothing to pause means nothing."""
        while self._chords is not None and not self._chords.empty():
            self._chords.get_nowait()

    async def message(self, shortcuts: Mapping[str, str]) -> Typed | Leave:
        """Wait for the next message or command: what is queued comes first. `shortcuts` are as for a `Prompt`."""
        queued = self.ahead.next()
        if queued is not None:
            self._view.echo(queued)
            return Typed(queued)
        given = self.ahead.begin()
        self._list_held()
        shortcuts = {**_PAGE, **shortcuts, **(_NEXT if self.ahead.held else {})}
        decision = await self._prompt.ask(given, shortcuts)
        while isinstance(decision, Compose):
            given = await self._edited(decision.text)
            decision = await self._prompt.ask(given, shortcuts)
        self._retake()
        if isinstance(decision, Leave):
            return decision
        if decision.emptied:
            self.ahead.offer(next_one=False)  # nothing takes the place of what the user has emptied
        elif Commands.replaces(given, decision.text):
            return Typed(decision.text, given)
        return Typed(decision.text)

    async def decide(self, line: Callable[[], str], shortcuts: Mapping[str, str]) -> Send | Resume | Stop | Leave:
        """Wait, below a paused answer, for what is to become of it; `line` is the pause line, asked for again and
        again."""
        while isinstance(decision := await self._decide(line, shortcuts), Compose):
            self.ahead.put(await self._edited(decision.text))
        if isinstance(decision, Resume | Stop):
            self.ahead.put(decision.unsent)
        return decision

    async def confirm(self, question: str) -> bool:
        """Ask the user for a yes. Whatever else is typed is a no; a message among it goes back into the line."""
        self._view.say(f"{question} y/N")
        decision = await self._prompt.ask("", _NO, remember=False)
        self._retake()
        if not isinstance(decision, Send):
            return False
        typed = decision.text.strip()
        if typed.lower() not in ("y", "yes", "n", "no"):
            self.ahead.put(typed)
        return typed.lower() in ("y", "yes")

    async def _decide(self, line: Callable[[], str], shortcuts: Mapping[str, str]) -> Decision:
        given = self.ahead.take()
        prompt = asyncio.ensure_future(self._prompt.paused(line, given, shortcuts))
        waiting: set[asyncio.Future[Decision]] = {prompt}
        if self._chords is not None:
            waiting.add(asyncio.ensure_future(_chord(self._chords, self._autorepeat)))
        try:
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if prompt in done:
                decision = prompt.result()
                if isinstance(decision, Send) and not decision.emptied and Commands.replaces(given, decision.text):
                    self.ahead.put(given)
                return decision
        finally:
            for each in waiting:
                each.cancel()
            await asyncio.wait(waiting)
            self._retake()
        return Resume(self._prompt.unsent)

    async def _edited(self, text: str) -> str:
        """Return `text` as the user's editor leaves it; as it is where that cannot be."""
        try:
            return await self._machine.edit(text)
        except LlmtermError as error:
            self._view.say(str(error), error=True)
            return text

    def _list_held(self) -> None:
        """Show which messages wait that are not sent by themselves, where these are others than before."""
        held = queue_lines(self.ahead.queue, self._view.columns) if self.ahead.held else []
        if held and held != self._listed:
            self._view.say("\n".join(held))
        self._listed = held


async def _chord(queue: asyncio.Queue[Key], autorepeat: Autorepeat) -> Decision:
    while True:
        key = await queue.get()
        if key.name == "chord" and (await autorepeat.pressed(key, queue.get))[0]:
            return Resume()
