"""The wire of OpenAI's Responses API: what is sent, what is understood, and what goes back of a model's thoughts."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmterm.assembly.roster import registry
from llmterm.config import ProvidersSettings, RemoteSettings, Settings
from llmterm.conversation import Conversation, resumed
from llmterm.errors import ContextTooLongError, NetworkError, ProviderError, RateLimitError, ServerError
from llmterm.framing import Frame
from llmterm.messages import (
    Attachment,
    Carried,
    EndReason,
    Finished,
    Message,
    Options,
    Reply,
    Request,
    StreamEvent,
    StreamLimits,
    TextDelta,
    ThinkingDelta,
    Usage,
    UsageReport,
)
from llmterm.providers.http import HttpProvider
from llmterm.providers.responses import parse, payload, wire
from llmterm.providers.stream import WireStream
from llmterm.providers.wire import Break, Failure, MalformedFrameError, Opaque, Whole
from llmterm.transport import Call, Embedded, Transport
from tests.values import at_rest
from tests.wire import Exchange, Script, WireServer

QUESTION = Message(role="user", text="q")
USAGE = {"input_tokens": 5, "output_tokens": 7, "output_tokens_details": {"reasoning_tokens": 3}}
THOUGHT = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "cipher"}
SAID = {"type": "message", "id": "msg_1", "content": [{"type": "output_text", "text": "a"}]}
BLOCK = {"id": "rs_1", "encrypted_content": "cipher", "model": "gpt-5-2025-08-07"}


def event(kind: str, name: str | None = None, **parts: object) -> Frame:
    return Frame(kind if name is None else name, json.dumps({"type": kind, "sequence_number": 1, **parts}))


def text(delta: str) -> Frame:
    return event("response.output_text.delta", delta=delta, output_index=1, content_index=0, obfuscation="x")


def asked(model: str, *messages: Message, **options: Any) -> Request:
    return Request(model=model, messages=messages or (QUESTION,), options=Options(**options))


def test_image_and_pdf_are_parts_of_the_question() -> None:
    """As data, under the names that this API has for them; no text is sent where there is none."""
    image = Attachment(name="cat.png", media_type="image/png", data=b"\xfb\xef\xbe")
    paper = Attachment(name="paper.pdf", media_type="application/pdf", data=b"%PDF")
    sent = [
        {"type": "input_image", "image_url": Embedded(b"\xfb\xef\xbe", "data:image/png;base64,")},
        {
            "type": "input_file",
            "filename": "paper.pdf",
            "file_data": Embedded(b"%PDF", "data:application/pdf;base64,"),
        },
    ]
    both, mute = (Message(role="user", text=text, attachments=(image, paper)) for text in ("q", ""))

    assert payload(asked("gpt-4.1", both, mute))["input"] == [
        {"role": "user", "content": [{"type": "input_text", "text": "q"}, *sent]},
        {"role": "user", "content": sent},
    ]


def test_payload_says_what_was_asked_for() -> None:
    """The system prompt as instructions, the rest as items, and nothing to be stored."""
    request = asked(
        "gpt-4.1",
        Message(role="system", text="s"),
        QUESTION,
        Message(role="assistant", text="a"),
        Message(role="user", text="r"),
        temperature=0.0,
        max_tokens=99,
        seed=3,
        stop=("END",),
    )

    assert payload(request, official=True) == {
        "model": "gpt-4.1",
        "instructions": "s",
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "q"}]},
            {"role": "assistant", "content": [{"type": "output_text", "text": "a"}]},
            {"role": "user", "content": [{"type": "input_text", "text": "r"}]},
        ],
        "stream": True,
        "store": False,
        "temperature": 0.0,
        "max_output_tokens": 99,
    }


def test_payload_of_a_thinking_model_asks_for_its_thoughts() -> None:
    """For people as a summary, for the model as a cipher; and without a temperature, which it refuses."""
    body = payload(asked("o4-mini", temperature=0.2), official=True)

    assert body["reasoning"] == {"summary": "auto"}
    assert body["include"] == ["reasoning.encrypted_content"]
    assert "temperature" not in body
    assert "instructions" not in body


def test_summaries_can_be_left_out() -> None:
    """OpenAI gives them to verified organisations only, and an error to others."""
    body = wire(official=True, summaries=False).payload(asked("o4-mini"))

    assert "reasoning" not in body
    assert "include" in body


def test_other_servers_are_asked_for_nothing_special() -> None:
    """A model's name says nothing there."""
    body = wire().payload(asked("gpt-5", temperature=0.2))

    assert body["temperature"] == 0.2
    assert not {"reasoning", "include"} & set(body)


def test_thoughts_go_back_before_the_answer_that_they_led_to() -> None:
    """As an item of the input, under the id that the cipher is bound to."""
    before = Message(role="assistant", text="a", provider_data={"responses": [BLOCK], "anthropic": [{"x": "y"}]})

    body = payload(asked("gpt-5", QUESTION, before, QUESTION), official=True)

    assert [item.get("type", item.get("role")) for item in body["input"]] == ["user", "reasoning", "assistant", "user"]
    assert body["input"][1] == {"type": "reasoning", "id": "rs_1", "encrypted_content": "cipher", "summary": []}


@pytest.mark.parametrize(
    ("model", "words", "official"),
    [
        ("gpt-5-mini", "a", True),  # another model cannot read them
        ("gpt-4.1", "a", True),  # one that does not think refuses them
        ("gpt-5", "", True),  # nothing follows them
        ("gpt-5", "a", False),  # another server
    ],
)
def test_thoughts_stay_here_when_they_would_be_refused(model: str, words: str, official: bool) -> None:
    """A conversation goes on with any model, whoever thought in it before."""
    before = Message(role="assistant", text=words, provider_data={"responses": [BLOCK]})

    body = payload(asked(model, QUESTION, before, QUESTION), official=official)

    assert all(item.get("type") != "reasoning" for item in body["input"])


@pytest.mark.parametrize(
    ("frame", "events"),
    [
        (text("a"), [TextDelta("a")]),
        (text(""), []),
        (event("response.output_text.delta", name="", delta="a"), [TextDelta("a")]),
        (event("response.output_text.delta", name="response.created", delta="a"), [TextDelta("a")]),
        (Frame("response.output_text.delta", '{"delta": "a"}'), [TextDelta("a")]),
        (event("response.refusal.delta", delta="I will not"), [TextDelta("I will not")]),
        (event("response.reasoning_summary_text.delta", delta="hm", summary_index=0), [ThinkingDelta("hm")]),
        (event("response.reasoning_text.delta", delta="hm"), [ThinkingDelta("hm")]),
        (event("response.reasoning_summary_part.added", summary_index=0), []),
        (event("response.reasoning_summary_part.added", summary_index=1), [ThinkingDelta("\n\n")]),
        (event("response.created", response={"status": "in_progress", "error": None, "usage": None}), []),
        (event("response.output_text.done", text="the whole text again"), []),
        (event("response.output_item.done", item=SAID), []),
        (event("response.some.future.event", delta="x", error="not ours"), []),
        (event("keepalive"), []),
        (Frame("", "[1, 2]"), []),
    ],
)
def test_events_are_understood(frame: Frame, events: list[StreamEvent]) -> None:
    """By the type in the data; what is repeated at the end is not said twice, what is unknown is skipped."""
    assert list(parse(frame)) == events


@pytest.mark.parametrize(
    ("kind", "response", "reason"),
    [
        ("response.completed", {"status": "completed"}, EndReason.STOP),
        ("response.incomplete", {"incomplete_details": {"reason": "max_output_tokens"}}, EndReason.LENGTH),
        ("response.incomplete", {"incomplete_details": {"reason": "content_filter"}}, EndReason.REFUSAL),
        ("response.incomplete", {"incomplete_details": {"reason": "something new"}}, EndReason.OTHER),
        ("response.incomplete", {"incomplete_details": None}, EndReason.OTHER),
    ],
)
def test_end_has_a_reason_and_the_usage(kind: str, response: dict[str, Any], reason: EndReason) -> None:
    """Both come in one event."""
    events = list(parse(event(kind, response={**response, "usage": USAGE})))

    assert events == [UsageReport(Usage(input_tokens=5, output_tokens=7)), Finished(reason)]


def test_end_has_the_thoughts_that_must_go_back() -> None:
    """Those with a cipher, under the index of their place in the output."""
    output = [SAID, THOUGHT, {**THOUGHT, "encrypted_content": None}, "x"]

    events = list(parse(event("response.completed", response={"model": "gpt-5-2025-08-07", "output": output})))

    assert events == [Whole((TextDelta("a"), Opaque(1, BLOCK))), Finished(EndReason.STOP)]


@pytest.mark.parametrize(
    ("frame", "error"),
    [
        (event("response.failed", response={"error": {"code": "server_error", "message": "boom"}}), ServerError),
        (
            event("response.failed", response={"error": {"code": "rate_limit_exceeded", "message": "boom"}}),
            RateLimitError,
        ),
        (event("error", code="server_error", message="boom", param=None), ServerError),
        (event("error", name="", code="rate_limit_exceeded", message="boom"), RateLimitError),
        (event("error", code="context_length_exceeded", message="boom"), ContextTooLongError),
        (event("error", error={"type": "invalid_request_error", "code": None, "message": "boom"}), ServerError),
        (Frame("", '{"error": {"message": "boom"}}'), ServerError),
        (Frame("error", "boom"), ServerError),
    ],
)
def test_failure_is_told_in_the_providers_words(frame: Frame, error: type[ProviderError]) -> None:
    """Whichever of the two events it comes in, and whether or not there is a name to it."""
    (failure,) = parse(frame)

    assert failure == Failure('"boom"', error)


def test_failure_without_words_is_a_failure() -> None:
    """There is an error even if nothing is said of it."""
    (failure,) = parse(event("response.failed", response={"error": None}))

    assert isinstance(failure, Failure)


def test_what_is_no_json_is_malformed() -> None:
    """A proxy's web page is not taken for silence."""
    with pytest.raises(MalformedFrameError):
        list(parse(Frame("", "<html>")))


KINDS = [
    *("response.output_text.delta", "response.reasoning_text.delta", "response.reasoning_summary_part.added"),
    *("response.completed", "response.incomplete", "response.failed", "error", "reasoning"),
]
WORDS = [
    *("delta", "response", "error", "code", "message", "usage", "output", "incomplete_details", "reason"),
    *("summary_index", "id", "encrypted_content", "model", "input_tokens", "output_tokens"),
]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(KINDS),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["type", *WORDS]), inner),
)
anything = dict.fromkeys(WORDS, json_values)
items = st.fixed_dictionaries({"type": st.just("reasoning")}, optional=anything)
responses = st.fixed_dictionaries({}, optional={**anything, "output": st.lists(items)})
spoken = st.fixed_dictionaries(
    {"type": st.sampled_from(KINDS)}, optional={**anything, "response": responses | json_values}
)


@settings(max_examples=40)
@given(json_values | spoken, st.sampled_from(["", *KINDS]))
def test_no_json_breaks_the_parser(value: object, name: str) -> None:
    """Whatever a server sends, the parser gives events, and what is kept of them can be sent back."""
    for each in parse(Frame(name, json.dumps(value))):
        assert isinstance(each, TextDelta | ThinkingDelta | UsageReport | Finished | Failure | Opaque | Whole | Break)
        assert not isinstance(each, Opaque) or all(isinstance(part, str) for part in each.parts.values())


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    transport = Transport()
    yield transport
    await transport.aclose()


def sent(*frames: Frame) -> Script:
    """Return a script that sends these events, as the real service does: with names, and without [DONE]."""

    async def script(exchange: Exchange) -> None:
        await exchange.start()
        for frame in frames:
            await exchange.raw(f"event: {frame.event}\ndata: {frame.data}\n\n".encode())
        await exchange.close()

    return script


async def answer(transport: Transport, script: Script, events: list[StreamEvent]) -> Exchange:
    """Ask one question; put what is answered into `events` and return what the server saw."""
    asks, request = wire(official=True), asked("gpt-5")
    with WireServer(script) as server:
        call = Call(
            who="openai",
            model=request.model,
            url=server.base_url + asks.path(request),
            payload=asks.payload(request),
            headers=asks.headers("sk-12345"),
        )
        stream = WireStream(await transport.open(call, StreamLimits()), asks)
        try:
            while batch := await stream.read():
                events += batch
        finally:
            await stream.aclose()
    return server.exchanges[0]


def joined(events: list[StreamEvent]) -> str:
    return "".join(each.text for each in events if isinstance(each, TextDelta))


async def test_whole_answer_arrives(transport: Transport) -> None:
    """Thoughts, text, usage, and an end that carries what must go back."""
    events: list[StreamEvent] = []
    done = event(
        "response.completed",
        response={"model": "gpt-5-2025-08-07", "output": [THOUGHT, SAID], "usage": USAGE, "error": None},
    )
    script = sent(
        event("response.created", response={}),
        event("response.reasoning_summary_text.delta", delta="hm"),
        text("Grüße, "),
        text("世界"),
        event("response.output_text.done", text="Grüße, 世界"),
        done,
    )

    exchange = await answer(transport, script, events)

    assert exchange.path == "/v1/responses"
    assert events[0] == ThinkingDelta("hm")
    assert joined(events) == "Grüße, 世界"
    assert events[-2:] == [
        UsageReport(Usage(input_tokens=5, output_tokens=7)),
        Finished(EndReason.STOP, {"responses": [BLOCK]}),
    ]


async def test_error_after_the_whole_text_is_an_error(transport: Transport) -> None:
    """Without the completed event nobody knows that it was whole; but the text is there."""
    events: list[StreamEvent] = []

    with pytest.raises(ServerError, match="openai: boom"):
        await answer(transport, sent(text("all of it"), event("error", code="server_error", message="boom")), events)

    assert joined(events) == "all of it"


async def test_end_without_the_completed_event_is_a_broken_connection(transport: Transport) -> None:
    """A body that just stops is never taken for a whole answer."""
    events: list[StreamEvent] = []

    with pytest.raises(NetworkError, match="broke off"):
        await answer(transport, sent(text("a")), events)

    assert joined(events) == "a"


def item(kind: str, index: int, **parts: object) -> Frame:
    return event(f"response.output_item.{kind}", output_index=index, item=parts)


def message(index: int, phase: str, *texts: str) -> list[Frame]:
    """An item of the output from its beginning to its end."""
    said = {"type": "message", "id": f"m{index}", "phase": phase}
    content = [{"type": "output_text", "text": "".join(texts)}]
    return [item("added", index, **said, content=[]), *map(text, texts), item("done", index, **said, content=content)]


BEGUN = event("response.created", response={"model": "gpt-5-2025-08-07"})
THOUGHT_OF = [item("added", 0, type="reasoning", id="rs_1", summary=[]), item("done", 0, **THOUGHT)]
REASONING = {"type": "reasoning", "id": "rs_1", "encrypted_content": "cipher", "summary": []}


async def test_items_of_an_answer_stand_apart_and_go_back_in_their_phases(transport: Transport) -> None:
    """What a model says while it works, and its answer: a blank line between them here, two items over there."""
    events: list[StreamEvent] = []
    body = [*message(1, "commentary", "Let me ", "look."), *message(2, "final_answer", "", "It ", "is so.")]
    await answer(transport, sent(BEGUN, *THOUGHT_OF, *body, event("response.completed", response={})), events)

    reply = Reply()
    for each in events:
        reply = reply.add(each)
    again = Conversation().ask("q").add(reply.message("complete")).ask("r").request(model="gpt-5")
    items = payload(again, official=True)["input"]

    assert joined(events) == "Let me look.\n\nIt is so."
    assert items[1] == REASONING
    assert [(each["phase"], each["content"][0]["text"]) for each in items[2:4]] == [
        ("commentary", "Let me look."),
        ("final_answer", "It is so."),
    ]
    assert len(items) == 5
    assert ["phase" in each for each in payload(replace(again, model="o3"), official=True)["input"]] == [False] * 3


async def test_thoughts_of_an_answer_that_was_paused_go_back_when_it_goes_on(transport: Transport) -> None:
    """The cipher has come before the text: nobody waits for the end to have it."""
    request = Conversation().ask("q").request(model="gpt-5")
    reply = Reply()
    events: list[StreamEvent] = []
    with pytest.raises(NetworkError):
        await answer(transport, sent(BEGUN, *THOUGHT_OF, item("added", 1, type="message"), text("half of")), events)
    for each in events:
        reply = reply.add(each)

    items = payload(resumed(at_rest(request, reply), "instruct"), official=True)["input"]

    assert items[1] == REASONING
    assert items[2] == {"role": "assistant", "content": [{"type": "output_text", "text": "half of"}]}
    assert items[3]["role"] == "user"


async def test_what_is_told_again_is_kept_once(transport: Transport) -> None:
    """Items that end over and over cost no more than one, and what goes back of them is right."""
    once, twice = [BEGUN, *THOUGHT_OF, *message(1, "final_answer", "It ", "is so.")], list[Frame]()
    for frame in once:
        twice += [frame] * (1 if "delta" in frame.event else 50)
    done = event("response.completed", response={"output": [THOUGHT, SAID]})
    expected: list[StreamEvent] = []
    events: list[StreamEvent] = []
    await answer(transport, sent(*once, done), expected)
    await answer(transport, sent(*twice, done), events)

    assert joined(events) == "It is so."
    assert events[-1] == expected[-1]
    assert sum(isinstance(each, Carried) for each in events) == 2


@pytest.mark.parametrize("said", ["", "x", "Let me look.", "Let me look.\n\n", "Let me look. It is so.", "\n\n" * 9])
def test_text_that_is_not_as_it_came_goes_back_whole(said: str) -> None:
    """An answer may have been edited since."""
    blocks = [{"model": "gpt-5"}, {"phase": "commentary", "length": "12"}, {"phase": "final_answer", "length": "9"}]
    before = Message(role="assistant", text=said, provider_data={"responses": blocks})
    request = Request(model="gpt-5", messages=(before,))

    items = payload(request, official=True)["input"]

    assert "\n\n".join(each["content"][0]["text"] for each in items).strip() == said.strip()


# Which models are asked over it


@pytest.mark.parametrize(
    ("model", "api", "path"),
    [
        ("gpt-6.1-terra", "", "/responses"),
        ("gpt-5", "", "/responses"),
        ("gpt-5.1-codex", "", "/responses"),
        ("ft:gpt-5.2:me", "", "/responses"),
        ("o4-mini", "", "/responses"),
        ("o3-deep-research", "", "/responses"),
        ("gpt-5-chat-latest", "", "/chat/completions"),
        ("gpt-5-search-api", "", "/chat/completions"),
        ("gpt-4.1", "", "/chat/completions"),
        ("chatgpt-4o-latest", "", "/chat/completions"),
        ("gpt-6.1-terra", "chat", "/chat/completions"),
        ("gpt-4.1", "responses", "/responses"),
    ],
)
async def test_models_of_openai_that_reason_are_asked_over_responses(
    tmp_path: Path, model: str, api: Literal["", "chat", "responses"], path: str
) -> None:
    """At its own address, unless the configuration says which API it is."""
    remote = RemoteSettings(api=api)
    given = Settings(providers=ProvidersSettings(remotes={"openai": remote}))
    async with registry(given, {"OPENAI_API_KEY": "k", "LLMTERM_DATA_DIR": str(tmp_path)}) as providers:
        provider = providers.get("openai")
        assert isinstance(provider, HttpProvider)

        asked_at, body = await provider.alone(asked(model))

    assert asked_at == path
    assert ("input" in body) is (path == "/responses")


async def test_compatible_servers_are_asked_as_ever(tmp_path: Path) -> None:
    """Whatever they call their models."""
    environ = {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "http://localhost:1", "LLMTERM_DATA_DIR": str(tmp_path)}
    async with registry(Settings(), environ) as providers:
        provider = providers.get("openai")
        assert isinstance(provider, HttpProvider)

        assert (await provider.alone(asked("gpt-6.1-terra")))[0] == "/chat/completions"
