"""Ends that are none of an answer's: told for what they are, in words where the provider has any."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llmterm.config import ProvidersSettings, RemoteSettings, Settings
from llmterm.messages import EndReason, Finished
from llmterm.turn import Turn, TurnState
from tests.contract.caller import KEY, Caller, answering
from tests.contract.dialects import Anthropic, Cohere, Dialect, Gemini, Ollama, OpenAI
from tests.reading import heard

RESPONSES = Settings(providers=ProvidersSettings(remotes={"openai": RemoteSettings(api="responses")}))


def sse(value: object) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def chat(reason: str) -> bytes:
    return sse({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})


def stopped(reason: str, **details: str) -> bytes:
    delta: dict[str, Any] = {"stop_reason": reason, "stop_sequence": None}
    if details:
        delta["stop_details"] = {"type": "refusal", **details}
    return sse({"type": "message_delta", "delta": delta, "usage": {"output_tokens": 7}})


def candidate(reason: str, **more: str) -> bytes:
    return sse({"candidates": [{"content": {"parts": []}, "finishReason": reason, **more}]})


def incomplete(reason: str) -> bytes:
    response = {"status": "incomplete", "incomplete_details": {"reason": reason}, "output": []}
    return sse({"type": "response.incomplete", "response": response})


def ended(reason: str) -> bytes:
    return sse({"type": "message-end", "delta": {"finish_reason": reason}})


TOOL = "the model wants to use a tool, and has none here"
SAID = f"Not\n this, {KEY}"
SHOWN = "Not this, ***"


@pytest.mark.parametrize(
    ("dialect", "frame", "reason", "words"),
    [
        (OpenAI(), chat("tool_calls"), EndReason.OTHER, TOOL),
        (OpenAI(), chat("abort"), EndReason.OTHER, "abort"),
        (OpenAI(), chat("eos_token"), EndReason.STOP, ""),
        (OpenAI(), chat("content_filter"), EndReason.REFUSAL, ""),
        (Anthropic(), stopped("tool_use"), EndReason.OTHER, TOOL),
        (Anthropic(), stopped("pause_turn"), EndReason.CONTINUATION, ""),
        (Anthropic(), stopped("refusal"), EndReason.REFUSAL, ""),
        (Anthropic(), stopped("refusal", category="bio", explanation=SAID), EndReason.REFUSAL, f"bio: {SHOWN}"),
        (Anthropic(), stopped("something_new"), EndReason.OTHER, "something_new"),
        (Gemini(), candidate("CONTINUATION"), EndReason.CONTINUATION, ""),
        (
            Gemini(),
            candidate("MALFORMED_RESPONSE", finishMessage=SAID),
            EndReason.OTHER,
            f"MALFORMED_RESPONSE: {SHOWN}",
        ),
        (Gemini(), candidate("SAFETY"), EndReason.REFUSAL, "SAFETY"),
        (
            Gemini(),
            sse({"promptFeedback": {"blockReason": "BLOCKLIST", "blockReasonMessage": SAID}}),
            EndReason.REFUSAL,
            f"BLOCKLIST: {SHOWN}",
        ),
        (Cohere(), ended("TOOL_CALL"), EndReason.OTHER, TOOL),
        (Cohere(), ended("USER_CANCEL"), EndReason.OTHER, "USER_CANCEL"),
        (Ollama(), b'{"done": true, "done_reason": "unload"}\n', EndReason.OTHER, "unload"),
    ],
)
async def test_end_is_told_for_what_it_is(dialect: Dialect, frame: bytes, reason: EndReason, words: str) -> None:
    """In one line, without the key."""
    async with Caller(dialect, answering(dialect, dialect.text("half"), frame)) as caller:
        answer = await caller.ask()

    last = answer.events[-1]
    assert isinstance(last, Finished)
    assert (last.reason, last.words) == (reason, words)


@pytest.mark.parametrize(
    ("said", "reason", "words"),
    [
        ("steered", EndReason.CONTINUATION, ""),
        ("content_filter", EndReason.REFUSAL, ""),
        ("max_output_tokens", EndReason.LENGTH, ""),
    ],
)
async def test_end_of_a_response_is_told_for_what_it_is(said: str, reason: EndReason, words: str) -> None:
    """As those of the other wires."""
    async with Caller(OpenAI(), answering(OpenAI(), incomplete(said)), settings=RESPONSES) as caller:
        answer = await caller.ask()

    last = answer.events[-1]
    assert isinstance(last, Finished)
    assert (last.reason, last.words) == (reason, words)


@pytest.mark.parametrize("dialect", [Anthropic(), Gemini()], ids=["anthropic", "gemini"])
async def test_answer_that_its_provider_pauses_rests_and_can_go_on(dialect: Dialect) -> None:
    """It is not at a token limit, and not over."""
    frame = stopped("pause_turn") if isinstance(dialect, Anthropic) else candidate("CONTINUATION")
    async with Caller(dialect, answering(dialect, dialect.opening(), dialect.text("half "), frame)) as caller:
        turn = Turn(caller.provider, caller.request())
        turn.start()
        async for _ in heard(turn):
            pass
        rested = turn.state, turn.reason
        turn.resume()
        await turn.cancel()

    assert rested == (TurnState.PAUSED, EndReason.CONTINUATION)
