"""The states of a turn, what leads from one to another, and where each end of a stream leads to. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import assert_never

from llmterm.errors import ConnectError, NetworkError, StreamTimeoutError
from llmterm.messages import EndReason


class TurnState(StrEnum):
    """Where a turn is: not asked yet, receiving, or at rest or over in one of four ways.

    A turn that is paused or has failed can be resumed; one that is done or was cancelled is over.
    """

    READY = "ready"
    STREAMING = "streaming"
    PAUSED = "paused"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


TRANSITIONS: dict[TurnState, frozenset[TurnState]] = {
    TurnState.READY: frozenset({TurnState.STREAMING, TurnState.CANCELLED}),
    TurnState.STREAMING: frozenset({TurnState.PAUSED, TurnState.DONE, TurnState.FAILED, TurnState.CANCELLED}),
    TurnState.PAUSED: frozenset({TurnState.STREAMING, TurnState.CANCELLED}),
    TurnState.FAILED: frozenset({TurnState.STREAMING, TurnState.CANCELLED}),
    # An answer that was received whole, and is cut where it was shown.
    TurnState.DONE: frozenset({TurnState.PAUSED}),
    TurnState.CANCELLED: frozenset(),
}
AT_REST = (TurnState.PAUSED, TurnState.FAILED)
OVER = (TurnState.DONE, TurnState.CANCELLED)
# Ends that a stream comes to by itself.
BY_PROVIDER = (
    EndReason.STOP,
    EndReason.LENGTH,
    EndReason.STOP_SEQUENCE,
    EndReason.REFUSAL,
    EndReason.CONTINUATION,
    EndReason.OTHER,
)


def outcome(end: EndReason, *, resumable: bool) -> TurnState:
    """Return the state of a turn whose stream ended so; `resumable`: whether a failure can be gone on with."""
    match end:
        case EndReason.CANCEL:
            return TurnState.CANCELLED
        case EndReason.STOP | EndReason.STOP_SEQUENCE | EndReason.REFUSAL | EndReason.OTHER:
            return TurnState.DONE
        case EndReason.NETWORK | EndReason.TIMEOUT | EndReason.ERROR:
            return TurnState.PAUSED if resumable else TurnState.FAILED
        case EndReason.PAUSE | EndReason.CRASH | EndReason.MARKER | EndReason.RESTART:
            return TurnState.PAUSED
        case EndReason.LENGTH | EndReason.LIMIT | EndReason.CONTINUATION:
            return TurnState.PAUSED
        case _:
            assert_never(end)


def end_reason(error: BaseException) -> EndReason:
    """Return how an error ends a stream."""
    match error:
        case StreamTimeoutError():
            return EndReason.TIMEOUT
        case NetworkError() | ConnectError():
            return EndReason.NETWORK
        case _:
            return EndReason.ERROR
