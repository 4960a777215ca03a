"""What the lines around the answers say. Pure: figures in, text out. "paused" stands in pause lines and only there."""

from __future__ import annotations

from collections.abc import Sequence

from llmterm.compare.candidate import Candidate
from llmterm.messages import EndReason
from llmterm.states import TurnState
from llmterm.tokens import of_reply

_BY_ITSELF = {EndReason.MARKER: ", by the model", EndReason.RESTART: ", as the model started over"}
_CUT = {
    EndReason.LENGTH: "cut at the token limit",
    EndReason.CONTINUATION: "cut by the provider",
    EndReason.LIMIT: "cut at the chunk limit",
    EndReason.NETWORK: "cut by a broken connection",
    EndReason.TIMEOUT: "cut by silence",
    EndReason.ERROR: "cut by an error",
}


def standing(candidate: Candidate) -> str:
    """Return in a few words how far an answer is."""
    count = of_reply(candidate.reply)
    tokens = f"{count:,} token{'s' if count != 1 else ''}"
    match candidate.state:
        case TurnState.STREAMING if not candidate.reply.chunks and not candidate.reply.segments:
            return candidate.waiting or "waiting for the first token"
        case TurnState.STREAMING:
            return tokens
        case TurnState.PAUSED if candidate.paused:
            return f"paused after {tokens}{_BY_ITSELF.get(candidate.reason, '')}"
        case TurnState.PAUSED:
            return _CUT.get(candidate.reason, "cut")
        case TurnState.DONE:
            speed = candidate.took.tokens_per_second
            return f"has answered: {tokens}" + (f", {speed:,.0f} a second" if speed is not None else "")
        case TurnState.FAILED:
            return "failed"
        case TurnState.CANCELLED:
            return f"stopped after {tokens}"
        case TurnState.READY:
            return "begins"


def keys(candidates: Sequence[Candidate], typed: str, chosen: Candidate | None) -> str:
    """Return what the keys do now; `chosen` is whom words are for, if not all."""
    whom = "all" if chosen is None else str(chosen.number)
    if typed:
        return f"Enter tells {whom} - Esc empties the line"
    if any(each.streaming for each in candidates):
        space = "SPACE pause all"
    elif any(each.paused for each in candidates):
        space = "paused - SPACE resume all"
    else:
        space = ""
    one = f"1-{len(candidates)} one" if chosen is None else f"{whom} resume {whom}"
    escape = "Esc stop" if chosen is None else "Esc all"
    return " - ".join(filter(None, [space, one, f"type to guide {whom}", escape]))


def choice(numbers: Sequence[str]) -> str:
    """Return what the keys do once all have ended, and one of them can be gone on with."""
    return f"{' or '.join(numbers)} goes on with that answer - Enter with the one there was"
