"""Servers that do not stream, or not as they should: the answer is shown all the same, and asked for once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest

from llmterm.config import ProvidersSettings, RemoteSettings, Settings
from llmterm.errors import NetworkError, ProtocolError, ProviderError
from llmterm.messages import EndReason, Usage
from tests.contract.caller import Caller, answering, fails
from tests.contract.dialects import ALL, Anthropic, Cohere, Dialect, Gemini, Ollama, OpenAI
from tests.wire import Exchange, Script

TEXT = "Grüße 世界\n\n👍 \u2028"
COUNTED = Usage(input_tokens=5, output_tokens=7)
TOKENS = {"input_tokens": 5, "output_tokens": 7}


class Kind(NamedTuple):
    """A wire, and what its server says when it does not stream: with thinking, text and figures."""

    name: str
    dialect: Dialect
    answer: Mapping[str, Any]
    settings: RemoteSettings | None = None

    def caller(self, script: Script) -> Caller:
        remotes = {self.dialect.name: self.settings} if self.settings else {}
        return Caller(self.dialect, script, settings=Settings(providers=ProvidersSettings(remotes=remotes)))

    def answering(self, *body: bytes) -> Caller:
        return self.caller(answering(self.dialect, *body))


class Served:
    """A script that sends its `body`, whatever that is by then, in three chunks."""

    def __init__(self) -> None:
        self.body = b""

    async def __call__(self, exchange: Exchange) -> None:
        await exchange.start(content_type="application/json")
        third = len(self.body) // 3 + 1
        for start in range(0, len(self.body), third):
            await exchange.raw(self.body[start : start + third])
        await exchange.close()


def chat(**message: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "logprobs": None, "finish_reason": "stop"}
    usage = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}
    return {"id": "c", "object": "chat.completion", "choices": [choice], "usage": usage}


CHAT = chat(content=TEXT, reasoning_content="hm", refusal=None)
LISTED = chat(
    content=[{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": TEXT}]
)
RESPONSE = {
    "id": "resp",
    "object": "response",
    "status": "completed",
    "error": None,
    "incomplete_details": None,
    "model": "gpt-4.1",
    "output": [
        {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": "hm"}]},
        {"type": "message", "id": "m", "content": [{"type": "output_text", "text": TEXT, "annotations": []}]},
    ],
    "usage": TOKENS,
}
MESSAGE = {
    "type": "message",
    "role": "assistant",
    "content": [{"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "text", "text": TEXT}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": TOKENS,
}
CONTENT = {
    "candidates": [
        {
            "content": {"role": "model", "parts": [{"text": "hm", "thought": True}, {"text": TEXT}]},
            "finishReason": "STOP",
            "index": 0,
        }
    ],
    "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 7},
}
SAID = {
    "id": "i",
    "finish_reason": "COMPLETE",
    "message": {
        "role": "assistant",
        "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": TEXT}],
    },
    "usage": {"tokens": TOKENS},
}
FIRST = {"text": TEXT, "finish_reason": "COMPLETE", "chat_history": [{"role": "USER", "message": "q"}]}
LINE = {
    "model": "gemma3",
    "message": {"role": "assistant", "content": TEXT, "thinking": "hm"},
    "done": True,
    "done_reason": "stop",
    "prompt_eval_count": 5,
    "eval_count": 7,
}
KINDS = (
    Kind("chat", OpenAI(), CHAT),
    Kind("chat in parts", OpenAI(), LISTED),
    Kind("local", ALL[-1], CHAT),
    Kind("responses", OpenAI(), RESPONSE, RemoteSettings(api="responses")),
    Kind("anthropic", Anthropic(), MESSAGE),
    Kind("gemini", Gemini(), CONTENT),
    Kind("cohere", Cohere(), SAID),
    Kind("cohere v1", Cohere(), {**FIRST, "meta": {"tokens": TOKENS}}, RemoteSettings(kind="cohere", version="v1")),
    Kind("ollama", Ollama(), LINE),
)


@pytest.fixture(params=KINDS, ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> Kind:
    found: Kind = request.param
    return found


def ways(value: object) -> dict[str, bytes]:
    """Return the bodies that servers make of an answer they do not stream."""
    flat, tall = json.dumps(value).encode(), json.dumps(value, indent=2, ensure_ascii=False).encode()
    return {
        "JSON": flat,
        "pretty": tall,
        "pretty, CRLF": tall.replace(b"\n", b"\r\n") + b"\r\n",
        "mark": b"\xef\xbb\xbf" + flat,
        "event": b"data: " + flat + b"\n\n",
        "event without end": b"data: " + flat,
        "event in lines": b"".join(b"data: " + line + b"\n" for line in tall.split(b"\n")) + b"\n",
        "event, pretty": b"data: " + tall + b"\n\n",
        "event and end": b"data: " + flat + b"\n\ndata: [DONE]\n\n",
        "JSON and end": flat + b"\n\ndata: [DONE]\n\n",
        "pretty and end": tall + b"\ndata: [DONE]\n\n",
        "glued": flat + b"data: [DONE]",
        "glued word": flat + b"[DONE]\n",
        "event, glued": b"data: " + flat + b"[DONE]\n\n",
        "list": b"[" + flat + b"]",
    }


async def test_whole_answer_in_one_piece_is_shown_and_asked_for_once(kind: Kind) -> None:
    """Whatever its server makes of it, with its thinking, its figures and its end."""
    served = Served()
    async with kind.caller(served) as caller:
        for number, (way, served.body) in enumerate(ways(kind.answer).items(), 1):
            answer = await caller.ask()

            assert (answer.text, answer.usage, answer.reason) == (TEXT, COUNTED, EndReason.STOP), way
            assert answer.thinking == ("" if kind.name == "cohere v1" else "hm"), way
            assert len(caller.server.exchanges) == number, way


async def test_error_in_one_piece_is_an_error(kind: Kind) -> None:
    """In the provider's words, at HTTP 200."""
    served = Served()
    async with kind.caller(served) as caller:
        for served.body in ways(kind.dialect.refusal(500, "out of memory")).values():
            with fails(ProviderError, "out of memory"):
                await caller.ask()
            served.body = json.dumps(kind.answer).encode()  # or the next one would not be asked for at all
            await caller.ask()


async def test_json_without_sense_is_one_clear_error(kind: Kind) -> None:
    """To ask again would give no other."""
    served = Served()
    async with kind.caller(served) as caller:
        values: list[object] = [{"foo": 1}, [], "hello", 7, None, {"status": "ok", "data": [{"id": "x"}]}]
        for number, value in enumerate(values, 1):
            served.body = json.dumps(value).encode()
            with fails(ProtocolError, "is not what this API should send"):
                await caller.ask()

            assert len(caller.server.exchanges) == number, value


@pytest.mark.parametrize("kind", [each for each in KINDS if each.name in ("chat", "local", "anthropic", "cohere")])
async def test_what_was_streamed_is_not_said_again_as_a_whole(kind: Kind) -> None:
    """Some servers end a stream with all of it in one piece."""
    *frames, end, marker = [kind.dialect.opening(), kind.dialect.text("streamed"), kind.dialect.ending(), b""]
    again = b"data: " + json.dumps(kind.answer).encode() + b"\n\n"
    async with kind.answering(*frames, again, end, marker) as caller:
        answer = await caller.ask()

    assert (answer.text, answer.thinking, answer.reason) == ("streamed", "hm", EndReason.STOP)


@pytest.mark.parametrize("grows", [False, True], ids=["piece by piece", "as it grows"])
@pytest.mark.parametrize("reasons", [[None] * 6, [*[None] * 5, "stop"], [*["null"] * 5, "STOP"], ["stop"] * 6])
@pytest.mark.parametrize("end", [b"", b"data: [DONE]\n\n"], ids=["body ends", "marker"])
async def test_messages_in_the_place_of_deltas_are_one_answer(grows: bool, reasons: list[object], end: bytes) -> None:
    """Some servers stream, and call the parts what only a whole one is called."""
    pieces = ["Grüße", " 世界", "\n", "\n", "👍", "" if grows else "👍"]
    texts = ["".join(pieces[: number + 1]) if grows else piece for number, piece in enumerate(pieces)]
    chunks = [
        {"choices": [{"index": 0, "message": {"content": text, "reasoning_content": text}, "finish_reason": reason}]}
        for text, reason in zip(texts, reasons, strict=True)
    ]
    frames = [b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks]
    async with KINDS[0].answering(*frames, end) as caller:
        answer = await caller.ask()
        assert len(caller.server.exchanges) == 1

    assert (answer.text, answer.thinking, answer.reason) == ("".join(pieces), "".join(pieces), EndReason.STOP)


@pytest.mark.parametrize("delta", [{}, {"role": "assistant", "content": ""}, {"content": None}, None])
async def test_message_beside_an_empty_delta_is_the_answer(delta: object) -> None:
    """Unless the deltas have said it."""
    chunk = {"choices": [{"delta": delta, "message": {"content": "Whole answer."}, "finish_reason": "stop"}]}
    event = b"data: " + json.dumps(chunk).encode() + b"\n\n"
    for frames, text in (([event], "Whole answer."), ([OpenAI().text("Said"), event], "Said")):
        async with KINDS[0].answering(*frames) as caller:
            answer = await caller.ask()

        assert (answer.text, answer.reason) == (text, EndReason.STOP)


async def test_blocks_of_a_whole_answer_that_begin_alike_are_all_shown() -> None:
    blocks = [{"type": "text", "text": text} for text in ("1", "10", "100")]
    kind = next(each for each in KINDS if each.name == "anthropic")
    async with kind.answering(json.dumps({**MESSAGE, "content": blocks}).encode()) as caller:
        answer = await caller.ask()

    assert answer.text == "110100"


async def test_body_without_a_byte_is_one_clear_error(kind: Kind) -> None:
    async with kind.answering() as caller:
        with fails(NetworkError, "an empty answer came from http"):
            await caller.ask()


async def test_response_that_only_completes_has_its_text() -> None:
    """Also where no delta came before."""
    event = b"data: " + json.dumps({"type": "response.completed", "response": RESPONSE}).encode() + b"\n\n"
    kind = next(each for each in KINDS if each.name == "responses")
    async with kind.answering(event) as caller:
        answer = await caller.ask()

    assert (answer.text, answer.usage) == (TEXT, COUNTED)


async def test_chunks_of_gemini_as_a_list_are_an_answer() -> None:
    """As they come without `alt=sse`."""
    chunks = [
        {"candidates": [{"content": {"parts": [{"text": text}]}, **({"finishReason": "STOP"} if text == "c" else {})}]}
        for text in "abc"
    ]
    kind = next(each for each in KINDS if each.name == "gemini")
    body = b"[" + b"\n,\r\n".join(json.dumps(chunk, indent=2).encode() for chunk in chunks) + b"\n]\n"
    async with kind.answering(*(bytes([byte]) for byte in body)) as caller:
        answer = await caller.ask()

    assert (answer.text, answer.reason) == ("abc", EndReason.STOP)


async def test_lines_of_json_where_events_belong_are_an_answer() -> None:
    """A server that leaves out the `data:`."""
    frames = b"".join(
        [OpenAI().opening(), OpenAI().text("a"), OpenAI().text("b"), OpenAI().ending(), b"data: [DONE]\n\n"]
    )
    body = frames.replace(b"data: ", b"").replace(b"\n\n", b"\n")
    async with KINDS[0].answering(body) as caller:
        answer = await caller.ask()

    assert (answer.text, answer.usage, answer.reason) == ("ab", COUNTED, EndReason.STOP)
