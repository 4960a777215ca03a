"""What is asked: the words of the command line, what comes on standard input, and the files that go with them.

Where there are words, standard input is what they are about. It may come from anywhere then, so that an `@` in it is
text; where it is the question itself, it mentions files as one that is typed does.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from llmterm.decoding import decoded
from llmterm.errors import UsageError
from llmterm.files import TextFile, media_type
from llmterm.messages import Attachment, Message

if TYPE_CHECKING:
    from llmterm.config.roles import Role  # most are asked without one

# The text as it comes, one object at the end, or a line for every event.
Form: TypeAlias = Literal["text", "json", "events"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is asked, and in which form the answer is wanted.

    `words` and the names of `files` are of the command line, `data` is what was piped. `output` is the file that the
    answer is for, "" for standard output, and `code` the number of the code block that alone is wanted of it, from 1.
    `schema` is what `Schema.of` reads, "" for none. `progress` is whether it is shown how far the answer is, None where
    that depends on where it goes.
    Of a `role` it is what the question is put into, and what goes along with that.
    """

    words: str = ""
    data: bytes = b""
    files: tuple[str, ...] = ()
    form: Form = "text"
    output: str = ""
    code: int | None = None
    schema: str = ""
    progress: bool | None = None
    role: Role | None = None

    @property
    def held(self) -> bool:
        """Whether nothing of it is given out before all is there."""
        return self.form == "json" or bool(self.output or self.schema) or self.code is not None

    @property
    def drawn(self) -> bool:
        """Whether a terminal shows it as a chat does."""
        return self.form == "text" and not self.held


def question(wanted: Wanted, folder: Path) -> tuple[Message, list[str]]:
    """Return the question that this comes to, and what is to be said of it. Paths begin in `folder`.

    Raises UsageError for what no model can take, and for no question.
    """
    words, role = wanted.words, wanted.role
    image = _attachment(wanted.data)
    if image is not None and not words and not (role and role.asks):
        raise UsageError("there is no question to what is on standard input", hint=f'cat {image.name} | llmterm "Why?"')
    found = decoded(wanted.data) if image is None else decoded(b"")
    if found is None:
        raise UsageError(
            "what is on standard input can be sent to no model", hint="a text in UTF-8, PNG, JPEG, GIF, WebP or PDF can"
        )
    text = found.text.strip()
    if not (words or text or image):
        raise UsageError("there is no question on standard input", hint="echo question | llmterm chat")
    expanded, mentioned, said = _expanded(words or text, folder)
    if found.note:
        said.append(f"standard input: {found.note}")
    blocks, attached = [], [*mentioned]
    for name in wanted.files:
        from llmterm.chat.mentions import named  # few questions

        files, more = named(name, folder)
        blocks += [each.block() for each in files if isinstance(each, TextFile)]
        attached += [each for each in files if isinstance(each, Attachment)]
        said += more
    parts = (expanded, *(each for each in dict.fromkeys(blocks) if each not in expanded), text if words else "")
    asked = "\n\n".join(filter(None, parts))
    if role is not None:
        from llmterm.chat.mentions import files_of

        beside, more = files_of(role)
        asked = "\n\n".join([role.question(asked), *(each.block() for each in beside if isinstance(each, TextFile))])
        attached = [*(each for each in beside if isinstance(each, Attachment)), *attached]
        said += more
    piped_too = (image,) if image is not None else ()
    attachments = tuple(dict.fromkeys((*piped_too, *attached)))
    return Message(role="user", text=asked, attachments=attachments), said


def _expanded(text: str, folder: Path) -> tuple[str, tuple[Attachment, ...], list[str]]:
    """Return a text with the files that it mentions, as `expand` does."""
    if "@" not in text:
        return text, (), []
    from llmterm.chat.mentions import expand  # few questions mention a file

    return expand(text, folder, instead="-f sends it along")


def _attachment(data: bytes) -> Attachment | None:
    """Return what is piped as an image or a PDF, None where it is neither."""
    kind = media_type(data)
    return Attachment(name=f"stdin.{kind.rpartition('/')[2]}", media_type=kind, data=data) if kind else None
