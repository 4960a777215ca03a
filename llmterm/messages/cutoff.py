"""How an answer ended that did not come to an end of its own, in a few words for its reader."""

from __future__ import annotations

from llmterm.messages.message import Message
from llmterm.messages.segment import EndReason

_STOPPED = "stopped"
_WORDS = {
    EndReason.LENGTH: "cut off at the token limit",
    EndReason.LIMIT: "cut off at the chunk limit",
    EndReason.CONTINUATION: "left off by the provider",
    EndReason.MARKER: "stopped by the model",
    EndReason.NETWORK: "connection lost",
    EndReason.TIMEOUT: "given up, as no more came",
    EndReason.ERROR: "broken off by an error",
    EndReason.CRASH: "broken off with the program",
    EndReason.RESTART: "stopped where the model started over",
    EndReason.REFUSAL: "ended by the provider's filter",
    EndReason.OTHER: "ended early by the provider",
}
# Ends that the provider calls one.
_COMPLETE = (EndReason.REFUSAL, EndReason.OTHER)


def cut_off(message: Message) -> str:
    """Return how `message` was cut off; "" for one that is whole."""
    reason = message.segments[-1].end_reason if message.segments else None
    if message.role != "assistant" or (message.status == "complete" and reason not in _COMPLETE):
        return ""
    return _STOPPED if reason is None else _WORDS.get(reason, _STOPPED)
