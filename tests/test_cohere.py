"""The Cohere wire: both versions of what is sent, and of the streams that come back."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmterm.errors import NetworkError, ServerError
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
from llmterm.providers.cohere import models, parse, parse_v1, payload, payload_v1, wire
from llmterm.providers.http import HttpProvider
from llmterm.providers.wire import Failure, MalformedFrameError, Whole, WireEvent
from llmterm.transport import Breaker, Endpoint, KeyRing, RateLimits, RetryPolicy, Transport
from tests.wire import Exchange, Script, WireServer

MODEL = "command-a-03-2025"
REQUEST = Request(
    model=MODEL,
    messages=(
        Message(role="system", text="s"),
        Message(role="user", text="q"),
        Message(role="assistant", text="a"),
        Message(role="user", text="r"),
    ),
    options=Options(max_tokens=9, temperature=0.5, seed=7, stop=("X",)),
)
OPTIONS = {"stream": True, "max_tokens": 9, "temperature": 0.5, "seed": 7, "stop_sequences": ["X"]}
COUNTS = {"billed_units": {"input_tokens": 9, "output_tokens": 6}, "tokens": {"input_tokens": 71, "output_tokens": 7}}


def frame(value: object, event: str = "") -> Frame:
    return Frame(event, json.dumps(value))


def content(kind: str = "content-delta", **parts: object) -> Frame:
    return frame({"type": kind, "index": 0, "delta": {"message": {"content": parts}}})


def end(reason: object, **parts: object) -> Frame:
    return frame({"type": "message-end", "id": "1", "delta": {"finish_reason": reason, **parts}})


def end_v1(reason: object, **response: object) -> Frame:
    return frame({"is_finished": True, "event_type": "stream-end", "finish_reason": reason, "response": response})


def test_payload_says_what_was_asked_for() -> None:
    """The system prompt is a message; the options have this API's names."""
    assert payload(REQUEST) == {
        "model": MODEL,
        "messages": [
            {"role": "system", "content": "s"},
            {"role": "user", "content": "q"},
            {"role": "assistant", "content": "a"},
            {"role": "user", "content": "r"},
        ],
        **OPTIONS,
    }


def test_payload_of_version_1_sets_the_question_apart() -> None:
    """What was said before has roles of its own; the system prompt is the preamble."""
    assert payload_v1(REQUEST) == {
        "model": MODEL,
        "message": "r",
        "chat_history": [{"role": "USER", "message": "q"}, {"role": "CHATBOT", "message": "a"}],
        "preamble": "s",
        **OPTIONS,
    }


def test_payload_has_only_what_was_given() -> None:
    """No option is made up, and no preamble."""
    request = Request(model=MODEL, messages=(Message(role="user", text="q"),))

    assert payload(request) == {"model": MODEL, "messages": [{"role": "user", "content": "q"}], "stream": True}
    assert payload_v1(request) == {"model": MODEL, "message": "q", "chat_history": [], "stream": True}


def test_messages_without_text_are_left_out() -> None:
    """An answer without words must not make every later question a 400."""
    said = (Message(role="user", text="q"), Message(role="assistant", text="\n"), Message(role="user", text="r"))
    request = Request(model=MODEL, messages=said)

    assert [each["content"] for each in payload(request)["messages"]] == ["q", "r"]
    assert payload_v1(request)["chat_history"] == [{"role": "USER", "message": "q"}]


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_answers_are_continued_by_instruction(version: Literal["v1", "v2"]) -> None:
    """Neither version goes on with an answer that it is given."""
    assert wire(version=version).continuation(MODEL) == "instruct"


def test_models_are_read_from_the_listing() -> None:
    """And from nothing else."""
    assert models({"models": [{"name": MODEL, "endpoints": ["chat"]}, {"name": 3}, None]}) == [MODEL]
    nothing: list[object] = [{"models": 5}, {"models": {"name": "x"}}, [], None]
    assert not any(models(body) for body in nothing)


@pytest.mark.parametrize(
    ("given_frame", "events"),
    [
        (frame({"type": "message-start", "id": "1", "delta": {"message": {"role": "assistant", "content": []}}}), []),
        (content("content-start", type="text", text=""), []),
        (content("content-start", type="thinking", thinking=""), []),
        (content("content-start", type="text", text="first"), [TextDelta("first")]),
        (content(text="a"), [TextDelta("a")]),
        (content(thinking="hm"), [ThinkingDelta("hm")]),
        (content(text=None), []),
        (frame({"type": "content-end", "index": 0}), []),
        (frame({"type": "tool-plan-delta", "delta": {"message": {"tool_plan": "I will"}}}), []),
        (frame({"type": "citation-start", "index": 0, "delta": {"message": {"citations": {"text": "x"}}}}), []),
        (frame({"type": "debug", "prompt": "x"}), []),
        (
            end("COMPLETE", usage=COUNTS),
            [UsageReport(Usage(input_tokens=71, output_tokens=7)), Finished(EndReason.STOP)],
        ),
        (
            end("COMPLETE", usage={"billed_units": COUNTS["billed_units"], "tokens": None}),
            [UsageReport(Usage(input_tokens=9, output_tokens=6)), Finished(EndReason.STOP)],
        ),
        (end("MAX_TOKENS", usage=None), [Finished(EndReason.LENGTH)]),
        (end("STOP_SEQUENCE"), [Finished(EndReason.STOP_SEQUENCE)]),
        (end("ERROR_TOXIC"), [Finished(EndReason.REFUSAL)]),
        (end("TOOL_CALL"), [Finished(EndReason.OTHER)]),
        (end("something new"), [Finished(EndReason.OTHER)]),
        (end("complete"), [Finished(EndReason.STOP)]),
        (end(None), []),
        (Frame("ping", content(text="a").data), [TextDelta("a")]),
        (frame({}), []),
        (frame([1, 2]), []),
    ],
)
def test_frames_of_version_2_are_understood(given_frame: Frame, events: list[WireEvent]) -> None:
    """Text, thinking, ends, tokens, and what a chat has no use for."""
    assert list(parse(given_frame)) == events


@pytest.mark.parametrize(
    ("given_frame", "events"),
    [
        (frame({"is_finished": False, "event_type": "stream-start", "generation_id": "1"}), []),
        (frame({"is_finished": False, "event_type": "text-generation", "text": "a"}), [TextDelta("a")]),
        (frame({"event_type": "text-generation", "text": None}), []),
        (frame({"event_type": "citation-generation", "citations": [{"text": "no"}]}), []),
        (
            end_v1("COMPLETE", text="the whole answer again", meta={"api_version": {"version": "1"}, **COUNTS}),
            [
                Whole((TextDelta("the whole answer again"),)),
                UsageReport(Usage(input_tokens=71, output_tokens=7)),
                Finished(EndReason.STOP),
            ],
        ),
        (end_v1("MAX_TOKENS"), [Finished(EndReason.LENGTH)]),
        (end_v1("ERROR_LIMIT"), [Finished(EndReason.LENGTH)]),
        (end_v1("ERROR_TOXIC"), [Finished(EndReason.REFUSAL)]),
        (end_v1("USER_CANCEL"), [Finished(EndReason.OTHER)]),
        (end_v1(None, finish_reason="COMPLETE"), [Finished(EndReason.STOP)]),
        (frame({"event_type": "stream-end", "finish_reason": "COMPLETE"}), [Finished(EndReason.STOP)]),
        (frame([1, 2]), []),
    ],
)
def test_lines_of_version_1_are_understood(given_frame: Frame, events: list[WireEvent]) -> None:
    """The repeated answer at the end is not more of it, unless it is all there is."""
    assert list(parse_v1(given_frame)) == events


@pytest.mark.parametrize(
    ("events", "words"),
    [
        (list(parse(end("ERROR", error="out of memory"))), "out of memory"),
        (list(parse(end("ERROR"))), "went wrong"),
        (list(parse(end("TIMEOUT"))), "too long"),
        (list(parse(frame({"id": "1", "message": "boom"}))), "boom"),
        (list(parse(frame({"message": "boom"}, event="error"))), "boom"),
        (list(parse_v1(end_v1("ERROR"))), "went wrong"),
        (list(parse_v1(end_v1("TIMEOUT"))), "too long"),
        (list(parse_v1(frame({"message": "boom"}))), "boom"),
    ],
)
def test_failure_in_the_form_of_an_end_is_a_failure(events: list[WireEvent], words: str) -> None:
    """HTTP 200 and a last event do not make an answer of it."""
    (failure,) = events

    assert isinstance(failure, Failure)
    assert failure.error is ServerError
    assert words in json.loads(failure.words)["message"]


@pytest.mark.parametrize("parser", [parse, parse_v1])
def test_what_is_no_json_is_malformed(parser: Any) -> None:
    """A proxy's web page is not taken for silence."""
    with pytest.raises(MalformedFrameError):
        list(parser(Frame("", "<html>")))


NAMES = ["type", "event_type", "delta", "message", "content", "text", "thinking", "usage", "meta", "tokens", "response"]
KINDS = ["content-delta", "message-end", "text-generation", "stream-end", "ERROR"]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(KINDS),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from([*NAMES, "finish_reason", "error", "models"]), inner)
    ),
)


@settings(max_examples=40)
@given(json_values, st.sampled_from(["", "error"]))
def test_no_json_breaks_the_parsers(value: object, event: str) -> None:
    """Whatever a server sends, both versions give events."""
    for each in [*parse(frame(value, event)), *parse_v1(frame(value, event))]:
        assert isinstance(each, TextDelta | ThinkingDelta | UsageReport | Finished | Failure | Whole)


@given(json_values)
def test_no_json_breaks_the_listing(value: object) -> None:
    """Whatever a server lists, the names are text."""
    for body in (value, {"models": value}, {"models": [value]}):
        assert all(isinstance(name, str) for name in models(body))


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    transport = Transport()
    yield transport
    await transport.aclose()


def send(*bodies: bytes) -> Script:
    async def script(exchange: Exchange) -> None:
        await exchange.start()
        for body in bodies:
            await exchange.raw(body)
        await exchange.close()

    return script


async def answer(
    transport: Transport, script: Script, version: Literal["v1", "v2"] = "v2"
) -> tuple[list[StreamEvent], Exchange]:
    """Return the events of one answer, and the exchange that it came from."""
    with WireServer(script) as server:
        endpoint = Endpoint("cohere", KeyRing(["key-12345"]), RateLimits(), Breaker(), RetryPolicy(attempts=1))
        provider = HttpProvider(transport, wire(version=version), endpoint, base_url=f"http://127.0.0.1:{server.port}")
        stream = await provider.open(REQUEST, StreamLimits(), Progress())
        events: list[StreamEvent] = []
        try:
            while batch := await stream.read():
                events += batch
        finally:
            await stream.aclose()
    return events, server.exchanges[0]


def text_of(events: list[StreamEvent]) -> str:
    return "".join(each.text for each in events if isinstance(each, TextDelta))


def sse(each: Frame, name: str) -> bytes:
    return f"event: {name}\ndata: {each.data}\n\n".encode()


LAST = [UsageReport(Usage(input_tokens=71, output_tokens=7)), Finished(EndReason.STOP)]


@pytest.mark.parametrize("done", [b"data: [DONE]\n\n", b""])
async def test_whole_answer_of_version_2_arrives(transport: Transport, done: bytes) -> None:
    """Thinking, text in order, tokens, one end; with the marker of the end, which is no JSON, or without it."""
    script = send(
        sse(frame({"type": "message-start", "id": "1"}), "message-start"),
        sse(content("content-start", type="thinking", thinking=""), "content-start"),
        sse(content(thinking="hm"), "content-delta"),
        sse(content("content-start", type="text", text=""), "content-start"),
        sse(content(text="Grüße, "), "content-delta") + sse(content(text="世界"), "content-delta"),
        sse(end("COMPLETE", usage=COUNTS), "message-end") + done,
    )

    events, exchange = await answer(transport, script)

    assert text_of(events) == "Grüße, 世界"
    assert events[0] == ThinkingDelta("hm")
    assert events[-2:] == LAST
    assert (exchange.path, exchange.body) == ("/v2/chat", payload(REQUEST))
    assert exchange.headers["authorization"] == "Bearer key-12345"


@pytest.mark.parametrize("events_too", [False, True])
async def test_whole_answer_of_version_1_arrives(transport: Transport, events_too: bool) -> None:
    """Text once only, though the last line repeats it; as lines of JSON or as events."""
    frames = [
        frame({"is_finished": False, "event_type": "stream-start", "generation_id": "1"}),
        frame({"is_finished": False, "event_type": "text-generation", "text": "Grüße, "}),
        frame({"is_finished": False, "event_type": "text-generation", "text": "世界"}),
        end_v1("COMPLETE", text="Grüße, 世界", finish_reason="COMPLETE", meta=COUNTS),
    ]
    bodies = [sse(each, "x") if events_too else f"{each.data}\n".encode() for each in frames]

    events, exchange = await answer(transport, send(*bodies), "v1")

    assert text_of(events) == "Grüße, 世界"
    assert events[-2:] == LAST
    assert (exchange.path, exchange.body) == ("/v1/chat", payload_v1(REQUEST))


async def test_failure_at_the_end_is_an_error_with_its_reason(transport: Transport) -> None:
    """The text before it was received; the key that it repeats is not shown."""
    script = send(sse(content(text="half"), "content-delta") + sse(end("ERROR", error="no: key-12345"), "message-end"))

    with pytest.raises(ServerError, match=r"no: \*\*\*"):
        await answer(transport, script)


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_body_that_just_stops_is_a_broken_connection(transport: Transport, version: Literal["v1", "v2"]) -> None:
    """Half an answer is not taken for a whole one."""
    half = frame({"event_type": "text-generation", "type": "content-delta", "text": "half", "delta": {}})

    with pytest.raises(NetworkError, match="broke off"):
        await answer(transport, send(b"data: " + half.data.encode() + b"\n\n"), version)
