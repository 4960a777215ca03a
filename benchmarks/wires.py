"""What each provider's server says, in the words and with the by-work that the real ones send.

A wire is known by the path of the request. `delta` and `end` are the bytes of events, not yet in HTTP's chunks.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks.answer import END

_LAST = f"\n\n{END}\n"
_ID = "0123456789abcdef0123456789abcdef"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """`end` takes the number of chunks that there were; `begin` is what comes before the first text."""

    content_type: str = "text/event-stream"
    begin: bytes = b""
    delta: Callable[[str], bytes]
    end: Callable[[int], bytes]


def wire_of(path: str) -> Wire:
    return next(wire for part, wire in _BY_PATH.items() if part in path)


def questions(body: dict[str, Any]) -> Iterator[str]:
    """Yield what the user has said, the newest first, in whichever wire's words."""
    for message in reversed(body.get("messages") or body.get("input") or body["contents"]):
        if message["role"] == "user":
            content = message.get("content") or message["parts"]
            yield content if isinstance(content, str) else content[0]["text"]


def _data(value: dict[str, Any], *, name: bool = False, line_end: str = "\n") -> bytes:
    event = f"event: {value['type']}{line_end}" if name else ""
    return f"{event}data: {json.dumps(value)}{line_end}{line_end}".encode()


def _chat(delta: dict[str, str], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return _chat_event({"choices": [choice]})


def _chat_event(value: dict[str, Any]) -> bytes:
    common = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1793000000, "model": "test"}
    return _data({**common, **value})


def _chat_end(chunks: int) -> bytes:
    usage = {"prompt_tokens": 1, "completion_tokens": chunks, "total_tokens": chunks + 1}
    return (
        _chat({"content": _LAST})
        + _chat({}, "stop")
        + _chat_event({"choices": [], "usage": usage})
        + b"data: [DONE]\n\n"
    )


def _response(text: str) -> bytes:
    where = {"item_id": f"msg_{_ID}", "output_index": 0, "content_index": 0, "sequence_number": 12345}
    event = {"type": "response.output_text.delta", **where, "delta": text, "logprobs": [], "obfuscation": "aB3dE5fG7h"}
    return _data(event, name=True)


def _response_end(chunks: int) -> bytes:
    usage = {"input_tokens": 1, "output_tokens": chunks, "total_tokens": chunks + 1}
    response = {"id": f"resp_{_ID}", "status": "completed", "model": "test", "output": [], "usage": usage}
    return _response(_LAST) + _data({"type": "response.completed", "response": response}, name=True)


def _message(text: str) -> bytes:
    delta = {"type": "text_delta", "text": text}
    return _data({"type": "content_block_delta", "index": 0, "delta": delta}, name=True)


def _message_end(chunks: int) -> bytes:
    delta = {"stop_reason": "end_turn", "stop_sequence": None}
    return (
        _message(_LAST)
        + _data({"type": "content_block_stop", "index": 0}, name=True)
        + _data({"type": "message_delta", "delta": delta, "usage": {"output_tokens": chunks}}, name=True)
        + _data({"type": "message_stop"}, name=True)
    )


def _candidate(text: str, **more: Any) -> bytes:
    content = {"parts": [{"text": text}], "role": "model"}
    usage = {"promptTokenCount": 1, "totalTokenCount": 1}
    event = {"candidates": [{"content": content, "index": 0, **more}], "usageMetadata": usage, "modelVersion": "test"}
    return _data({**event, "responseId": _ID[:22]}, line_end="\r\n")


def _content(text: str) -> bytes:
    delta = {"message": {"content": {"text": text}}}
    return _data({"type": "content-delta", "index": 0, "delta": delta}, name=True)


def _content_end(chunks: int) -> bytes:
    usage = {"tokens": {"input_tokens": 1, "output_tokens": chunks}}
    return (
        _content(_LAST)
        + _data({"type": "content-end", "index": 0}, name=True)
        + _data({"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": usage}}, name=True)
        + b"data: [DONE]\n\n"
    )


def _line(text: str, **more: Any) -> bytes:
    message = {"role": "assistant", "content": text}
    line = {"model": "test", "created_at": "2026-11-21T10:00:00.123456789Z", "message": message, "done": False}
    return json.dumps(line | more).encode() + b"\n"


# By a part of the path that the others have not.
_BY_PATH = {
    "/chat/completions": Wire(delta=lambda text: _chat({"content": text}), end=_chat_end),
    "/responses": Wire(
        begin=_data({"type": "response.created", "response": {"id": f"resp_{_ID}"}}, name=True),
        delta=_response,
        end=_response_end,
    ),
    "/messages": Wire(
        begin=_data({"type": "message_start", "message": {"usage": {"input_tokens": 1, "output_tokens": 1}}}, name=True)
        + _data({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}, name=True),
        delta=_message,
        end=_message_end,
    ),
    ":streamGenerateContent": Wire(delta=_candidate, end=lambda _: _candidate(_LAST, finishReason="STOP")),
    "/v2/chat": Wire(
        begin=_data({"type": "message-start", "id": _ID, "delta": {"message": {"role": "assistant"}}}, name=True),
        delta=_content,
        end=_content_end,
    ),
    "/api/chat": Wire(
        content_type="application/x-ndjson",
        delta=_line,
        end=lambda chunks: (
            _line(_LAST) + _line("", done=True, done_reason="stop", prompt_eval_count=1, eval_count=chunks)
        ),
    ),
}
