"""The values that everything else speaks in: messages, segments, stream events, requests, replies, snapshots.

All are frozen. Equal content means equal value; identity (a row, an id) belongs to the store. Text is measured
in characters (code points), time in milliseconds where a name ends in `_ms` and in seconds elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, ClassVar, Literal, Self, TypeAlias, assert_never

Role: TypeAlias = Literal["system", "user", "assistant"]
Status: TypeAlias = Literal["complete", "interrupted"]
Mode: TypeAlias = Literal["fresh", "prefill", "instruct"]
# How a model is asked to go on with an answer: literally (`prefill`, or one of the two flags that some servers want
# with it), or by an instruction.
Continuation: TypeAlias = Literal["prefill", "prefix", "continue_final_message", "instruct"]


# What most messages have of a provider's own: one for all of them, as a long conversation has thousands.
_NOTHING: Mapping[str, Any] = {}


def _nothing() -> Mapping[str, Any]:
    return _NOTHING


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
    """Tokens as the provider counted them, or, where `estimated`, as this program guessed them."""

    input_tokens: int = 0
    output_tokens: int = 0
    estimated: bool = False


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
    currency of the configured price, where there is one. Text that no segment covers was written by the user.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """An image or a PDF that goes with a message. What a text file says is part of the message's own text."""

    name: str
    media_type: str
    data: bytes = field(repr=False)


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
    provider_data: Mapping[str, Any] = field(default_factory=_nothing, hash=False)


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
    provider_data: Mapping[str, Any] = field(default_factory=_nothing, hash=False)
    words: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Carried:
    """What must be sent back with the answer as far as it has come, should it end here; the last one counts."""

    provider_data: Mapping[str, Any] = field(hash=False)


@dataclass(frozen=True, slots=True)
class Cited:
    """A source that the answer names besides its text. From outside, but surely an http(s) URL."""

    url: str
    title: str = ""


StreamEvent: TypeAlias = TextDelta | ThinkingDelta | UsageReport | Carried | Cited | Finished


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What may be asked of a model besides the messages; `None` leaves it to the provider.

    `max_tokens` is the limit of an answer, over all its segments.
    """

    temperature: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """All that a provider may look at. Resuming an answer is nothing but making another one of these.

    `continuation` is None for a new answer; for the rest of one that ends in an assistant's message, unless it is by
    instruction. `spent` is how many tokens of its limit the answer has taken.
    """

    model: str
    messages: tuple[Message, ...]
    options: Options = field(default_factory=Options)
    continuation: Continuation | None = None
    spent: int = 0

    @property
    def exhausted(self) -> bool:
        """Whether nothing is left of the answer's limit."""
        return self.options.max_tokens is not None and self.spent >= self.options.max_tokens

    def left(self, limit: int | None = None, *, least: int = 1) -> int | None:
        """Return how many tokens to ask for: what is left of the answer's limit, which is `limit` if none was set.

        None for no limit. `least` is the smallest number that the provider takes; a whole limit that is smaller is the
        user's own, and goes out as it is.
        """
        limit = self.options.max_tokens or limit
        return None if limit is None else max(min(least, limit), limit - self.spent)


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamLimits:
    """How a stream may behave. Times in seconds; `None` is no limit.

    `connect_timeout`: until the connection stands. A stream is dead where no byte comes: before the first text or
    thinking for `first_token_timeout`, or for `quiet_timeout` where a model is known to send nothing until then,
    counted from the request and again from each sign of life, such as a ping; after it for `chunk_timeout`. It is
    silent, though alive, for as long as signs of life come without text or thinking: for at most `silence_timeout`,
    which only text and thinking restart. `stream_timeout`: in total. `max_chunks`: of text, in one segment.
    `buffer_size`: chunks that may wait for a slow reader before the socket is left alone. `max_event_bytes`: the
    largest single event.
    """

    connect_timeout: float = 10.0
    first_token_timeout: float | None = 60.0
    quiet_timeout: float | None = 600.0
    chunk_timeout: float | None = 30.0
    silence_timeout: float | None = 600.0
    stream_timeout: float | None = None
    max_chunks: int | None = None
    buffer_size: int = 1024
    max_event_bytes: int = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Rope:
    """Text that grows at its end: a pure value with an append that does not copy all of it.

    Small parts at least halve in length from each to the next, and none grows by merging beyond `LARGEST`: a character
    is copied a few times only, and a long text is never there twice.
    """

    LARGEST: ClassVar[int] = 65_536

    parts: tuple[str, ...] = ()

    def add(self, text: str) -> Rope:
        if not text:
            return self
        parts = self.parts
        keep = len(parts)
        size = len(text)
        while keep and len(parts[keep - 1]) < 2 * size and size + len(parts[keep - 1]) <= self.LARGEST:
            keep -= 1
            size += len(parts[keep])
        if keep == len(parts):
            return Rope((*parts, text))
        return Rope((*parts[:keep], "".join((*parts[keep:], text))))

    def slice(self, start: int, end: int) -> str:
        """Return the characters from `start` to `end`. The nearer they are to the end, the sooner."""
        first, behind = len(self.parts), len(self)
        while first and behind > start:
            first -= 1
            behind -= len(self.parts[first])
        found: list[str] = []
        for part in self.parts[first:]:
            if behind >= end:
                break
            found.append(part[max(0, start - behind) : end - behind])
            behind += len(part)
        return "".join(found)

    def head(self, size: int) -> Rope:
        """Return its first `size` characters."""
        kept: list[str] = []
        for part in self.parts:
            if size <= 0:
                break
            kept.append(part[:size])
            size -= len(part)
        return Rope(tuple(kept))

    def common(self, other: Rope) -> int:
        """Return how many characters both have in common at their beginning."""
        if self.parts == other.parts:
            return len(self)
        return _common(str(self), str(other))

    def __str__(self) -> str:
        return "".join(self.parts)

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Rope) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer as received so far, over all its segments; `add` is a pure reducer over stream events."""

    body: Rope = field(default_factory=Rope)
    thoughts: Rope = field(default_factory=Rope)
    segments: tuple[Segment, ...] = ()
    usage: Usage | None = None
    finish: EndReason | None = None
    chunks: int = 0
    provider_data: Mapping[str, Any] = field(default_factory=_nothing, hash=False)

    @property
    def text(self) -> str:
        return str(self.body)

    @property
    def thinking(self) -> str:
        return str(self.thoughts)

    @property
    def blank(self) -> bool:
        """Whether there is nothing to read in the text. Does not put it together, as it may be long."""
        return not any(part.strip() for part in self.body.parts)

    @property
    def spent(self) -> int:
        """Tokens of the answer's limit that are taken: an end by the limit begins a new one.

        What left no text, such as thinking that was cut, is no part of the answer: it is asked for again.
        """
        if self.blank:
            return 0
        spent = 0
        for segment in reversed(self.segments):
            if segment.end_reason is EndReason.LENGTH:
                break
            spent += segment.usage.output_tokens if segment.end > segment.start else 0
            if segment.mode == "fresh":
                break
        return spent

    def add(self, event: StreamEvent) -> Reply:
        """Take one event in. `usage`, `finish` and `chunks` are those of the segment being written."""
        match event:
            case TextDelta(text, chunks):
                # Spelled out: dataclasses.replace costs five times as much, and this runs once a read.
                return Reply(
                    body=self.body.add(text),
                    thoughts=self.thoughts,
                    segments=self.segments,
                    usage=self.usage,
                    finish=self.finish,
                    chunks=self.chunks + chunks,
                    provider_data=self.provider_data,
                )
            case ThinkingDelta(text, chunks):
                return replace(self, thoughts=self.thoughts.add(text), chunks=self.chunks + chunks)
            case UsageReport(usage):
                return replace(self, usage=usage)
            case Carried(data):
                return self if self.segments else replace(self, provider_data=data)
            case Cited():
                return self
            case Finished(reason, data):
                # An answer in several parts is not what any provider has signed.
                return replace(self, finish=reason, provider_data=_NOTHING if self.segments else data)
            case _:
                assert_never(event)

    def close(self, *segments: Segment) -> Reply:
        """End the segment being written, with its record if it has one; the next starts with fresh figures."""
        # What a provider has signed is a whole answer of its own.
        data = _NOTHING if self.segments and segments else self.provider_data
        together = (*self.segments, *segments)
        return replace(self, segments=together, usage=None, finish=None, chunks=0, provider_data=data)

    def cut(self, size: int, reason: EndReason | None = None) -> Reply:
        """Return the reply without the last `size` characters of its text; what is shorter now has ended for `reason`,
        if one is given."""
        text = self.text[: len(self.body) - size]
        kept = tuple(
            replace(each.ending(len(text)), end_reason=reason or each.end_reason) if each.end > len(text) else each
            for each in self.segments
        )
        return replace(self, body=Rope().add(text), segments=kept)

    def rewrite(self, text: str) -> Reply:
        """Return the reply with another text; segments keep what is still theirs at its beginning."""
        common = _common(self.text, text)
        kept = tuple(each.ending(common) for each in self.segments if each.start < common or not each.end)
        return replace(self, body=Rope().add(text), segments=kept, provider_data=_NOTHING)

    def unseam(self, number: int) -> Reply:
        """Return the reply with what was changed at the beginning of segment `number`, from 0, undone."""
        seam = self.segments[number]
        shift = len(seam.cut) - len(seam.added)
        text = self.text[: seam.start] + seam.cut + self.text[seam.start + len(seam.added) :]
        segments = [
            replace(each, end=each.end + shift, start=each.start + (shift if index > number else 0))
            if index >= number
            else each
            for index, each in enumerate(self.segments)
        ]
        segments[number] = replace(segments[number], seam="", cut="", added="")
        return replace(self, body=Rope().add(text), segments=tuple(segments))

    def message(self, status: Status) -> Message:
        """Return the answer as one message."""
        return Message(
            role="assistant",
            text=self.text,
            thinking=self.thinking,
            status=status,
            segments=self.segments,
            provider_data=self.provider_data,
        )

    @classmethod
    def of(cls, message: Message) -> Self:
        """Return the reply that `message` is the record of, ready to be continued."""
        return cls(
            body=Rope().add(message.text),
            thoughts=Rope().add(message.thinking),
            segments=message.segments,
            provider_data=message.provider_data,
        )


def _common(one: str, other: str) -> int:
    """Return how many characters two texts have in common at their beginning."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((index for index, (mine, theirs) in pairs if mine != theirs), min(len(one), len(other)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """An answer at rest: enough to continue it later, in another process, with another model.

    `request` is the question as first asked, without any instruction to continue.
    """

    request: Request
    reply: Reply
    reason: EndReason
