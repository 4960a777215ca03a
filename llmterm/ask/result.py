"""What programs want of an answer: all there is of it as one JSON object, or its code."""

from __future__ import annotations

import json
from typing import Any

from llmterm.ask import Answered
from llmterm.errors import ProviderError
from llmterm.openblock import code_blocks
from llmterm.schema import json_in
from llmterm.sessions.export import segment_values
from llmterm.sessions.segments import cost_of


def result(answered: Answered, *, structured: bool = False) -> dict[str, Any]:
    """Return what was answered, by whom, and what it took. Fields may be added; none changes its meaning.

    `segments` are as in an exported session. `cost` is in the currency of the configured price, null where there is
    none; `session` is null where the answer is in none. `error` says why the `status` is not "complete". `data` is what
    a `structured` answer says, null where it does not fit its schema.
    """
    reply = answered.reply
    usages = [segment.usage for segment in reply.segments]
    return {
        "text": reply.text,
        **({"data": _data(answered)} if structured else {}),
        "thinking": reply.thinking,
        "segments": [segment_values(segment) for segment in reply.segments],
        "usage": {
            "input_tokens": sum(usage.input_tokens for usage in usages),
            "output_tokens": sum(usage.output_tokens for usage in usages),
            "cached_tokens": sum(usage.cached_tokens for usage in usages),
            "cache_write_tokens": sum(usage.cache_write_tokens for usage in usages),
            "estimated": any(usage.estimated for usage in usages),
        },
        "cost": cost_of(reply.segments),
        "session": answered.session,
        "status": "complete" if answered.problem is None else "interrupted",
        "error": None if answered.problem is None else str(answered.problem),
    }


def _data(answered: Answered) -> Any:
    return None if answered.problem is not None else json.loads(json_in(answered.reply.text))


def code(answered: Answered, *, number: int) -> str:
    """Return the code block of that number, from 1. Raises ProviderError where a whole answer has none."""
    blocks = code_blocks(answered.reply.text)
    if number <= len(blocks):
        return blocks[number - 1].code
    if answered.problem is not None:
        return ""
    kept = f"llmterm sessions show {answered.session} shows it" if answered.session else ""
    words = (
        f"the answer has no code block {number}: there are {len(blocks)}" if blocks else "the answer has no code block"
    )
    raise ProviderError(words, hint=kept)
