"""What stands around the line that is typed: what it may become, and the line below it."""

from __future__ import annotations

from llmterm.chat.commands import Commands
from llmterm.chat.commands.versions import standing
from llmterm.chat.context import Context
from llmterm.chat.mentions import suggestions
from llmterm.chat.queue import MessageQueue
from llmterm.chat.status import bar
from llmterm.chat.suggestion import Suggestion
from llmterm.errors import LlmtermError
from llmterm.render.sanitize import is_plain
from llmterm.threads import in_thread


class Completion:
    """Completes commands, and files after an @."""

    def __init__(self, context: Context, commands: Commands) -> None:
        self._context = context
        self._commands = commands

    async def complete(self, text: str) -> list[Suggestion]:
        """Return what `text`, which stands before the cursor, may become.

        Models and files are named by others: a name with something hidden in it is not offered.
        """
        try:
            if text.startswith("/") and "\n" not in text:
                found = await self._commands.complete(self._context, text)
            else:
                found = await in_thread(suggestions, text, self._context.machine.folder)
            return [each for each in found if is_plain(each.text)]
        except LlmtermError as error:
            return [Suggestion("", 0, str(error))]  # nothing to put in, but it is seen why


class StatusBar:
    """The line below the prompt."""

    def __init__(self, context: Context, queue: MessageQueue) -> None:
        self._context = context
        self._queue = queue

    def text(self) -> str:
        context, session = self._context, self._context.session
        messages = session.talk.recent
        return bar(
            label=context.label,
            messages=messages,
            spent=session.talk.before.cost if session.talk.before is not None else None,
            title=session.talk.title,
            attached=context.attachments.names,
            long=context.view.long and bool(messages),
            editing=session.talk.editing,
            version=standing(session),
            held=len(self._queue.waiting) if self._queue.held else 0,
        )
