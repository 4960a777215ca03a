"""Gemini: what is sent and understood, and google-genai between the two, against a server on loopback."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmterm.errors import (
    AuthError,
    ConfigError,
    LlmtermError,
    ModelNotFoundError,
    NetworkError,
    ProtocolError,
    RateLimitError,
    RequestRefusedError,
    ServerError,
    StreamTimeoutError,
)
from llmterm.messages import (
    Attachment,
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
from llmterm.providers import google
from llmterm.providers.gemini import continuation, models, parse, payload, wire
from llmterm.providers.genai import Genai
from llmterm.providers.http import HttpProvider
from llmterm.providers.retrying import RetryingStream
from llmterm.providers.wire import Failure, Opaque, WireEvent
from llmterm.transport import Breaker, Endpoint, KeyRing, RateLimits, RetryPolicy, Transport
from tests.wire import Exchange, Script, WireServer

KEY = "AIza-secret-key"
REQUEST = Request(
    model="gemini-3.1-pro-preview",
    messages=(Message(role="system", text="s"), Message(role="user", text="q")),
)


def part(text: str, **more: object) -> dict[str, Any]:
    return {"candidates": [{"content": {"role": "model", "parts": [{"text": text, **more}]}, "index": 0}]}


def end(reason: str = "STOP", **candidate: object) -> dict[str, Any]:
    return {
        "candidates": [{"finishReason": reason, **candidate}],
        "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 7, "thoughtsTokenCount": 3},
        "modelVersion": "gemini-3.1-pro-preview",
    }


USAGE = UsageReport(Usage(input_tokens=5, output_tokens=10))


# What is sent.


def test_payload_has_what_was_asked_for_and_no_more() -> None:
    """The system prompt stands apart, and the assistant is the model."""
    request = Request(
        model="gemini-2.0-flash",
        messages=(*REQUEST.messages, Message(role="assistant", text="a"), Message(role="user", text="b")),
        options=Options(temperature=0.5, max_tokens=9, seed=4, stop=("END",)),
    )

    assert payload(request) == {
        "contents": [
            {"role": "user", "parts": [{"text": "q"}]},
            {"role": "model", "parts": [{"text": "a"}]},
            {"role": "user", "parts": [{"text": "b"}]},
        ],
        "systemInstruction": {"parts": [{"text": "s"}]},
        "generationConfig": {"temperature": 0.5, "maxOutputTokens": 9, "seed": 4, "stopSequences": ["END"]},
    }


@pytest.mark.parametrize("model", ["gemini-3.6-flash", "gemini-4-pro", "gemini-2.5-flash"])
def test_sampling_is_left_to_the_model(model: str) -> None:
    """Newer models do worse, or refuse, when they are told: only the user's own wish is sent."""
    config = payload(Request(model=model, messages=REQUEST.messages))["generationConfig"]

    assert not {"temperature", "topP", "topK"} & set(config)


@pytest.mark.parametrize(
    ("model", "thinks"),
    [
        ("gemini-2.5-flash", True),
        ("gemini-3-pro-preview", True),
        ("models/gemini-3.6-flash", True),
        ("gemini-flash-latest", True),
        ("gemini-10-pro", True),
        ("gemini-2.0-flash", False),
        ("gemini-2.5-flash-image", False),
        ("gemini-2.5-flash-preview-tts", False),
        ("gemma-3-27b-it", False),
    ],
)
def test_thoughts_are_asked_for_where_there_are_any(model: str, thinks: bool) -> None:
    """Asking a model that does not think for its thoughts is refused."""
    config = payload(Request(model=model, messages=REQUEST.messages))["generationConfig"]

    assert config.get("thinkingConfig") == ({"includeThoughts": True} if thinks else None)


@pytest.mark.parametrize(
    ("model", "mode"),
    [
        ("gemini-1.5-pro", "prefill"),
        ("gemini-2.5-flash-lite", "prefill"),
        ("gemini-3-flash-preview", "prefill"),
        ("models/gemini-3.1-pro-preview", "prefill"),
        ("gemini-3.5-flash", "prefill"),
        ("gemini-3.5-flash-lite", "instruct"),
        ("gemini-3.6-flash", "instruct"),
        ("gemini-4-pro", "instruct"),
        ("gemini-flash-latest", "instruct"),
        ("gemma-3-27b-it", "instruct"),
        ("", "instruct"),
    ],
)
def test_continuation_goes_by_the_model(model: str, mode: str) -> None:
    """Since 3.6 Flash and 3.5 Flash-Lite a trailing model turn is refused."""
    assert continuation(model) == mode


def test_signatures_go_back_behind_the_text() -> None:
    """Those of this wire, as far as they are any: a broken one would be refused."""
    signed = {"gemini": [{"thoughtSignature": "AAEC\nA+/=\nAA==\nno\n"}], "anthropic": [{"thoughtSignature": "AAAA"}]}
    request = Request(model="m", messages=(Message(role="assistant", text="a", provider_data=signed),))

    (content,) = payload(request)["contents"]

    assert content["parts"] == [
        {"text": "a"},
        {"text": "", "thoughtSignature": "AAEC"},
        {"text": "", "thoughtSignature": "A-8="},
        {"text": "", "thoughtSignature": "AA=="},
    ]


@pytest.mark.parametrize("data", [None, 3, [3], [{"thoughtSignature": 3}], {"thoughtSignature": "AAAA"}])
def test_signatures_that_are_none_are_left_out(data: object) -> None:
    """What the store gives back may be anything."""
    request = Request(model="m", messages=(Message(role="assistant", text="a", provider_data={"gemini": data}),))

    assert payload(request)["contents"] == [{"role": "model", "parts": [{"text": "a"}]}]


def test_messages_with_nothing_in_them_are_left_out() -> None:
    """An answer that was refused without a word would break every later request."""
    request = Request(model="m", messages=(Message(role="user", text="q"), Message(role="assistant")))

    assert [content["role"] for content in payload(request)["contents"]] == ["user"]


# What is understood.


@pytest.mark.parametrize(
    ("chunk", "events"),
    [
        (part("a"), [TextDelta("a")]),
        (part("hm", thought=True), [ThinkingDelta("hm")]),
        (part("", thoughtSignature="AAEC"), [Opaque(0, {"thoughtSignature": "AAEC\n"})]),
        (part("a", thoughtSignature="AAEC"), [TextDelta("a"), Opaque(0, {"thoughtSignature": "AAEC\n"})]),
        ({"candidates": [{"content": {"parts": [{"text": "a"}, {"text": "b"}]}}]}, [TextDelta("a"), TextDelta("b")]),
        ({"candidates": [{"content": {"role": "model"}}]}, []),
        ({"candidates": [{"content": {"parts": [{"executableCode": {"code": "1"}}]}}]}, []),
        (
            end(content={"parts": [{"text": "all of it"}]}),
            [TextDelta("all of it"), Finished(EndReason.STOP), USAGE],
        ),
        (end("MAX_TOKENS"), [Finished(EndReason.LENGTH), USAGE]),
        (end("SAFETY"), [Finished(EndReason.REFUSAL), USAGE]),
        (end("RECITATION"), [Finished(EndReason.REFUSAL), USAGE]),
        (end("BLOCKLIST"), [Finished(EndReason.REFUSAL), USAGE]),
        (end("PROHIBITED_CONTENT"), [Finished(EndReason.REFUSAL), USAGE]),
        (end("MALFORMED_FUNCTION_CALL"), [Finished(EndReason.OTHER), USAGE]),
        (end("SOMETHING_NEW"), [Finished(EndReason.OTHER), USAGE]),
        ({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}, [Finished(EndReason.REFUSAL)]),
        ({**part("a"), "promptFeedback": {"safetyRatings": []}}, [TextDelta("a")]),
        ({"usageMetadata": {"promptTokenCount": 5}}, [UsageReport(Usage(input_tokens=5))]),
        ({}, []),
    ],
)
def test_events_of_the_real_service_are_understood(chunk: dict[str, Any], events: list[WireEvent]) -> None:
    """Parts of all kinds or none, text in the last event, ends that are refusals, words that are new."""
    assert list(parse(chunk)) == events


@pytest.mark.parametrize(
    ("code", "kind"),
    [(429, RateLimitError), (400, RequestRefusedError), (503, ServerError), ("429", ServerError), (None, ServerError)],
)
def test_error_within_a_stream_is_a_failure(code: object, kind: type[Exception]) -> None:
    """It says what it is by the code that HTTP has no more room for."""
    (event,) = parse({"error": {"code": code, "message": "no"}})

    assert isinstance(event, Failure)
    assert event.error is kind


KEYS = ["candidates", "content", "parts", "text", "thought", "thoughtSignature", "finishReason"]
KEYS += ["promptFeedback", "usageMetadata", "promptTokenCount", "error", "code", "models", "name", "x"]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(KEYS), inner),
)


@settings(max_examples=40)
@given(st.dictionaries(st.sampled_from(KEYS), json_values))
def test_no_json_breaks_the_parser(value: dict[str, Any]) -> None:
    """Whatever a server sends, there are events and names."""
    list(parse(value))
    assert all(isinstance(name, str) for name in models(value))


# Worded by the SDK.


def camel(value: Any) -> Any:
    """Return JSON with the names in it as the API's documentation has them: the SDK has both forms, and so the API."""
    match value:
        case dict():
            return {_camel(name) if name != "$defs" else name: camel(each) for name, each in value.items()}
        case list():
            return [camel(each) for each in value]
        case _:
            return value


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(each.capitalize() for each in others)


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
signed = st.binary(max_size=9).map(lambda data: {"gemini": [{"thoughtSignature": base64.b64encode(data).decode()}]})
images = st.binary(max_size=9).map(lambda data: Attachment(name="n", media_type="image/png", data=data))
questions = st.builds(Message, role=st.just("user"), text=texts, attachments=st.lists(images, max_size=2))
answers = st.builds(Message, role=st.just("assistant"), text=texts, provider_data=st.just({}) | signed)
optional = st.builds(
    Options,
    temperature=st.none() | st.sampled_from([0.0, 0.5, 2.0]),
    max_tokens=st.none() | st.integers(1, 9_000),
    seed=st.none() | st.integers(0, 2**31 - 1),
    stop=st.lists(texts, max_size=2).map(tuple),
    schema=st.none() | st.just({"type": "object", "properties": {"a": {"type": "string", "maxLength": 3}}}),
)
systems = st.builds(Message, role=st.just("system"), text=texts)


@pytest.fixture(scope="module")
def genai() -> Genai:
    """The SDK, loaded."""
    loaded = Genai("gemini")
    asyncio.run(loaded.load())
    return loaded


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.builds(
        Request,
        model=st.sampled_from(["gemini-4-argon", "models/gemini-3.1-pro", "gemini-2.0-flash"]),
        messages=st.tuples(systems, questions, answers, questions) | st.tuples(questions),
        options=optional,
    )
)
def test_what_the_sdk_sends_is_what_the_wire_says(genai: Genai, asked: Request) -> None:
    """Who talks to the API without the SDK talks to it in the same words."""
    body = payload(asked)

    assert camel(genai.worded(asked.model, body)) == body


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    transport = Transport()
    yield transport
    await transport.aclose()


def provider(transport: Transport, server: WireServer, *, key: str = KEY, api_version: str = "v1") -> HttpProvider:
    return google.provider(
        transport,
        Endpoint("gemini", KeyRing([key]), RateLimits(), Breaker(), RetryPolicy(attempts=1)),
        base_url=f"http://127.0.0.1:{server.port}",
        needs_key="set GEMINI_API_KEY",
        api_version=api_version,
    )


def event(value: object) -> bytes:
    return b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\r\n\r\n"


def send(*chunks: object, drop: bool = False) -> Script:
    """Return a script that answers with these events; bytes go out as they are."""

    async def script(exchange: Exchange) -> None:
        await exchange.start()
        for chunk in chunks:
            await exchange.raw(chunk if isinstance(chunk, bytes) else event(chunk))
        if drop:
            exchange.drop()
        else:
            await exchange.close()

    return script


async def open_stream(provider: HttpProvider, limits: StreamLimits | None = None) -> RetryingStream:
    return await provider.open(REQUEST, limits or StreamLimits(), Progress())


async def read_all(stream: RetryingStream) -> list[StreamEvent]:
    """Read a stream to its end, and close it in any case."""
    events: list[StreamEvent] = []
    try:
        while batch := await stream.read():
            events += batch
    finally:
        await stream.aclose()
    return events


async def answer(transport: Transport, script: Script) -> tuple[str, list[StreamEvent]]:
    """Return the text and the other events of one answer."""
    with WireServer(script) as server:
        events = await read_all(await open_stream(provider(transport, server)))
    text = "".join(event.text for event in events if isinstance(event, TextDelta))
    return text, [event for event in events if not isinstance(event, TextDelta)]


async def test_whole_answer_arrives(transport: Transport) -> None:
    """Text in order, thoughts apart, usage, then exactly one end, with what is to be sent back."""
    signature = part("", thoughtSignature="AA+/")

    text, rest = await answer(
        transport, send(part("hm", thought=True), part("Grüße, "), part("世界 👩‍👩‍👧"), signature, end())
    )

    assert text == "Grüße, 世界 👩‍👩‍👧"
    assert rest == [
        ThinkingDelta("hm"),
        USAGE,
        Finished(EndReason.STOP, {"gemini": [{"thoughtSignature": "AA+/\n"}]}),
    ]


async def test_request_is_the_sdks_with_our_key(transport: Transport) -> None:
    """It words the body; the key goes into the header and nowhere else."""
    with WireServer(send(end())) as server:
        await read_all(await open_stream(provider(transport, server)))

    (exchange,) = server.exchanges
    assert exchange.path == "/v1/models/gemini-3.1-pro-preview:streamGenerateContent?alt=sse"
    assert exchange.headers["x-goog-api-key"] == KEY
    assert exchange.body["contents"] == [{"role": "user", "parts": [{"text": "q"}]}]
    assert exchange.body["systemInstruction"]["parts"] == [{"text": "s"}]
    assert KEY not in json.dumps(exchange.body) + exchange.path


@pytest.mark.parametrize(("version", "path"), [("v1beta", "/v1beta/"), ("beta", "/v1beta/"), ("v2", "/v2/")])
async def test_version_of_the_api_is_a_setting(transport: Transport, version: str, path: str) -> None:
    """GOOGLE_GENAI_API_VERSION means what it means to the SDK."""
    with WireServer(send(end())) as server:
        await read_all(await open_stream(provider(transport, server, api_version=version)))

    assert server.exchanges[0].path.startswith(path)


async def test_signature_comes_back_as_it_was_sent(transport: Transport) -> None:
    """What one answer ends with is what the next request carries."""
    with WireServer(send(part("", thoughtSignature="AA-_"), end())) as server:
        gemini = provider(transport, server)
        *_, finished = await read_all(await open_stream(gemini))
        assert isinstance(finished, Finished)
        said = Message(role="assistant", text="a", provider_data=finished.provider_data)
        again = Request(model="gemini-3-pro", messages=(*REQUEST.messages, said, Message(role="user", text="more")))
        await read_all(await gemini.open(again, StreamLimits(), Progress()))

    assert server.exchanges[1].body["contents"][1]["parts"] == [
        {"text": "a"},
        {"text": "", "thoughtSignature": "AA-_"},
    ]


async def test_blocked_prompt_is_an_end(transport: Transport) -> None:
    """There is no candidate, no text and no failure."""
    text, rest = await answer(transport, send({"promptFeedback": {"blockReason": "SAFETY"}}))

    assert (text, rest) == ("", [Finished(EndReason.REFUSAL)])


async def test_word_that_is_new_is_no_failure(transport: Transport) -> None:
    """The services say new things before anybody has read of them."""
    new = end("BRAND_NEW", safetyRatings=[{"category": "HARM_CATEGORY_BRAND_NEW", "probability": 7}])

    text, rest = await answer(transport, send(part("a", brandNew={"x": 1}), new))

    assert text == "a"
    assert rest[-1] == Finished(EndReason.OTHER)


async def test_what_is_odd_in_an_event_costs_nothing_else(transport: Transport) -> None:
    """A type that is not expected, half an emoji: the answer goes on."""
    odd = {**part("b"), "responseId": {"not": "a string"}}
    halves = [
        b'data: {"candidates": [{"content": {"parts": [{"text": "%s"}]}}]}\n\n' % h for h in (b"\\ud83d", b"\\ude00")
    ]

    text, rest = await answer(transport, send(part("a"), odd, part("c"), *halves, end()))

    assert text == "abc😀"
    assert rest == [USAGE, Finished(EndReason.STOP)]


async def test_comments_and_garbage_between_the_events_are_skipped(transport: Transport) -> None:
    """They are none of the answer."""
    noise = b": ping\r\n\r\nevent: x\r\ndata: garbage\r\n\r\ndata:\r\n\r\ndata: [1]\r\n\r\n"

    text, rest = await answer(transport, send(noise, part("a"), noise, end(), noise))

    assert (text, rest[-1]) == ("a", Finished(EndReason.STOP))


async def test_page_of_a_proxy_is_a_protocol_error(transport: Transport) -> None:
    """With HTTP 200 as well."""
    with pytest.raises(ProtocolError, match="check the base URL"):
        await answer(transport, send(b"data: <html>\r\n\r\n"))


async def test_events_may_be_cut_anywhere(transport: Transport) -> None:
    """A character of four bytes in four pieces is one character."""
    body = event(part("a👍b")) + event(end())

    text, _ = await answer(transport, send(*(body[i : i + 1] for i in range(len(body)))))

    assert text == "a👍b"


async def test_bad_key_is_an_auth_error(transport: Transport) -> None:
    """Gemini says 400 where others say 401; the key is not repeated, even if the server does."""
    body = {"error": {"code": 400, "message": f"API key not valid: {KEY}", "status": "INVALID_ARGUMENT"}}

    async def script(exchange: Exchange) -> None:
        await exchange.refuse(400, body, content_type="text/event-stream")

    with pytest.raises(AuthError, match="API key not valid") as caught:
        await answer(transport, script)

    assert (caught.value.provider, caught.value.model, caught.value.status) == ("gemini", REQUEST.model, 400)
    assert "secret" not in str(caught.value)


async def test_rate_limit_says_how_long_to_wait(transport: Transport) -> None:
    """The hint is in the body; nothing asks again by itself."""
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "48s"}]
    body = {"error": {"code": 429, "message": "quota", "status": "RESOURCE_EXHAUSTED", "details": details}}

    async def script(exchange: Exchange) -> None:
        await exchange.refuse(429, body)

    with WireServer(script) as server, pytest.raises(RateLimitError) as caught:
        await read_all(await open_stream(provider(transport, server)))

    assert caught.value.retry_after == 48
    assert len(server.exchanges) == 1


async def test_unknown_model_is_not_found(transport: Transport) -> None:
    """A 404 names the model, and one that there is."""
    there_is = {"name": "models/gemini-3.1-pro", "supportedGenerationMethods": ["generateContent"]}

    async def script(exchange: Exchange) -> None:
        if exchange.body:
            await exchange.refuse(404, {"error": {"code": 404, "message": "models/x is not found"}})
        else:
            await exchange.refuse(200, {"models": [there_is]})

    with pytest.raises(ModelNotFoundError, match=REQUEST.model) as caught:
        await answer(transport, script)

    assert caught.value.hint == "did you mean gemini-3.1-pro?"


async def test_name_that_is_no_model_is_refused_here(transport: Transport) -> None:
    """It would be another path, and nothing is asked."""
    request = Request(model="../files", messages=REQUEST.messages)
    with WireServer(send(end())) as server, pytest.raises(RequestRefusedError, match="invalid model"):
        await read_all(await provider(transport, server).open(request, StreamLimits(), Progress()))

    assert not server.exchanges


async def test_missing_key_names_its_variable(transport: Transport) -> None:
    """No request is made."""
    with WireServer(send(end())) as server, pytest.raises(ConfigError, match="set GEMINI_API_KEY"):
        await open_stream(provider(transport, server, key=""))

    assert not server.exchanges


async def test_error_in_the_middle_comes_after_the_text(transport: Transport) -> None:
    """As an event, or bare behind the events."""
    error = {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}
    for failure in (event(error), json.dumps(error, indent=2).encode()):
        with WireServer(send(event(part("kept")) + failure)) as server:
            stream = await open_stream(provider(transport, server))

            assert await stream.read() == [TextDelta("kept")]
            with pytest.raises(ServerError, match="The model is overloaded"):
                await read_all(stream)


async def test_connection_that_breaks_is_a_network_error(transport: Transport) -> None:
    """In the middle of the body."""
    with pytest.raises(NetworkError):
        await answer(transport, send(part("a"), drop=True))


async def test_end_without_a_reason_is_a_broken_connection(transport: Transport) -> None:
    """A body that just stops is never taken for a whole answer."""
    with pytest.raises(NetworkError, match="broke off"):
        await answer(transport, send(part("a")))


async def test_silence_times_out(transport: Transport) -> None:
    """After the first token the chunk timer counts, before it that of the first token."""

    async def script(exchange: Exchange) -> None:
        await exchange.start()
        await exchange.raw(event(part("a")))
        await exchange.hung_up()

    with WireServer(script) as server, pytest.raises(StreamTimeoutError) as caught:
        await read_all(await open_stream(provider(transport, server), StreamLimits(chunk_timeout=0.1)))

    assert caught.value.timer == "chunk"


async def test_silence_before_the_first_token_times_out(transport: Transport) -> None:
    """Also where the server has accepted the request."""

    async def script(exchange: Exchange) -> None:
        await exchange.start()
        await exchange.hung_up()

    with WireServer(script) as server, pytest.raises(StreamTimeoutError) as caught:
        await read_all(await open_stream(provider(transport, server), StreamLimits(first_token_timeout=0.1)))

    assert caught.value.timer == "first token"


async def test_first_text_is_seen_before_the_second_is_sent(transport: Transport) -> None:
    """Delivery is incremental."""
    gate = asyncio.Event()

    async def script(exchange: Exchange) -> None:
        await exchange.start()
        await exchange.raw(event(part("a")))
        await gate.wait()
        await exchange.raw(event(part("b")) + event(end()))
        await exchange.close()

    async def open_gate() -> None:
        gate.set()

    with WireServer(script) as server:
        stream = await open_stream(provider(transport, server))
        first = await stream.read()
        server.run(open_gate())
        rest = await read_all(stream)

    assert first == [TextDelta("a")]
    assert rest[0] == TextDelta("b")


async def hold(exchange: Exchange) -> None:
    await exchange.start()
    await exchange.raw(event(part("a")))
    await exchange.hung_up()


async def close_at_once(stream: RetryingStream) -> None:
    await stream.read()


async def cancel_a_read(stream: RetryingStream) -> None:
    await stream.read()
    reading = asyncio.create_task(stream.read())
    await asyncio.sleep(0)
    reading.cancel()
    await asyncio.wait({reading})


@pytest.mark.parametrize("leave", [close_at_once, cancel_a_read])
async def test_closing_hangs_up(transport: Transport, leave: Callable[[RetryingStream], Any]) -> None:
    """The server sees the socket closed, between two reads and within one."""
    with WireServer(hold) as server:
        stream = await open_stream(provider(transport, server))
        await leave(stream)

        await stream.aclose()
        await stream.aclose()

        assert transport.connections == 0
        await server.wait_async(lambda: server.open_connections == 0)


async def test_cancelling_before_the_headers_hangs_up(transport: Transport) -> None:
    """A pause may come before the server has said anything."""

    async def script(exchange: Exchange) -> None:
        await exchange.hung_up()

    with WireServer(script) as server:
        stream = await open_stream(provider(transport, server))
        reading = asyncio.create_task(stream.read())
        await server.wait_async(lambda: bool(server.exchanges))
        reading.cancel()
        await asyncio.wait({reading})
        await stream.aclose()

        assert reading.cancelled()
        await server.wait_async(lambda: server.open_connections == 0)


async def test_what_was_received_and_not_read_is_not_lost(transport: Transport) -> None:
    """However much of it that is."""
    texts = [f"{number} " for number in range(100)]
    sent = asyncio.Event()

    async def script(exchange: Exchange) -> None:
        await exchange.start()
        await exchange.raw(b"".join(event(part(text)) for text in texts))
        sent.set()
        await exchange.hung_up()

    with WireServer(script) as server:
        stream = await open_stream(provider(transport, server))
        events = [*await stream.read(), *stream.rest()]
        await stream.aclose()

    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == "".join(texts)


async def test_connection_is_used_again(transport: Transport) -> None:
    """The pool is the transport's."""
    with WireServer(send(part("a"), end())) as server:
        served = provider(transport, server)
        for _ in range(3):
            await read_all(await open_stream(served))

        assert len(server.exchanges) == 3
        assert server.open_connections == 1


async def test_models_are_those_that_answer(transport: Transport) -> None:
    """From every page, without the prefix that only the API needs."""
    pages = [
        {"models": [{"name": "models/a", "supportedGenerationMethods": ["generateContent"]}], "nextPageToken": "t"},
        {"models": [{"name": "models/b", "supportedGenerationMethods": ["embedContent"]}, {"name": "models/c"}]},
    ]

    async def script(exchange: Exchange) -> None:
        await exchange.refuse(200, pages[1 if "pageToken=t" in exchange.path else 0])

    with WireServer(script) as server:
        listed = await provider(transport, server).models()

    assert listed == ["a"]
    assert [exchange.path.partition("?")[0] for exchange in server.exchanges] == ["/v1/models"] * 2
    assert server.exchanges[0].headers["x-goog-api-key"] == KEY


@pytest.mark.parametrize("body", [[1], {"models": 3}, {"models": [{"name": 3}]}])
async def test_list_that_is_none_is_our_error(transport: Transport, body: object) -> None:
    """What has another shape is said to be no list."""

    async def script(exchange: Exchange) -> None:
        await exchange.refuse(200, body)

    with WireServer(script) as server, pytest.raises(LlmtermError):
        await provider(transport, server).models()


def test_no_answer_breaks_us() -> None:
    """Whatever comes: events, or one of our errors."""
    answers: list[list[Any]] = []

    async def script(exchange: Exchange) -> None:
        await send(*answers[-1])(exchange)

    async def one(asked: HttpProvider, chunks: list[Any]) -> None:
        answers.append(chunks)
        with suppress(LlmtermError):
            await read_all(await open_stream(asked))

    with WireServer(script) as server, asyncio.Runner() as runner:
        transport = Transport()
        served = provider(transport, server)

        @settings(max_examples=50)
        @given(st.lists(st.dictionaries(st.sampled_from(KEYS), json_values), max_size=3))
        def any_answer(chunks: list[Any]) -> None:
            runner.run(one(served, chunks))

        any_answer()
        runner.run(served.aclose())


def test_wire_is_whole() -> None:
    """What drives wires finds here what it needs."""
    spoken = wire()

    assert spoken.name == "gemini"
    assert spoken.models_path == "/v1/models?pageSize=1000"
    assert spoken.headers("") == {}
