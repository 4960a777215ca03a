"""What a message is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# What most messages have of a provider's own: one for all of them, as a long conversation has thousands.
NOTHING: Mapping[str, Any] = {}


def nothing() -> Mapping[str, Any]:
    return NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """An image or a PDF that goes with a message. What a text file says is part of the message's own text."""

    name: str
    media_type: str
    data: bytes = field(repr=False)
