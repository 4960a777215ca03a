"""What a provider's stream gives: text, thinking, figures, sources, and one end, unless it raises an error instead."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from llmterm.messages.parts import Opaque, nothing
from llmterm.messages.segment import EndReason, Usage


@dataclass(frozen=True, slots=True)
class TextDelta:
    """More of the answer's text. `chunks` counts the wire's chunks it was put together from."""

    text: str
    chunks: int = 1


@dataclass(frozen=True, slots=True)
class ThinkingDelta:
    """More of what the model thinks before it answers."""

    text: str
    chunks: int = 1


@dataclass(frozen=True, slots=True)
class UsageReport:
    """Tokens so far; cumulative, so the last one counts."""

    usage: Usage


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of a stream, exactly once, unless the stream raises one of our errors instead.

    `words` are for people: what the provider says of a refusal, or of an end that answers do not have.
    """

    reason: EndReason
    provider_data: Opaque = field(default_factory=nothing, hash=False)
    words: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Carried:
    """What must be sent back with the answer as far as it has come, should it end here; the last one counts."""

    provider_data: Opaque = field(hash=False)


@dataclass(frozen=True, slots=True)
class Cited:
    """A source that the answer names besides its text. From outside, but surely an http(s) URL."""

    url: str
    title: str = ""


@dataclass(frozen=True, slots=True)
class CursorMoved:
    """The same generation can be gone on with from here, None for not any more; the last one counts. See `Cursor`."""

    place: Opaque | None = field(hash=False)
    runs: bool = True


StreamEvent: TypeAlias = TextDelta | ThinkingDelta | UsageReport | Carried | Cited | CursorMoved | Finished
