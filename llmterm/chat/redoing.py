"""The commands about the last question: to ask it again, to edit it, or to go back to before it.

What was asked and answered stays, as a version: see `versions`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from llmterm.chat.commands import Command
from llmterm.chat.session import ChatSession
from llmterm.chat.status import EDITING
from llmterm.errors import LlmtermError
from llmterm.messages import Attachment, Message


class Redoing:
    """/retry and /undo, and /edit where no answer is paused."""

    def __init__(
        self,
        *,
        session: ChatSession,
        say: Callable[[str], None],
        note: Callable[[str], None],
        echo: Callable[[str], None],
        ask: Callable[[Message], Awaitable[bool]],
        attach: Callable[[Sequence[Attachment]], None],
        give_back: Callable[[str], None],
        restore: Callable[[], Awaitable[bool]],
    ) -> None:
        """`echo` shows what the user has said; `note` says what stands below the prompt, where nothing does.

        `ask` has a question answered, without giving its text back; `attach` has attachments of an earlier question go
        with the next one, and only these. `give_back` puts a text into the line.
        `restore` takes back what was changed of an answer at rest, and says whether there is one.
        """
        self._session = session
        self._say = say
        self._note = note
        self._echo = echo
        self._ask = ask
        self._attach = attach
        self._give_back = give_back
        self._restore = restore

    def commands(self) -> list[Command]:
        return [
            Command(name="retry", argument="", summary="ask the last question again", run=self._retry),
            Command(
                name="undo", argument="", summary="take back the last question, or change at a pause", run=self._undo
            ),
        ]

    async def edit(self) -> None:
        """Put the last question back into the line, to be asked in its own place."""
        self._session.restore()
        question = self._session.edit(left=lambda: self._attach(()))
        self._give_back(question.text)
        self._attach(question.attachments)
        self._note(EDITING)

    async def _retry(self, _argument: str) -> None:
        self._session.restore()
        question = self._session.edit()
        self._echo(question.text)
        try:
            await self._ask(question)
        except LlmtermError:
            self._session.restore()
            raise
        if self._session.restore():
            self._say("the answer before this one stays")

    async def _undo(self, _argument: str) -> None:
        if await self._restore():
            return
        if self._session.restore():
            self._say("the question that was to be edited is as it was")
            return
        question = self._session.take_back()
        first = question.text.strip().partition("\n")[0]
        self._say(f"taken back: {first}")
