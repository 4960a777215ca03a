"""What is wished of an answer besides its words: told in each provider's own, or refused before anything is sent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from llmterm.assembly.roster import registry
from llmterm.config import PRESETS, ModelSettings, ProvidersSettings, RemoteSettings, Settings
from llmterm.config.credential import Credential
from llmterm.conversation import Conversation
from llmterm.errors import ProviderError, UsageError
from llmterm.messages import Options, StreamLimits
from llmterm.providers.openai import wire
from llmterm.providers.wishes import refuse
from tests.contract.caller import KEY, Answer, Caller, InstantProgress, answering, settings_of
from tests.contract.dialects import REMOTE, Dialect, label, whole
from tests.wire import WireServer

# For each provider a model that thinks, and what it is told. Shapes of bodies as the SDKs' types have them.
TOLD: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "openai": ("any", {"reasoning_effort": "low", "top_p": 0.5, "verbosity": "high", "service_tier": "flex"}),
    "responses": (
        "any",
        {
            "reasoning": {"effort": "low"},
            "top_p": 0.5,
            "text": {"verbosity": "high"},
            "service_tier": "flex",
            "tools": [{"type": "web_search"}],
        },
    ),
    "anthropic": (
        "claude-opus-4-6",
        {
            "thinking": {"type": "adaptive", "display": "summarized"},
            "output_config": {"effort": "low"},
            "service_tier": "flex",
            "tools": [{"type": "web_search_20250305", "name": "web_search"}],
        },
    ),
    "gemini": (
        "gemini-3.8-flash",
        {
            "generationConfig": {"thinkingConfig": {"include_thoughts": True, "thinking_level": "LOW"}, "topP": 0.5},
            "serviceTier": "flex",
            "tools": [{"googleSearch": {}}],
        },
    ),
    "gemini-wire": (
        "gemini-3.8-flash",
        {
            "generationConfig": {"thinkingConfig": {"includeThoughts": True, "thinkingLevel": "LOW"}, "topP": 0.5},
            "serviceTier": "flex",
            "tools": [{"googleSearch": {}}],
        },
    ),
    "interactions": (
        "gemini-3.8-flash",
        {
            "generation_config": {"thinking_level": "low", "top_p": 0.5},
            "service_tier": "flex",
            "tools": [{"type": "google_search"}],
        },
    ),
    "cohere": ("command-a-reasoning-08-2025", {"thinking": {"type": "enabled", "token_budget": 4096}, "p": 0.5}),
    "ollama": ("gpt-oss", {"think": "low", "options": {"top_p": 0.5}}),
}
TAKES: Mapping[str, set[str]] = {
    "openai": {"verbosity", "service_tier"},
    "responses": {"verbosity", "service_tier", "web_search"},
    "anthropic": {"service_tier", "web_search"},
    **{name: {"service_tier", "web_search"} for name in ("gemini", "gemini-wire", "interactions")},
    "cohere": set(),
    "ollama": set(),
}
WISHES: Mapping[str, Any] = {"verbosity": "high", "service_tier": "flex", "web_search": True}


async def ask(caller: Caller, model: str, options: Options) -> None:
    request = Conversation().ask("q").request(model=model, options=options)
    answer = Answer(await caller.provider.open(request, StreamLimits(), caller.progress))
    try:
        await answer.to_end()
    finally:
        await answer.aclose()


async def test_wishes_are_told_in_the_words_of_the_provider(remote: Dialect) -> None:
    """All at once, besides what would be said without them."""
    model, told = TOLD[label(remote)]
    wished = {name: value for name, value in WISHES.items() if name in TAKES[label(remote)]}
    async with Caller(remote, answering(remote, *whole(remote, "ok"))) as caller:
        await ask(caller, model, Options())
        await ask(caller, model, Options(effort="low", top_p=0.5, **wished))
        before, after = (exchange.body for exchange in caller.server.exchanges)

    assert after == merged(before, told)


@pytest.mark.parametrize("wish", WISHES)
async def test_what_a_provider_has_no_words_for_is_refused(remote: Dialect, wish: str) -> None:
    """With who has them; nothing is sent."""
    if wish in TAKES[label(remote)]:
        return
    async with Caller(remote, answering(remote, *whole(remote, "ok"))) as caller:
        with pytest.raises(UsageError, match=f"{remote.name} has no {wish.replace('_', ' ')} .*have? it"):
            await caller.ask(options=Options(**{wish: WISHES[wish]}))

        assert caller.server.exchanges == []


@pytest.mark.parametrize(
    ("name", "model", "effort"),
    [
        ("anthropic", "claude-opus-5-5", "off"),
        ("gemini", "gemini-3.8-flash", "off"),
        ("cohere", "command-a-03-2025", "high"),
        ("ollama", "gpt-oss", "off"),
    ],
)
async def test_effort_that_a_model_cannot_make_is_refused(remote: Dialect, name: str, model: str, effort: Any) -> None:
    """Before anything is sent."""
    if remote.name != name:
        return
    async with Caller(remote, answering(remote, *whole(remote, "ok"))) as caller:
        with pytest.raises(UsageError, match=f"^{model} (always thinks|does not think)"):
            await ask(caller, model, Options(effort=effort))

        assert caller.server.exchanges == []


async def test_effort_of_the_configuration_is_that_of_questions_that_say_none(remote: Dialect) -> None:
    """What it says of a model counts before what it says of all, and a question's own before both."""
    model, _ = TOLD[label(remote)]
    settings = Settings(effort="medium")
    settings = settings_of(remote, settings, per_model={f"{model[:3]}*": ModelSettings(effort="high")})
    frames = answering(remote, *whole(remote, "ok"))
    bodies = []
    for configured, effort in ((settings, None), (Settings(), "high"), (settings, "low"), (Settings(), "low")):
        async with Caller(remote, frames, settings=configured) as caller:
            await ask(caller, model, Options(effort=effort))  # type: ignore[arg-type]  # one of ours
            bodies.append(caller.server.exchanges[0].body)

    assert bodies[0] == bodies[1]
    assert bodies[2] == bodies[3]
    assert bodies[1] != bodies[2]


def merged(body: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    both = {**body, **more}
    return {
        name: merged(body[name], value) if isinstance(value, dict) and isinstance(body.get(name), dict) else value
        for name, value in both.items()
    }


@pytest.mark.parametrize(
    ("said", "model", "about", "told"),
    [
        ({}, "qwen3", 3_000, ""),
        ({}, "qwen3", 5_000, r"about \d,\d\d\d tokens are asked, and qwen3 may read only 4,096 at once: num_ctx in"),
        ({}, "gpt-oss:120b-cloud", 5_000, ""),
        ({"num_ctx": 8_192}, "qwen3", 5_000, ""),
        ({"num_ctx": 8_192}, "qwen3", 9_000, "and qwen3 reads 8,192 at once"),
        ({"per_model": {"qwen*": ModelSettings(num_ctx=16_384)}, "num_ctx": 512}, "qwen3", 9_000, ""),
    ],
)
async def test_ollama_is_told_its_window_and_a_question_that_is_longer_is_said_before_it_is_cut(
    said: Mapping[str, Any], model: str, about: int, told: str
) -> None:
    """It would leave out the beginning without a word."""
    dialect = REMOTE[-1]
    question = "word " * about  # a token each
    async with Caller(
        dialect, answering(dialect, *whole(dialect, "ok")), settings=settings_of(dialect, keep_alive="-1", **said)
    ) as caller:
        request = Conversation().ask(question).request(model=model, options=Options(max_tokens=9_000))
        answer = Answer(await caller.provider.open(request, StreamLimits(), caller.progress))
        await answer.to_end()
        await answer.aclose()
        [exchange] = caller.server.exchanges

    assert re.search(told, "\n".join(caller.progress.said)) if told else caller.progress.said == []
    window = {"per_model": 16_384}.get(next(iter(said), ""), said.get("num_ctx"))
    assert exchange.body["options"].get("num_ctx") == window
    assert exchange.body["keep_alive"] == -1


@pytest.mark.parametrize(
    ("name", "said", "model", "options", "told"),
    [
        ("openrouter", {}, "a/b", Options(effort="max"), {"reasoning": {"effort": "max"}}),
        ("openrouter", {}, "a/b", Options(web_search=True), {"tools": [{"type": "openrouter:web_search"}]}),
        ("deepseek", {}, "deepseek-flash", Options(effort="off"), {"thinking": {"type": "disabled"}}),
        ("mistral", {}, "mistral-medium-latest", Options(effort="low"), {"reasoning_effort": "high"}),
        ("xai", {}, "grok-4.7", Options(effort="minimal"), {"reasoning_effort": "low"}),
        ("xai", {"api": "responses"}, "grok-4.7", Options(effort="max"), {"reasoning": {"effort": "xhigh"}}),
        ("xai", {"api": "responses"}, "grok-4.7", Options(web_search=True), {"tools": [{"type": "web_search"}]}),
        ("groq", {}, "openai/gpt-oss-120b", Options(effort="max"), {"reasoning_effort": "high"}),
    ],
)
async def test_those_that_speak_as_openai_does_are_told_in_their_own_words(
    name: str, said: Mapping[str, Any], model: str, options: Options, told: Mapping[str, Any]
) -> None:
    dialect = REMOTE[0]
    with WireServer(answering(dialect, *whole(dialect, "ok"))) as server:
        remote = replace(RemoteSettings.of(PRESETS[name]), base_url=server.base_url, api_key=Credential(KEY), **said)
        settings = Settings(providers=ProvidersSettings(remotes={name: remote}))
        async with registry(settings, {}) as known:
            for asked in (Options(), options):
                request = Conversation().ask("q").request(model=model, options=asked)
                stream = await known.get(name).open(request, StreamLimits(), InstantProgress())
                with suppress(ProviderError):  # what the server says is of chat completions
                    await stream.read()
                await stream.aclose()
        before, after = (exchange.body for exchange in server.exchanges)

    assert after == merged(before, told)


@pytest.mark.parametrize(("name", "host"), [("openai", "openai"), ("xai", "xai"), ("mistral", "mistral")])
def test_web_search_that_another_interface_has_says_which(name: str, host: str) -> None:
    request = Conversation().ask("q").request(model="grok-4.7", options=Options(web_search=True))

    with pytest.raises(UsageError, match=rf'^{name} has no web search .*openai and xai with api = "responses"'):
        refuse(name, wire(host=host), request)
