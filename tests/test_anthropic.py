"""The Anthropic wire: what is sent to which generation of models, and what its stream of blocks means."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmterm.errors import (
    AuthError,
    ContextTooLongError,
    ModelNotFoundError,
    NetworkError,
    ProviderError,
    RateLimitError,
    RequestRefusedError,
    ServerError,
)
from llmterm.framing import Frame
from llmterm.messages import (
    EndReason,
    Finished,
    Message,
    Options,
    Request,
    StreamEvent,
    StreamLimits,
    TextDelta,
    ThinkingDelta,
    Usage,
    UsageReport,
)
from llmterm.progress import Progress
from llmterm.providers.anthropic import continuation, headers, models, parse, payload, wire
from llmterm.providers.http import HttpProvider
from llmterm.providers.wire import Failure, MalformedFrameError, Opaque, WireEvent
from llmterm.transport import Breaker, Endpoint, KeyRing, RateLimits, RetryPolicy, Transport
from tests.wire import Exchange, Script, WireServer

HAIKU = "claude-haiku-4-5-20251001"
SONNET = "claude-sonnet-4-6"
OPUS = "claude-opus-5-5"
THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "sig=="}
HIDDEN = {"type": "redacted_thinking", "data": "b64=="}


def ask(model: str, *messages: Message, **options: Any) -> Request:
    asked = messages or (Message(role="user", text="q"),)
    return Request(model=model, messages=asked, options=Options(**options))


def frame(value: object, event: str = "") -> Frame:
    return Frame(event, json.dumps(value))


def delta(index: int = 0, **parts: object) -> Frame:
    return frame({"type": "content_block_delta", "index": index, "delta": parts})


def block(index: int = 0, **parts: object) -> Frame:
    return frame({"type": "content_block_start", "index": index, "content_block": parts})


def stopped(reason: object) -> Frame:
    return frame({"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": None}})


def test_payload_says_what_was_asked_for() -> None:
    """The system prompt is a field of its own; only the options that were given; the limit is compulsory."""
    system = Message(role="system", text="s")
    request = ask(HAIKU, system, Message(role="user", text="q"), max_tokens=9, temperature=0.5, stop=("X",))

    assert payload(request) == {
        "model": HAIKU,
        "messages": [{"role": "user", "content": "q"}],
        "system": "s",
        "max_tokens": 9,
        "temperature": 0.5,
        "stop_sequences": ["X"],
        "stream": True,
    }


def test_seed_is_not_sent() -> None:
    """This API has none, and refuses what it does not know."""
    assert "seed" not in payload(ask(HAIKU, seed=7))


@pytest.mark.parametrize(
    ("model", "limit", "mode", "kind", "sampling"),
    [
        ("claude-2.1", 4_096, "prefill", None, True),
        ("claude-instant-1.2", 4_096, "prefill", None, True),
        ("claude-3-opus-20240229", 4_096, "prefill", None, True),
        ("claude-3-5-sonnet-latest", 8_192, "prefill", None, True),
        ("claude-3-7-sonnet-20250219", 64_000, "prefill", "enabled", True),
        ("claude-opus-4-0", 32_000, "prefill", "enabled", True),
        ("claude-opus-4-20250514", 32_000, "prefill", "enabled", True),
        ("claude-opus-4-1-20250805", 32_000, "prefill", "enabled", True),
        ("claude-sonnet-4-20250514", 64_000, "prefill", "enabled", True),
        ("claude-sonnet-4@20250514", 64_000, "prefill", "enabled", True),
        ("anthropic/claude-sonnet-4.5", 64_000, "prefill", "enabled", True),
        ("claude-opus-4-5-20251101", 64_000, "prefill", "enabled", True),
        (HAIKU, 64_000, "prefill", "enabled", True),
        (SONNET, 128_000, "instruct", "adaptive", True),
        ("us.anthropic.claude-opus-4-6-v1:0", 128_000, "instruct", "adaptive", True),
        ("claude-opus-4-7", 128_000, "instruct", "adaptive", False),
        ("anthropic/claude-opus-4.8", 128_000, "instruct", "adaptive", False),
        ("claude-opus-4-10", 128_000, "instruct", "adaptive", False),
        ("claude-opus-5-20260724", 128_000, "instruct", "adaptive", False),
        (OPUS, 128_000, "instruct", "adaptive", False),
        ("claude-fable-5-1", 128_000, "instruct", "adaptive", False),
        ("claude-something-new", 128_000, "instruct", "adaptive", False),
        ("qwen3-8b", 8_192, "instruct", "enabled", True),
    ],
)
def test_each_generation_gets_what_it_takes(
    model: str, limit: int, mode: str, kind: str | None, sampling: bool
) -> None:
    """Limits, continuation, the kind of thinking and the temperature are facts about a model's name."""
    plain = payload(ask(model, temperature=0.5))
    thinking = payload(ask(model), thinking=2048)

    assert (plain["max_tokens"], "temperature" in plain) == (limit, sampling)
    assert continuation(model) == mode
    assert thinking.get("thinking", {}).get("type") == kind


def test_thinking_has_room_beside_the_answer() -> None:
    """The budget has to be below the limit, at least 1024, and goes without a temperature."""
    body = payload(ask(HAIKU, max_tokens=500, temperature=0.5), thinking=2000)

    assert body["thinking"] == {"type": "enabled", "budget_tokens": 2000}
    assert body["max_tokens"] == 2500
    assert "temperature" not in body
    assert payload(ask(HAIKU, max_tokens=5000), thinking=1)["thinking"]["budget_tokens"] == 1024


def test_limit_above_the_budget_is_left_alone() -> None:
    """Who asks for a limit that holds both gets just that."""
    assert payload(ask(HAIKU, max_tokens=3000), thinking=2000)["max_tokens"] == 3000


def test_newer_models_decide_how_long_to_think() -> None:
    """They refuse a budget, and would keep their thoughts to themselves."""
    body = payload(ask(OPUS, max_tokens=500), thinking=2000)

    assert body["thinking"] == {"type": "adaptive", "display": "summarized"}
    assert body["max_tokens"] == 500


@pytest.mark.parametrize(
    ("model", "shown"),
    [
        ("claude-sonnet-5", True),
        ("us.anthropic.claude-opus-5-5-v1:0", True),
        ("claude-something-new", True),
        ("claude-opus-4-8", False),
        (HAIKU, False),
        ("glm-5", False),
    ],
)
def test_models_that_think_unasked_are_asked_to_show_it(model: str, shown: bool) -> None:
    """The others think no more than before."""
    thinking = payload(ask(model)).get("thinking")

    assert thinking == ({"type": "adaptive", "display": "summarized"} if shown else None)


@pytest.mark.parametrize(
    ("model", "thinking"),
    [
        ("claude-sonnet-5", {"type": "disabled"}),
        ("claude-sonnet-5-5", {"type": "between_tools"}),
        ("claude-opus-4-8", None),
        (HAIKU, None),
        ("glm-5", None),
    ],
)
def test_models_that_think_unasked_can_be_asked_not_to(model: str, thinking: object) -> None:
    """The others are not told what they do anyway."""
    assert payload(ask(model), thinking=0).get("thinking") == thinking


@pytest.mark.parametrize(
    ("model", "date"),
    [
        ("claude-sonnet-5", "2026-10-21"),
        ("claude-opus-4-8", "2026-10-21"),
        ("claude-something-new", "2026-10-21"),
        ("claude-opus-4-6", "2023-06-01"),
        (HAIKU, "2023-06-01"),
        ("glm-5", "2023-06-01"),
    ],
)
async def test_version_of_the_api_is_that_which_takes_what_the_model_takes(
    transport: Transport, model: str, date: str
) -> None:
    """A temperature goes with the earlier one only."""
    _, exchange = await answer(transport, send(begin(input_tokens=5), end()), ask(model, temperature=0.5))

    assert exchange.headers["anthropic-version"] == date
    assert ("temperature" in exchange.body) == (date == "2023-06-01")


def test_prefill_is_stripped_and_goes_without_thinking() -> None:
    """Either would be a 400; the temperature is back in its right."""
    part = Message(role="assistant", text="half an \n", provider_data={"anthropic": [THOUGHT]})
    body = payload(ask(HAIKU, Message(role="user", text="q"), part, temperature=0.5), thinking=2000)

    assert body["messages"][-1] == {"role": "assistant", "content": "half an"}
    assert ("thinking" in body, body["temperature"]) == (False, 0.5)


def test_messages_without_text_are_left_out() -> None:
    """A refusal without words must not make every later question a 400."""
    silent = Message(role="assistant", text=" \n")
    body = payload(ask(HAIKU, Message(role="user", text="a"), silent, Message(role="user", text="b")))

    assert body["messages"] == [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]


def history(data: Any, model: str = HAIKU) -> list[dict[str, Any]]:
    """Return the messages sent when the answer before had `data` with it."""
    answer = Message(role="assistant", text="a", provider_data=data)
    request = ask(model, Message(role="user", text="q"), answer, Message(role="user", text="r"))
    messages: list[dict[str, Any]] = payload(request)["messages"]
    return messages


def test_thinking_goes_back_before_the_text_it_led_to() -> None:
    """As it came, and nothing but what the API knows."""
    sent = history({"anthropic": [{**THOUGHT, "extra": "x"}, HIDDEN]})

    assert sent[1] == {"role": "assistant", "content": [THOUGHT, HIDDEN, {"type": "text", "text": "a"}]}


def test_unspoken_thinking_goes_back_too() -> None:
    """Newer models sign a thought without saying it."""
    unspoken = {**THOUGHT, "thinking": ""}

    assert history({"anthropic": [unspoken]}, SONNET)[1]["content"][0] == unspoken


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"openai": [THOUGHT]},
        {"anthropic": []},
        {"anthropic": None},
        {"anthropic": "text"},
        {"anthropic": {"0": THOUGHT}},
        {"anthropic": [None, 3, "x", [], {}]},
        {"anthropic": [{**THOUGHT, "signature": ""}]},
        {"anthropic": [{"type": "thinking", "thinking": "cut off"}]},
        {"anthropic": [{**THOUGHT, "thinking": 5}]},
        {"anthropic": [{"type": "redacted_thinking", "data": None}]},
        {"anthropic": [{"signature": "no type"}]},
        None,
        [THOUGHT],
    ],
)
def test_what_is_no_whole_thought_is_not_sent_back(data: object) -> None:
    """Cut off by a pause, another wire's, or from a damaged store."""
    assert history(data)[1] == {"role": "assistant", "content": "a"}


@pytest.mark.parametrize(
    ("model", "kept"), [("claude-opus-5", True), (OPUS, False), ("claude-fable-5-1", False), ("claude-x-9", False)]
)
def test_models_that_bind_thoughts_to_the_system_prompt_get_none_back(model: str, kept: bool) -> None:
    """The system prompt may differ from turn to turn here, and they would refuse the conversation for good."""
    assert isinstance(history({"anthropic": [THOUGHT]}, model)[1]["content"], list) is kept


def test_headers_carry_the_key_and_the_version() -> None:
    """A server of one's own may need no key."""
    assert headers("sk-1") == {"anthropic-version": "2023-06-01", "x-api-key": "sk-1"}
    assert headers("") == {"anthropic-version": "2023-06-01"}


def test_models_are_read_from_the_listing() -> None:
    """And from nothing else."""
    assert models({"data": [{"type": "model", "id": "claude-a"}, {"id": None}, 3], "has_more": False}) == ["claude-a"]
    nothing: list[object] = [{"data": 5}, {"data": {"id": "x"}}, [], None]
    assert not any(models(body) for body in nothing)


@pytest.mark.parametrize(
    ("given_frame", "events"),
    [
        (
            frame({"type": "message_start", "message": {"usage": {"input_tokens": 25, "output_tokens": 1}}}),
            [UsageReport(Usage(input_tokens=25))],
        ),
        (
            frame(
                {
                    "type": "message_start",
                    "message": {
                        "id": "msg_1",
                        "content": [],
                        "usage": {
                            "input_tokens": 3,
                            "cache_creation_input_tokens": 20,
                            "cache_read_input_tokens": 100,
                            "cache_creation": {"ephemeral_5m_input_tokens": 20},
                            "output_tokens": 1,
                        },
                    },
                }
            ),
            [UsageReport(Usage(input_tokens=123, cached_tokens=100, cache_write_tokens=20))],
        ),
        (frame({"type": "message_start", "message": {"usage": None}}), []),
        (frame({"type": "ping"}), []),
        (block(type="text", text=""), []),
        (block(type="text", text="first"), [TextDelta("first")]),
        (delta(type="text_delta", text="a"), [TextDelta("a")]),
        (delta(type="text_delta", text=""), []),
        (
            block(type="thinking", thinking="", signature=""),
            [Opaque(0, {"type": "thinking", "thinking": "", "signature": ""})],
        ),
        (
            block(1, type="thinking", thinking="so"),
            [ThinkingDelta("so"), Opaque(1, {"type": "thinking", "thinking": "so"})],
        ),
        (delta(1, type="thinking_delta", thinking="hm"), [ThinkingDelta("hm"), Opaque(1, {"thinking": "hm"})]),
        (delta(1, type="signature_delta", signature="sig"), [Opaque(1, {"signature": "sig"})]),
        (block(2, type="redacted_thinking", data="b64"), [Opaque(2, {"type": "redacted_thinking", "data": "b64"})]),
        (block(type="server_tool_use", id="srv_1", name="web_search", input={}), []),
        (block(type="compaction", content="x"), []),
        (delta(type="input_json_delta", partial_json='{"a'), []),
        (delta(type="citations_delta", citation={"cited_text": "x"}), []),
        (delta(type="something_new", text="no"), []),
        (frame({"type": "content_block_stop", "index": 0}), []),
        (frame({"type": "message_stop"}), []),
        (frame({"type": "something_new", "error": "of its own"}), []),
        (
            frame(
                {
                    "type": "message_delta",
                    "delta": {"stop_reason": "end_turn", "stop_sequence": None},
                    "usage": {"output_tokens": 15},
                }
            ),
            [UsageReport(Usage(output_tokens=15)), Finished(EndReason.STOP)],
        ),
        (
            frame({"type": "message_delta", "delta": {}, "usage": {"output_tokens": 3}}),
            [UsageReport(Usage(output_tokens=3))],
        ),
        (stopped(None), []),
        (stopped("max_tokens"), [Finished(EndReason.LENGTH)]),
        (stopped("model_context_window_exceeded"), [Finished(EndReason.LENGTH)]),
        (stopped("stop_sequence"), [Finished(EndReason.STOP_SEQUENCE)]),
        (
            frame({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": "X"}}),
            [Finished(EndReason.STOP_SEQUENCE)],
        ),
        (stopped("refusal"), [Finished(EndReason.REFUSAL)]),
        (stopped("pause_turn"), [Finished(EndReason.CONTINUATION)]),
        (stopped("tool_use"), [Finished(EndReason.OTHER)]),
        (stopped("something new"), [Finished(EndReason.OTHER)]),
        (
            Frame("", '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}     }'),
            [TextDelta("a")],
        ),
        (Frame("ping", '{"type":"content_block_delta","delta":{"type":"text_delta","text":"a"}}'), [TextDelta("a")]),
        (frame([1, 2]), []),
    ],
)
def test_frames_of_real_servers_are_understood(given_frame: Frame, events: list[WireEvent]) -> None:
    """Blocks of all kinds, padding, pings, and what is not known yet."""
    assert list(parse(given_frame)) == events


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"type": "overloaded_error", "message": "Overloaded"}, ServerError),
        ({"type": "api_error", "message": "Internal server error"}, ServerError),
        ({"type": "something_new", "message": "x"}, ServerError),
        ({"type": "rate_limit_error", "message": "x"}, RateLimitError),
        ({"type": "authentication_error", "message": "x"}, AuthError),
        ({"type": "permission_error", "message": "x"}, AuthError),
        ({"type": "not_found_error", "message": "model: claude-x"}, ModelNotFoundError),
        ({"type": "invalid_request_error", "message": "x"}, RequestRefusedError),
        ({"type": "invalid_request_error", "message": "prompt is too long: 9 tokens > 8 maximum"}, ContextTooLongError),
        ({"type": ["x"], "message": 3}, ServerError),
        ("overloaded", ServerError),
    ],
)
def test_error_within_a_stream_is_a_failure_of_its_kind(error: object, kind: type[ProviderError]) -> None:
    """What came with HTTP 200 is told apart as a status would."""
    (failure,) = parse(frame({"type": "error", "error": error, "request_id": "req_1"}, event="error"))

    assert isinstance(failure, Failure)
    assert failure.error is kind


@pytest.mark.parametrize(
    "given_frame",
    [frame({"error": {"message": "boom"}}), frame({"message": "boom"}, event="error"), frame({"type": "error"})],
)
def test_error_in_another_shape_is_a_failure_too(given_frame: Frame) -> None:
    """Gateways and llama.cpp have shapes of their own."""
    assert list(parse(given_frame)) == [Failure(given_frame.data, ServerError)]


def test_what_is_no_json_is_malformed() -> None:
    """A proxy's web page is not taken for silence."""
    with pytest.raises(MalformedFrameError):
        list(parse(Frame("", "<html>")))


NAMES = [
    "type",
    "index",
    "delta",
    "content_block",
    "message",
    "usage",
    "error",
    "text",
    "thinking",
    "signature",
    "data",
]
KINDS = [
    "content_block_delta",
    "content_block_start",
    "message_start",
    "message_delta",
    "error",
    "text_delta",
    "thinking",
]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(KINDS),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([*NAMES, "stop_reason", "input_tokens"]), inner),
)


@settings(max_examples=40)
@given(json_values, st.sampled_from(["", "error", "ping"]))
def test_no_json_breaks_the_parser(value: object, event: str) -> None:
    """Whatever a server sends, the parser gives events."""
    for each in parse(frame(value, event)):
        assert isinstance(each, TextDelta | ThinkingDelta | UsageReport | Finished | Opaque | Failure)


@given(json_values)
def test_no_store_breaks_the_payload(value: object) -> None:
    """Whatever the store gives back, the text is sent and the body is JSON."""
    for data in (value, {"anthropic": value}, {"anthropic": [value]}):
        assert json.dumps(history(data)).count('"a"') >= 1


@given(json_values)
def test_no_json_breaks_the_listing(value: object) -> None:
    """Whatever a server lists, the names are text."""
    for body in (value, {"data": value}, {"data": [value]}):
        assert all(isinstance(name, str) for name in models(body))


def event(kind: str, **parts: object) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **parts}, ensure_ascii=False)}\n\n".encode()


def begin(**usage: int) -> bytes:
    return event("message_start", message={"id": "msg_1", "role": "assistant", "content": [], "usage": usage})


def piece(index: int, kind: str, **parts: object) -> bytes:
    return event("content_block_delta", index=index, delta={"type": kind, **parts})


def end(reason: str = "end_turn", tokens: int = 7) -> bytes:
    last = event("message_delta", delta={"stop_reason": reason, "stop_sequence": None}, usage={"output_tokens": tokens})
    return last + event("message_stop")


TEXT = event("content_block_start", index=0, content_block={"type": "text", "text": ""})


def send(*bodies: bytes) -> Script:
    async def script(exchange: Exchange) -> None:
        await exchange.start()
        for body in bodies:
            await exchange.raw(body)
        await exchange.close()

    return script


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    transport = Transport()
    yield transport
    await transport.aclose()


async def answer(transport: Transport, script: Script, request: Request) -> tuple[list[StreamEvent], Exchange]:
    """Return the events of one answer, and the exchange that it came from."""
    with WireServer(script) as server:
        endpoint = Endpoint("anthropic", KeyRing(["sk-ant-1"]), RateLimits(), Breaker(), RetryPolicy(attempts=1))
        provider = HttpProvider(transport, wire(), endpoint, base_url=f"http://127.0.0.1:{server.port}")
        stream = await provider.open(request, StreamLimits(), Progress())
        events: list[StreamEvent] = []
        try:
            while batch := await stream.read():
                events += batch
        finally:
            await stream.aclose()
    return events, server.exchanges[0]


def text_of(events: list[StreamEvent]) -> str:
    return "".join(each.text for each in events if isinstance(each, TextDelta))


async def test_whole_answer_arrives(transport: Transport) -> None:
    """Text in order past the pings, the prompt's tokens with the answer's, and one end, without any [DONE]."""
    script = send(
        begin(input_tokens=5, cache_read_input_tokens=10, output_tokens=1),
        TEXT + event("ping"),
        piece(0, "text_delta", text="Grüße, "),
        event("ping") + piece(0, "text_delta", text="世界 👩‍👩‍👧"),
        event("content_block_stop", index=0) + end(),
    )

    events, exchange = await answer(transport, script, ask(HAIKU))

    assert text_of(events) == "Grüße, 世界 👩‍👩‍👧"
    assert events[-2:] == [
        UsageReport(Usage(input_tokens=15, output_tokens=7, cached_tokens=10)),
        Finished(EndReason.STOP),
    ]
    assert exchange.path == "/v1/messages"
    assert (exchange.headers["x-api-key"], exchange.headers["anthropic-version"]) == ("sk-ant-1", "2023-06-01")
    assert "sk-ant-1" not in json.dumps(exchange.body)


async def test_thinking_comes_back_whole_with_the_next_question(transport: Transport) -> None:
    """The pieces of a thought and its signature are one block again when the conversation goes on."""
    script = send(
        begin(input_tokens=5),
        event("content_block_start", index=0, content_block={"type": "thinking", "thinking": "", "signature": ""}),
        piece(0, "thinking_delta", thinking="h") + piece(0, "thinking_delta", thinking="m"),
        piece(0, "signature_delta", signature="sig=="),
        event("content_block_start", index=1, content_block=HIDDEN),
        event("content_block_start", index=2, content_block={"type": "text", "text": ""}),
        piece(2, "text_delta", text="answer") + end(),
    )

    events, _ = await answer(transport, script, ask(HAIKU))

    finished = events[-1]
    assert isinstance(finished, Finished)
    assert finished.provider_data == {"anthropic": [THOUGHT, HIDDEN]}
    assert "".join(each.text for each in events if isinstance(each, ThinkingDelta)) == "hm"
    assert history(finished.provider_data)[1]["content"][:2] == [THOUGHT, HIDDEN]


@pytest.mark.parametrize(("count", "kept"), [(500, True), (3_000, False)])
async def test_blocks_beyond_all_measure_do_not_go_back(transport: Transport, count: int, kept: bool) -> None:
    """They would be stored, and sent with every question; some of them would be no use."""
    blocks = b"".join(event("content_block_start", index=index, content_block=HIDDEN) for index in range(count))
    script = send(begin(input_tokens=5) + blocks + piece(count, "text_delta", text="answer") + end())

    events, _ = await answer(transport, script, ask(HAIKU))

    assert text_of(events) == "answer"
    assert events[-1] == Finished(EndReason.STOP, {"anthropic": [HIDDEN] * count} if kept else {})


@pytest.mark.parametrize(("said", "kept"), [((), ""), ((TEXT, piece(0, "text_delta", text="I c")), "I c")])
async def test_refusal_is_an_end(transport: Transport, said: tuple[bytes, ...], kept: str) -> None:
    """With words or without any."""
    events, _ = await answer(transport, send(begin(input_tokens=5), *said, end("refusal")), ask(HAIKU))

    assert (text_of(events), events[-1]) == (kept, Finished(EndReason.REFUSAL))


async def test_overload_in_the_middle_of_a_block_is_an_error(transport: Transport) -> None:
    """No end comes after it, and none is made up; the key that it repeats is not shown."""
    error = {"type": "overloaded_error", "message": "Overloaded for sk-ant-1"}
    script = send(begin(input_tokens=5) + TEXT + piece(0, "text_delta", text="half") + event("error", error=error))

    with pytest.raises(ServerError, match="Overloaded") as caught:
        await answer(transport, script, ask(HAIKU))

    assert "sk-ant" not in str(caught.value)


async def test_body_that_just_stops_is_a_broken_connection(transport: Transport) -> None:
    """A block that was begun is no whole answer."""
    with pytest.raises(NetworkError, match="broke off"):
        await answer(transport, send(begin(input_tokens=5) + TEXT + piece(0, "text_delta", text="half")), ask(HAIKU))


async def test_order_of_fields_and_line_ends_do_not_matter(transport: Transport) -> None:
    """Gateways write `data:` first, CRLF, blank lines and comments, and leave the last blank line out."""
    body = begin(input_tokens=5) + TEXT + piece(0, "text_delta", text="a") + end()
    lines = b": hello\n\n\n" + b"\n\n".join(
        b"\n".join(reversed(part.split(b"\n"))) for part in body.split(b"\n\n")[:-1]
    )

    events, _ = await answer(transport, send(lines.replace(b"\n", b"\r\n")), ask(HAIKU))

    assert (text_of(events), events[-1]) == ("a", Finished(EndReason.STOP))


async def test_question_after_an_answer_with_thinking_reaches_the_server(transport: Transport) -> None:
    """What the wire sends is what the server gets, a budget and all."""
    data: Mapping[str, Any] = {"anthropic": [THOUGHT]}
    before = (Message(role="user", text="q"), Message(role="assistant", text="a", provider_data=data))
    request = ask(SONNET, *before, Message(role="user", text="r"))

    _, exchange = await answer(transport, send(begin() + TEXT + end()), request)

    assert exchange.body == payload(request)
    assert exchange.body["messages"][1]["content"][0] == THOUGHT


def test_wire_passes_its_thinking_on() -> None:
    """It is a setting of the provider, not of a request."""
    assert "thinking" in wire(thinking=2048).payload(ask(HAIKU))
    assert "thinking" not in wire().payload(ask(HAIKU))
    assert wire().payload(replace(ask(HAIKU), model=OPUS))["model"] == OPUS
