"""Cohere's chat: version 2, and version 1 where a server has no other.

https://docs.cohere.com/reference/chat-stream and https://docs.cohere.com/v1/reference/chat-stream. Version 2 comes as
server-sent events; version 1 as lines of JSON, or as events too, and repeats the whole answer in its last one. Neither
continues an answer that it is given. A failure may come as an ordinary end, with HTTP 200.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Literal, assert_never

from llmterm.framing import Frame
from llmterm.messages import (
    Attachment,
    Cited,
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
from llmterm.providers.attachments import text_first
from llmterm.providers.wire import (
    TOOL_WANTED,
    Failure,
    Wire,
    WireEvent,
    bearer,
    cited,
    data_url,
    decoded,
    reason,
    whole,
)
from llmterm.untrusted import count

# Version 1 has all of them, version 2 most.
_FINISH = {
    "COMPLETE": EndReason.STOP,
    "STOP_SEQUENCE": EndReason.STOP_SEQUENCE,
    "MAX_TOKENS": EndReason.LENGTH,
    "ERROR_LIMIT": EndReason.LENGTH,  # the context is full
    "ERROR_TOXIC": EndReason.REFUSAL,
}
_FAILED = {
    "ERROR": "something went wrong on the provider's side (ERROR)",
    "TIMEOUT": "the provider took too long (TIMEOUT)",
}
_ROLES = {"user": "USER", "assistant": "CHATBOT"}


def wire(*, version: Literal["v2", "v1"] = "v2") -> Wire:
    v2 = version == "v2"
    return Wire(
        name="cohere",
        known=frozenset({"type", "event_type", "message", "text", "error"}),
        framing="sse" if v2 else "ndjson",
        path=lambda _: f"/{version}/chat",
        payload=payload if v2 else payload_v1,
        parse=parse if v2 else parse_v1,
        headers=bearer,
        continuation=lambda _: "instruct",
        says_stop=True,
        attachments=frozenset({"image"}) if v2 else frozenset(),
        host="cohere" if v2 else None,
        schemas=lambda _: True,
        models_path="/v1/models?endpoint=chat&page_size=1000",
        models=models,
    )


def payload(request: Request) -> dict[str, Any]:
    """Return the JSON body for `request`."""
    messages = [_message(each) for each in request.messages if not each.body.blank or each.attachments]
    thinking = efforts.cohere(request.model, request.options.effort)
    return {
        "model": request.model,
        "messages": messages,
        **_options(request),
        **_format(request, "json_schema"),
        **thinking,
    }


def _message(message: Message) -> dict[str, Any]:
    if not message.attachments:
        return {"role": message.role, "content": message.text}
    parts = text_first(message.parts)
    return {"role": message.role, "content": [each for part in parts for each in _block(part)]}


def _block(part: Part) -> Iterator[dict[str, Any]]:
    """Yield what a part is: https://docs.cohere.com/docs/image-inputs."""
    match part:
        case TextPart(text):
            if not text.blank:
                yield {"type": "text", "text": str(text)}
        case Attachment():
            yield {"type": "image_url", "image_url": {"url": data_url(part)}}
        case ThinkingPart() | ToolCall() | ToolResult():
            pass  # thoughts stay here, and no request offers a tool yet
        case _:
            assert_never(part)


def payload_v1(request: Request) -> dict[str, Any]:
    """Return the JSON body for `request` in version 1, where the last message stands apart."""
    said = [each for each in _said(request) if each.role != "system"]
    preamble = "\n\n".join(each.text for each in _said(request) if each.role == "system")
    return {
        "model": request.model,
        "message": said[-1].text if said else "",
        "chat_history": [{"role": _ROLES[each.role], "message": each.text} for each in said[:-1]],
        **({"preamble": preamble} if preamble else {}),
        **_options(request),
        **_format(request, "schema"),
    }


def _said(request: Request) -> list[Message]:
    """Leave out messages without text, which are refused."""
    return [each for each in request.messages if not each.body.blank]


def _options(request: Request) -> dict[str, Any]:
    options = request.options
    body: dict[str, Any] = {"stream": True}
    if options.temperature is not None:
        body["temperature"] = options.temperature
    if options.top_p is not None:
        body["p"] = options.top_p
    if (left := request.left()) is not None:
        body["max_tokens"] = left
    if options.seed is not None:
        body["seed"] = options.seed
    if options.stop:
        body["stop_sequences"] = list(options.stop)
    return body


def _format(request: Request, name: str) -> dict[str, Any]:
    """https://docs.cohere.com/docs/structured-outputs; version 1 has another name for the schema."""
    schema = request.options.schema
    return {} if schema is None else {"response_format": {"type": "json_object", name: schema}}


def parse(frame: Frame) -> Iterator[WireEvent]:
    """Return the events of one frame. Raises MalformedFrameError for what is no JSON."""
    chunk = decoded(frame)
    delta = chunk.get("delta")
    match chunk.get("type"):
        case "content-delta" | "content-start":
            yield from _content(delta)
        case "citation-start" if isinstance(delta, dict):
            yield from _cited(delta.get("message"))
        case "message-end":
            if isinstance(delta, dict):
                yield from _usage(delta.get("usage"))
                yield from _end(delta.get("finish_reason"), delta.get("error"))
        case None if isinstance(chunk.get("message"), dict):
            yield from _whole(chunk["message"].get("content"), chunk, chunk.get("usage"))
            yield from _cited(chunk["message"])
        case None:
            yield from _refusal(frame, chunk)


def parse_v1(frame: Frame) -> Iterator[WireEvent]:
    """Return the events of one line of version 1. Raises MalformedFrameError for what is no JSON."""
    chunk = decoded(frame)
    match chunk.get("event_type"):
        case "text-generation":
            yield from _text(chunk.get("text"))
        case "stream-end":
            response = chunk.get("response")
            response = response if isinstance(response, dict) else {}
            yield from whole(_text(response.get("text")))
            yield from _usage(response.get("meta"))
            yield from _end(chunk.get("finish_reason") or response.get("finish_reason"), chunk.get("error"))
        case None if isinstance(chunk.get("text"), str):
            yield from _whole(chunk["text"], chunk, chunk.get("meta"))
        case None:
            yield from _refusal(frame, chunk)


def _whole(content: object, answer: dict[str, Any], counted: object) -> Iterator[WireEvent]:
    """Yield the answer of a server that does not stream."""
    parts = content if isinstance(content, list) else [{"text": content}]
    yield from whole(event for part in parts for event in _part(part))
    yield from _usage(counted)
    yield from _end(reason(answer.get("finish_reason")) or "COMPLETE", answer.get("error"))


def _content(delta: object) -> Iterator[WireEvent]:
    match delta:
        case {"message": {"content": content}}:
            yield from _part(content)


def _cited(message: object) -> Iterator[Cited]:
    """Yield the sources of one citation, or of a list of them; only some of the documents are pages of the web."""
    match message:
        case {"citations": citations}:
            for each in citations if isinstance(citations, list) else [citations]:
                match each:
                    case {"sources": list(sources)}:
                        yield from cited([source.get("document") for source in sources if isinstance(source, dict)])


def _part(part: object) -> Iterator[TextDelta | ThinkingDelta]:
    match part:
        case dict():
            thinking = part.get("thinking")
            if isinstance(thinking, str) and thinking:
                yield ThinkingDelta(thinking)
            yield from _text(part.get("text"))


def _text(text: object) -> Iterator[TextDelta]:
    if isinstance(text, str) and text:
        yield TextDelta(text)


def _usage(counted: object) -> Iterator[WireEvent]:
    """Yield the tokens of the model, or, where they are not told, those that are billed."""
    match counted:
        case {"tokens": dict(tokens), **beside} | {"billed_units": dict(tokens), **beside}:
            yield UsageReport(
                Usage(
                    input_tokens=count(tokens.get("input_tokens")),
                    output_tokens=count(tokens.get("output_tokens")),
                    cached_tokens=count(beside.get("cached_tokens")),
                )
            )


def _end(said: object, error: object) -> Iterator[WireEvent]:
    name = reason(said).upper()
    if name in _FAILED:
        yield Failure(json.dumps({"message": error if isinstance(error, str) and error else _FAILED[name]}))
    elif name:
        words = TOOL_WANTED if name == "TOOL_CALL" else name
        yield Finished(_FINISH.get(name, EndReason.OTHER), words="" if name in _FINISH else words)


def _refusal(frame: Frame, chunk: dict[str, Any]) -> Iterator[WireEvent]:
    """Yield the failure that an error body in the middle of a stream is."""
    if frame.event == "error" or chunk.get("error") or isinstance(chunk.get("message"), str):
        yield Failure(json.dumps(chunk))


def models(body: Any) -> Sequence[str]:
    """Return the names in the answer to `GET /v1/models`."""
    match body:
        case {"models": list(listed)}:
            return [each["name"] for each in listed if isinstance(each, dict) and isinstance(each.get("name"), str)]
        case _:
            return []
