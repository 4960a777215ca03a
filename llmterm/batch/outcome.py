"""What comes of an answer that has ended: what is written of it, or why it counts as none."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from llmterm.batch.engine import Answered, Failed, Outcome, Spent
from llmterm.errors import LlmtermError
from llmterm.messages import EndReason
from llmterm.schema import Schema, json_in
from llmterm.sessions.segments import cost_of
from llmterm.threads import in_thread
from llmterm.turn import Turn


async def misfit_of(turn: Turn, schema: Schema | None) -> str:
    """Return why an answer that is whole does not fit the schema, "" where it does."""
    if schema is None or turn.reply.blank:
        return ""
    return await in_thread(schema.misfit, turn.reply.text)


def outcome(
    key: str, turns: Sequence[Turn], schema: Schema | None, misfit: str, *, seconds: float | None = None
) -> Outcome:
    """Return what came of the last of the turns that a question took; it has ended, and nothing broke it."""
    reply, reason, all_spent = turns[-1].reply, turns[-1].reason, spent(turns)
    said = f": {turns[-1].end_words}" if turns[-1].end_words else ""
    if reason is EndReason.REFUSAL:
        why = f"the provider's filter ended this answer{said}"
        return Failed(id=key, error=why, kind="refusal", spent=all_spent)
    if reply.blank:
        return Failed(id=key, error=f"the answer is empty{said}", kind="empty", spent=all_spent)
    if misfit:
        return Failed(id=key, error=f"the answer does not fit the schema: {misfit}", kind="schema", spent=all_spent)
    own = spent(turns[-1:])
    used = reply.segments[-1]
    record: dict[str, Any] = {"model": f"{used.provider}/{used.model}", "text": reply.text, "end": str(reason)}
    if schema is not None:
        record["data"] = json.loads(json_in(reply.text))
    if not reply.thoughts.blank:
        record["thinking"] = str(reply.thoughts)
    record["usage"] = {"input_tokens": own.input_tokens, "output_tokens": own.output_tokens}
    if all_spent.cost is not None:
        record["cost"] = all_spent.cost  # also of what did not fit the schema: the next run counts it
    if seconds is not None:
        record["seconds"] = round(seconds, 3)
    return Answered(id=key, record=record, length=own.output_tokens, spent=all_spent)


def kind_of(error: LlmtermError) -> str:
    """Return what programs know a failure by: "auth" for an AuthError."""
    return type(error).__name__.removesuffix("Error").lower()


def spent(turns: Iterable[Turn]) -> Spent:
    """Return what these turns took together."""
    segments = [segment for turn in turns for segment in turn.reply.segments]
    return Spent(
        input_tokens=sum(each.usage.input_tokens for each in segments),
        output_tokens=sum(each.usage.output_tokens for each in segments),
        cost=cost_of(segments),
    )
