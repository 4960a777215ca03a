"""What a message is made of: a closed set of frozen values, in the order in which they were said.

Beside each part is what its provider wants back with it: opaque, under the name of a wire, as it came. A part can be
nothing but that, such as a thought that was signed and not shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from llmterm.messages.rope import Rope

Opaque: TypeAlias = Mapping[str, Any]

# What most parts have beside them: one for all of them, as a long conversation has thousands.
NOTHING: Opaque = {}


def nothing() -> Opaque:
    return NOTHING


@dataclass(frozen=True, slots=True)
class TextPart:
    text: Rope
    provider_data: Opaque = field(default_factory=nothing, hash=False)


@dataclass(frozen=True, slots=True)
class ThinkingPart:
    """What the model thought, as far as it was shown."""

    text: Rope
    provider_data: Opaque = field(default_factory=nothing, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """An image or a PDF that goes with a message. What a text file says is part of the message's own text.

    `media_type` is that of MIME ("image/png", "application/pdf"), `data` the file's bytes as they are.
    """

    name: str
    media_type: str
    data: bytes = field(repr=False)
    provider_data: Opaque = field(default_factory=nothing, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """What a model wants to have done; `arguments` are JSON as it wrote them, which may be none."""

    id: str
    name: str
    arguments: str
    provider_data: Opaque = field(default_factory=nothing, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult:
    """What came of the call of that id."""

    id: str
    text: str
    failed: bool = False
    provider_data: Opaque = field(default_factory=nothing, hash=False)


Part: TypeAlias = TextPart | ThinkingPart | Attachment | ToolCall | ToolResult


def blocks(part: Part, wire: str) -> Iterator[Mapping[str, Any]]:
    """Yield what goes back with a part over that wire. What is no block is left out: the store may be damaged."""
    found = part.provider_data.get(wire)
    if isinstance(found, list | tuple):
        yield from (block for block in found if isinstance(block, Mapping))


def parts_of(
    text: str | Rope,
    thinking: str | Rope = "",
    attachments: Iterable[Attachment] = (),
    provider_data: Opaque = NOTHING,
) -> tuple[Part, ...]:
    """Return the parts of the usual message: what was thought and what is to go back with it, the text, what is
    attached. What is empty is no part."""
    said: tuple[Part, ...] = (TextPart(Rope.of(text), NOTHING), *attachments) if text else tuple(attachments)
    return (ThinkingPart(Rope.of(thinking), provider_data), *said) if thinking or provider_data else said
