"""Anthropic's messages, and every server that speaks them.

https://platform.claude.com/docs/en/api/messages; the stream: https://platform.claude.com/docs/en/build-with-claude/streaming.
What differs between generations of models is a table here. New kinds of events, blocks and deltas come without
notice: what is unknown is skipped. Thinking is shown, and its signed blocks are kept to be sent back as they came.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, assert_never

from llmterm.errors import (
    AuthError,
    ContextTooLongError,
    ModelNotFoundError,
    ProviderError,
    QuotaError,
    RateLimitError,
    RequestRefusedError,
    ServerError,
)
from llmterm.framing import Frame
from llmterm.messages import (
    Attachment,
    Cited,
    Continuation,
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
)
from llmterm.providers import efforts
from llmterm.providers.attachments import PDF
from llmterm.providers.wire import (
    TOOL_WANTED,
    Failure,
    Opaque,
    Wire,
    WireEvent,
    cited,
    decoded,
    details,
    reason,
    whole,
)
from llmterm.transport import Embedded
from llmterm.untrusted import count

# https://platform.claude.com/docs/en/api/versioning. Under the later one a temperature is an error, so models that take
# one are asked by the earlier; servers of other makers may know no other.
_VERSION, _LATER_VERSION = "2023-06-01", "2026-10-21"
_LEAST_BUDGET = 1024
_THINKING = frozenset({"enabled", "adaptive"})
# https://platform.claude.com/docs/en/agents-and-tools/tool-use/web-search-tool; later ones want a place to run code in.
_SEARCH = {"type": "web_search_20250305", "name": "web_search"}


class _Traits(NamedTuple):
    """What is special about the models whose name has `pattern` in it.

    `max_tokens`: the most that one answer may have, thinking included. `thinking`: how it is asked for, "" where the
    model has none. `sampling`: whether a temperature is accepted. `replay`: whether blocks of thinking may be sent back
    although the system prompt has changed since; where they may not, the whole request would be a 400.
    """

    pattern: str
    max_tokens: int
    continuation: Continuation
    thinking: Literal["enabled", "adaptive", ""]
    sampling: bool = True
    replay: bool = True


# The first match counts. The sources, all below https://platform.claude.com/docs/en: models/overview (limits),
# build-with-claude/thinking-troubleshooting (kinds of thinking), build-with-claude/preserved-thinking (sending back).
_MODELS = (
    _Traits(r"claude-3[-.]7", 64_000, "prefill", "enabled"),
    _Traits(r"claude-3[-.]5", 8_192, "prefill", ""),
    _Traits(r"claude-(instant|[123]\b)", 4_096, "prefill", ""),
    _Traits(r"claude-opus-4(?![-.]([2-9]|\d\d)\b)", 32_000, "prefill", "enabled"),
    _Traits(r"claude-([a-z]+-)?4(?![-.]([6-9]|\d\d)\b)", 64_000, "prefill", "enabled"),
    _Traits(r"claude-([a-z]+-)?4[-.]6\b", 128_000, "instruct", "adaptive"),
    _Traits(r"claude-([a-z]+-)?(4|5(?![-.]\d{1,2}\b))", 128_000, "instruct", "adaptive", sampling=False),
    _Traits(r"claude", 128_000, "instruct", "adaptive", sampling=False, replay=False),
    _Traits(r"", 8_192, "instruct", "enabled"),  # another maker's model, behind the same API
)
# Adaptive models think only where they are asked to up to 4.8; later ones always do, unseen unless asked to show it.
_THINKS_WHEN_ASKED = re.compile(r"claude-([a-z]+-)?4\b", re.IGNORECASE)
# Those that keep to a schema: https://platform.claude.com/docs/en/build-with-claude/structured-outputs
_SHAPED = re.compile(r"claude-(opus-4-1|[a-z]+-(4[-.][5-9]|[5-9]|\d\d))", re.IGNORECASE)

_FINISH = {
    "end_turn": EndReason.STOP,
    "stop_sequence": EndReason.STOP_SEQUENCE,
    "max_tokens": EndReason.LENGTH,
    "model_context_window_exceeded": EndReason.LENGTH,
    "refusal": EndReason.REFUSAL,
    "pause_turn": EndReason.CONTINUATION,
}

# https://platform.claude.com/docs/en/api/errors
_ERRORS: Mapping[str, type[ProviderError]] = {
    "authentication_error": AuthError,
    "permission_error": AuthError,
    "billing_error": QuotaError,
    "invalid_request_error": RequestRefusedError,
    "not_found_error": ModelNotFoundError,
    "rate_limit_error": RateLimitError,
    "request_too_large": ContextTooLongError,
}
_TOO_LONG = re.compile(r"prompt is too long|exceed context limit", re.IGNORECASE)


def wire(*, thinking: int | None = None) -> Wire:
    """Return the wire; `thinking` is how many tokens a model may think for, None to leave that to the model."""
    return Wire(
        name="anthropic",
        known=frozenset({"type", "error"}),
        path=lambda _: "/v1/messages",
        payload=lambda request: payload(request, thinking=thinking),
        parse=parse,
        headers=headers,
        model_headers=lambda model: {"anthropic-version": version(model)},
        continuation=continuation,
        says_stop=True,
        attachments=frozenset({"image", "pdf"}),
        host="anthropic",
        takes=frozenset({"service_tier", "web_search"}),
        schemas=lambda model: _SHAPED.search(model) is not None,
        models_path="/v1/models?limit=1000",
        models=models,
    )


def headers(key: str) -> dict[str, str]:
    return {"anthropic-version": _VERSION, **({"x-api-key": key} if key else {})}


def version(model: str) -> str:
    """Return the version of the API to ask a model by."""
    return _VERSION if _traits(model).sampling else _LATER_VERSION


def continuation(model: str) -> Continuation:
    return _traits(model).continuation


def _traits(model: str) -> _Traits:
    return next(each for each in _MODELS if re.search(each.pattern, model, re.IGNORECASE))


def payload(request: Request, *, thinking: int | None = None) -> dict[str, Any]:
    """Return the JSON body for `request`.

    Messages with nothing in them are left out: one of them, such as a refusal without words, would be a 400 for good.
    """
    options, traits = request.options, _traits(request.model)
    system = "\n\n".join(each.text for each in request.messages if each.role == "system" and not each.body.blank)
    said = [each for each in request.messages if each.role != "system" and (not each.body.blank or each.attachments)]
    prefill = bool(said) and said[-1].role == "assistant"
    messages = [_message(each, traits) for each in said]
    if prefill:
        messages[-1] = {"role": "assistant", "content": str(said[-1].body.rstrip())}
    body: dict[str, Any] = {
        "model": request.model,
        "messages": messages,
        "max_tokens": request.left(traits.max_tokens),
        "stream": True,
    }
    if system:
        body["system"] = system
    if options.schema is not None:
        body["output_config"] = {"format": {"type": "json_schema", "schema": options.schema}}
    if options.stop:
        body["stop_sequences"] = list(options.stop)
    if options.service_tier is not None:
        body["service_tier"] = options.service_tier
    if options.web_search:
        body["tools"] = [_SEARCH]
    form, level = _thinking(request, traits, thinking)
    if form.get("type") in _THINKING and not prefill:
        _think(body, form, level)
        return body
    if form and form["type"] not in _THINKING:
        body["thinking"] = form
    if traits.sampling:
        sampling = {"temperature": options.temperature, "top_p": options.top_p}
        body |= {name: value for name, value in sampling.items() if value is not None}
    return body


def _thinking(request: Request, traits: _Traits, budget: int | None) -> tuple[dict[str, Any], str]:
    """Return how the model is told to think, {} for nothing about it, and the level of its effort.

    `budget` counts where no effort is asked for. Raises WishRefusedError.
    """
    if request.options.effort is not None:
        return efforts.anthropic(request.model, request.options.effort)
    unasked = traits.thinking == "adaptive" and not _THINKS_WHEN_ASKED.search(request.model)
    if budget == 0 and unasked:
        # The latest refuse to be without it: between tools, where there are none, is never.
        return {"type": "disabled" if traits.replay else "between_tools"}, ""
    if not traits.thinking or not (budget or unasked):
        return {}, ""
    if traits.thinking == "adaptive":
        return {**efforts.ADAPTIVE}, ""
    return {"type": "enabled", "budget_tokens": max(budget or 0, _LEAST_BUDGET)}, ""


def _think(body: dict[str, Any], form: Mapping[str, Any], level: str) -> None:
    body["thinking"] = form
    if level:
        body.setdefault("output_config", {})["effort"] = level
    budget = form.get("budget_tokens", 0)
    if body["max_tokens"] <= budget:
        body["max_tokens"] += budget  # what was asked for is then the limit of the text alone


def _message(message: Message, traits: _Traits) -> dict[str, Any]:
    # Images and documents are best understood before the text that is about them.
    parts = sorted(message.parts, key=lambda part: not isinstance(part, Attachment))
    replay = traits.replay and message.role == "assistant"
    match [block for part in parts for block in _content(part, replay=replay)]:
        case [{"type": "text", "text": content}] | content:
            return {"role": message.role, "content": content}


def _content(part: Part, *, replay: bool) -> Iterator[dict[str, Any]]:
    """Yield the blocks of content that a part is; thoughts only where they may be sent back."""
    match part:
        case TextPart(text):
            if not text.blank:
                yield {"type": "text", "text": str(text)}
        case ThinkingPart():
            if replay:
                yield from _signed(part)
        case Attachment():
            yield _attached(part)
        case ToolCall() | ToolResult():
            pass  # no request offers a tool yet
        case _:
            assert_never(part)


def _attached(attachment: Attachment) -> dict[str, Any]:
    """Return a block: https://platform.claude.com/docs/en/build-with-claude/vision, .../pdf-support."""
    source = {"type": "base64", "media_type": attachment.media_type, "data": Embedded(attachment.data)}
    return {"type": "document" if attachment.media_type == PDF else "image", "source": source}


def _signed(thinking: ThinkingPart) -> Iterator[dict[str, str]]:
    """Yield the whole blocks of what was thought: the store may be damaged, the stream may have been cut."""
    match thinking.provider_data:
        case {"anthropic": list(blocks)}:
            for block in blocks:
                match block:
                    case {"type": "thinking", "thinking": str(text), "signature": str(signature)} if signature:
                        yield {"type": "thinking", "thinking": text, "signature": signature}
                    case {"type": "redacted_thinking", "data": str(data)} if data:
                        yield {"type": "redacted_thinking", "data": data}


def parse(frame: Frame) -> Iterator[WireEvent]:
    """Return the events of one frame. Raises MalformedFrameError for what is no JSON."""
    chunk = decoded(frame)
    match chunk.get("type"):
        case "content_block_delta":
            yield from _delta(count(chunk.get("index")), chunk.get("delta"))
        case "content_block_start":
            yield from _block(count(chunk.get("index")), chunk.get("content_block"))
            yield from _cited(chunk.get("content_block"))
        case "message_start":
            message = chunk.get("message")
            yield from _usage(message.get("usage") if isinstance(message, dict) else None, begun=True)
        case "message_delta":
            yield from _usage(chunk.get("usage"))
            yield from _finish(chunk.get("delta"))
        case "message":
            yield from _whole(chunk)
        case kind:
            if frame.event == "error" or kind == "error" or (kind is None and chunk.get("error")):
                yield Failure(json.dumps(chunk), _error(chunk.get("error") or chunk))


def _whole(message: dict[str, Any]) -> Iterator[WireEvent]:
    """Yield the answer of a server that does not stream: https://platform.claude.com/docs/en/api/messages."""
    blocks = message.get("content")
    listed = blocks if isinstance(blocks, list) else []
    yield from whole(event for index, block in enumerate(listed) for event in _block(index, block))
    for block in listed:
        yield from _cited(block)
    yield from _usage(message.get("usage"))
    yield from _finish(message if reason(message.get("stop_reason")) else {"stop_reason": "end_turn"})


def _delta(index: int, delta: object) -> Iterator[WireEvent]:
    match delta:
        case {"type": "text_delta", "text": str(text)} if text:
            yield TextDelta(text)
        case {"type": "thinking_delta", "thinking": str(text)} if text:
            yield ThinkingDelta(text)
            yield Opaque(index, {"thinking": text})
        case {"type": "signature_delta", "signature": str(signature)} if signature:
            yield Opaque(index, {"signature": signature})
        case {"type": "citations_delta", "citation": source}:
            yield from cited([source])


def _block(index: int, block: object) -> Iterator[TextDelta | ThinkingDelta | Opaque]:
    match block:
        case {"type": "text", "text": str(text)} if text:
            yield TextDelta(text)
        case dict() if block.get("type") == "thinking":
            parts = {name: block[name] for name in ("thinking", "signature") if isinstance(block.get(name), str)}
            if parts.get("thinking"):
                yield ThinkingDelta(parts["thinking"])
            yield Opaque(index, {"type": "thinking", "thinking": "", **parts})
        case {"type": "redacted_thinking", "data": str(data)}:
            yield Opaque(index, {"type": "redacted_thinking", "data": data})


def _cited(block: object) -> Iterator[Cited]:
    """Yield the pages that a block of text names; a document that was sent has no URL."""
    match block:
        case {"type": "text", "citations": sources}:
            yield from cited(sources)


def _usage(usage: object, *, begun: bool = False) -> Iterator[WireEvent]:
    """Yield the tokens so far. What was written to the cache or read from it is not in `input_tokens`.

    An answer that has only `begun` counts one token, which says nothing of those that come until the end.
    """
    if isinstance(usage, dict):
        read, written = count(usage.get("cache_read_input_tokens")), count(usage.get("cache_creation_input_tokens"))
        yield UsageReport(
            Usage(
                input_tokens=count(usage.get("input_tokens")) + read + written,
                output_tokens=0 if begun else count(usage.get("output_tokens")),
                cached_tokens=read,
                cache_write_tokens=written,
            )
        )


def _finish(delta: object) -> Iterator[WireEvent]:
    match delta:
        case {"stop_reason": "end_turn", "stop_sequence": str(sequence)} if sequence:
            yield Finished(EndReason.STOP_SEQUENCE)  # llama.cpp's way to say so
        case {"stop_reason": said} if ended := reason(said):
            yield Finished(_FINISH.get(ended, EndReason.OTHER), words=_words(ended, delta))


def _words(ended: str, delta: object) -> str:
    match delta:
        case {"stop_details": dict(said)}:
            return details(said.get("category"), said.get("explanation"))
    if ended == "tool_use":
        return TOOL_WANTED
    return "" if ended in _FINISH else ended


def _error(error: object) -> type[ProviderError]:
    match error:
        case {"message": str(words)} if _TOO_LONG.search(words):
            return ContextTooLongError
        case {"type": str(kind)}:
            return _ERRORS.get(kind, ServerError)
        case _:
            return ServerError


def models(body: Any) -> Sequence[str]:
    """Return the names in the answer to `GET /v1/models`."""
    match body:
        case {"data": list(listed)}:
            return [each["id"] for each in listed if isinstance(each, dict) and isinstance(each.get("id"), str)]
        case _:
            return []
