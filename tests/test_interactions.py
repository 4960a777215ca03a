"""Interactions: what is sent and understood, and Google's own SDK against the same server."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google import genai
from google.genai import types
from hypothesis import given, settings
from hypothesis import strategies as st

from llmterm.errors import RateLimitError, RequestRefusedError, ServerError
from llmterm.framing import Frame
from llmterm.messages import (
    Attachment,
    Cited,
    CursorMoved,
    EndReason,
    Finished,
    Message,
    Options,
    Request,
    TextDelta,
    ThinkingDelta,
    Usage,
    UsageReport,
)
from llmterm.providers.interactions import parse, payload
from llmterm.providers.wire import Failure, Opaque, WireEvent
from llmterm.transport import Embedded
from tests.wire import Exchange, WireServer

ASKED = Request(
    model="models/gemini-3.8-flash",
    messages=(
        Message(role="system", text="be brief"),
        Message(
            role="user", text="what is it?", attachments=(Attachment(name="a", media_type="image/png", data=b"png"),)
        ),
        Message(role="assistant", text="a cat", provider_data={"interactions": [{"signature": "AAEC"}]}),
        Message(role="user", text="sure?"),
    ),
    options=Options(temperature=0.5, max_tokens=9, seed=4, stop=("END",), schema={"type": "object"}),
)


def event(kind: str, **fields: object) -> dict[str, Any]:
    return {"event_type": kind, "event_id": "e", **fields}


def framed(value: object, name: str = "") -> Frame:
    return Frame(name, json.dumps(value), "")


def delta(kind: str, **fields: object) -> dict[str, Any]:
    return event("step.delta", index=2, delta={"type": kind, **fields})


def status(said: str, **more: object) -> dict[str, Any]:
    return event("interaction.completed", interaction={"id": "i", "status": said, **more})


def test_payload_has_what_was_asked_for_and_no_more() -> None:
    """A conversation is steps, with what its thoughts were signed with; the schema is the format of the answer."""
    body = payload(ASKED)

    image = body["input"][0]["content"][0]
    assert image == {"type": "image", "mime_type": "image/png", "data": Embedded(b"png")}
    assert body["input"][1:] == [
        {"type": "thought", "signature": "AAEC"},
        {"type": "model_output", "content": [{"type": "text", "text": "a cat"}]},
        {"type": "user_input", "content": [{"type": "text", "text": "sure?"}]},
    ]
    del body["input"]
    assert body == {
        "model": "gemini-3.8-flash",
        "system_instruction": "be brief",
        "generation_config": {
            "temperature": 0.5,
            "max_output_tokens": 9,
            "seed": 4,
            "stop_sequences": ["END"],
            "thinking_summaries": "auto",
        },
        "response_format": {"type": "text", "mime_type": "application/json", "schema": {"type": "object"}},
        "stream": True,
        "store": False,
    }


USAGE = {"total_input_tokens": 5, "total_output_tokens": 7, "total_thought_tokens": 3, "total_cached_tokens": 2}
AT_T = CursorMoved({"token": "t"}, runs=False)
USED = UsageReport(Usage(input_tokens=5, output_tokens=10, cached_tokens=2))
LINK = {"type": "url_citation", "url": "https://a.example", "title": "A"}


@pytest.mark.parametrize(
    ("said", "events"),
    [
        (delta("text", text="a"), [TextDelta("a")]),
        (delta("thought_summary", content={"type": "text", "text": "hm"}), [ThinkingDelta("hm")]),
        (delta("thought_summary", content={"type": "image", "data": "AAEC"}), []),
        (delta("thought_signature", signature="AAEC"), [Opaque(2, {"signature": "AAEC"}, ready=True)]),
        (delta("text_annotation_delta", annotations=[LINK, {"type": "file_citation"}]), [Cited(LINK["url"], "A")]),
        (delta("arguments_delta", arguments="{}"), []),
        (event("step.start", index=0, step={"type": "model_output"}), []),
        (event("step.start", step={"content": [{"type": "text", "text": "a"}, {}]}), [TextDelta("a")]),
        (event("step.stop", index=0, usage=USAGE), []),
        (event("interaction.status_update", interaction_id="i", status="queued"), []),
        (event("interaction.status_update", interaction_id="i", status="in_progress", usage=USAGE), [USED]),
        (status("completed", usage=USAGE), [USED, Finished(EndReason.STOP)]),
        (status("incomplete"), [Finished(EndReason.LENGTH)]),
        (status("incomplete", continuation_token="t"), [AT_T, Finished(EndReason.CONTINUATION)]),
        (status("requires_continuation", continuation_token="t"), [AT_T, Finished(EndReason.CONTINUATION)]),
        (event("interaction.status_update", status="in_progress", continuation_token="t"), [AT_T]),
        (status("requires_action"), [Finished(EndReason.OTHER)]),
        (status("cancelled"), [Finished(EndReason.OTHER)]),
        (status("brand_new"), []),
        (event("brand.new"), []),
    ],
)
def test_events_are_understood(said: dict[str, Any], events: list[WireEvent]) -> None:
    """Steps of all kinds, an end with its figures, and words that are new."""
    assert list(parse(framed(said))) == events


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (event("error", error={"code": "resource_exhausted", "message": "m"}), RateLimitError),
        (event("error", error={"code": "invalid_request", "message": "m"}), RequestRefusedError),
        (event("error", error={"message": "m"}), ServerError),
        (status("failed", errors=[{"code": "unavailable", "message": "m"}]), ServerError),
        (status("failed"), ServerError),
        ({"error": {"code": 503, "message": "m"}}, ServerError),
    ],
)
def test_failures_are_told_from_ends(said: dict[str, Any], kind: type[Exception]) -> None:
    """An error says by its code what it is."""
    (failure,) = parse(framed(said))

    assert isinstance(failure, Failure)
    assert failure.error is kind


KEYS = ["event_type", "step", "delta", "interaction", "status", "content", "type", "text", "signature", "error", "code"]
KEYS += ["usage", "annotations", "errors", "index", "continuation_token"]
KINDS = ["error", "step.start", "step.delta", "interaction.status_update", "interaction.completed", "text", "failed"]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(KINDS),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(KEYS), inner),
)


@settings(max_examples=60)
@given(st.sampled_from(KINDS), st.dictionaries(st.sampled_from(KEYS), json_values))
def test_no_json_breaks_the_parser(name: str, value: dict[str, Any]) -> None:
    """Whatever a server sends."""
    list(parse(framed(value, name)))


STREAM = [
    event("interaction.created", interaction={"id": "i", "status": "in_progress"}),
    event("step.start", index=0, step={"type": "thought"}),
    event("step.delta", index=0, delta={"type": "thought_summary", "content": {"type": "text", "text": "hm"}}),
    event("step.delta", index=0, delta={"type": "thought_signature", "signature": "AAEC"}),
    event("step.stop", index=0),
    event("step.start", index=1, step={"type": "model_output"}),
    event("step.delta", index=1, delta={"type": "text", "text": "a "}),
    event("step.delta", index=1, delta={"type": "text", "text": "cat"}),
    event("step.stop", index=1),
    status("completed", usage=USAGE),
]


def sse(*events: dict[str, Any]) -> bytes:
    said = (f"event: {each['event_type']}\ndata: {json.dumps(each)}\n\n" for each in events)
    return "".join(said).encode() + b"event: done\ndata: [DONE]\n\n"


async def test_googles_sdk_says_and_understands_the_same() -> None:
    """Called with what our request says, it sends that; of the server's events it makes what we make of them."""

    async def script(exchange: Exchange) -> None:
        await exchange.start()
        await exchange.raw(sse(*STREAM))
        await exchange.close()

    body = payload(ASKED)
    body["input"][0]["content"][0]["data"] = "cG5n"
    with WireServer(script) as server:
        options = types.HttpOptions(base_url=server.address, api_version="v1")
        client = genai.Client(vertexai=False, api_key="none", http_options=options)
        async with client.aio as talking:
            heard = [each async for each in await talking.interactions.create(**body)]

    (exchange,) = server.exchanges
    assert (exchange.method, exchange.path, exchange.body) == ("POST", "/v1/interactions", body)
    texts = [each.delta.text for each in heard if each.event_type == "step.delta" and each.delta.type == "text"]
    ours = [said for each in STREAM for said in parse(framed(each))]
    assert "".join(texts) == "".join(each.text for each in ours if isinstance(each, TextDelta)) == "a cat"
    assert heard[-1].interaction.usage.total_output_tokens == USAGE["total_output_tokens"]
