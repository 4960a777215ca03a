"""One message of a conversation: a sequence of typed parts, and the views that most of its readers want of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from llmterm.messages.parts import NOTHING, Attachment, Opaque, Part, TextPart, ThinkingPart, blocks, parts_of
from llmterm.messages.rope import Rope
from llmterm.messages.segment import Segment

# To go through so many messages, of so many characters together, takes no longer than a fifth of a millisecond.
_FEW, _SHORT = 16, 20_000

Role: TypeAlias = Literal["system", "user", "assistant"]
Status: TypeAlias = Literal["complete", "interrupted"]


@dataclass(frozen=True, slots=True, init=False)
class Message:
    """Made of its `parts`, or, as most are, of one for each of the others that is not empty.

    Offsets, such as those of the segments, are in characters of `text`: all that its parts of text say, joined.
    """

    role: Role
    parts: tuple[Part, ...]
    status: Status
    segments: Sequence[Segment]

    def __init__(
        self,
        *,
        role: Role,
        parts: Iterable[Part] | None = None,
        text: str | Rope = "",
        thinking: str | Rope = "",
        attachments: Iterable[Attachment] = (),
        provider_data: Opaque = NOTHING,
        status: Status = "complete",
        segments: Sequence[Segment] = (),
    ) -> None:
        """Raises TypeError where both `parts` and what they would be made of are given."""
        if parts is None:
            parts = parts_of(text, thinking, attachments, provider_data)
        elif text or thinking or attachments or provider_data:
            raise TypeError("a message is made of its parts, or of a text and what goes with it")
        put = object.__setattr__
        put(self, "role", role)
        put(self, "parts", tuple(parts))
        put(self, "status", status)
        put(self, "segments", segments)

    @property
    def body(self) -> Rope:
        """What its parts of text say; a long text is there once only, in these."""
        return _joined(self.parts, TextPart)

    @property
    def thoughts(self) -> Rope:
        """What was thought before the text."""
        return _joined(self.parts, ThinkingPart)

    @property
    def text(self) -> str:
        """The text, of all parts together."""
        return str(self.body)

    @property
    def thinking(self) -> str:
        """The thoughts as one text."""
        return str(self.thoughts)

    @property
    def attachments(self) -> tuple[Attachment, ...]:
        """What goes along with the text."""
        return tuple(part for part in self.parts if isinstance(part, Attachment))

    @property
    def provider_data(self) -> Opaque:
        """What goes back with the message, of all its parts: the blocks of each wire, one behind the other."""
        return _together([part.provider_data for part in self.parts if part.provider_data])

    def blocks(self, wire: str) -> Iterator[Mapping[str, Any]]:
        """Yield what goes back over that wire with all of it."""
        for part in self.parts:
            yield from blocks(part, wire)

    def saying(self, text: str | Rope, *, thinking: str | Rope | None = None) -> Message:
        """Return the message with another text, and other thoughts if given, each as one part."""
        thinking = self.thoughts if thinking is None else thinking
        said = [part for part in self.parts if isinstance(part, TextPart | ThinkingPart)]
        others = [part for part in self.parts if not isinstance(part, TextPart | ThinkingPart)]
        data = _together([part.provider_data for part in said if part.provider_data])
        return replace(self, parts=(*parts_of(text, thinking, (), data), *others))


def _joined(parts: tuple[Part, ...], kind: type[TextPart | ThinkingPart]) -> Rope:
    found = [part.text for part in parts if isinstance(part, kind)]
    return found[0] if len(found) == 1 else Rope.joined(found)


def _together(found: Sequence[Opaque]) -> Opaque:
    if len(found) < 2:
        return found[0] if found else NOTHING
    names = dict.fromkeys(name for data in found for name in data)
    return {name: [block for data in found for block in _listed(data.get(name, ()))] for name in names}


def _listed(value: object) -> Iterable[object]:
    return value if isinstance(value, list | tuple) else (value,)


def are_long(messages: Sequence[Message]) -> bool:
    """Tell whether it takes its time to go through messages: whether they are many, or long, or come with files."""
    if len(messages) > _FEW:
        return True
    return any(each.attachments for each in messages) or sum(len(each.body) for each in messages) > _SHORT
