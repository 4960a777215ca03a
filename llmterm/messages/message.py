"""One message of a conversation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from llmterm.messages.parts import Attachment, nothing
from llmterm.messages.segment import Segment

Role: TypeAlias = Literal["system", "user", "assistant"]
Status: TypeAlias = Literal["complete", "interrupted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message of a conversation.

    `provider_data` is opaque: under the name of a wire, what must be sent back over that wire as it came.
    """

    role: Role
    text: str = ""
    thinking: str = ""
    status: Status = "complete"
    segments: tuple[Segment, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    provider_data: Mapping[str, Any] = field(default_factory=nothing, hash=False)
