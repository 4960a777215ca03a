"""The record of what one model wrote of an answer: how it was asked for, what it took, and why it ended.

Text is measured in characters (code points), time in milliseconds where a name ends in `_ms`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Literal, TypeAlias

# At a cursor the same generation is read on, at a checkpoint it is asked for once more from there on.
Mode: TypeAlias = Literal["fresh", "prefill", "instruct", "cursor", "checkpoint"]
SAME_GENERATION: tuple[Mode, ...] = ("cursor", "checkpoint")


class EndReason(StrEnum):
    """Why a stream, and with it a segment, ended. The first six are the provider's word, the rest are ours.

    At CONTINUATION the provider has paused and wants to be asked again; OTHER is no end that answers have.
    """

    STOP = "stop"
    LENGTH = "length"
    STOP_SEQUENCE = "stop_sequence"
    REFUSAL = "refusal"
    CONTINUATION = "continuation"
    OTHER = "other"
    PAUSE = "pause"
    MARKER = "marker"
    NETWORK = "network"
    TIMEOUT = "timeout"
    LIMIT = "limit"
    ERROR = "error"
    CANCEL = "cancel"
    CRASH = "crash"
    RESTART = "restart"


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens as the provider counted them, or, where `estimated`, as this program guessed them.

    Of the input, `cached_tokens` were read from the provider's cache and `cache_write_tokens` written to it. `cost` is
    what the provider itself says that the request costs, None where it says nothing.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    estimated: bool = False
    cost: float | None = None

    @property
    def uncached_tokens(self) -> int:
        """The input that was neither read from the cache nor written to it."""
        return max(self.input_tokens - self.cached_tokens - self.cache_write_tokens, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """`retries`: how often the question was asked again before the first token."""

    first_token_ms: int | None = None
    duration_ms: int = 0
    retries: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """The part `text[start:end]` of an answer: which model wrote it, how it was asked for, and how it ended.

    `guidance` is what the user typed while the answer was paused just before this segment. `seam` says how it joins
    what was there, `cut` what was taken off its beginning and `added` what was put before that. `cost` is in the
    currency of the price, where there is one: `input_cost` of it is for what was asked, which goes on from a pause
    with all that was there, and `saved` is how much more it would have been without the provider's cache. Text that no
    segment covers was written by the user.
    """

    provider: str
    model: str
    mode: Mode
    start: int
    end: int
    end_reason: EndReason
    usage: Usage = field(default_factory=Usage)
    timing: Timing = field(default_factory=Timing)
    guidance: str = ""
    seam: str = ""
    cut: str = ""
    added: str = ""
    cost: float | None = None
    input_cost: float | None = None
    saved: float | None = None

    @property
    def resumes(self) -> bool:
        """Whether it goes on with what was there, and was asked for with all of that."""
        return self.mode != "fresh"

    def ending(self, end: int) -> Segment:
        """Return as much of the segment as is in a text that ends there, with about the tokens of that much."""
        if self.end <= end:
            return self
        start, size = min(self.start, end), self.end - self.start
        if not size:
            return replace(self, start=end, end=end)
        written = round(self.usage.output_tokens * (end - start) / size)
        usage = replace(self.usage, output_tokens=written, estimated=True)
        return replace(self, start=start, end=end, usage=usage)
