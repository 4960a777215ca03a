"""Gemini's Interactions, the API for answers that go on without a reader: https://ai.google.dev/gemini-api/docs/interactions.

What an event is, the `event_type` in its data says; each has an id, behind which a stream can be read on. A long answer
comes in several steps of output, which are one text. What a thought was signed with goes back in its place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, assert_never
from urllib.parse import quote

from llmterm.errors import (
    AuthError,
    ModelNotFoundError,
    ProviderError,
    RateLimitError,
    RequestRefusedError,
    ServerError,
)
from llmterm.framing import Frame
from llmterm.messages import (
    Attachment,
    Cited,
    CursorMoved,
    EndReason,
    Finished,
    Message,
    Part,
    Request,
    TextDelta,
    TextPart,
    ThinkingDelta,
    ThinkingPart,
    ToolCall,
    ToolResult,
    Usage,
    UsageReport,
    blocks,
)
from llmterm.providers import efforts
from llmterm.providers.attachments import PDF
from llmterm.providers.gemini import LIST, bare, checkpoint, checkpoints, key_header, models, signature
from llmterm.providers.wire import (
    TOOL_WANTED,
    Background,
    Failure,
    Opaque,
    Placed,
    Wire,
    WireEvent,
    cited,
    decoded,
    details,
)
from llmterm.transport import Embedded
from llmterm.untrusted import count

NAME = "interactions"

_ID = re.compile(r"[\w.-]{1,200}", re.ASCII)
_LONGEST_ID = 1_000

# Of an answer that has an end. What is none here goes on.
_STATUS = {
    "completed": EndReason.STOP,
    "incomplete": EndReason.LENGTH,
    "requires_continuation": EndReason.CONTINUATION,
    "requires_action": EndReason.OTHER,
    "cancelled": EndReason.OTHER,
    "budget_exceeded": EndReason.OTHER,
}
_WORDS = {"requires_action": TOOL_WANTED, "budget_exceeded": "its budget is used up", "cancelled": "it was cancelled"}
# By what the code of an error, a URI or a word, has in it.
_ERRORS: tuple[tuple[str, type[ProviderError]], ...] = (
    ("exhausted", RateLimitError),
    ("rate_limit", RateLimitError),
    ("permission", AuthError),
    ("unauthenticated", AuthError),
    ("not_found", ModelNotFoundError),
    ("invalid", RequestRefusedError),
)


def wire(api_version: str = "v1") -> Wire:
    """Return the wire in that version of the API."""
    return Wire(
        name=NAME,
        known=frozenset({"event_type", "interaction", "interaction_id", "steps", "error"}),
        path=lambda _: f"/{api_version}/interactions",
        payload=payload,
        parse=parse,
        headers=key_header,
        continuation=lambda _: "instruct",
        attachments=frozenset({"image", "pdf"}),
        host="interactions",
        takes=frozenset({"service_tier", "web_search"}),
        schemas=lambda _: True,
        background=Background(
            parse=parse_on,
            path=partial(_path_on, f"/{api_version}/interactions"),
            stop_path=partial(_stop_path, f"/{api_version}/interactions"),
        ),
        models_path=f"/{api_version}/{LIST}",
        models=models,
    )


def payload(request: Request) -> dict[str, Any]:
    """Return the body of `request`. What is not to be read on is not kept there."""
    options = request.options
    system = "\n\n".join(each.text for each in request.messages if each.role == "system" and each.text)
    generation = {
        "temperature": options.temperature,
        "max_output_tokens": request.left(),
        "seed": options.seed,
        "stop_sequences": list(options.stop) or None,
        "top_p": options.top_p,
        "thinking_summaries": "auto" if efforts.thinks("gemini", request.model) else None,
        **efforts.interactions(request.model, options.effort),
    }
    schema = {"type": "text", "mime_type": "application/json", "schema": options.schema}
    return {
        "model": bare(request.model),
        "input": [step for message in request.messages if message.role != "system" for step in _steps(message)],
        **({"system_instruction": system} if system else {}),
        "generation_config": {name: value for name, value in generation.items() if value is not None},
        **({} if options.schema is None else {"response_format": schema}),
        **({} if options.service_tier is None else {"service_tier": options.service_tier}),
        **({"tools": [{"type": "google_search"}]} if options.web_search else {}),
        "stream": True,
        # What is read on later has to be kept there.
        **({"background": True, "store": True} if request.background else {"store": False}),
        **({"continuation_token": token} if (token := checkpoint(request)) else {}),
    }


def _steps(message: Message) -> Iterator[dict[str, Any]]:
    if message.role == "assistant":
        yield from ({"type": "thought", "signature": each} for part in message.parts for each in _signatures(part))
    # Images before the text that is about them.
    parts = sorted(message.parts, key=lambda part: not isinstance(part, Attachment))
    if content := [each for part in parts for each in _content(part)]:
        yield {"type": "model_output" if message.role == "assistant" else "user_input", "content": content}


def _content(part: Part) -> Iterator[dict[str, Any]]:
    match part:
        case TextPart(text):
            if text:
                yield {"type": "text", "text": str(text)}
        case Attachment(media_type=media_type, data=data):
            kind = "document" if media_type == PDF else "image"
            yield {"type": kind, "mime_type": media_type, "data": Embedded(data)}
        case ThinkingPart() | ToolCall() | ToolResult():
            pass  # thoughts stay here, and no request offers a tool yet
        case _:
            assert_never(part)


def _signatures(part: Part) -> Iterator[str]:
    for block in blocks(part, NAME):
        kept = block.get("signature")
        if isinstance(kept, str) and (safe := signature(kept)):
            yield safe


def parse_on(frame: Frame) -> Iterator[WireEvent]:
    """Return the events of one frame of an answer that goes on without its reader, and the place behind it.

    It goes on there by itself over what is too long for one request: checkpoints are for others.
    """
    event = decoded(frame)
    yield from (each for each in _told(event, frame) if not isinstance(each, CursorMoved))
    parts: dict[str, Any] = {}
    match event:
        case {"interaction": {"id": str(name)}} | {"interaction_id": str(name)} if _ID.fullmatch(name):
            parts["interaction"] = name
    after = event.get("event_id")
    if isinstance(after, str) and 0 < len(after) <= _LONGEST_ID:
        parts["after"] = after
    if parts:
        yield Placed(parts)


def _path_on(root: str, place: Mapping[str, Any]) -> str:
    after = place.get("after")
    query = f"&last_event_id={quote(after, safe='')}" if isinstance(after, str) else ""
    return f"{found}?stream=true{query}" if (found := _path_of(root, place)) else ""


def _stop_path(root: str, place: Mapping[str, Any]) -> str:
    return f"{found}/cancel" if (found := _path_of(root, place)) else ""


def _path_of(root: str, place: Mapping[str, Any]) -> str:
    name = place.get("interaction")
    return f"{root}/{name}" if isinstance(name, str) and _ID.fullmatch(name) else ""


def parse(frame: Frame) -> Iterator[WireEvent]:
    """Return the events of one frame. Raises MalformedFrameError for what is no JSON."""
    yield from _told(decoded(frame), frame)


def _told(event: dict[str, Any], frame: Frame) -> Iterator[WireEvent]:
    kind = event.get("event_type") or frame.event
    match kind, event:
        case "error", _:
            yield _failure(event)
        case "step.start", {"step": {"content": list(content)}}:
            yield from (TextDelta(each["text"]) for each in content if _is_text(each))
        case "step.delta", {"delta": {"type": str(what), **delta}}:
            yield from _delta(what, delta, count(event.get("index")))
        case "interaction.status_update", {"status": status}:
            yield from _usage(event)
            yield from checkpoints(event.get("continuation_token"))
            yield from _end(status, event)
        case "interaction.completed", {"interaction": {"status": status, **interaction}}:
            yield from _usage(interaction)
            yield from checkpoints(interaction.get("continuation_token"))
            yield from _end(status, interaction)
        case _, {"error": error} if error:
            yield _failure(event)


def _delta(kind: str, delta: Mapping[Any, Any], index: int) -> Iterator[WireEvent]:
    match kind, delta:
        case "text", {"text": str(text)} if text:
            yield TextDelta(text)
        case "thought_summary", {"content": {"text": str(text)}} if text:
            yield ThinkingDelta(text)
        case "thought_signature", {"signature": str(signed)} if signed:
            yield Opaque(index, {"signature": signed}, ready=True)
        case "text_annotation_delta", {"annotations": annotations}:
            yield from _cited(annotations)


def _is_text(content: object) -> bool:
    return isinstance(content, Mapping) and isinstance(content.get("text"), str) and bool(content["text"])


def _cited(annotations: object) -> Iterator[Cited]:
    listed = annotations if isinstance(annotations, list) else []
    yield from cited([each for each in listed if isinstance(each, Mapping) and each.get("type") == "url_citation"])


def _usage(about: Mapping[Any, Any]) -> Iterator[UsageReport]:
    match about:
        case {"usage": {**usage}}:
            yield UsageReport(
                Usage(
                    input_tokens=count(usage.get("total_input_tokens")) + count(usage.get("total_tool_use_tokens")),
                    output_tokens=count(usage.get("total_output_tokens")) + count(usage.get("total_thought_tokens")),
                    cached_tokens=count(usage.get("total_cached_tokens")),
                )
            )


def _end(status: object, about: Mapping[Any, Any]) -> Iterator[WireEvent]:
    if status == "failed":
        errors = about.get("errors")
        yield _failure({"error": errors[0] if isinstance(errors, list) and errors else {"message": "it failed"}})
    elif isinstance(status, str) and (end := _STATUS.get(status)) is not None:
        # Either word means an answer that can be gone on with where there is something to do so with.
        goes_on = end is EndReason.LENGTH and about.get("continuation_token")
        yield Finished(EndReason.CONTINUATION if goes_on else end, words=_WORDS.get(status, ""))


def _failure(event: Mapping[str, Any]) -> Failure:
    error = event.get("error")
    about = error if isinstance(error, Mapping) else {"message": details(error)}
    code = str(about.get("code") or "").lower()
    kind = next((kind for word, kind in _ERRORS if word in code), ServerError)
    return Failure(json.dumps({"error": about}), kind)
