"""What a pipe asks: the words of the command line, what comes on standard input, and the files that are mentioned.

Where there are words, standard input is what they are about. It may come from anywhere then, so that an `@` in it is
text; where it is the question itself, it mentions files as one that is typed does.
"""

from __future__ import annotations

from pathlib import Path

from llmterm.chat.mentions import expand
from llmterm.decoding import decoded
from llmterm.errors import UsageError
from llmterm.files import media_type
from llmterm.messages import Attachment, Message


def question(words: str, data: bytes, folder: Path) -> tuple[Message, list[str]]:
    """Return the question that `words` and what is piped come to, and what is to be said of it.

    Paths begin in `folder`. Raises UsageError for what no model can take, and for no question.
    """
    image = _attachment(data)
    if image is not None and not words:
        raise UsageError("there is no question to what is on standard input", hint=f'cat {image.name} | llmterm "Why?"')
    found = decoded(data) if image is None else decoded(b"")
    if found is None:
        raise UsageError(
            "what is on standard input can be sent to no model", hint="a text in UTF-8, PNG, JPEG, GIF, WebP or PDF can"
        )
    text = found.text.strip()
    if not (words or text):
        raise UsageError("there is no question on standard input", hint="echo question | llmterm chat")
    asked, attached, said = expand(words or text, folder, instead="it can be piped in")
    if found.note:
        said.append(f"standard input: {found.note}")
    parts = (asked, text if words else "")
    piped_too = (image,) if image is not None else ()
    return Message(role="user", text="\n\n".join(filter(None, parts)), attachments=(*piped_too, *attached)), said


def _attachment(data: bytes) -> Attachment | None:
    """Return what is piped as an image or a PDF, None where it is neither."""
    kind = media_type(data)
    return Attachment(name=f"stdin.{kind.rpartition('/')[2]}", media_type=kind, data=data) if kind else None
