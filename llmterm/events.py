"""What a turn tells while its answer is made: a closed set of frozen values, each with its place in the turn's log.

Every one can be written as JSON and read back. Reduced, in their order, they are the reply: a reader never has to
compare texts, as what is taken back is an event like the others. Tool calls and their results will be more of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeAlias, assert_never

from llmterm.messages import (
    EndReason,
    Mode,
    Reply,
    Segment,
    TextDelta,
    ThinkingDelta,
    UsageReport,
)
from llmterm.messages.plain import READERS, plain, read
from llmterm.states import TurnState


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentStarted:
    """Who was asked to write what comes, and how."""

    provider: str
    model: str
    mode: Mode
    guidance: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """What a person should know of an answer besides its text: a refused key, another provider that steps in.

    One that is `passing`, such as a wait, is nothing to be kept; a `failure` is one that the answer outlives. `by` is
    who has done what it tells, where several can.
    """

    text: str
    passing: bool = False
    failure: bool = False
    by: str = ""


@dataclass(frozen=True, slots=True)
class Retraction:
    """What came after the first so many characters of text, and of thinking, is taken back. `segments` are as they
    are once what comes in its place has come.
    """

    text: int
    thinking: int
    segments: tuple[Segment, ...] = ()


@dataclass(frozen=True, slots=True)
class StateChanged:
    """The turn's state from now on, and why; `words` are those of the failure, or what the provider says of its end."""

    state: TurnState
    reason: EndReason | None = None
    words: str = ""


@dataclass(frozen=True, slots=True)
class SegmentEnded:
    """The record of what was written since `SegmentStarted`; None where nothing was."""

    segment: Segment | None


TurnEvent: TypeAlias = (
    SegmentStarted | TextDelta | ThinkingDelta | Notice | UsageReport | Retraction | StateChanged | SegmentEnded
)


class Entry(NamedTuple):
    """An event and how far the log reaches with it. Text counts its characters, everything else counts one."""

    seq: int
    event: TurnEvent


def reduced(reply: Reply, event: TurnEvent) -> Reply:
    """Return the reply as it is after the event."""
    match event:
        case TextDelta() | ThinkingDelta() | UsageReport():
            return reply.add(event)
        case Retraction(text, thinking, segments):
            return replace(reply, body=reply.body.head(text), thoughts=reply.thoughts.head(thinking), segments=segments)
        case SegmentEnded(segment):
            return reply.close(*([] if segment is None else [segment]))
        case SegmentStarted() | Notice() | StateChanged():
            return reply
        case _:
            assert_never(event)


_EVENTS: tuple[type[TurnEvent], ...] = (
    SegmentStarted,
    TextDelta,
    ThinkingDelta,
    Notice,
    UsageReport,
    Retraction,
    StateChanged,
    SegmentEnded,
)
_BY_NAME = {kind.__name__: kind for kind in _EVENTS}
_READERS = {**READERS, "TurnState": TurnState}


def encoded(entry: Entry) -> dict[str, Any]:
    """Return the entry as JSON has it: `seq`, `event` with the name of its kind, and its fields."""
    return {"seq": entry.seq, "event": type(entry.event).__name__, **plain(entry.event)}


def decoded(value: Mapping[str, Any]) -> Entry:
    """Return the entry that `encoded` has made `value` of. Raises ValueError for what it has not made."""
    try:
        match value:
            case {"seq": int(seq), "event": str(name), **others}:
                return Entry(seq, read(_BY_NAME[name], others, _READERS))
            case _:
                raise ValueError("it says neither its place nor its kind")
    except (ValueError, KeyError) as error:
        raise ValueError(f"no event of a turn: {error}") from None
