"""Where answers are shown, and what a command has come to is done. One that comes is shown by a `Performance`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar, assert_never

from llmterm.chat.commands import Commands
from llmterm.chat.context import Context
from llmterm.chat.decision import Gesture, Leave, Resume, Send, Steer
from llmterm.chat.input import InputLine
from llmterm.chat.outcome import (
    Effect,
    Fill,
    Say,
    Show,
    Word,
    Write,
)
from llmterm.chat.status import drawing_line
from llmterm.chat.window import WindowSize
from llmterm.errors import UsageError
from llmterm.files import write
from llmterm.messages import Message, TextDelta, cut_off
from llmterm.threads import in_thread

T = TypeVar("T")
U = TypeVar("U")

FRAME_SECONDS = 1 / 30


class Live:
    """Where answers are shown as they come."""

    def __init__(
        self,
        *,
        context: Context,
        commands: Commands,
        window: WindowSize,
        line: InputLine,
        clock: Callable[[], float],
    ) -> None:
        self.context = context
        self.commands = commands
        self.window = window
        self.choices = context.choices
        self.view = context.view
        self.line = line
        self.clock = clock
        # Commands that are run while an answer streams; one that takes its time outlives it.
        self.jobs: set[asyncio.Task[None]] = set()

    async def perform(self, effect: Effect) -> None:
        """Do what a command has come to, on the spot. Raises UsageError for a file that cannot be written."""
        match effect:
            case Word.DONE:
                pass
            case Say(text):
                self.view.say(text)
            case Show(message):
                await self.show(message)
            case Fill(text, held, note):
                if held:
                    self.line.queue.hold(text)
                else:
                    self.line.append(text)
                if note:
                    self.view.note(note)
            case Write(path, text):
                self.view.say(await self._written(path, text))
            case _:
                assert_never(effect)

    async def _written(self, path: Path, text: str) -> str:
        """Write the file, over one that is there only if the user says so; return what has become of it."""
        if await in_thread(path.exists) and not await self.line.confirm(f"{path} is there already: write over it?"):
            return f"{path} is as it was"
        try:
            await in_thread(write, path, text)
        except (OSError, RuntimeError, ValueError) as error:
            raise UsageError(f"{path} cannot be written: {getattr(error, 'strerror', error)}") from None
        return f"written to {path}"

    async def show(self, message: Message) -> None:
        """Show a message as it was said."""
        if message.role == "user":
            self.view.echo(message.text)
            return
        self.view.begin()
        for part in message.body.parts:
            self.view.event(TextDelta(part))
        await self.draw()
        self.view.close(cut_off(message))

    async def run_shell(self, text: str) -> Leave | None:
        """Run a command of the user's shell, typed as `text`; return how the user left meanwhile, if he did."""
        from llmterm.chat.shell import shell  # not for every start

        return await shell(text, self.line, self.view, self.context.machine, plain=self.context.settings.plain)

    async def draw(self) -> None:
        """Draw an answer that was put into the view as a whole, in frames, until the user has seen enough of them."""
        if self.view.frame():
            return
        enough = asyncio.create_task(self._enough())
        try:
            with self.line.saying(lambda: drawing_line(paused=False)):
                while not enough.done() and not self.view.frame():
                    await asyncio.sleep(FRAME_SECONDS)
                    await self.window.steady()
        finally:
            await ended(enough)
        self.view.hurry()

    async def _enough(self) -> None:
        """Wait for a key that ends the drawing; a message waits for its turn."""
        while True:
            match await self.line.decision():
                case Send(text) | Steer(text):
                    self.line.queue.add(text)
                case Gesture.HURRY | Gesture.COMPOSE | Gesture.SUSPEND:
                    pass
                case Gesture.PAUSE | Gesture.STOP | Resume() | Leave():
                    return
                case _ as never:
                    assert_never(never)


async def ended(*tasks: asyncio.Task[None]) -> None:
    """Cancel the tasks, and wait until they are at their end."""
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)


async def first_of(wanted: Coroutine[Any, Any, T], other: Coroutine[Any, Any, U]) -> T | U:
    """Return what comes first of two, and what is `wanted` where that comes at all; let go of the one left."""
    asked, beside = asyncio.create_task(wanted), asyncio.create_task(other)
    try:
        await asyncio.wait((asked, beside), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (asked, beside):
            task.cancel()
        await asyncio.wait((asked, beside))
    return beside.result() if asked.cancelled() else asked.result()
