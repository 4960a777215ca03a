"""How each provider says things: the words of its wire, and nothing about who hears them.

Every dialect has the same names for the same things, so that a test is written once. Frames are as real services send
them, with their padding, pings and odd orders; where those are documented is said in `llmterm/providers`.
`llmterm` is never asked how to say something: it would only be compared with itself.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias

from llmterm.messages import EndReason

INPUT_TOKENS, OUTPUT_TOKENS = 5, 7


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _sse(value: object, event: str = "", end: str = "\n") -> bytes:
    name = f"event: {event}{end}" if event else ""
    return f"{name}data: {_json(value)}{end}{end}".encode()


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bearer(headers: Mapping[str, str]) -> str:
    return headers.get("authorization", "").removeprefix("Bearer ")


@dataclass(frozen=True, slots=True)
class OpenAI:
    """Chat completions: OpenAI's own, and llama.cpp's, which `local` speaks over a socket."""

    name: str = "openai"
    url_variable: str = "OPENAI_BASE_URL"
    key_variables: tuple[str, ...] = ("OPENAI_API_KEY",)
    request_id: str = "x-request-id"
    too_long: str = (
        "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens."
    )

    model: ClassVar[str] = "gpt-4.1"
    sighted: ClassVar[str] = "gpt-4.1"
    blind: ClassVar[str] = "gpt-3.5-turbo"
    url_path: ClassVar[str] = "/v1"
    path: ClassVar[str] = "/v1/chat/completions"
    content_type: ClassVar[str] = "text/event-stream; charset=utf-8"
    on_stop_sequence: ClassVar[EndReason] = EndReason.STOP
    bad_key: ClassVar[tuple[int, str]] = (401, "Incorrect API key provided")
    busy: ClassVar[int] = 503
    marker: ClassVar[bytes] = b"data: [DONE]\n\n"
    garbage: ClassVar[bytes] = b"data: {garbage\n\n"
    comment: ClassVar[bytes] = b": keep-alive\n\n"

    def opening(self) -> bytes:
        return self._chunk({"role": "assistant", "content": "", "refusal": None})

    def text(self, text: str) -> bytes:
        return self._chunk({"content": text})

    def thinking(self, text: str) -> bytes:
        return self._chunk({"reasoning_content": text, "content": None})

    def ending(self, reason: EndReason = EndReason.STOP) -> bytes:
        usage = {"prompt_tokens": INPUT_TOKENS, "completion_tokens": OUTPUT_TOKENS, "total_tokens": 12}
        last = self._chunk({}, {EndReason.LENGTH: "length"}.get(reason, "stop"))
        return last + _sse({"id": "c", "object": "chat.completion.chunk", "choices": [], "usage": usage})

    def failure(self, words: str) -> bytes:
        error = {"message": words, "type": "server_error", "param": None, "code": None}
        if self.name == "local":
            return f"error: {_json({**error, 'code': 500})}\n\n".encode()
        return _sse({"error": error})

    def refusal(self, status: int, words: str) -> dict[str, Any]:
        return {"error": {"message": words, "type": "invalid_request_error", "param": None, "code": None}}

    def listing(self, *names: str) -> dict[str, Any]:
        return {"object": "list", "data": [{"id": name, "object": "model"} for name in names]}

    def question(self, body: Mapping[str, Any]) -> str:
        return str(body["messages"][-1]["content"])

    def stop(self, body: Mapping[str, Any]) -> object:
        return body["stop"]

    def key(self, headers: Mapping[str, str]) -> str:
        return _bearer(headers)

    def last(self, body: Mapping[str, Any]) -> object:
        return body["messages"][-1]

    def with_image(self, text: str, data: bytes) -> object:
        image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{_base64(data)}"}}
        return {"role": "user", "content": [{"type": "text", "text": text}, image]}

    def with_pdf(self, text: str, name: str, data: bytes) -> object | None:
        file = {"filename": name, "file_data": f"data:application/pdf;base64,{_base64(data)}"}
        return {"role": "user", "content": [{"type": "text", "text": text}, {"type": "file", "file": file}]}

    def _chunk(self, delta: object, reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return _sse({"id": "c", "object": "chat.completion.chunk", "choices": [choice], "usage": None})


@dataclass(frozen=True, slots=True)
class Anthropic:
    """Messages."""

    name: ClassVar[str] = "anthropic"
    url_variable: ClassVar[str] = "ANTHROPIC_BASE_URL"
    key_variables: ClassVar[tuple[str, ...]] = ("ANTHROPIC_API_KEY",)
    request_id: ClassVar[str] = "request-id"
    too_long: ClassVar[str] = "prompt is too long: 219898 tokens > 200000 maximum"
    model: ClassVar[str] = "claude-haiku-4-5"
    sighted: ClassVar[str] = "claude-haiku-4-5"
    blind: ClassVar[str] = "claude-2.1"
    url_path: ClassVar[str] = ""
    path: ClassVar[str] = "/v1/messages"
    content_type: ClassVar[str] = "text/event-stream; charset=utf-8"
    on_stop_sequence: ClassVar[EndReason] = EndReason.STOP_SEQUENCE
    bad_key: ClassVar[tuple[int, str]] = (401, "invalid x-api-key")
    busy: ClassVar[int] = 529
    marker: ClassVar[bytes] = _sse({"type": "message_stop"}, "message_stop")
    garbage: ClassVar[bytes] = b"event: content_block_delta\ndata: {garbage\n\n"
    comment: ClassVar[bytes] = b'event: ping\ndata: {"type": "ping"}\n\n: keep-alive\n\n'

    def opening(self) -> bytes:
        usage = {"input_tokens": INPUT_TOKENS, "cache_read_input_tokens": 0, "output_tokens": 1}
        message = {"id": "msg", "type": "message", "role": "assistant", "content": [], "usage": usage}
        start = {"type": "message_start", "message": message}
        block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
        return _sse(start, "message_start") + _sse(block, "content_block_start")

    def text(self, text: str) -> bytes:
        return self._delta({"type": "text_delta", "text": text})

    def thinking(self, text: str) -> bytes:
        return self._delta({"type": "thinking_delta", "thinking": text})

    def ending(self, reason: EndReason = EndReason.STOP) -> bytes:
        said = {EndReason.LENGTH: "max_tokens", EndReason.STOP_SEQUENCE: "stop_sequence"}.get(reason, "end_turn")
        delta = {"stop_reason": said, "stop_sequence": "STOP" if said == "stop_sequence" else None}
        end = {"type": "message_delta", "delta": delta, "usage": {"output_tokens": OUTPUT_TOKENS}}
        return _sse({"type": "content_block_stop", "index": 0}, "content_block_stop") + _sse(end, "message_delta")

    def failure(self, words: str) -> bytes:
        return _sse({"type": "error", "error": {"type": "overloaded_error", "message": words}}, "error")

    def refusal(self, status: int, words: str) -> dict[str, Any]:
        return {"type": "error", "error": {"type": "invalid_request_error", "message": words}, "request_id": None}

    def listing(self, *names: str) -> dict[str, Any]:
        return {"data": [{"type": "model", "id": name} for name in names], "has_more": False}

    def question(self, body: Mapping[str, Any]) -> str:
        return str(body["messages"][-1]["content"])

    def stop(self, body: Mapping[str, Any]) -> object:
        return body["stop_sequences"]

    def key(self, headers: Mapping[str, str]) -> str:
        return headers.get("x-api-key", "")

    def last(self, body: Mapping[str, Any]) -> object:
        return body["messages"][-1]

    def with_image(self, text: str, data: bytes) -> object:
        return self._with("image", "image/png", data, text)

    def with_pdf(self, text: str, name: str, data: bytes) -> object | None:
        return self._with("document", "application/pdf", data, text)

    def _with(self, kind: str, media_type: str, data: bytes, text: str) -> object:
        source = {"type": "base64", "media_type": media_type, "data": _base64(data)}
        return {"role": "user", "content": [{"type": kind, "source": source}, {"type": "text", "text": text}]}

    def _delta(self, delta: object) -> bytes:
        return _sse({"type": "content_block_delta", "index": 0, "delta": delta}, "content_block_delta")


@dataclass(frozen=True, slots=True)
class Gemini:
    """Content, generated and streamed; CRLF throughout, and no end but that of the body.

    `client` words the requests, as the configuration has it.
    """

    client: Literal["sdk", "wire"] = "sdk"

    name: ClassVar[str] = "gemini"
    url_variable: ClassVar[str] = "GOOGLE_GEMINI_BASE_URL"
    key_variables: ClassVar[tuple[str, ...]] = ("GEMINI_API_KEY", "GOOGLE_API_KEY")
    request_id: ClassVar[str] = "x-goog-request-id"
    too_long: ClassVar[str] = "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."
    model: ClassVar[str] = "gemini-3.1-pro"
    sighted: ClassVar[str] = "gemini-3.1-pro"
    blind: ClassVar[str] = "gemini-2.5-flash-preview-tts"
    url_path: ClassVar[str] = ""
    path: ClassVar[str] = "/v1/models/gemini-3.1-pro:streamGenerateContent?alt=sse"
    content_type: ClassVar[str] = "text/event-stream"
    on_stop_sequence: ClassVar[EndReason] = EndReason.STOP
    bad_key: ClassVar[tuple[int, str]] = (400, "API key not valid. Please pass a valid API key.")
    busy: ClassVar[int] = 503
    marker: ClassVar[bytes] = b""
    garbage: ClassVar[bytes] = b"data: {garbage\r\n\r\n"
    comment: ClassVar[bytes] = b": keep-alive\r\n\r\n"

    def opening(self) -> bytes:
        return self._chunk({"content": {"role": "model"}})

    def text(self, text: str) -> bytes:
        return self._part({"text": text})

    def thinking(self, text: str) -> bytes:
        return self._part({"text": text, "thought": True})

    def ending(self, reason: EndReason = EndReason.STOP) -> bytes:
        said = {EndReason.LENGTH: "MAX_TOKENS"}.get(reason, "STOP")
        return self._chunk({"content": {"parts": [{"text": ""}], "role": "model"}, "finishReason": said, "index": 0})

    def failure(self, words: str) -> bytes:
        return _sse(self.refusal(503, words), end="\r\n")

    def refusal(self, status: int, words: str) -> dict[str, Any]:
        # No header says how long to wait, only this.
        hint = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7s"}] if status == 429 else []
        return {"error": {"code": status, "message": words, "status": "SOME_STATUS", "details": hint}}

    def listing(self, *names: str) -> dict[str, Any]:
        methods = ["generateContent", "countTokens"]
        return {"models": [{"name": f"models/{name}", "supportedGenerationMethods": methods} for name in names]}

    def question(self, body: Mapping[str, Any]) -> str:
        return str(body["contents"][-1]["parts"][0]["text"])

    def stop(self, body: Mapping[str, Any]) -> object:
        return body["generationConfig"]["stopSequences"]

    def key(self, headers: Mapping[str, str]) -> str:
        return headers.get("x-goog-api-key", "")

    def last(self, body: Mapping[str, Any]) -> object:
        return body["contents"][-1]

    def with_image(self, text: str, data: bytes) -> object:
        return self._with("image/png", data, text)

    def with_pdf(self, text: str, name: str, data: bytes) -> object | None:
        return self._with("application/pdf", data, text)

    def _with(self, media_type: str, data: bytes, text: str) -> object:
        # google-genai would write the other alphabet; a server takes either: https://protobuf.dev/programming-guides/json/
        name = "mime_type" if self.client == "sdk" else "mimeType"  # the same to the server, too
        inline = {name: media_type, "data": _base64(data)}
        return {"role": "user", "parts": [{"inlineData": inline}, {"text": text}]}

    def _part(self, part: object) -> bytes:
        return self._chunk({"content": {"parts": [part], "role": "model"}, "index": 0})

    def _chunk(self, candidate: object) -> bytes:
        usage = {"promptTokenCount": INPUT_TOKENS, "candidatesTokenCount": OUTPUT_TOKENS, "totalTokenCount": 12}
        return _sse({"candidates": [candidate], "usageMetadata": usage, "modelVersion": self.model}, end="\r\n")


@dataclass(frozen=True, slots=True)
class Interactions:
    """Steps of an answer, as Google's own SDK says them, with an end that is said twice."""

    name: ClassVar[str] = "gemini"
    url_variable: ClassVar[str] = "GOOGLE_GEMINI_BASE_URL"
    key_variables: ClassVar[tuple[str, ...]] = ("GEMINI_API_KEY", "GOOGLE_API_KEY")
    request_id: ClassVar[str] = "x-goog-request-id"
    too_long: ClassVar[str] = "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."
    model: ClassVar[str] = "gemini-3.8-flash"
    sighted: ClassVar[str] = "gemini-3.8-flash"
    blind: ClassVar[str] = "gemini-2.5-flash-preview-tts"
    url_path: ClassVar[str] = ""
    path: ClassVar[str] = "/v1/interactions"
    content_type: ClassVar[str] = "text/event-stream"
    on_stop_sequence: ClassVar[EndReason] = EndReason.STOP
    bad_key: ClassVar[tuple[int, str]] = (400, "API key not valid. Please pass a valid API key.")
    busy: ClassVar[int] = 503
    marker: ClassVar[bytes] = b"event: done\ndata: [DONE]\n\n"
    garbage: ClassVar[bytes] = b"event: step.delta\ndata: {garbage\n\n"
    comment: ClassVar[bytes] = b": keep-alive\n\n"

    def opening(self) -> bytes:
        interaction = {"id": "i", "status": "in_progress", "object": "interaction", "model": self.model}
        created = self._event("interaction.created", interaction=interaction)
        return created + self._event("step.start", index=0, step={"type": "model_output"})

    def text(self, text: str) -> bytes:
        return self._event("step.delta", index=0, delta={"type": "text", "text": text})

    def thinking(self, text: str) -> bytes:
        summary = {"type": "thought_summary", "content": {"type": "text", "text": text}}
        return self._event("step.delta", index=0, delta=summary)

    def ending(self, reason: EndReason = EndReason.STOP) -> bytes:
        said = "incomplete" if reason is EndReason.LENGTH else "completed"
        usage = {"total_input_tokens": INPUT_TOKENS, "total_output_tokens": OUTPUT_TOKENS, "total_tokens": 12}
        interaction = {"id": "i", "status": said, "usage": usage}
        return (
            self._event("step.stop", index=0)
            + self._event("interaction.status_update", interaction_id="i", status=said)
            + self._event("interaction.completed", interaction=interaction)
        )

    def failure(self, words: str) -> bytes:
        return self._event("error", error={"code": "unavailable", "message": words})

    def refusal(self, status: int, words: str) -> dict[str, Any]:
        return Gemini().refusal(status, words)

    def listing(self, *names: str) -> dict[str, Any]:
        return Gemini().listing(*names)

    def question(self, body: Mapping[str, Any]) -> str:
        return str(body["input"][-1]["content"][0]["text"])

    def stop(self, body: Mapping[str, Any]) -> object:
        return body["generation_config"]["stop_sequences"]

    def key(self, headers: Mapping[str, str]) -> str:
        return headers.get("x-goog-api-key", "")

    def last(self, body: Mapping[str, Any]) -> object:
        return body["input"][-1]

    def with_image(self, text: str, data: bytes) -> object:
        return self._with("image", "image/png", data, text)

    def with_pdf(self, text: str, name: str, data: bytes) -> object | None:
        return self._with("document", "application/pdf", data, text)

    def _with(self, kind: str, media_type: str, data: bytes, text: str) -> object:
        attached = {"type": kind, "mime_type": media_type, "data": _base64(data)}
        return {"type": "user_input", "content": [attached, {"type": "text", "text": text}]}

    def _event(self, kind: str, **event: object) -> bytes:
        return _sse({"event_type": kind, "event_id": f"e-{kind}", **event}, kind)


@dataclass(frozen=True, slots=True)
class Cohere:
    """Chat, version 2."""

    name: ClassVar[str] = "cohere"
    url_variable: ClassVar[str] = "CO_API_URL"
    key_variables: ClassVar[tuple[str, ...]] = ("CO_API_KEY", "COHERE_API_KEY")
    request_id: ClassVar[str] = "x-debug-trace-id"
    too_long: ClassVar[str] = (
        "too many tokens: total number of tokens in the prompt cannot exceed 4096 - received 5000."
    )
    model: ClassVar[str] = "command-a-03-2025"
    sighted: ClassVar[str] = "command-a-vision-07-2025"
    blind: ClassVar[str] = "command-a-03-2025"
    url_path: ClassVar[str] = ""
    path: ClassVar[str] = "/v2/chat"
    content_type: ClassVar[str] = "text/event-stream"
    on_stop_sequence: ClassVar[EndReason] = EndReason.STOP_SEQUENCE
    bad_key: ClassVar[tuple[int, str]] = (401, "invalid api token")
    busy: ClassVar[int] = 503
    marker: ClassVar[bytes] = b"data: [DONE]\n\n"
    garbage: ClassVar[bytes] = b"event: content-delta\ndata: {garbage\n\n"
    comment: ClassVar[bytes] = b": keep-alive\n\n"

    def opening(self) -> bytes:
        start = {"id": "m", "type": "message-start", "delta": {"message": {"role": "assistant", "content": []}}}
        return _sse(start, "message-start") + self._content("content-start", {"type": "text", "text": ""})

    def text(self, text: str) -> bytes:
        return self._content("content-delta", {"text": text})

    def thinking(self, text: str) -> bytes:
        return self._content("content-delta", {"thinking": text})

    def ending(self, reason: EndReason = EndReason.STOP) -> bytes:
        said = {EndReason.LENGTH: "MAX_TOKENS", EndReason.STOP_SEQUENCE: "STOP_SEQUENCE"}.get(reason, "COMPLETE")
        return _sse({"type": "content-end", "index": 0}, "content-end") + self._end(said)

    def failure(self, words: str) -> bytes:
        return self._end("ERROR", error=words)

    def refusal(self, status: int, words: str) -> dict[str, Any]:
        return {"id": "f", "message": words}

    def listing(self, *names: str) -> dict[str, Any]:
        return {"models": [{"name": name, "endpoints": ["chat"]} for name in names]}

    def question(self, body: Mapping[str, Any]) -> str:
        return str(body["messages"][-1]["content"])

    def stop(self, body: Mapping[str, Any]) -> object:
        return body["stop_sequences"]

    def key(self, headers: Mapping[str, str]) -> str:
        return _bearer(headers)

    def last(self, body: Mapping[str, Any]) -> object:
        return body["messages"][-1]

    def with_image(self, text: str, data: bytes) -> object:
        image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{_base64(data)}"}}
        return {"role": "user", "content": [{"type": "text", "text": text}, image]}

    def with_pdf(self, text: str, name: str, data: bytes) -> object | None:
        return None

    def _content(self, kind: str, content: object) -> bytes:
        return _sse({"type": kind, "index": 0, "delta": {"message": {"content": content}}}, kind)

    def _end(self, reason: str, **more: str) -> bytes:
        tokens = {"input_tokens": INPUT_TOKENS, "output_tokens": OUTPUT_TOKENS}
        usage = {"billed_units": {"input_tokens": 1, "output_tokens": 1}, "tokens": tokens}
        return _sse({"type": "message-end", "delta": {"finish_reason": reason, "usage": usage, **more}}, "message-end")


@dataclass(frozen=True, slots=True)
class Ollama:
    """Chat as lines of JSON; the marker of the end is the newline of the last one."""

    name: ClassVar[str] = "ollama"
    url_variable: ClassVar[str] = "OLLAMA_HOST"
    key_variables: ClassVar[tuple[str, ...]] = ()
    request_id: ClassVar[str] = ""
    too_long: ClassVar[str] = "the input length exceeds the context length"
    model: ClassVar[str] = "gemma3"
    sighted: ClassVar[str] = "gemma3"
    blind: ClassVar[str] = "gemma3:1b"
    url_path: ClassVar[str] = ""
    path: ClassVar[str] = "/api/chat"
    content_type: ClassVar[str] = "application/x-ndjson"
    on_stop_sequence: ClassVar[EndReason] = EndReason.STOP
    bad_key: ClassVar[tuple[int, str]] = (401, "unauthorized")
    busy: ClassVar[int] = 503
    marker: ClassVar[bytes] = b"\n"
    garbage: ClassVar[bytes] = b"{garbage\n"
    comment: ClassVar[bytes] = b"\n"

    def opening(self) -> bytes:
        return b""

    def text(self, text: str) -> bytes:
        return self._line({"message": {"role": "assistant", "content": text}, "done": False})

    def thinking(self, text: str) -> bytes:
        return self._line({"message": {"role": "assistant", "content": "", "thinking": text}, "done": False})

    def ending(self, reason: EndReason = EndReason.STOP) -> bytes:
        said = {EndReason.LENGTH: "length"}.get(reason, "stop")
        counts = {"prompt_eval_count": INPUT_TOKENS, "eval_count": OUTPUT_TOKENS}
        message = {"role": "assistant", "content": ""}
        return self._line({"message": message, "done": True, "done_reason": said, **counts}).removesuffix(b"\n")

    def failure(self, words: str) -> bytes:
        return self._line({"error": words})

    def refusal(self, status: int, words: str) -> dict[str, Any]:
        return {"error": words}

    def listing(self, *names: str) -> dict[str, Any]:
        return {"models": [{"name": name, "model": name, "size": 1} for name in names]}

    def question(self, body: Mapping[str, Any]) -> str:
        return str(body["messages"][-1]["content"])

    def stop(self, body: Mapping[str, Any]) -> object:
        return body["options"]["stop"]

    def key(self, headers: Mapping[str, str]) -> str:
        return _bearer(headers)

    def last(self, body: Mapping[str, Any]) -> object:
        return body["messages"][-1]

    def with_image(self, text: str, data: bytes) -> object:
        return {"role": "user", "content": text, "images": [_base64(data)]}

    def with_pdf(self, text: str, name: str, data: bytes) -> object | None:
        return None

    def _line(self, value: object) -> bytes:
        escaped = _json(value).replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
        return f"{escaped}\n".encode()


@dataclass(frozen=True, slots=True)
class Responses:
    """OpenAI's Responses, over HTTP, or over a WebSocket as `tests.sockets` says them there."""

    transport: Literal["http", "websocket"] = "http"

    name: ClassVar[str] = "openai"
    url_variable: ClassVar[str] = "OPENAI_BASE_URL"
    key_variables: ClassVar[tuple[str, ...]] = ("OPENAI_API_KEY",)
    request_id: ClassVar[str] = "x-request-id"
    too_long: ClassVar[str] = (
        "Your input exceeds the context window of this model. Please adjust your input and try again."
    )
    model: ClassVar[str] = "gpt-4.1"
    sighted: ClassVar[str] = "gpt-4.1"
    blind: ClassVar[str] = "gpt-3.5-turbo"
    url_path: ClassVar[str] = "/v1"
    path: ClassVar[str] = "/v1/responses"
    content_type: ClassVar[str] = "text/event-stream; charset=utf-8"
    on_stop_sequence: ClassVar[EndReason] = EndReason.STOP
    bad_key: ClassVar[tuple[int, str]] = (401, "Incorrect API key provided")
    busy: ClassVar[int] = 503
    garbage: ClassVar[bytes] = b"data: {garbage\n\n"
    comment: ClassVar[bytes] = b": keep-alive\n\n"

    @property
    def marker(self) -> bytes:
        """There is none: the last event is the end."""
        return b"" if self.transport == "websocket" else self.comment

    def opening(self) -> bytes:
        response = {"id": "resp_1", "object": "response", "status": "in_progress", "model": self.model, "output": []}
        item = {"id": "msg_1", "type": "message", "status": "in_progress", "role": "assistant", "content": []}
        created = _event("response.created", response=response)
        return created + _event("response.output_item.added", output_index=0, item=item)

    def text(self, text: str) -> bytes:
        return _event("response.output_text.delta", item_id="msg_1", output_index=0, content_index=0, delta=text)

    def thinking(self, text: str) -> bytes:
        where = {"item_id": "rs_1", "output_index": 0, "summary_index": 0}
        return _event("response.reasoning_summary_text.delta", delta=text, **where)

    def ending(self, reason: EndReason = EndReason.STOP) -> bytes:
        usage = {"input_tokens": INPUT_TOKENS, "output_tokens": OUTPUT_TOKENS, "total_tokens": 12}
        if reason is not EndReason.LENGTH:
            return _event("response.completed", response={"id": "resp_1", "status": "completed", "usage": usage})
        details = {"reason": "max_output_tokens"}
        response = {"id": "resp_1", "status": "incomplete", "incomplete_details": details, "usage": usage}
        return _event("response.incomplete", response=response)

    def failure(self, words: str) -> bytes:
        error = {"code": "server_error", "message": words}
        return _event("response.failed", response={"id": "resp_1", "status": "failed", "error": error})

    def refusal(self, status: int, words: str) -> dict[str, Any]:
        return {"error": {"message": words, "type": "invalid_request_error", "param": None, "code": None}}

    def listing(self, *names: str) -> dict[str, Any]:
        return {"object": "list", "data": [{"id": name, "object": "model"} for name in names]}

    def question(self, body: Mapping[str, Any]) -> str:
        return str(body["input"][-1]["content"][0]["text"])

    def stop(self, body: Mapping[str, Any]) -> object:
        return None

    def key(self, headers: Mapping[str, str]) -> str:
        return _bearer(headers)

    def last(self, body: Mapping[str, Any]) -> object:
        return body["input"][-1]

    def with_image(self, text: str, data: bytes) -> object:
        image = {"type": "input_image", "image_url": f"data:image/png;base64,{_base64(data)}"}
        return {"role": "user", "content": [{"type": "input_text", "text": text}, image]}

    def with_pdf(self, text: str, name: str, data: bytes) -> object | None:
        file = {"type": "input_file", "filename": name, "file_data": f"data:application/pdf;base64,{_base64(data)}"}
        return {"role": "user", "content": [{"type": "input_text", "text": text}, file]}


def _event(kind: str, **about: object) -> bytes:
    return _sse({"type": kind, "sequence_number": 0, **about}, kind)


Dialect: TypeAlias = OpenAI | Anthropic | Gemini | Interactions | Cohere | Ollama | Responses

LOCAL = OpenAI(
    name="local",
    url_variable="",
    key_variables=(),
    request_id="",
    too_long="request (9000 tokens) exceeds the available context size (8192 tokens), try increasing it",
)


def label(dialect: Dialect) -> str:
    """Return what tells a dialect from the others: a provider may have two."""
    match dialect:
        case Gemini(client="wire"):
            return "gemini-wire"
        case Interactions():
            return "interactions"
        case Responses():
            return "websocket" if dialect.transport == "websocket" else "responses"
        case _:
            return dialect.name


def configured(dialect: Dialect) -> dict[str, Any]:
    """Return what the configuration says of the provider that a dialect is spoken to, beside what it is anyway."""
    match dialect:
        case Gemini(client="wire"):
            return {"client": "wire"}
        case Interactions():
            return {"interactions": True}
        case Responses():
            return {"api": "responses", "transport": dialect.transport}
        case _:
            return {}


# With an address, limits and retries; the embedded model has none of these.
REMOTE: tuple[Dialect, ...] = (
    OpenAI(),
    Responses(),
    Anthropic(),
    Gemini(),
    Gemini(client="wire"),
    Interactions(),
    Cohere(),
    Ollama(),
)
ALL: tuple[Dialect, ...] = (*REMOTE, LOCAL)
# Of each provider what it is spoken to in unless it is told otherwise.
USUAL: tuple[Dialect, ...] = tuple(each for each in REMOTE if not configured(each))


def whole(dialect: Dialect, *texts: str, reason: EndReason = EndReason.STOP) -> list[bytes]:
    """Return the frames of an answer from its first to its last."""
    return [dialect.opening(), *map(dialect.text, texts), dialect.ending(reason), dialect.marker]
