"""OpenAI's responses, as ours: what a request asks for, and an answer as the object that it is there. Pure.

https://platform.openai.com/docs/api-reference/responses
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from llmterm.errors import LlmtermError, ProviderError
from llmterm.messages import EndReason, Options
from llmterm.serve.fields import Fields, effort_of, verbosity_of
from llmterm.serve.openai import EFFORTS_OF_OPENAI, caching, conversation, schema_of, tier_of
from llmterm.serve.problems import BadRequestError, Problem, problem
from llmterm.serve.refusals import DrainingError, NoSuchTurnError
from llmterm.serve.served import Told
from llmterm.serve.wanted import Wanted
from llmterm.states import TurnState

PREFIX: Final = "resp_"
_SHORT = (EndReason.LENGTH, EndReason.LIMIT, EndReason.CONTINUATION)
_BROKEN = (EndReason.NETWORK, EndReason.TIMEOUT, EndReason.ERROR, EndReason.CRASH)
# What nobody can ask for here, as OpenAI's clients expect it where nobody has.
_USUAL: Final[dict[str, Any]] = {
    "tool_choice": "none",
    "tools": [],
    "max_tool_calls": None,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "top_logprobs": 0,
    "truncation": "disabled",
    "safety_identifier": None,
    "prompt_cache_key": None,
}
# What else there can be in an input is an answer's, and came to nothing here: it says nothing.
_NOTHING = {"role": "assistant", "content": ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """`previous` is the id of the turn that it goes on with; `created` is in seconds since 1970.

    `cuts` are the numbers of the events at which its text was parted when it was told: who reads it again gets the
    same parts, as clients look at the numbers to leave out what they had.
    """

    wanted: Wanted | None = None
    stream: bool = False
    background: bool = False
    previous: str = ""
    metadata: Any = field(default_factory=dict)
    created: int = 0
    cuts: list[int] = field(default_factory=list)


def asked(fields: Fields, *, client: str, created: int) -> Asked:
    """Return what is asked for. Raises UsageError, and BadRequestError, which names the field."""
    kept, background = fields.flag("store", default=True), fields.flag("background")
    if background and not kept:
        raise BadRequestError("background: what goes on without you has to be stored", param="background")
    said = conversation([*_messages(fields)], "input")
    instructions = fields.text("instructions", "")
    wanted = Wanted(
        question=said.messages[-1],
        client=client,
        model=fields.text("model", ""),
        system="\n\n".join(filter(None, (instructions, said.system))),
        options=Options(
            temperature=fields.number("temperature", 0, 2),
            max_tokens=fields.whole("max_output_tokens", 1),
            schema=schema_of(fields.inner("text").inner("format")),
            effort=effort_of(fields.inner("reasoning"), "effort", also=EFFORTS_OF_OPENAI),
            top_p=fields.number("top_p", 0, 1),
            verbosity=verbosity_of(fields.inner("text")),
            service_tier=tier_of(fields),
            web_search=_searches(fields) or None,
        ),
        before=tuple([each for each in said.messages[:-1] if each.attachments or not each.body.blank]),
        kept=kept,
        plain=True,
    )
    previous = fields.text("previous_response_id", "")
    return Asked(
        wanted=wanted,
        stream=fields.flag("stream"),
        background=background,
        previous=_turn_of(previous) if previous else "",
        metadata=fields.inner("metadata").value,
        created=created,
    )


def _searches(fields: Fields) -> bool:
    """Tell whether the web is to be searched. Other tools are not used here."""
    return any(isinstance(each, dict) and each.get("type") == "web_search" for each in fields.each("tools"))


def _form(options: Options) -> dict[str, Any]:
    kind = {"format": {"type": "text" if options.schema is None else "json_schema"}}
    return kind if options.verbosity is None else {**kind, "verbosity": options.verbosity}


def _messages(fields: Fields) -> Iterator[object]:
    """Yield the input as messages, one for each of its items."""
    if isinstance(fields.value.get("input"), str):
        yield {"role": "user", "content": fields.text("input")}
        return
    for each in fields.each("input"):
        kind = each.get("type", "message") if isinstance(each, dict) else "message"
        if kind == "message":
            yield each
        elif kind in ("function_call_output", "custom_tool_call_output"):
            output = each.get("output")
            yield {"role": "user", "content": output if isinstance(output, str) else json.dumps(output)}
        else:
            yield _NOTHING


def _turn_of(given: str) -> str:
    """Return the id of the turn that a response's id names. Raises NoSuchTurnError."""
    if not given.startswith(PREFIX):
        raise NoSuchTurnError(f"there is no response {given[:80]!r}")
    return given.removeprefix(PREFIX)


def status(turn: Told) -> str:
    """Return how far an answer is. One that somebody has paused can still go on."""
    if turn.state is TurnState.DONE:
        return "incomplete" if turn.reason is EndReason.REFUSAL else "completed"
    if turn.state is TurnState.CANCELLED:
        return "cancelled"
    if turn.state is TurnState.FAILED or (turn.state is TurnState.PAUSED and turn.reason in _BROKEN):
        return "failed"
    return "incomplete" if turn.state is TurnState.PAUSED and turn.reason in _SHORT else "in_progress"


def failure(turn: Told) -> Problem | None:
    """Return why an answer has failed, None where it has not. It is not yet fit for a client."""
    if status(turn) != "failed":
        return None
    if turn.reason is EndReason.CRASH:
        return problem(DrainingError("the service was ended", hint="try again in a moment"))
    if turn.error is not None:
        return problem(turn.error if isinstance(turn.error, LlmtermError) else LlmtermError("a bug"))
    return problem(ProviderError("the answer was broken off"))


class Response:
    """An answer as its readers have it now; `fit` makes a problem fit for them."""

    def __init__(self, turn: Told, asked: Asked, fit: Callable[[Problem], Problem]) -> None:
        self.turn = turn
        self.asked = asked
        self._fit = fit

    @property
    def head(self) -> dict[str, Any]:
        """What there is of it before anything has come."""
        wanted, turn = self.asked.wanted, self.turn
        options = wanted.options if wanted is not None else Options()
        return {
            "id": f"{PREFIX}{turn.id}",
            "object": "response",
            "created_at": self.asked.created,
            "completed_at": None,
            "status": "in_progress",
            "background": self.asked.background,
            "error": None,
            "incomplete_details": None,
            "instructions": (wanted.system if wanted is not None else "") or None,
            "max_output_tokens": options.max_tokens,
            "metadata": self.asked.metadata,
            "model": "/".join(turn.model),
            "output": [],
            "parallel_tool_calls": False,
            "previous_response_id": f"{PREFIX}{self.asked.previous}" if self.asked.previous else None,
            "reasoning": {"effort": "none" if options.effort == "off" else options.effort, "summary": None},
            "store": wanted.kept if wanted is not None else True,
            "temperature": 1.0 if options.temperature is None else options.temperature,
            "text": _form(options),
            "usage": None,
            **_USUAL,
            "top_p": 1.0 if options.top_p is None else options.top_p,
            "service_tier": options.service_tier or "default",
        }

    @property
    def whole(self) -> dict[str, Any]:
        """All that there is of it."""
        now, found = status(self.turn), failure(self.turn)
        why = None if found is None else self._fit(found)
        limit = "content_filter" if self.turn.reason is EndReason.REFUSAL else "max_output_tokens"
        return {
            **self.head,
            "status": now,
            "error": None if why is None else {"code": why.code, "message": why.words},
            "incomplete_details": {"reason": limit} if now == "incomplete" else None,
            "output": [*self.items],
            "usage": None if now == "in_progress" else self._usage,
        }

    @property
    def items(self) -> Iterator[dict[str, Any]]:
        """What was thought, and what was said."""
        reply, now = self.turn.reply, status(self.turn)
        if reply.thoughts:
            yield self.thought(reply.thinking)
        if reply.body or now == "completed":
            yield self.message(reply.text, now if now in ("completed", "in_progress") else "incomplete")

    def thought(self, *summary: str) -> dict[str, Any]:
        found = [{"type": "summary_text", "text": text} for text in summary]
        return {"id": f"rs_{self.turn.id}", "type": "reasoning", "summary": found}

    def message(self, text: str | None, status: str) -> dict[str, Any]:
        """Return the item of what was said; None is nothing yet."""
        content = [] if text is None else [part(text)]
        head = {"id": f"msg_{self.turn.id}", "type": "message", "role": "assistant"}
        return {**head, "status": status, "content": content}

    @property
    def _usage(self) -> dict[str, Any]:
        usages = [each.usage for each in self.turn.reply.segments]
        took, gave = sum(each.input_tokens for each in usages), sum(each.output_tokens for each in usages)
        return {
            "input_tokens": took,
            "input_tokens_details": caching(usages),
            "output_tokens": gave,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": took + gave,
        }


def part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
