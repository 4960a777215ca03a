"""What OpenAI's clients send and expect, as ours: messages and options in, chunks and whole answers out. Pure.

https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from llmterm.conversation import Conversation
from llmterm.events import TurnEvent
from llmterm.messages import (
    Attachment,
    Effort,
    EndReason,
    Message,
    Opaque,
    Options,
    Segment,
    TextDelta,
    ThinkingDelta,
    Usage,
)
from llmterm.schema import Schema
from llmterm.serve.attached import attachment, from_url
from llmterm.serve.fields import Fields, effort_of, verbosity_of
from llmterm.serve.problems import BadRequestError

_SYSTEM = ("system", "developer")
# OpenAI's words for what has another one here.
EFFORTS_OF_OPENAI: Final[Mapping[str, Effort]] = {"none": "off", "xhigh": "max"}
_FINISH = {
    EndReason.LENGTH: "length",
    EndReason.LIMIT: "length",
    EndReason.CONTINUATION: "length",
    EndReason.REFUSAL: "content_filter",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """A request for a chat completion. Fields that are not known are left aside, as OpenAI does it with most."""

    model: str
    conversation: Conversation
    options: Options
    stream: bool
    with_usage: bool


def completion(fields: Fields) -> Completion:
    """Return what is asked for. Raises BadRequestError, which names the field, and UsageError for a schema."""
    if (fields.whole("n", 1) or 1) > 1:
        raise BadRequestError("n: an answer has one choice here", param="n")
    return Completion(
        model=fields.text("model", ""),
        conversation=conversation(fields.each("messages")),
        options=options(fields),
        stream=fields.flag("stream"),
        with_usage=fields.inner("stream_options").flag("include_usage"),
    )


def options(fields: Fields) -> Options:
    limit = fields.whole("max_completion_tokens", 1)
    return Options(
        temperature=fields.number("temperature", 0, 2),
        max_tokens=fields.whole("max_tokens", 1) if limit is None else limit,
        seed=fields.whole("seed", -(2**63), 2**63),
        stop=fields.texts("stop"),
        schema=schema_of(fields.inner("response_format"), "json_schema"),
        effort=effort_of(fields, "reasoning_effort", also=EFFORTS_OF_OPENAI),
        top_p=fields.number("top_p", 0, 1),
        verbosity=verbosity_of(fields),
        service_tier=tier_of(fields),
        web_search="web_search_options" in fields.value or None,
    )


def tier_of(fields: Fields) -> str | None:
    """Return the service tier; OpenAI's clients say "auto" where they want none in particular."""
    tier = fields.maybe("service_tier")
    return None if tier in ("", "auto", "default") else tier


def schema_of(wanted: Fields, inner: str = "") -> Opaque | None:
    """Return the schema of the form that is wanted, in that or in its field `inner`. Raises UsageError."""
    match wanted.text("type", "text"):
        case "text":
            return None
        case "json_object":
            return {"type": "object"}
        case "json_schema":
            schema = (wanted.inner(inner) if inner else wanted).inner("schema")
            return Schema.of(json.dumps(schema.value)).value
        case other:
            raise wanted.wrong("type", f"is text, json_object or json_schema, not {other[:40]!r}")


def conversation(given: Sequence[object], place: str = "messages") -> Conversation:
    """Return the messages as a conversation that ends with a question."""
    system: list[str] = []
    said: list[Message] = []
    for number, each in enumerate(given):
        fields = Fields(each, f"{place}[{number}].")
        role, (text, attached) = fields.text("role"), _content(fields)
        if role in _SYSTEM:
            system.append(text)
        elif role == "assistant":
            said.append(Message(role="assistant", text=text))
        elif role in ("user", "tool", "function"):
            said.append(Message(role="user", text=text, attachments=attached))
        else:
            raise fields.wrong("role", "is system, developer, user, assistant or tool")
    if not said or said[-1].role != "user":
        raise BadRequestError(f"{place}: the last one has to be a question", param=place)
    return Conversation(system="\n\n".join(system), messages=tuple(said))


def _content(fields: Fields) -> tuple[str, tuple[Attachment, ...]]:
    """Return the text of a message, and what is attached to it."""
    found = fields.value.get("content")
    if found is None or isinstance(found, str):
        return found or "", ()
    texts: list[str] = []
    attached: list[Attachment] = []
    for number, each in enumerate(fields.each("content")):
        part = fields.of_list("content", number, each)
        match part.text("type"):
            case "text" | "input_text" | "output_text" | "refusal":
                texts.append(part.text("text", ""))
            case "image_url":
                url = part.value.get("image_url")
                given = url if isinstance(url, str) else part.inner("image_url").text("url")
                attached.append(from_url(given, param=part.place("image_url")))
            case "input_image":
                attached.append(from_url(part.text("image_url"), param=part.place("image_url")))
            case "file" | "input_file":
                file = part.inner("file") if part.value.get("type") == "file" else part
                attached.append(_file(file))
            case other:
                raise part.wrong("type", f"is nothing that can be answered here: {other[:40]!r}")
    return "".join(texts), tuple(attached)


def _file(fields: Fields) -> Attachment:
    data, name = fields.text("file_data"), fields.text("filename", "")
    param = fields.place("file_data")
    return (
        from_url(data, name=name, param=param) if data.startswith("data:") else attachment(data, name=name, param=param)
    )


def finish_reason(reason: EndReason) -> str:
    """Return the end of an answer by OpenAI's word for it."""
    return _FINISH.get(reason, "stop")


def usage(segments: Sequence[Segment]) -> dict[str, Any]:
    """Return what an answer took, in tokens; how many of them were thought is not known here."""
    asked = sum(each.usage.input_tokens for each in segments)
    said = sum(each.usage.output_tokens for each in segments)
    return {
        "prompt_tokens": asked,
        "completion_tokens": said,
        "total_tokens": asked + said,
        "prompt_tokens_details": caching([each.usage for each in segments]),
        "completion_tokens_details": {"reasoning_tokens": 0},
    }


def caching(usages: Sequence[Usage]) -> dict[str, int]:
    """Return what providers' caches had of all that was asked, and what was written to them."""
    return {
        "cached_tokens": sum(each.cached_tokens for each in usages),
        "cache_write_tokens": sum(each.cache_write_tokens for each in usages),
    }


@dataclass(frozen=True, slots=True)
class Head:
    """What every chunk of an answer says of it; `created` is in seconds."""

    id: str
    created: int
    model: str

    def begin(self) -> dict[str, Any]:
        return self._chunk({"role": "assistant", "content": ""})

    def chunk(self, event: TurnEvent) -> dict[str, Any] | None:
        """Return the chunk that tells of an event; None for one that is nothing of the answer.

        What the model thinks is called as DeepSeek's and most other servers call it.
        """
        match event:
            case TextDelta(text) if text:
                return self._chunk({"content": text})
            case ThinkingDelta(text) if text:
                return self._chunk({"reasoning_content": text})
            case _:
                return None

    def end(self, reason: EndReason) -> dict[str, Any]:
        return self._chunk({}, finish_reason(reason))

    def used(self, segments: Sequence[Segment]) -> dict[str, Any]:
        return {**self._head("chat.completion.chunk"), "choices": [], "usage": usage(segments)}

    def whole(self, text: str, thinking: str, reason: EndReason, segments: Sequence[Segment]) -> dict[str, Any]:
        """Return an answer that was not streamed."""
        message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None, "annotations": []}
        if thinking:
            message["reasoning_content"] = thinking
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish_reason(reason)}
        return {**self._head("chat.completion"), "choices": [choice], "usage": usage(segments)}

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}

    def _chunk(self, delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return {**self._head("chat.completion.chunk"), "choices": [choice]}
