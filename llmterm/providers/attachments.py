"""What goes with a message besides its text: what a model takes of it, and what becomes of the rest.

Pure. A turn asks with `noted(request, accepts)`, in which a line of text stands for whatever the model does not take:
an image of an hour ago is no reason for a conversation to fail that goes on with a model without eyes. Whoever asks
something new looks first whether it is `refused`. Sizes are in bytes of the file, as people see them; a MB has
1024 * 1024 of them, as for those who set the limits.
"""

from __future__ import annotations

import json
import math
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from llmterm.errors import UsageError
from llmterm.messages import Attachment, Message, Part, Request, Rope, TextPart

Kind: TypeAlias = Literal["image", "pdf"]

MB = 1024 * 1024
PDF = "application/pdf"
_NOUNS: dict[Kind | None, str] = {"image": "image", "pdf": "PDF", None: "file"}
_LONGEST_NAME = 100
# So many messages are looked at in one step.
_STEP = 500


def kind_of(media_type: str) -> Kind | None:
    """Return what a media type is, None for what no provider takes."""
    if media_type == PDF:
        return "pdf"
    return "image" if media_type.startswith("image/") else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepts:
    """What may go with a message to a model, by media type, and how large it may be; None is no known limit.

    `max_total` is for all attachments of one request. `settable` is what the configuration can have sent all the same.
    `assumed` is what nobody knows of the model: it is sent, and its server says.
    """

    types: frozenset[str] = frozenset()
    max_image: int | None = None
    max_pdf: int | None = None
    max_total: int | None = None
    settable: frozenset[Kind] = frozenset()
    assumed: frozenset[Kind] = frozenset()

    @property
    def kinds(self) -> frozenset[Kind]:
        """What that is in a word: "image", "pdf"."""
        return frozenset(kind for each in self.types if (kind := kind_of(each)))

    def limit(self, attachment: Attachment) -> int | None:
        """Return how large an attachment of this kind may be."""
        one = self.max_pdf if kind_of(attachment.media_type) == "pdf" else self.max_image
        return min((each for each in (one, self.max_total) if each is not None), default=None)

    def takes(self, attachment: Attachment) -> bool:
        """Tell whether `attachment` can be sent at all."""
        limit = self.limit(attachment)
        size = len(attachment.data)
        return attachment.media_type in self.types and size > 0 and (limit is None or size <= limit)


def text_first(parts: Sequence[Part]) -> Sequence[Part]:
    """Return the parts of a message with its first text before all that is attached.

    What was said behind that stays there: it was added to a question that a provider's cache may have.
    """
    text = next((part for part in parts if isinstance(part, TextPart)), None)
    return parts if text is None else (text, *(part for part in parts if part is not text))


def noted(request: Request, accepts: Accepts) -> Request:
    """Return `request` with a line of text in place of every attachment that cannot go with it.

    Where all together are too large the newest go, and the oldest have to stay behind.
    """
    noting = note(request, accepts)
    while True:
        try:
            next(noting)
        except StopIteration as done:
            result: Request = done.value
            return result


def note(request: Request, accepts: Accepts) -> Generator[None, None, Request]:
    """Return what `noted` does, in small steps."""
    plain = True
    for start in range(0, len(request.messages), _STEP):
        plain = plain and not any(message.attachments for message in request.messages[start : start + _STEP])
        yield
    if plain:
        return request
    room = math.inf if accepts.max_total is None else accepts.max_total
    messages: list[Message] = []
    for number, message in enumerate(reversed(request.messages)):
        if number % _STEP == 0:
            yield
        sent: list[Attachment | str] = []
        for each in message.attachments:
            if accepts.takes(each) and len(each.data) <= room:
                sent.append(each)
                room -= len(each.data)
            else:
                sent.append(f"[{_NOUNS[kind_of(each.media_type)]}: {_shown(each.name)}]")
        messages.append(replace(message, parts=tuple(_attaching(message, sent))))
    return replace(request, messages=tuple(reversed(messages)))


def _attaching(message: Message, sent: Sequence[Attachment | str]) -> Iterator[Part]:
    """Yield the parts of a message with what is sent of each attachment, or a line at the end of the text before it."""
    instead = iter(sent)
    text, gap, kept = Rope(), "\n\n", list[Part]()
    for part in message.parts:
        match part:
            case Attachment():
                stand_in = next(instead)
                if message.role != "user":  # no wire has a place for them there, nor would a line be its own words
                    continue
                if isinstance(stand_in, str):
                    text, gap = (Rope.of(stand_in) if text.blank else text.add(gap + stand_in)), "\n"
                else:
                    kept.append(stand_in)
            case TextPart():
                yield from _said(text, kept)
                text, gap, kept = part.text, "\n\n", []
            case _:
                yield part
    yield from _said(text, kept)


def _said(text: Rope, kept: Sequence[Part]) -> Iterator[Part]:
    if text:
        yield TextPart(text)
    yield from kept


def refused(attachments: Sequence[Attachment], accepts: Accepts, who: str) -> UsageError | None:
    """Return why `attachments` cannot go with a new message to `who`, a "provider/model"; None where they can."""
    for each in attachments:
        if error := _refusal(each, accepts, who):
            return error
    total = sum(len(each.data) for each in attachments)
    if accepts.max_total is not None and total > accepts.max_total:
        return UsageError(
            f"the attachments have {_size(total)} together: {who} takes up to {_most(accepts.max_total)}",
            hint="send them with several questions",
        )
    return None


def _refusal(attachment: Attachment, accepts: Accepts, who: str) -> UsageError | None:
    name, kind = _shown(attachment.name), kind_of(attachment.media_type)
    if kind is None:
        return UsageError(f"{name} is neither an image nor a PDF", hint="a text file can be part of the message itself")
    if kind not in accepts.kinds:
        return UsageError(f"{who} takes no {_NOUNS[kind]}s: {name}", hint=_elsewhere(kind, accepts, who))
    if attachment.media_type not in accepts.types:
        return UsageError(
            f"{who} takes no images of the type {_format(attachment.media_type)}: {name}",
            hint=f"convert it to one of {', '.join(sorted(map(_format, accepts.types - {PDF})))}",
        )
    if not attachment.data:
        return UsageError(f"{name} is empty", hint="choose another file")
    limit = accepts.limit(attachment)
    if limit is not None and len(attachment.data) > limit:
        return UsageError(
            f"{name} has {_size(len(attachment.data))}: {who} takes {_NOUNS[kind]}s of up to {_most(limit)}",
            hint="make it smaller" if kind == "image" else "send a part of it",
        )
    return None


def _elsewhere(kind: Kind, accepts: Accepts, who: str) -> str:
    if kind not in accepts.settable:
        return "choose another provider"
    kinds = json.dumps(sorted({kind, *accepts.kinds}))
    provider, _, _ = who.partition("/")
    return f"choose another model; if this one does take them, set attachments = {kinds} in [providers.{provider}]"


def _format(media_type: str) -> str:
    return _shown(media_type.removeprefix("image/")).upper()


def _shown(name: str) -> str:
    """Return a name as part of one line: it may come from anywhere."""
    words = "".join(each if each.isprintable() else " " for each in name).split()
    return " ".join(words)[:_LONGEST_NAME] or "no name"


def _size(count: int) -> str:
    return f"{math.ceil(count * 10 / MB) / 10:g} MB"


def _most(count: int) -> str:
    return f"{math.floor(count * 10 / MB) / 10:g} MB"
