"""What a service tells of a turn, as values of ours."""

from __future__ import annotations

from typing import Any, NamedTuple

from llmterm.errors import LlmtermError, ProtocolError, ProviderError
from llmterm.messages import EndReason, Reply, Rope
from llmterm.messages.plain import READERS
from llmterm.states import TurnState


class Standing(NamedTuple):
    """Where a turn is: `seq` is the place from which on its events are to be read."""

    id: str
    session: str
    seq: int
    state: TurnState
    reason: EndReason | None
    words: str
    reply: Reply
    who: tuple[str, str]


def standing(value: Any) -> Standing:
    """Return what the service says of a turn. Raises ProtocolError for what is none."""
    try:
        provider, _, model = READERS["str"](value["model"]).partition("/")
        return Standing(
            id=READERS["str"](value["id"]),
            session=READERS["str"](value["session"] or ""),
            seq=READERS["int"](value["seq"]),
            state=TurnState(value["state"]),
            reason=READERS["EndReason | None"](value["reason"]),
            words=READERS["str"](value["words"]),
            reply=Reply(
                body=Rope.of(READERS["str"](value["text"])),
                thoughts=Rope.of(READERS["str"](value["thinking"])),
                segments=READERS["tuple[Segment, ...]"](value["parts"]),
            ),
            who=(provider, model),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ProtocolError(f"the service: what it says of a turn cannot be read: {error!r}") from None


def failure(state: TurnState, reason: EndReason | None, words: str) -> LlmtermError | None:
    """Return why a turn has failed, as far as its readers are told."""
    if not words or (state is not TurnState.FAILED and reason not in _FAILURES):
        return None
    return ProviderError(words)


_FAILURES = (EndReason.NETWORK, EndReason.TIMEOUT, EndReason.ERROR)
