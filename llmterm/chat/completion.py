"""What stands around the line that is typed: what it may become, and the line below it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING

from llmterm.chat.commands import Command, Commands
from llmterm.chat.commands.versions import standing
from llmterm.chat.context import Context
from llmterm.chat.mentions import mentioned
from llmterm.chat.menu import meant
from llmterm.chat.queue import MessageQueue
from llmterm.chat.status import bar
from llmterm.chat.suggestion import Choice, Found, Later
from llmterm.errors import LlmtermError
from llmterm.render.sanitize import is_plain

if TYPE_CHECKING:
    from llmterm.chat.filesearch import Files


class Completion:
    """Completes commands, their arguments, and files after an @."""

    def __init__(self, context: Context, commands: Commands) -> None:
        self._context = context
        self._commands = commands
        # What is picked from, as long as that is being done.
        self._picked: tuple[Command, Sequence[Choice]] | None = None

    def find(self, text: str) -> Found | Later:
        """Return what `text`, which stands before the cursor, may become."""
        name, space, argument = text.removeprefix("/").partition(" ")
        command = self._commands.get(name) if space and text.startswith("/") and "\n" not in text else None
        if self._picked is not None and self._picked[0] is not command:
            self._picked = None
        if command is not None:
            return self._argument(command, argument)
        if not space and text.startswith("/") and "/" not in name and "\n" not in name:
            return self._commands.named(text)
        return mentioned(text, self._files) if "@" in text else Found()

    @cached_property
    def _files(self) -> Files:
        from llmterm.chat.filesearch import Files  # with what a chat that mentions none has no use for

        return Files(self._context.machine.folder)

    def _argument(self, command: Command, typed: str) -> Found | Later:
        if not command.picks:
            return partial(self._values, command, typed)
        if self._picked is not None:
            return Found(meant(self._picked[1], typed), offered=True)
        return partial(self._values_to_pick, command, typed)

    async def _values_to_pick(self, command: Command, typed: str) -> Found:
        found = await self._asked(command, typed) or [("", "there is nothing to pick from")]
        self._picked = command, found
        return Found(meant(found, typed), offered=True)

    async def _values(self, command: Command, typed: str) -> Found:
        return Found(meant(await self._asked(command, typed), typed))

    async def _asked(self, command: Command, typed: str) -> Sequence[Choice]:
        """Return the values of an argument, or why there is none. A name that others gave must not hide anything."""
        try:
            return [each for each in await command.values(self._context, typed) if is_plain(each[0])]
        except LlmtermError as error:
            return [("", str(error))]


class StatusBar:
    """The line below the prompt."""

    def __init__(self, context: Context, queue: MessageQueue) -> None:
        self._context = context
        self._queue = queue

    def text(self) -> str:
        context, session, taken = self._context, self._context.session, self._context.choices.taken
        messages = session.talk.recent
        return bar(
            label=context.label if taken is None else f"{context.label} as {taken.role.name}",
            messages=messages,
            spent=session.talk.before.cost if session.talk.before is not None else None,
            title=session.talk.title,
            attached=context.attachments.names,
            long=context.view.long and bool(messages),
            editing=session.talk.editing,
            version=standing(session),
            held=len(self._queue.waiting) if self._queue.held else 0,
        )
