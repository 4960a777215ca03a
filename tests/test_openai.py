"""The OpenAI wire: what is sent, what is understood, and what failures look like that come with HTTP 200."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmterm.errors import ConfigError, NetworkError, ProtocolError, ServerError
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
from llmterm.providers.openai import OpenAIProvider, parse, payload
from llmterm.transport import Transport
from tests.wire import Exchange, Script, WireServer, delta, finish, say

REQUEST = Request(
    model="m",
    messages=(Message(role="system", text="s"), Message(role="user", text="q")),
    options=Options(max_tokens=9),
)


def frame(value: object, event: str = "") -> Frame:
    return Frame(event, json.dumps(value))


def choice(reason: str | None = None, **parts: object) -> Frame:
    return frame({"choices": [{"index": 0, "delta": parts, "finish_reason": reason}]})


def test_payload_says_what_was_asked_for() -> None:
    """Messages in order, streaming with usage, and only the options that were given."""
    assert payload(REQUEST) == {
        "model": "m",
        "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": 9,
    }


def test_payload_of_the_official_service_names_the_limit_as_it_wants() -> None:
    """OpenAI's newer models refuse `max_tokens`; compatible servers know nothing else."""
    body = payload(REQUEST, official=True)

    assert (body["max_completion_tokens"], "max_tokens" in body) == (9, False)


@pytest.mark.parametrize(
    ("given_frame", "events"),
    [
        (choice(content="a"), [TextDelta("a")]),
        (choice(role="assistant", content=None), []),
        (choice(role="assistant", content=""), []),
        (choice("stop", content="last"), [TextDelta("last"), Finished(EndReason.STOP)]),
        (choice("length"), [Finished(EndReason.LENGTH)]),
        (choice("content_filter"), [Finished(EndReason.REFUSAL)]),
        (choice("something new"), [Finished(EndReason.OTHER)]),
        (choice(reasoning_content="hm"), [ThinkingDelta("hm")]),
        (choice(reasoning="hm"), [ThinkingDelta("hm")]),
        (choice(refusal="I will not"), [TextDelta("I will not")]),
        (frame({"choices": []}), []),
        (frame({"id": "", "model": ""}), []),
        (frame({"choices": [], "usage": None}), []),
        (
            frame({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}}),
            [UsageReport(Usage(input_tokens=1, output_tokens=2))],
        ),
        (frame({"choices": [{"delta": {"content": "a"}, "obfuscation": "x"}], "p": "pad"}), [TextDelta("a")]),
        (frame([1, 2]), []),
    ],
)
def test_frames_of_real_servers_are_understood(given_frame: Frame, events: list[StreamEvent]) -> None:
    """Empty choices, nulls, roles, padding, usage anywhere."""
    assert list(parse(given_frame)) == events


@pytest.mark.parametrize(
    "given_frame",
    [
        frame({"error": {"message": "overloaded", "code": 529}}),
        frame({"error": "overloaded"}),
        frame({"message": "overloaded"}, event="error"),
        frame({"error": {"message": "overloaded"}, "choices": [{"delta": {"content": ""}}]}),
    ],
)
def test_error_within_a_stream_is_an_error(given_frame: Frame) -> None:
    """A failure that comes with HTTP 200 is not an answer."""
    with pytest.raises(ServerError, match="overloaded"):
        list(parse(given_frame))


def test_error_within_a_stream_keeps_the_key_to_itself() -> None:
    """Also where the server repeats it."""
    with pytest.raises(ServerError) as caught:
        list(parse(frame({"error": "bad key sk-12345"}), secrets=("sk-12345",)))

    assert "sk-1" not in str(caught.value)


def test_what_is_no_json_is_a_protocol_error() -> None:
    """A proxy's web page is not taken for silence."""
    with pytest.raises(ProtocolError, match="no JSON"):
        list(parse(Frame("", "<html>")))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["choices", "delta", "content", "usage", "x"]), inner)
    ),
)


@given(json_values)
def test_no_json_breaks_the_parser(value: object) -> None:
    """Whatever a server sends, the parser gives events or one of our errors."""
    for event in parse(frame(value)):
        assert isinstance(event, TextDelta | ThinkingDelta | UsageReport | Finished)


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    transport = Transport()
    yield transport
    await transport.aclose()


async def answer(transport: Transport, script: Script, **server: str) -> tuple[str, list[StreamEvent]]:
    """Return the text and the other events of one answer."""
    with WireServer(script) as wire:
        provider = OpenAIProvider(transport, base_url=wire.base_url, key=lambda: "sk-1")
        stream = await provider.open(REQUEST, StreamLimits())
        events: list[StreamEvent] = []
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


def raw(*bodies: bytes, drop: bool = False) -> Script:
    async def script(exchange: Exchange) -> None:
        await exchange.start()
        for body in bodies:
            await exchange.raw(body)
        if drop:
            exchange.drop()
        else:
            await exchange.close()

    return script


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
    again = b'data: {"choices": [{"delta": {}, "finish_reason": null}]}\n\n'

    _, rest = await answer(transport, raw(finish("stop").split(b"data: [DONE]")[0], finish("length"), again))

    assert rest[-1] == Finished(EndReason.LENGTH)


async def test_text_before_an_error_is_not_lost(transport: Transport) -> None:
    """An error in the same read as text comes after the text."""
    body = delta("kept") + b'data: {"error": {"message": "boom"}}\n\n'
    with WireServer(raw(body)) as wire:
        stream = await OpenAIProvider(transport, base_url=wire.base_url).open(REQUEST, StreamLimits())

        assert await stream.read() == [TextDelta("kept")]
        with pytest.raises(ServerError, match="boom"):
            await stream.read()

        await stream.aclose()


async def test_key_goes_into_the_header_and_nowhere_else(transport: Transport) -> None:
    """The key is asked for with each request."""
    with WireServer(say("a")) as wire:
        provider = OpenAIProvider(transport, base_url=wire.base_url, key=lambda: "sk-1")
        stream = await provider.open(REQUEST, StreamLimits())
        await stream.aclose()

    (exchange,) = wire.exchanges
    assert exchange.headers["authorization"] == "Bearer sk-1"
    assert exchange.path == "/v1/chat/completions"
    assert "sk-1" not in json.dumps(exchange.body)


async def test_official_service_without_a_key_says_how_to_get_one(transport: Transport) -> None:
    """No request is made; other base URLs need no key."""
    with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
        await OpenAIProvider(transport).open(REQUEST, StreamLimits())


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

    with WireServer(script) as wire:
        stream = await OpenAIProvider(transport, base_url=wire.base_url).open(REQUEST, StreamLimits())
        first = await stream.read()
        wire.run(_open(gate))
        second = await stream.read()
        await stream.aclose()

    assert first == [TextDelta("a")]
    assert second[0] == TextDelta("😀b")


async def _open(gate: asyncio.Event) -> None:
    gate.set()
