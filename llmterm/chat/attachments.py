"""What goes with the next message: files and pictures that wait for it, and what it mentions itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from llmterm.chat.mentions import expand
from llmterm.errors import UsageError
from llmterm.files import TextFile, read
from llmterm.messages import Attachment, Message
from llmterm.threads import in_thread


class Taken(NamedTuple):
    """What has gone with a message."""

    waiting: tuple[TextFile | Attachment, ...]
    again: tuple[Attachment, ...]


class Attachments:
    """Collects attachments until a message takes them along. Paths begin in `folder`."""

    def __init__(self, folder: Path, waiting: Sequence[TextFile | Attachment] = ()) -> None:
        self.folder = folder
        self._waiting = [*waiting]
        self._again: list[Attachment] = []
        self._pasted = 0

    @property
    def names(self) -> list[str]:
        """What waits for the next message."""
        return [each.name for each in (*self._again, *self._waiting)]

    async def add(self, name: str) -> str:
        """Have a file go with the next message; return what is to be said of it. Raises UsageError."""
        found = await in_thread(read, self.folder, name)
        self._waiting.append(found)
        return f"{name}: {found.note}" if isinstance(found, TextFile) and found.note else ""

    def exchange(self, before: Sequence[TextFile | Attachment], now: Sequence[TextFile | Attachment]) -> None:
        """Have the files of a role go with the next message, and those of the one before no more."""
        self._waiting = [*(each for each in self._waiting if each not in before), *now]

    def add_pasted(self, found: Attachment) -> None:
        """Have what came out of the clipboard go with the next message, under a name of its own."""
        self._pasted += 1
        stem, dot, suffix = found.name.partition(".")
        self._waiting.append(replace(found, name=f"{stem}-{self._pasted}{dot}{suffix}"))

    def clear(self) -> None:
        self._waiting.clear()
        self._again.clear()

    def again(self, attachments: Sequence[Attachment]) -> None:
        """Have the attachments of a question that is edited go with the next message, and of no other such question."""
        self._again = list(attachments)

    def not_again(self) -> None:
        """The question is not edited any more."""
        self._again = []

    async def question(self, text: str) -> tuple[Message, list[str]]:
        """Return the message that `text` makes with what waits and what it mentions, and what is to be said of that.

        Raises UsageError for a file that cannot be attached.
        """
        text, attached, said = await in_thread(expand, text, self.folder)
        blocks = [each.block() for each in self._waiting if isinstance(each, TextFile)]
        waiting = [each for each in self._waiting if isinstance(each, Attachment)]
        message = Message(
            role="user",
            text="\n\n".join([text, *(each for each in blocks if each not in text)]),
            attachments=tuple(dict.fromkeys([*self._again, *waiting, *attached])),
        )
        return message, said

    async def guidance(self, text: str) -> tuple[str, list[str]]:
        """Return a word of guidance with the text files that it mentions, and what is to be said of them.

        One that cannot be read stays its name.
        """
        try:
            whole, attached, said = await in_thread(expand, text, self.folder)
        except UsageError as error:
            return text, [str(error)]
        if attached:
            said.append("an image or a PDF can go with a question only: it was not sent")
        return whole, said

    def take(self) -> Taken:
        """Give up what waits: what is attached while an answer is under way is for the message after it."""
        taken = Taken(tuple(self._waiting), tuple(self._again))
        self.clear()
        return taken

    def give_back(self, taken: Taken) -> None:
        """Have what was taken wait again: its message was not."""
        self._waiting = [*taken.waiting, *self._waiting]
        self._again = list(taken.again)
