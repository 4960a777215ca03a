"""The OpenAI wire: what is sent, what is understood, and what failures look like that come with HTTP 200."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmterm.errors import ContextTooLongError, NetworkError, ProviderError, RateLimitError, ServerError
from llmterm.framing import Frame
from llmterm.messages import (
    Continuation,
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
from llmterm.providers.http import HttpProvider
from llmterm.providers.openai import models, parse, payload, thinks, wire
from llmterm.providers.stream import WireStream
from llmterm.providers.wire import Choice, Failure, MalformedFrameError, Whole
from llmterm.transport import Breaker, Call, Endpoint, FrameStream, KeyRing, RateLimits, RetryPolicy, Transport
from tests.wire import Exchange, Script, WireServer, delta, finish, say

REQUEST = Request(
    model="m",
    messages=(Message(role="system", text="s"), Message(role="user", text="q")),
    options=Options(max_tokens=9),
)
KEY = "sk-12345"
WIRE = wire()
PARTIAL = Request(model="m", messages=(Message(role="user", text="q"), Message(role="assistant", text="Once upon")))
WISHES = Options(temperature=0.2, max_tokens=9, seed=3, stop=("END",))


def frame(value: object, event: str = "") -> Frame:
    return Frame(event, json.dumps(value))


def choice(reason: str | None = None, **parts: object) -> Frame:
    return frame({"choices": [{"index": 0, "delta": parts, "finish_reason": reason}]})


def usage(prompt: int, completion: int) -> dict[str, int]:
    return {"prompt_tokens": prompt, "completion_tokens": completion}


def test_payload_says_what_was_asked_for() -> None:
    """Messages in order, streaming with usage, and only the options that were given."""
    assert payload(REQUEST) == {
        "model": "m",
        "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": 9,
    }


def test_payload_has_every_option_that_was_given() -> None:
    """Also those whose value is zero."""
    wishes = Options(temperature=0.0, max_tokens=9, seed=0, stop=("END",))

    body = payload(Request(model="o3", messages=(), options=wishes))

    assert {name: body[name] for name in ("temperature", "max_tokens", "seed", "stop")} == {
        "temperature": 0.0,
        "max_tokens": 9,
        "seed": 0,
        "stop": ["END"],
    }


def test_payload_of_the_official_service_names_the_limit_as_it_wants() -> None:
    """OpenAI's newer models refuse `max_tokens`; compatible servers know nothing else."""
    body = payload(REQUEST, official=True)

    assert (body["max_completion_tokens"], "max_tokens" in body) == (9, False)


@pytest.mark.parametrize(
    ("model", "refused"),
    [
        ("gpt-4.1", set()),
        ("gpt-4o-mini", set()),
        ("gpt-5-chat-latest", set()),
        ("gpt-5.1", {"stop"}),
        ("gpt-5.4-mini-2026-03-17", {"stop"}),
        ("gpt-5.1-codex-max", {"temperature", "stop"}),
        ("gpt-5.2-chat-latest", {"temperature", "stop"}),
        ("gpt-5.4-pro", {"temperature", "stop"}),
        ("gpt-5", {"temperature", "stop"}),
        ("gpt-5-mini-2025-08-07", {"temperature", "stop"}),
        ("gpt-5.6-sol", {"temperature", "stop"}),
        ("o1", {"temperature", "stop"}),
        ("o4-mini", {"temperature", "stop"}),
        ("ft:o4-mini-2025-04-16:us::1", {"temperature", "stop"}),
    ],
)
def test_official_models_are_spared_the_options_that_they_refuse(model: str, refused: set[str]) -> None:
    """A temperature for a model that thinks would be an error 400."""
    body = payload(Request(model=model, messages=(), options=WISHES), official=True)

    assert {"temperature", "stop", "seed", "max_completion_tokens"} - set(body) == refused
    assert thinks(model) == ("temperature" in refused)


@pytest.mark.parametrize(
    ("model", "unseen"),
    [
        ("gpt-6.1-terra", True),
        ("openai/gpt-6.1-terra", True),
        ("openrouter/openai/o3", True),
        ("ft:o4-mini-2025-04-16:us::1", True),
        ("grok-4.3", True),
        ("x-ai/grok-4-fast-reasoning", True),
        ("grok-4-fast-non-reasoning", False),
        ("grok-3", False),
        ("gpt-4.1", False),
        ("gpt-5.1", False),
        ("deepseek-reasoner", False),
        ("qwen/qwen3-32b", False),
        ("", False),
    ],
)
def test_models_that_think_without_a_sign_are_known(model: str, unseen: bool) -> None:
    """Under the names of those who pass them on as well."""
    assert wire().quiet(model) == unseen


def test_mistral_is_asked_in_words_that_it_knows() -> None:
    """It refuses requests that ask for usage, and calls the seed by another name."""
    call = wire(continuation="prefix", usage=False, seed="random_seed")

    body = call.payload(Request(model="m", messages=(), options=WISHES))

    assert "stream_options" not in body
    assert ("seed" in body, body["random_seed"]) == (False, 3)


@pytest.mark.parametrize(
    ("continuation", "in_message", "in_body"),
    [
        ("prefix", {"prefix": True}, {}),
        ("continue_final_message", {}, {"continue_final_message": True, "add_generation_prompt": False}),
        ("prefill", {}, {}),
        ("instruct", {}, {}),
    ],
)
def test_literal_continuation_is_asked_for_as_the_server_wants_it(
    continuation: Continuation, in_message: dict[str, object], in_body: dict[str, object]
) -> None:
    """The flags come with a trailing message of the assistant, and with nothing else."""
    call = wire(continuation=continuation)
    plain = {"model": "m", "stream": True, "stream_options": {"include_usage": True}}

    body = call.payload(replace(PARTIAL, continuation=continuation))
    fresh = call.payload(Request(model="m", messages=PARTIAL.messages[:1]))

    question = {"role": "user", "content": "q"}
    assert call.continuation("m") == continuation
    assert body == {
        **plain,
        "messages": [question, {"role": "assistant", "content": "Once upon", **in_message}],
        **in_body,
    }
    assert fresh == {**plain, "messages": [question]}


@pytest.mark.parametrize(
    ("given_frame", "events"),
    [
        (choice(content="a"), [TextDelta("a")]),
        (choice(role="assistant", content=None), []),
        (choice(role="assistant", content=""), []),
        (choice(role="assistant", content="a"), [TextDelta("a")]),
        (choice("stop", content="last"), [TextDelta("last"), Finished(EndReason.STOP)]),
        (choice("eos"), [Finished(EndReason.STOP)]),
        (choice("STOP"), [Finished(EndReason.STOP)]),
        (choice("MAX_TOKENS"), [Finished(EndReason.LENGTH)]),
        (choice("length"), [Finished(EndReason.LENGTH)]),
        (frame({"choices": [{"finish_reason": "stop", "stop_reason": "END"}]}), [Finished(EndReason.STOP_SEQUENCE)]),
        (frame({"choices": [{"finish_reason": "stop", "stop_reason": 128009}]}), [Finished(EndReason.STOP)]),
        (choice("model_length"), [Finished(EndReason.LENGTH)]),
        (choice("content_filter"), [Finished(EndReason.REFUSAL)]),
        (choice("something new"), [Finished(EndReason.OTHER)]),
        (choice(refusal="I will not"), [TextDelta("I will not")]),
        (choice(content="<think>hm</think>"), [TextDelta("<think>hm</think>")]),
        (frame({"choices": []}), []),
        (frame({"choices": None}), []),
        (frame({"choices": [{"delta": None, "finish_reason": None}]}), []),
        (frame({"id": "", "model": "", "choices": [], "prompt_filter_results": [{}]}), []),
        (frame({"id": "", "model": ""}), []),
        (frame({"choices": [{"delta": {"content": "a"}, "obfuscation": "x"}], "p": "pad"}), [TextDelta("a")]),
        (
            frame({"choices": [{"delta": {"content": "b"}, "message": {"role": "assistant", "content": "ab"}}]}),
            [TextDelta("b")],
        ),
        (frame([1, 2]), []),
    ],
)
def test_frames_of_real_servers_are_understood(given_frame: Frame, events: list[StreamEvent]) -> None:
    """Empty choices, nulls, roles, padding, a cumulative message beside the delta."""
    assert list(parse(given_frame)) == events


@pytest.mark.parametrize(
    ("given_frame", "events"),
    [
        (choice(reasoning_content="hm", content=None), [ThinkingDelta("hm")]),
        (choice(reasoning="hm", content=""), [ThinkingDelta("hm")]),
        (choice(reasoning_content="hm", reasoning="hm"), [ThinkingDelta("hm")]),
        (choice(reasoning="hm", reasoning_details=[{"type": "reasoning.text", "text": "hm"}]), [ThinkingDelta("hm")]),
        (
            choice(
                reasoning_details=[
                    {"type": "reasoning.summary", "summary": "a"},
                    {"type": "reasoning.text", "text": "b"},
                    {"type": "reasoning.encrypted", "data": "x"},
                ]
            ),
            [ThinkingDelta("ab")],
        ),
        (
            choice(
                content=[
                    {"type": "thinking", "thinking": [{"type": "text", "text": "h"}, {"type": "text", "text": "m"}]},
                    {"type": "text", "text": "so"},
                    {"type": "reference", "reference_ids": [1]},
                ]
            ),
            [ThinkingDelta("hm"), TextDelta("so")],
        ),
        (choice(reasoning_content="hm", content="so"), [ThinkingDelta("hm"), TextDelta("so")]),
        (choice(reasoning={"text": "hm"}, reasoning_details="hm"), [ThinkingDelta("hm")]),
    ],
)
def test_thinking_is_told_from_text(given_frame: Frame, events: list[StreamEvent]) -> None:
    """Under each of its names, and once where it stands under several."""
    assert list(parse(given_frame)) == events


@pytest.mark.parametrize(
    ("given_frame", "events"),
    [
        (frame({"choices": [], "usage": usage(1, 2)}), [UsageReport(Usage(input_tokens=1, output_tokens=2))]),
        (frame({"choices": [], "usage": None}), []),
        (frame({"choices": [], "usage": usage(-1, True)}), [UsageReport(Usage())]),
        (
            frame({"choices": [{"delta": {"content": "a"}}], "usage": usage(1, 2)}),
            [TextDelta("a"), UsageReport(Usage(input_tokens=1, output_tokens=2))],
        ),
        (
            frame({"choices": [{"delta": {}}], "x_groq": {"id": "r", "usage": usage(1, 2)}}),
            [UsageReport(Usage(input_tokens=1, output_tokens=2))],
        ),
        (frame({"choices": [], "x_groq": {"id": "r"}, "usage": None}), []),
    ],
)
def test_usage_is_found_in_any_chunk(given_frame: Frame, events: list[StreamEvent]) -> None:
    """Beside choices, without any, under Groq's own name; null is no usage."""
    assert list(parse(given_frame)) == events


@pytest.mark.parametrize(
    ("given_frame", "error"),
    [
        (frame({"error": {"message": "overloaded", "code": 529}}), ServerError),
        (frame({"error": {"message": "overloaded", "type": "server_error", "param": None, "code": None}}), ServerError),
        (frame({"error": "overloaded"}), ServerError),
        (frame({"message": "overloaded"}, event="error"), ServerError),
        (frame({"error": {"message": "overloaded", "type": "internal"}}, event="error"), ServerError),
        (frame([{"error": {"message": "overloaded"}}], event="error"), ServerError),
        (Frame("error", "overloaded"), ServerError),
        (frame({"object": "error", "message": "overloaded", "code": 500}), ServerError),
        (frame({"choices": [{"delta": {}, "error": {"message": "overloaded"}}]}), ServerError),
        (frame({"choices": [], "x_groq": {"error": "overloaded"}}), ServerError),
        (frame({"error": {"message": "overloaded", "code": "429"}}), RateLimitError),
        (frame({"error": {"message": "overloaded", "code": 429}}), RateLimitError),
        (frame({"error": {"message": "overloaded", "code": "RateLimitReached"}}), RateLimitError),
        (frame({"error": {"message": "overloaded", "type": "too_many_requests"}}), RateLimitError),
        (frame({"error": {"message": "overloaded", "type": "tokens", "code": "rate_limit_exceeded"}}), RateLimitError),
        (frame({"error": {"message": "overloaded", "code": "context_length_exceeded"}}), ContextTooLongError),
        (frame({"error": {"message": "overloaded", "type": "exceed_context_size_error"}}), ContextTooLongError),
    ],
)
def test_error_within_a_stream_is_a_failure(given_frame: Frame, error: type[ProviderError]) -> None:
    """What comes with HTTP 200 may be a failure all the same, in many shapes."""
    (event,) = parse(given_frame)

    assert isinstance(event, Failure)
    assert event.error is error
    assert "overloaded" in event.words


def test_text_in_the_frame_of_an_error_is_kept() -> None:
    """OpenRouter puts the error beside ordinary choices; the reason "error" is then no end."""
    chunk = {
        "error": {"message": "overloaded", "code": 502},
        "choices": [{"delta": {"content": "last words"}, "finish_reason": "error"}],
    }

    events = list(parse(frame(chunk)))

    assert events == [TextDelta("last words"), Failure('"overloaded"')]


def test_reason_of_an_error_alone_is_a_failure() -> None:
    """Mistral ends an answer that failed with nothing but this."""
    (event,) = parse(choice("error", content=""))

    assert isinstance(event, Failure)


def test_what_is_no_json_is_malformed() -> None:
    """A proxy's web page is not taken for silence."""
    with pytest.raises(MalformedFrameError):
        list(parse(Frame("", "<html>")))


WORDS = [
    *("choices", "delta", "content", "finish_reason", "usage", "x_groq", "error", "message", "code", "object", "data"),
    *("reasoning", "reasoning_content", "reasoning_details", "thinking", "text", "type", "summary", "refusal", "id"),
    *("prompt_tokens", "completion_tokens", "error", "thinking", "x"),
]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(WORDS),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(WORDS), inner),
)
chunks = st.fixed_dictionaries(
    {
        "choices": st.lists(
            st.fixed_dictionaries(
                {},
                optional={
                    "delta": st.dictionaries(st.sampled_from(WORDS), json_values),
                    "finish_reason": json_values,
                    "error": json_values,
                },
            )
        )
    },
    optional={"usage": json_values, "x_groq": json_values, "error": json_values},
)


@settings(max_examples=40)
@given(json_values | chunks, st.sampled_from(["", "error", "message"]))
def test_no_json_breaks_the_parser(value: object, event: str) -> None:
    """Whatever a server sends, the parser gives events, and none of them is empty."""
    for each in parse(frame(value, event)):
        assert isinstance(each, TextDelta | ThinkingDelta | UsageReport | Finished | Failure | Whole | Choice)
        assert not isinstance(each, TextDelta | ThinkingDelta) or each.text


@given(st.text(), st.sampled_from(["", "error", "message"]))
def test_no_text_breaks_the_parser(text: str, event: str) -> None:
    """What is no JSON is a malformed frame, and no other error."""
    try:
        list(parse(Frame(event, text)))
    except MalformedFrameError:
        assert event != "error"


def test_nesting_without_end_is_malformed() -> None:
    """JSON that is too deep for the standard library ends nothing; where it should be an error, it is one."""
    deep = "[" * 100_000

    with pytest.raises(MalformedFrameError):
        list(parse(Frame("", deep)))
    assert [type(each) for each in parse(Frame("error", deep))] == [Failure]


@given(json_values)
def test_no_listing_breaks_the_models(body: object) -> None:
    """Whatever a server answers, there are names, or none."""
    assert all(isinstance(name, str) for name in models(body))


def test_models_are_listed_by_name() -> None:
    """From an object with a list, or from the list itself."""
    listed = [{"id": "a", "object": "model"}, {"id": "b"}, {"object": "model"}, "c"]

    assert list(models({"object": "list", "data": listed})) == ["a", "b"]
    assert list(models(listed)) == ["a", "b"]


@pytest.mark.parametrize("broken", [True, False])
async def test_answer_whose_end_was_told_is_whole(transport: Transport, broken: bool) -> None:
    """Also where the connection breaks, or stays open without a word, after the reason to finish."""

    async def script(exchange: Exchange) -> None:
        await exchange.start()
        await exchange.text("all of it")
        await exchange.raw(b'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}\n\n')
        if broken:
            exchange.drop()
        else:
            await exchange.hung_up()

    with WireServer(script) as server:
        call = Call(who="openai", url=f"{server.base_url}/chat/completions", payload=wire().payload(REQUEST))
        stream = WireStream(await transport.open(call, StreamLimits(chunk_timeout=1)), wire())
        events: list[StreamEvent] = []
        while batch := await stream.read():
            events += batch
        await stream.aclose()

    assert events == [TextDelta("all of it"), Finished(EndReason.STOP)]


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    transport = Transport()
    yield transport
    await transport.aclose()


async def opened(transport: Transport, server: WireServer) -> WireStream:
    """Ask for an answer to REQUEST."""
    call = Call(
        who="openai",
        model=REQUEST.model,
        url=server.base_url + WIRE.path(REQUEST),
        payload=WIRE.payload(REQUEST),
        headers=WIRE.headers(KEY),
        secrets=(KEY,),
    )
    return WireStream(await transport.open(call, StreamLimits()), WIRE)


async def answer(transport: Transport, script: Script) -> tuple[str, list[StreamEvent]]:
    """Return the text and the other events of one answer."""
    events: list[StreamEvent] = []
    with WireServer(script) as server:
        stream = await opened(transport, server)
        try:
            while batch := await stream.read():
                events += batch
        finally:
            await stream.aclose()
    text = "".join(event.text for event in events if isinstance(event, TextDelta))
    return text, [event for event in events if not isinstance(event, TextDelta)]


async def test_whole_answer_arrives(transport: Transport) -> None:
    """Text in order, then usage, then exactly one end."""
    text, rest = await answer(transport, say("Grüße, ", "世界 ", "👩‍👩‍👧"))

    assert text == "Grüße, 世界 👩‍👩‍👧"
    assert rest == [UsageReport(Usage(input_tokens=5, output_tokens=7)), Finished(EndReason.STOP)]


def raw(*bodies: bytes) -> Script:
    async def script(exchange: Exchange) -> None:
        await exchange.start()
        for body in bodies:
            await exchange.raw(body)
        await exchange.close()

    return script


def data(value: object) -> bytes:
    return f"data: {json.dumps(value)}\n\n".encode()


async def test_end_without_done_counts_when_a_reason_was_given(transport: Transport) -> None:
    """Some servers never send [DONE]."""
    body = finish("length").removesuffix(b"data: [DONE]\n\n")

    _, rest = await answer(transport, raw(delta("a"), body))

    assert rest[-1] == Finished(EndReason.LENGTH)


async def test_done_without_a_reason_is_an_end(transport: Transport) -> None:
    """Some servers never give a reason."""
    _, rest = await answer(transport, raw(delta("a"), b"data: [DONE]\n\n"))

    assert rest == [Finished(EndReason.STOP)]


async def test_end_without_either_is_a_broken_connection(transport: Transport) -> None:
    """A body that just stops is never taken for a whole answer."""
    with pytest.raises(NetworkError, match="broke off"):
        await answer(transport, raw(delta("a")))


async def test_last_reason_counts(transport: Transport) -> None:
    """A reason may be repeated, and be null again after."""
    again = data({"choices": [{"delta": {}, "finish_reason": None}]})

    _, rest = await answer(transport, raw(finish("stop").split(b"data: [DONE]")[0], finish("length"), again))

    assert rest[-1] == Finished(EndReason.LENGTH)


async def test_last_usage_counts(transport: Transport) -> None:
    """It may come with every chunk, growing, and be null at the end."""
    bodies = [
        data({"choices": [{"delta": {"content": "a"}}], "usage": usage(5, 1)}),
        data({"choices": [{"delta": {"content": "b"}}], "usage": usage(5, 2)}),
        data({"choices": [{"delta": {"content": "c"}, "finish_reason": "stop"}], "usage": None}),
        b"data: [DONE]\n\n",
    ]

    text, rest = await answer(transport, raw(b"".join(bodies)))

    assert text == "abc"
    assert rest[-2:] == [UsageReport(Usage(input_tokens=5, output_tokens=2)), Finished(EndReason.STOP)]


async def test_text_before_an_error_is_not_lost(transport: Transport) -> None:
    """An error in the same read as text comes after the text."""
    body = delta("kept") + data({"error": {"message": "boom"}})
    with WireServer(raw(body)) as server:
        stream = await opened(transport, server)

        assert await stream.read() == [TextDelta("kept")]
        with pytest.raises(ServerError, match="boom"):
            await stream.read()

        await stream.aclose()


async def test_rate_limit_within_a_stream_is_one(transport: Transport) -> None:
    """Azure says with HTTP 200 that there were too many requests."""
    body = data({"error": {"code": "429", "message": "Requests have exceeded the token rate limit."}})

    with pytest.raises(RateLimitError, match="openai: Requests have exceeded") as caught:
        await answer(transport, raw(body))

    assert (caught.value.provider, caught.value.model) == ("openai", "m")


async def test_named_error_within_a_stream_is_one(transport: Transport) -> None:
    """Groq gives the event a name; nothing comes after it."""
    body = b"event: error\n" + data({"error": {"message": "boom", "type": "internal_server_error"}})

    with pytest.raises(ServerError, match="boom"):
        await answer(transport, raw(delta("a"), body))


async def test_error_within_a_stream_keeps_the_key_to_itself(transport: Transport) -> None:
    """Also where the server repeats it."""
    with pytest.raises(ServerError, match="bad key") as caught:
        await answer(transport, raw(data({"error": {"message": "bad key sk-12345"}})))

    assert "sk-1" not in str(caught.value)


async def test_key_goes_into_the_header_and_nowhere_else(transport: Transport) -> None:
    """Not into the body, which may be logged."""
    with WireServer(say("a")) as server:
        stream = await opened(transport, server)
        await stream.aclose()

    (exchange,) = server.exchanges
    assert exchange.headers["authorization"] == f"Bearer {KEY}"
    assert exchange.path == "/v1/chat/completions"
    assert KEY not in json.dumps(exchange.body)


async def test_emoji_that_was_cut_in_two_is_whole(transport: Transport) -> None:
    """A server that escapes its characters may cut one between two chunks."""
    halves = [b'data: {"choices": [{"delta": {"content": "%s"}}]}\n\n' % half for half in (b"a\\ud83d", b"\\ude00b")]
    gate = asyncio.Event()

    async def script(exchange: Exchange) -> None:
        await exchange.start()
        await exchange.raw(halves[0])
        await gate.wait()
        await exchange.raw(halves[1] + finish())
        await exchange.close()

    with WireServer(script) as server:
        stream = await opened(transport, server)
        first = await stream.read()
        server.run(_open(gate))
        second = await stream.read()
        await stream.aclose()

    assert first == [TextDelta("a")]
    assert second[0] == TextDelta("😀b")


async def _open(gate: asyncio.Event) -> None:
    gate.set()


class _Watched(Transport):
    """Keeps what was asked last."""

    asked: Call

    async def open(self, call: Call, limits: StreamLimits) -> FrameStream:
        self.asked = call
        return await super().open(call, limits)


async def test_long_conversation_is_let_go_of_in_pieces_once_it_was_sent() -> None:
    """To free it at once, at the end of its answer, kept a key waiting for that long."""
    said = tuple(Message(role="user" if number % 2 == 0 else "assistant", text="so") for number in range(3_501))
    transport, endpoint = (
        _Watched(),
        Endpoint("openai", KeyRing(["sk-test"]), RateLimits(), Breaker(), RetryPolicy(attempts=1)),
    )
    with WireServer(say("fine.")) as server:
        provider = HttpProvider(transport, wire(), endpoint, base_url=server.base_url)
        stream = await provider.open(Request(model="m", messages=said), StreamLimits(), Progress())
        await stream.read()
        await stream.aclose()
        await provider.aclose()

        assert len(server.exchanges[0].body["messages"]) == len(said)
        assert transport.asked.payload is not None
        assert 0 < len(transport.asked.payload["messages"]) <= 1_000
