"""What the service answers with, each under its name."""

from __future__ import annotations

from typing import Final, get_args

from llmterm.messages import EndReason, Mode, Role, Status
from llmterm.serve.openapi.words import (
    COUNT,
    DAY,
    FLAG,
    MOMENT,
    NUMBER,
    TEXT,
    Schema,
    one_of,
    perhaps,
    ref,
    said,
    several,
    thing,
)
from llmterm.sessions.record import SessionState
from llmterm.states import TurnState

_STATE = one_of(TurnState)
_REASON = perhaps(one_of(EndReason))
_MODE = one_of(get_args(Mode))
_MESSAGE: Final = {
    "role": one_of(get_args(Role)),
    "text": TEXT,
    "thinking": TEXT,
    "status": one_of(get_args(Status)),
    "segments": several(ref("Segment")),
}
_SESSION: Final = {"id": TEXT, "title": TEXT, "created_at": MOMENT, "updated_at": MOMENT}


def _event(name: str, words: str, /, **fields: Schema) -> Schema:
    return thing({"seq": COUNT, "event": {"const": name}, **fields}, words=words)


_EVENTS: Final[dict[str, Schema]] = {
    "SegmentStarted": _event(
        "SegmentStarted", "Who was asked to write what comes.", provider=TEXT, model=TEXT, mode=_MODE, guidance=TEXT
    ),
    "TextDelta": _event("TextDelta", "Some more of the text.", text=TEXT, chunks=COUNT),
    "ThinkingDelta": _event("ThinkingDelta", "Some more of what the model thinks.", text=TEXT, chunks=COUNT),
    "Notice": _event(
        "Notice",
        "What a person should know besides the text. One that is `passing` is nothing to be kept.",
        text=TEXT,
        passing=FLAG,
        failure=FLAG,
        by=said(TEXT, "Who has done what it tells, where several can."),
    ),
    "UsageReport": _event("UsageReport", "Tokens as the provider has counted them.", usage=ref("Usage")),
    "Retraction": _event(
        "Retraction",
        "What came after the first so many characters of text, and of thinking, is taken back.",
        text=COUNT,
        thinking=COUNT,
        segments=several(ref("ToldSegment")),
    ),
    "StateChanged": _event(
        "StateChanged", "The turn's state from now on, and why.", state=_STATE, reason=_REASON, words=TEXT
    ),
    "SegmentEnded": _event(
        "SegmentEnded",
        "The record of what was written since SegmentStarted; null where nothing was.",
        segment=perhaps(ref("ToldSegment")),
    ),
}

_CACHING: Final = {"cached_tokens": COUNT, "cache_write_tokens": COUNT}

_COSTS: Final = {
    "cost": said(perhaps(NUMBER), "In the currency of the prices."),
    "input_cost": said(perhaps(NUMBER), "What of it the input costs."),
    "saved": said(perhaps(NUMBER), "How much more it would be without the provider's cache."),
}

_TALLY: Final = {
    "answers": COUNT,
    "segments": COUNT,
    "pauses": said(COUNT, "Segments that ended otherwise than by the provider."),
    "failures": said(COUNT, "Those of them that a failure has cut. What failed before its first word is not known."),
    "input_tokens": COUNT,
    "output_tokens": COUNT,
    "estimated": said(FLAG, "Some of the tokens were not counted by the provider."),
    "first_token_ms": said(perhaps(COUNT), "The median."),
    "tokens_per_second": said(perhaps(NUMBER), "The median."),
    "retries": COUNT,
    "cost": said(perhaps(NUMBER), "In the currency of the prices."),
    "cached_tokens": said(COUNT, "Of the input: read from providers' caches."),
    "cache_write_tokens": said(COUNT, "Of the input: written to them."),
    "saved": said(perhaps(NUMBER), "How much more all would have cost without caches."),
    "resumes": said(COUNT, "Segments that go on with what was there."),
    "resumed_tokens": said(COUNT, "The input of those."),
    "resume_cost": said(perhaps(NUMBER), "What of the cost that input is."),
}

SCHEMAS: Final[dict[str, Schema]] = {
    "Problem": thing(
        {"error": thing({"message": TEXT, "type": TEXT, "param": perhaps(TEXT), "code": perhaps(TEXT)})},
        words="Why something cannot be done, in OpenAI's shape.",
    ),
    "ChatCompletion": thing(
        {
            "id": TEXT,
            "object": {"const": "chat.completion"},
            "created": COUNT,
            "model": TEXT,
            "choices": several(
                thing(
                    {
                        "index": COUNT,
                        "message": thing(
                            {
                                "role": {"const": "assistant"},
                                "content": TEXT,
                                "refusal": {"type": "null"},
                                "annotations": several({"type": "object"}),
                            },
                            {"reasoning_content": said(TEXT, "What the model thought, where it was shown.")},
                        ),
                        "logprobs": {"type": "null"},
                        "finish_reason": one_of(["stop", "length", "content_filter"]),
                    }
                )
            ),
            "usage": thing(
                {
                    "prompt_tokens": COUNT,
                    "completion_tokens": COUNT,
                    "total_tokens": COUNT,
                    "prompt_tokens_details": thing(_CACHING),
                    "completion_tokens_details": thing({"reasoning_tokens": COUNT}),
                }
            ),
        },
        words="An answer as OpenAI's clients expect it.",
    ),
    "Response": thing(
        {
            "id": TEXT,
            "object": {"const": "response"},
            "created_at": COUNT,
            "status": one_of(["completed", "failed", "in_progress", "cancelled", "incomplete"]),
            "background": FLAG,
            "error": perhaps(thing({"code": TEXT, "message": TEXT})),
            "incomplete_details": perhaps(thing({"reason": one_of(["max_output_tokens", "content_filter"])})),
            "instructions": perhaps(TEXT),
            "max_output_tokens": perhaps(COUNT),
            "metadata": {"type": "object"},
            "model": TEXT,
            "output": several({"type": "object"}),
            "parallel_tool_calls": FLAG,
            "previous_response_id": perhaps(TEXT),
            "reasoning": {"type": "object"},
            "store": FLAG,
            "temperature": NUMBER,
            "text": {"type": "object"},
            "completed_at": {"type": "null"},
            "tool_choice": {"const": "none"},
            "tools": several({"type": "object"}),
            "max_tool_calls": {"type": "null"},
            "top_p": NUMBER,
            "presence_penalty": NUMBER,
            "frequency_penalty": NUMBER,
            "top_logprobs": COUNT,
            "truncation": {"const": "disabled"},
            "service_tier": TEXT,
            "safety_identifier": {"type": "null"},
            "prompt_cache_key": {"type": "null"},
            "usage": perhaps(
                thing(
                    {
                        "input_tokens": COUNT,
                        "input_tokens_details": thing(_CACHING),
                        "output_tokens": COUNT,
                        "output_tokens_details": thing({"reasoning_tokens": COUNT}),
                        "total_tokens": COUNT,
                    }
                )
            ),
        },
        words="An answer as OpenAI's clients have it that ask for responses.",
    ),
    "Turn": thing(
        {
            "id": said(TEXT, "The same after a restart."),
            "session": perhaps(TEXT),
            "state": _STATE,
            "reason": said(_REASON, "Why it rests or is over; null while it streams."),
            "words": said(TEXT, "Why it failed, or what the provider said of its end."),
            "seq": said(COUNT, "The place that a reader of what comes goes on from."),
            "text": TEXT,
            "thinking": TEXT,
            "segments": several(ref("Segment")),
            "model": said(TEXT, "provider/model: who answers, or did last."),
            "parts": said(several(ref("ToldSegment")), "The segments as events have them."),
        }
    ),
    "Segment": thing(
        {
            "provider": TEXT,
            "model": TEXT,
            "mode": _MODE,
            "start": COUNT,
            "end": COUNT,
            "end_reason": one_of(EndReason),
            "input_tokens": perhaps(COUNT),
            "output_tokens": perhaps(COUNT),
            "cached_tokens": perhaps(COUNT),
            "cache_write_tokens": perhaps(COUNT),
            "first_token_ms": perhaps(COUNT),
            "duration_ms": COUNT,
            **_COSTS,
        },
        words="Which model wrote text[start:end], in code points. Text that no segment covers was written by the user.",
    ),
    "Usage": thing(
        {
            "input_tokens": COUNT,
            "output_tokens": COUNT,
            "cached_tokens": said(COUNT, "Of the input: read from the provider's cache."),
            "cache_write_tokens": said(COUNT, "Of the input: written to it."),
            "estimated": FLAG,
            "cost": said(perhaps(NUMBER), "As the provider states it."),
        }
    ),
    "ToldSegment": thing(
        {
            "provider": TEXT,
            "model": TEXT,
            "mode": _MODE,
            "start": COUNT,
            "end": COUNT,
            "end_reason": one_of(EndReason),
            "usage": ref("Usage"),
            "timing": thing({"first_token_ms": perhaps(COUNT), "duration_ms": COUNT, "retries": COUNT}),
            "guidance": TEXT,
            "seam": TEXT,
            "cut": TEXT,
            "added": TEXT,
            **_COSTS,
        },
        words="A segment as events have it.",
    ),
    "Event": {
        "oneOf": [ref(name) for name in _EVENTS],
        "description": "The `data:` of one event of a turn. Reduced in their order, events are the answer.",
    },
    **_EVENTS,
    "SessionInfo": thing({**_SESSION, "messages": COUNT, "state": one_of(get_args(SessionState))}),
    "SessionHit": thing(
        {"id": TEXT, "title": TEXT, "updated_at": MOMENT, "snippet": said(TEXT, "Where the words were found.")}
    ),
    "Attachment": thing({"name": TEXT, "media_type": TEXT, "bytes": COUNT}),
    "Message": thing({"row": COUNT, **_MESSAGE, "attachments": several(ref("Attachment"))}),
    "Session": thing(
        {
            **_SESSION,
            "system": TEXT,
            "turn": said(perhaps(TEXT), "The id of its answer that is not over."),
            "messages": several(ref("Message")),
            "versions": said(several(several(COUNT)), "The rows that are versions of each other."),
        }
    ),
    "Versions": thing(
        {
            "versions": several(
                several(thing({"row": COUNT, "text": TEXT, "models": several(TEXT), "open": FLAG})),
            )
        }
    ),
    "Export": thing(
        {
            "version": COUNT,
            "id": TEXT,
            "title": TEXT,
            "created_at": MOMENT,
            "messages": several(
                thing(_MESSAGE, {"attachments": several(ref("Attachment")), "parts": several({"type": "object"})})
            ),
        }
    ),
    "Stats": thing(
        {
            "today": DAY,
            "days": perhaps(COUNT),
            "models": several(
                thing(
                    {"provider": TEXT, "model": TEXT, **_TALLY, "by_day": several(thing({"date": DAY, **_TALLY}))},
                )
            ),
        }
    ),
    "Model": thing(
        {"id": said(TEXT, "provider/model"), "object": {"const": "model"}, "created": COUNT, "owned_by": TEXT}
    ),
}
