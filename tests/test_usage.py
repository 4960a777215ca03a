"""What providers say a request took: what of it their caches had, what was written to them, and what it cost."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from anthropic.types import MessageDeltaUsage
from google.genai.types import GenerateContentResponseUsageMetadata
from openai.types import CompletionUsage
from openai.types.completion_usage import PromptTokensDetails
from openai.types.responses import ResponseUsage

from llmterm.framing import Frame
from llmterm.messages import Usage, UsageReport
from llmterm.providers import anthropic, cohere, gemini, openai, responses
from llmterm.providers.wire import WireEvent
from tests.asking import answer_of, asked, stored
from tests.wire import Exchange, Script

Parse = Callable[[Frame], Iterable[WireEvent]]


def event(value: object) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def chat(usage: dict[str, Any]) -> dict[str, Any]:
    return {"choices": [], "usage": usage}


def completed(usage: dict[str, Any]) -> dict[str, Any]:
    return {"type": "response.completed", "response": {"output": [], "usage": usage}}


# As the SDKs have it (openai 3.57, anthropic 2.14, google-genai 3.6, cohere 7.3), or the documentation.
SAID: list[tuple[str, Parse, dict[str, Any], Usage]] = [
    (
        "openai",
        openai.parse,
        chat(
            {
                "prompt_tokens": 2_000,
                "completion_tokens": 30,
                "total_tokens": 2_030,
                "prompt_tokens_details": {"cached_tokens": 1_024, "cache_write_tokens": 512, "audio_tokens": 0},
            }
        ),
        Usage(input_tokens=2_000, output_tokens=30, cached_tokens=1_024, cache_write_tokens=512),
    ),
    (
        "openrouter",
        openai.parse,
        chat(
            {
                "prompt_tokens": 2_000,
                "completion_tokens": 30,
                "cost": 0.95,
                "cost_details": {"upstream_inference_cost": None},
                "prompt_tokens_details": {"cached_tokens": 1_500},
            }
        ),
        Usage(input_tokens=2_000, output_tokens=30, cached_tokens=1_500, cost=0.95),
    ),
    (
        "deepseek",
        openai.parse,
        chat(
            {
                "prompt_tokens": 2_000,
                "completion_tokens": 30,
                "prompt_cache_hit_tokens": 1_920,
                "prompt_cache_miss_tokens": 80,
            }
        ),
        Usage(input_tokens=2_000, output_tokens=30, cached_tokens=1_920),
    ),
    (
        "perplexity",
        openai.parse,
        chat({"prompt_tokens": 9, "completion_tokens": 3, "cost": {"request_cost": 0.006, "total_cost": 0.0061}}),
        Usage(input_tokens=9, output_tokens=3, cost=0.0061),
    ),
    (
        "xai",
        openai.parse,
        chat(
            {
                "prompt_tokens": 125,
                "completion_tokens": 48,
                "prompt_tokens_details": {"text_tokens": 125, "cached_tokens": 98},
                "cost_in_usd_ticks": 37_756_000,
            }
        ),
        Usage(input_tokens=125, output_tokens=48, cached_tokens=98, cost=0.0037756),
    ),
    (
        "xai responses",
        responses.parse,
        completed(
            {
                "input_tokens": 125,
                "output_tokens": 48,
                "input_tokens_details": {"cached_tokens": 98},
                "cost_in_usd_ticks": 37_756_000,
            }
        ),
        Usage(input_tokens=125, output_tokens=48, cached_tokens=98, cost=0.0037756),
    ),
    (
        "nonsense",
        openai.parse,
        chat({"prompt_tokens": 9, "prompt_tokens_details": [1], "cost": -1, "prompt_cache_hit_tokens": "all"}),
        Usage(input_tokens=9),
    ),
    (
        "responses",
        responses.parse,
        completed(
            {
                "input_tokens": 2_000,
                "output_tokens": 30,
                "total_tokens": 2_030,
                "input_tokens_details": {"cached_tokens": 1_024, "cache_write_tokens": 512},
                "output_tokens_details": {"reasoning_tokens": 0},
            }
        ),
        Usage(input_tokens=2_000, output_tokens=30, cached_tokens=1_024, cache_write_tokens=512),
    ),
    (
        # Beside the input, and not in it.
        "anthropic",
        anthropic.parse,
        {
            "type": "message_delta",
            "usage": {
                "input_tokens": 50,
                "cache_creation_input_tokens": 400,
                "cache_read_input_tokens": 1_550,
                "output_tokens": 30,
            },
        },
        Usage(input_tokens=2_000, output_tokens=30, cached_tokens=1_550, cache_write_tokens=400),
    ),
    (
        "gemini",
        lambda frame: gemini.parse(json.loads(frame.data)),
        {
            "usageMetadata": {
                "promptTokenCount": 2_000,
                "candidatesTokenCount": 20,
                "thoughtsTokenCount": 10,
                "cachedContentTokenCount": 1_024,
            }
        },
        Usage(input_tokens=2_000, output_tokens=30, cached_tokens=1_024),
    ),
    (
        "cohere",
        cohere.parse,
        {
            "type": "message-end",
            "delta": {
                "usage": {
                    "billed_units": {"input_tokens": 1_990, "output_tokens": 30},
                    "tokens": {"input_tokens": 2_000.0, "output_tokens": 30.0},
                    "cached_tokens": 1_024.0,
                }
            },
        },
        Usage(input_tokens=2_000, output_tokens=30, cached_tokens=1_024),
    ),
]


@pytest.mark.parametrize(("parse", "said", "usage"), [each[1:] for each in SAID], ids=[each[0] for each in SAID])
def test_what_a_cache_had_is_read(parse: Parse, said: dict[str, Any], usage: Usage) -> None:
    """Of some it is part of the prompt's tokens, of Anthropic's it stands beside them."""
    events = parse(Frame("", json.dumps(said)))

    assert [event for event in events if isinstance(event, UsageReport)] == [UsageReport(usage)]


def of_chat(said: dict[str, Any]) -> Usage:
    usage = CompletionUsage.model_validate(said["usage"], strict=True)
    details = usage.prompt_tokens_details or PromptTokensDetails()
    return Usage(
        input_tokens=usage.prompt_tokens,
        output_tokens=usage.completion_tokens,
        cached_tokens=details.cached_tokens or 0,
        cache_write_tokens=details.cache_write_tokens or 0,
    )


def of_responses(said: dict[str, Any]) -> Usage:
    usage = ResponseUsage.model_validate(said["response"]["usage"], strict=True)
    return Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cached_tokens=usage.input_tokens_details.cached_tokens,
        cache_write_tokens=usage.input_tokens_details.cache_write_tokens,
    )


def of_messages(said: dict[str, Any]) -> Usage:
    usage = MessageDeltaUsage.model_validate(said["usage"], strict=True)
    read, written = usage.cache_read_input_tokens or 0, usage.cache_creation_input_tokens or 0
    return Usage(
        input_tokens=(usage.input_tokens or 0) + read + written,
        output_tokens=usage.output_tokens,
        cached_tokens=read,
        cache_write_tokens=written,
    )


def of_gemini(said: dict[str, Any]) -> Usage:
    usage = GenerateContentResponseUsageMetadata.model_validate(said["usageMetadata"])
    return Usage(
        input_tokens=usage.prompt_token_count or 0,
        output_tokens=(usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0),
        cached_tokens=usage.cached_content_token_count or 0,
    )


@pytest.mark.parametrize(
    ("name", "understood"),
    [("openai", of_chat), ("responses", of_responses), ("anthropic", of_messages), ("gemini", of_gemini)],
)
def test_providers_own_sdks_read_the_same(name: str, understood: Callable[[dict[str, Any]], Usage]) -> None:
    """What is told here as a server's word is one to their types, too."""
    said, usage = next(each[2:] for each in SAID if each[0] == name)

    assert understood(said) == usage


def test_a_segment_says_what_the_cache_has_saved_and_what_the_provider_states(tmp_path: Path) -> None:
    """Reckoned by the price, but for the sum: that is the provider's word where there is one."""
    caching = '[providers.openai.prices."*"]\ninput = 1.0\noutput = 5.0\ncached = 0.1\ncache_write = 1.25\n'
    (tmp_path / "config.toml").write_text(caching, "utf-8")
    env = {"LLMTERM_CONFIG": str(tmp_path / "config.toml")}
    usage = {
        "prompt_tokens": 20_000,
        "completion_tokens": 100,
        "prompt_tokens_details": {"cached_tokens": 19_000, "cache_write_tokens": 800},
    }

    def script(**more: float) -> Script:
        async def answer(exchange: Exchange) -> None:
            await exchange.start()
            await exchange.text("It is.")
            await exchange.raw(event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}))
            await exchange.raw(event({"choices": [], "usage": {**usage, **more}}))
            await exchange.close()

        return answer

    reckoned = answer_of(asked(tmp_path, script(), "--json", "-m", "test", "hi", env=env))
    stated = answer_of(asked(tmp_path, script(cost=0.5), "--json", "-m", "test", "hi", env=env))

    (segment,) = reckoned["segments"]
    assert segment["input_cost"] == pytest.approx(200e-6 + 1_900e-6 + 1_000e-6)
    assert reckoned["cost"] == pytest.approx(segment["input_cost"] + 500e-6)
    assert segment["saved"] == pytest.approx(20_000e-6 - 3_100e-6)
    assert (stated["cost"], stated["segments"][0]["saved"]) == (0.5, segment["saved"])
    assert reckoned["usage"]["cached_tokens"] == 19_000
    assert stored(tmp_path)[-1]["segments"] == stated["segments"]
