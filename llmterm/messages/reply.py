"""An answer while it is made: a pure reducer over what a provider's stream gives."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Self, assert_never

from llmterm.messages.message import Message, Status
from llmterm.messages.parts import NOTHING, Opaque, nothing
from llmterm.messages.request import Cursor
from llmterm.messages.rope import Rope
from llmterm.messages.segment import EndReason, Segment, Usage
from llmterm.messages.stream import (
    Carried,
    Cited,
    CursorMoved,
    Finished,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
    UsageReport,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer as received so far, over all its segments; `add` is a pure reducer over stream events.

    At the `cursor` the same generation can be gone on with.
    """

    body: Rope = field(default_factory=Rope)
    thoughts: Rope = field(default_factory=Rope)
    segments: tuple[Segment, ...] = ()
    usage: Usage | None = None
    finish: EndReason | None = None
    chunks: int = 0
    provider_data: Opaque = field(default_factory=nothing, hash=False)
    cursor: Cursor | None = None

    @property
    def text(self) -> str:
        """The text so far."""
        return str(self.body)

    @property
    def thinking(self) -> str:
        """What the model has thought so far, as far as it shows that."""
        return str(self.thoughts)

    @property
    def blank(self) -> bool:
        """Whether there is nothing to read in the text."""
        return self.body.blank

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
                    cursor=self.cursor,
                )
            case ThinkingDelta(text, chunks):
                return replace(self, thoughts=self.thoughts.add(text), chunks=self.chunks + chunks)
            case UsageReport(usage):
                return replace(self, usage=usage)
            case Carried(data):
                return replace(self, provider_data=data) if self._is_one else self
            case Cited() | CursorMoved():
                return self  # where the cursor is in the answer, `at` says
            case Finished(reason, data):
                # An answer in several parts is not what any provider has signed.
                data = data if self._is_one else NOTHING
                return replace(self, finish=reason, provider_data=data)
            case _:
                assert_never(event)

    @property
    def _is_one(self) -> bool:
        """Whether all of it is of one generation: what a provider has signed is a whole answer of its own."""
        return not self.segments or (self.cursor is not None and self.cursor.mode == "fresh")

    def at(self, cursor: Cursor | None) -> Reply:
        """Return the reply with its cursor there, or nowhere."""
        return replace(self, cursor=cursor)

    def back_to(self, cursor: Cursor) -> Reply:
        """Return the reply without what came behind the cursor: it comes again."""
        back = self.cut(max(0, len(self.body) - cursor.text))
        return replace(back, thoughts=self.thoughts.head(cursor.thinking), cursor=cursor)

    def close(self, *segments: Segment) -> Reply:
        """End the segment being written, with its record if it has one; the next starts with fresh figures."""
        together, data = self.segments, self.provider_data
        for segment in segments:
            if segment.mode == "cursor":
                together = _gone_on(together, segment)
            else:
                data = NOTHING if together else data
                together = (*together, segment)
        return replace(self, segments=together, usage=None, finish=None, chunks=0, provider_data=data)

    def cut(self, size: int, reason: EndReason | None = None) -> Reply:
        """Return the reply without the last `size` characters of its text; what is shorter now has ended for `reason`,
        if one is given."""
        end = len(self.body) - size
        kept = tuple(
            replace(each.ending(end), end_reason=reason or each.end_reason) if each.end > end else each
            for each in self.segments
        )
        cursor = self.cursor if self.cursor is not None and self.cursor.text <= end else None
        return replace(self, body=self.body.head(end), segments=kept, cursor=cursor)

    def rewrite(self, text: str) -> Reply:
        """Return the reply with another text; segments keep what is still theirs at its beginning."""
        shared = self.body.common(Rope.of(text))
        body = self.body.head(shared).add(text[shared:])
        kept = tuple(each.ending(shared) for each in self.segments if each.start < shared or not each.end)
        return replace(self, body=body, segments=kept, provider_data=NOTHING, cursor=None)

    def unseam(self, number: int) -> Reply:
        """Return the reply with what was changed at the beginning of segment `number`, from 0, undone."""
        seam = self.segments[number]
        shift = len(seam.cut) - len(seam.added)
        rest = self.body.slice(seam.start + len(seam.added), len(self.body))
        body = self.body.head(seam.start).add(seam.cut).add(rest)
        segments = [
            replace(each, end=each.end + shift, start=each.start + (shift if index > number else 0))
            if index >= number
            else each
            for index, each in enumerate(self.segments)
        ]
        segments[number] = replace(segments[number], seam="", cut="", added="")
        return replace(self, body=body, segments=tuple(segments), cursor=None)

    def message(self, status: Status) -> Message:
        """Return the answer as one message."""
        return Message(
            role="assistant",
            text=self.body,
            thinking=self.thoughts,
            status=status,
            segments=self.segments,
            provider_data=self.provider_data,
        )

    @classmethod
    def of(cls, message: Message) -> Self:
        """Return the reply that `message` is the record of, ready to be continued."""
        return cls(
            body=message.body,
            thoughts=message.thoughts,
            segments=tuple(message.segments),
            provider_data=message.provider_data,
        )


def _gone_on(segments: tuple[Segment, ...], last: Segment) -> tuple[Segment, ...]:
    """Return the segments with one behind them in which a generation went on that had been asked for before.

    What a provider counts is the generation, so the segment that asked for it has all of its tokens, and its cost; the
    ones that only read on have none. What was only guessed is guessed on.
    """
    if not segments:
        return (last,)  # what came before was not on the record
    first = next((at for at in reversed(range(len(segments))) if segments[at].mode != "cursor"), 0)
    origin = segments[first]
    if last.usage.estimated:
        written = origin.usage.output_tokens + last.usage.output_tokens
        usage = replace(origin.usage, output_tokens=written, estimated=True)
        cost = None if origin.cost is None or last.cost is None else origin.cost + last.cost
        origin = replace(origin, usage=usage, cost=cost)
    else:
        origin = replace(origin, usage=last.usage, cost=last.cost, input_cost=last.input_cost, saved=last.saved)
    last = replace(last, usage=Usage(), cost=None, input_cost=None, saved=None)
    return (*segments[:first], origin, *segments[first + 1 :], last)
