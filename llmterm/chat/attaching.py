"""What goes with the next message: `/attach` for files, `/paste` for the clipboard, `@path` in the message itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path

from llmterm.chat.commands import Choice, Command
from llmterm.chat.mentions import expand, paths
from llmterm.errors import UsageError
from llmterm.files import TextFile, read
from llmterm.messages import Attachment, Message
from llmterm.threads import in_thread

_NONE = "none"


class Attaching:
    """Collects attachments until a message takes them along."""

    def __init__(
        self,
        *,
        folder: Path,
        say: Callable[[str], None],
        check: Callable[[Sequence[Attachment]], None],
        clipboard: Callable[[], Awaitable[str | Attachment | None]],
        type_in: Callable[[str], None],
    ) -> None:
        """`check` raises UsageError for what the model does not take; `clipboard` gives a text, or an image.

        `type_in` has a text in the next prompt's line.
        """
        self._folder = folder
        self._say = say
        self._check = check
        self._clipboard = clipboard
        self._waiting: list[TextFile | Attachment] = []
        self._again: list[Attachment] = []
        self._type_in = type_in
        self._pasted = 0

    def commands(self) -> list[Command]:
        return [
            Command(
                name="attach",
                argument="[FILE|none]",
                summary="send a file along (or write @FILE in the message)",
                run=self._attach,
                values=self._paths,
            ),
            Command(
                name="paste",
                argument="",
                summary="take what is in the clipboard, a text or an image",
                run=self._paste,
            ),
        ]

    @property
    def names(self) -> list[str]:
        """What waits for the next message."""
        return [each.name for each in (*self._again, *self._waiting)]

    async def send(self, text: str, ask: Callable[[Message], Awaitable[bool]]) -> None:
        """Have the message answered that `text` makes with what is attached and what it mentions.

        `ask` tells whether the message was taken. Where it was not, or that or anything else fails, what waited goes on
        waiting. Raises UsageError for a file that cannot be attached.
        """
        text, attached, said = await in_thread(expand, text, self._folder)
        blocks = [each.block() for each in self._waiting if isinstance(each, TextFile)]
        waiting = [each for each in self._waiting if isinstance(each, Attachment)]
        message = Message(
            role="user",
            text="\n\n".join([text, *(each for each in blocks if each not in text)]),
            attachments=tuple(dict.fromkeys([*self._again, *waiting, *attached])),
        )
        self._check(message.attachments)
        for line in said:
            self._say(line)
        # What is attached while the answer is under way is for the message after it.
        sent, self._waiting = self._waiting, []
        again, self._again = self._again, []
        taken = False
        try:
            taken = await ask(message)
        finally:
            if not taken:
                self._waiting, self._again = [*sent, *self._waiting], again

    async def guidance(self, text: str) -> str:
        """Return a word of guidance with the text files that it mentions; one that cannot be read stays its name."""
        try:
            whole, attached, said = await in_thread(expand, text, self._folder)
        except UsageError as error:
            self._say(str(error))
            return text
        for line in said:
            self._say(line)
        if attached:
            self._say("an image or a PDF can go with a question only: it was not sent")
        return whole

    def again(self, attachments: Sequence[Attachment]) -> None:
        """Have the attachments of a question that is edited go with the next message, and of no other such question."""
        self._again = list(attachments)

    async def _attach(self, name: str) -> None:
        if name == _NONE:
            self._waiting.clear()
            self._again.clear()
        elif name:
            found = await in_thread(read, self._folder, name)
            self._waiting.append(found)
            if isinstance(found, TextFile) and found.note:
                self._say(f"{name}: {found.note}")
        waiting = ", ".join(self.names)
        self._say(f"with the next message: {waiting}" if waiting else "nothing is attached to the next message")

    async def _paste(self, _argument: str) -> None:
        found = await self._clipboard()
        if not found:
            raise UsageError("the clipboard is empty")
        if isinstance(found, str):
            self._type_in(found)
            return
        self._pasted += 1
        stem, dot, suffix = found.name.partition(".")
        self._waiting.append(replace(found, name=f"{stem}-{self._pasted}{dot}{suffix}"))
        self._say(f"with the next message: {', '.join(self.names)}")

    async def _paths(self, typed: str) -> Sequence[Choice]:
        found = await in_thread(paths, typed, self._folder)
        return [*found, *([(_NONE, "nothing")] if _NONE.startswith(typed) else [])]
