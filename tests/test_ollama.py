"""The Ollama wire: lines of JSON, an address with rules of its own, and the progress of a download."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import suppress

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
from llmterm.providers.ollama import PullProgress, models, parse, payload, pull_payload, pull_progress, wire
from llmterm.providers.stream import WireStream
from llmterm.providers.wire import Failure, MalformedFrameError
from llmterm.transport import Call, Transport
from tests.wire import Exchange, Script, WireServer

REQUEST = Request(
    model="qwen3:8b",
    messages=(Message(role="system", text="s"), Message(role="user", text="q")),
    options=Options(temperature=0.5, max_tokens=9, seed=4, stop=("END",)),
)
DONE = {"message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "stop"}


def frame(value: object) -> Frame:
    return Frame("", json.dumps(value))


def said(**parts: object) -> Frame:
    return frame({"model": "m", "message": {"role": "assistant", **parts}, "done": False})


def test_payload_says_what_was_asked_for() -> None:
    """Messages in order, streaming, and the options under Ollama's names."""
    assert payload(REQUEST) == {
        "model": "qwen3:8b",
        "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}],
        "stream": True,
        "options": {"temperature": 0.5, "num_predict": 9, "seed": 4, "stop": ["END"]},
    }


def test_payload_leaves_out_what_was_not_asked_for() -> None:
    """What is not said is the model's own setting."""
    assert payload(Request(model="m", messages=()))["options"] == {}


def test_partial_answer_is_the_last_message() -> None:
    """Every model continues a trailing assistant message."""
    partial = Message(role="assistant", text="so far")

    body = payload(Request(model="m", messages=(*REQUEST.messages, partial)))

    assert body["messages"][-1] == {"role": "assistant", "content": "so far"}
    assert wire().continuation("anything") == "prefill"


def test_key_is_optional() -> None:
    """A server on this machine wants none, a hosted one wants a bearer."""
    assert wire().headers("") == {}
    assert wire().headers("sk-1") == {"authorization": "Bearer sk-1"}


@pytest.mark.parametrize(
    ("given_frame", "events"),
    [
        (said(content="a"), [TextDelta("a")]),
        (said(content=""), []),
        (said(content="", thinking="hm"), [ThinkingDelta("hm")]),
        (said(content="a", thinking="hm"), [ThinkingDelta("hm"), TextDelta("a")]),
        (Frame("", '{"message": {"content": "\\u003cb\\u003e \\u0026"}}'), [TextDelta("<b> &")]),
        (
            frame({**DONE, "prompt_eval_count": 11, "eval_count": 18}),
            [UsageReport(Usage(input_tokens=11, output_tokens=18)), Finished(EndReason.STOP)],
        ),
        (frame({**DONE, "done_reason": "length"}), [UsageReport(Usage()), Finished(EndReason.LENGTH)]),
        (frame({**DONE, "done_reason": "load"}), [UsageReport(Usage()), Finished(EndReason.OTHER)]),
        (frame({**DONE, "done_reason": "unload"}), [UsageReport(Usage()), Finished(EndReason.OTHER)]),
        (frame({"done": True}), [UsageReport(Usage()), Finished(EndReason.STOP)]),
        (frame({"done": True, "context": [1, 2, 3]}), [UsageReport(Usage()), Finished(EndReason.STOP)]),
        (frame({"message": None, "done": False}), []),
        (frame([1, 2]), []),
    ],
)
def test_lines_of_real_servers_are_understood(given_frame: Frame, events: list[StreamEvent]) -> None:
    """Thinking beside empty content, escaped characters, counts in the last line, servers that give no reason."""
    assert list(parse(given_frame)) == events


def test_error_line_is_a_failure() -> None:
    """An error comes as a line like any other, with HTTP 200 and nothing after it."""
    line = frame({"error": "an error was encountered while running the model"})

    assert list(parse(line)) == [Failure(line.data)]


def test_what_is_no_json_is_malformed() -> None:
    """The stream may go on without it."""
    with pytest.raises(MalformedFrameError):
        list(parse(Frame("", "<html>")))


KEYS = ["message", "content", "thinking", "done", "done_reason", "error", "models", "name", "status", "total", "x"]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(KEYS), inner),
)


@settings(max_examples=40)
@given(json_values)
def test_no_json_breaks_the_parsers(value: object) -> None:
    """Whatever a server sends, there are events, names and progress, or one of our errors."""
    list(parse(frame(value)))
    assert all(isinstance(name, str) for name in models(value))
    with suppress(ServerError):
        pull_progress(frame(value))


def test_models_are_those_that_are_installed() -> None:
    """By the name that a request may use."""
    assert models({"models": [{"name": "qwen3:8b", "size": 1}, {"name": "gemma3:latest"}, {}]}) == [
        "qwen3:8b",
        "gemma3:latest",
    ]


def test_download_says_how_far_it_is() -> None:
    """A line is about one part of the model, or about none."""
    assert pull_payload("m") == {"model": "m", "stream": True}
    assert pull_progress(frame({"status": "pulling manifest"})) == PullProgress(status="pulling manifest")
    assert pull_progress(frame({"status": "pulling 6a0", "digest": "sha256:6a0", "total": 20, "completed": 5})) == (
        PullProgress(status="pulling 6a0", digest="sha256:6a0", completed=5, total=20)
    )


def test_download_that_fails_says_why() -> None:
    """The failure comes with HTTP 200, as a line."""
    with pytest.raises(ServerError, match="file does not exist"):
        pull_progress(frame({"error": "pull model manifest: file does not exist"}))


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    transport = Transport()
    yield transport
    await transport.aclose()


def lines(*values: object) -> Script:
    async def script(exchange: Exchange) -> None:
        await exchange.start(content_type="application/x-ndjson")
        for value in values:
            await exchange.raw(json.dumps(value).encode() + b"\n")
        await exchange.close()

    return script


async def answer(transport: Transport, script: Script) -> list[StreamEvent]:
    """Return all events of one answer, texts joined."""
    with WireServer(script) as server:
        spoken = wire()
        call = Call(
            who="ollama",
            model=REQUEST.model,
            url=f"http://127.0.0.1:{server.port}" + spoken.path(REQUEST),
            payload=spoken.payload(REQUEST),
            framing=spoken.framing,
        )
        stream = WireStream(await transport.open(call, StreamLimits()), spoken)
        events: list[StreamEvent] = []
        try:
            while batch := await stream.read():
                events += batch
        finally:
            await stream.aclose()
    assert server.exchanges[0].path == "/api/chat"
    text = "".join(event.text for event in events if isinstance(event, TextDelta))
    return [TextDelta(text), *(event for event in events if not isinstance(event, TextDelta))]


async def test_whole_answer_arrives(transport: Transport) -> None:
    """Text in order, then usage, then exactly one end."""
    texts = [{"message": {"content": text}} for text in ("Grüße, ", "世界")]

    events = await answer(transport, lines(*texts, {**DONE, "prompt_eval_count": 5, "eval_count": 7}))

    assert events == [
        TextDelta("Grüße, 世界"),
        UsageReport(Usage(input_tokens=5, output_tokens=7)),
        Finished(EndReason.STOP),
    ]


async def test_error_in_the_middle_ends_the_answer(transport: Transport) -> None:
    """With the server's own words."""
    with pytest.raises(ServerError, match="ollama: llama runner process has terminated"):
        await answer(transport, lines({"message": {"content": "a"}}, {"error": "llama runner process has terminated"}))


async def test_body_without_a_last_line_is_a_broken_connection(transport: Transport) -> None:
    """What just stops is never taken for a whole answer."""
    with pytest.raises(NetworkError, match="broke off"):
        await answer(transport, lines({"message": {"content": "a"}}))
