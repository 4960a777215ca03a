"""How much a model is to think: one word for all, in the words of each. The shapes are those of the SDKs' types."""

from __future__ import annotations

import importlib
import re
from itertools import product
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmterm.errors import UsageError
from llmterm.messages import Effort, Message, Options, Request
from llmterm.providers import anthropic, cohere, efforts, gemini, interactions, ollama, openai, responses
from tests.x11 import require

EFFORTS: tuple[Effort, ...] = get_args(Effort)
# As the types of openai 3.57 and anthropic 2.14 have them.
OPENAI_WORDS = {"none", "minimal", "low", "medium", "high", "xhigh", "max"}


def request(model: str, effort: Effort | None, **options: Any) -> Request:
    return Request(model=model, messages=(Message(role="user", text="q"),), options=Options(effort=effort, **options))


def words(host: str, model: str) -> str:
    """Return what a model is told for each of our words, "-" where it refuses."""
    found = []
    for effort in EFFORTS:
        try:
            found.append(efforts.word(host, model, effort) or "''")
        except UsageError:
            found.append("-")
    return " ".join(found)


@pytest.mark.parametrize(
    ("host", "model", "told"),
    [
        ("openai", "gpt-6.1-terra", "- low low medium high max"),
        ("openai", "gpt-6-astra", "- low low medium high max"),
        ("openai", "gpt-6-luna", "none minimal low medium high max"),
        ("openai", "gpt-5.6-sol", "none low low medium high max"),
        ("openai", "gpt-5.4-mini", "none low low medium high xhigh"),
        ("openai", "gpt-5.1", "none low low medium high high"),
        ("openai", "gpt-5-mini-2025-08-07", "- minimal low medium high high"),
        ("openai", "ft:o4-mini-2025-04-16:us::1", "- low low medium high high"),
        ("openai", "gpt-5-pro", "- high high high high high"),
        ("openai", "o1-mini", "- - - - - -"),
        ("openai", "gpt-4.1", "'' - - - - -"),
        ("", "anything", "none low low medium high high"),
        ("openrouter", "openai/gpt-6.1-sol", "none minimal low medium high max"),
        ("xai", "grok-4.7", "- low low medium high xhigh"),
        ("xai", "grok-4.3", "none low low medium high high"),
        ("xai", "grok-4-0709", "- - - - - -"),
        ("xai", "grok-4-fast-non-reasoning", "'' - - - - -"),
        ("deepseek", "deepseek-flash", "none low low high high max"),
        ("mistral", "mistral-medium-latest", "none high high high high high"),
        ("mistral", "mistral-large-2411", "'' - - - - -"),
        ("mistral", "magistral-medium-latest", "- - - - - -"),
        ("anthropic", "claude-opus-5-5", "- low low medium high max"),
        ("anthropic", "claude-sonnet-5-5", "none low low medium high max"),
        ("anthropic", "claude-fable-5-1", "- low low medium high max"),
        ("anthropic", "claude-sonnet-4-6", "none low low medium high max"),
        ("anthropic", "claude-haiku-4-5", "none minimal low medium high max"),
        ("anthropic", "claude-3-5-haiku-latest", "'' - - - - -"),
        ("gemini", "gemini-3.8-flash", "- low low medium high high"),
        ("gemini", "models/gemini-3.5-flash", "- minimal low medium high high"),
        ("gemini", "gemini-4-argon", "- low low medium high high"),
        ("gemini", "gemini-2.5-pro", "- minimal low medium high max"),
        ("gemini", "gemini-2.0-flash", "'' - - - - -"),
        ("cohere", "command-a-reasoning-08-2025", "none minimal low medium high max"),
        ("cohere", "command-a-03-2025", "'' - - - - -"),
        ("ollama", "gpt-oss:20b", "- low low medium high high"),
        ("ollama", "qwen3", "none high high high high high"),
        ("local", "SmolLM2", "'' - - - - -"),
    ],
)
def test_a_word_is_the_nearest_that_the_model_takes_and_off_is_off_or_refused(host: str, model: str, told: str) -> None:
    assert words(host, model) == told


@pytest.mark.parametrize(
    ("host", "model", "effort", "said"),
    [
        ("openai", "gpt-6.1-terra", "off", "always thinks.*low is the least"),
        ("openai", "gpt-4.1", "high", "does not think.*can only be off"),
        ("xai", "grok-4", "low", "as much as it likes.*takes no effort"),
    ],
)
def test_a_refusal_says_what_the_model_takes(host: str, model: str, effort: Effort, said: str) -> None:
    with pytest.raises(UsageError, match=f"^{re.escape(model)} .*{said}"):
        efforts.word(host, model, effort)


hosts = st.sampled_from(["", "openai", "xai", "openrouter", "deepseek", "mistral", "anthropic", "gemini", "cohere"])
names = st.sampled_from(["gpt-6.1", "o3", "grok-4.5", "claude-5", "gemini-3-pro", "magistral", "command-x"]) | st.text()


@given(hosts, names, st.sampled_from(EFFORTS), st.sampled_from(EFFORTS))
def test_more_effort_is_never_told_as_less(host: str, model: str, one: Effort, other: Effort) -> None:
    """Whatever the model is called; and what one takes besides off, it takes all of."""
    less, more = sorted((one, other), key=EFFORTS.index)
    scale = ["", "none", "minimal", "low", "medium", "high", "xhigh", "max"]
    try:
        told = [efforts.word(host, model, each) for each in (less, more)]
    except UsageError:
        return

    assert scale.index(told[0]) <= scale.index(told[1])
    assert set(told) - {""} <= OPENAI_WORDS
    assert (told[0] in ("", "none")) == (less == "off")


@pytest.mark.parametrize(
    ("host", "effort", "told"),
    [
        ("", "high", {"reasoning_effort": "high"}),
        ("", "off", {"reasoning_effort": "none"}),
        ("openrouter", "max", {"reasoning": {"effort": "max"}}),
        ("deepseek", "off", {"thinking": {"type": "disabled"}}),
        ("deepseek", "max", {"thinking": {"type": "enabled"}, "reasoning_effort": "max"}),
        ("mistral", "low", {"reasoning_effort": "high"}),
    ],
)
def test_chat_completions_say_it_as_the_host_wants(host: str, effort: Effort, told: dict[str, Any]) -> None:
    plain, body = (openai.payload(request("m", each), host=host) for each in (None, effort))

    assert body == {**plain, **told}


def test_openai_takes_sampling_only_of_a_model_that_does_not_think() -> None:
    """A temperature beside an effort would be a 400, and one without an effort is none of a model that thinks."""
    for model, effort, sampled in (
        ("gpt-5.4", None, True),
        ("gpt-5.4", "high", False),
        ("gpt-6-luna", None, False),
        ("gpt-6-luna", "off", True),
    ):
        asked = request(model, effort, temperature=0.5, top_p=0.9)  # type: ignore[arg-type]  # one of ours
        for body in (openai.payload(asked, official=True, host="openai"), responses.payload(asked, official=True)):
            assert ({"temperature", "top_p"} <= body.keys()) is sampled, (model, effort)
            assert ({"temperature", "top_p"} & body.keys() != set()) is sampled, (model, effort)


def test_responses_say_it_beside_the_summary() -> None:
    asked = request("gpt-5.4", "high", verbosity="low", schema={"type": "object"}, service_tier="flex")

    body = responses.payload(asked, official=True)

    assert body["reasoning"] == {"effort": "high", "summary": "auto"}
    assert body["include"] == ["reasoning.encrypted_content"]
    assert (body["text"]["verbosity"], body["text"]["format"]["type"]) == ("low", "json_schema")
    assert body["service_tier"] == "flex"
    assert responses.payload(request("gpt-5.4", "off"), official=True).get("reasoning") == {"effort": "none"}


@pytest.mark.parametrize(
    ("model", "effort", "thinking", "level"),
    [
        ("claude-sonnet-5-5", "low", {"type": "adaptive", "display": "summarized"}, "low"),
        ("claude-sonnet-5-5", "off", {"type": "between_tools"}, None),
        ("claude-haiku-5-5", "off", {"type": "disabled"}, None),
        ("claude-sonnet-5", "off", {"type": "disabled"}, None),
        ("claude-opus-4-7", "max", {"type": "adaptive", "display": "summarized"}, "max"),
        ("claude-opus-4-7", "off", None, None),
        ("claude-sonnet-4-5", "high", {"type": "enabled", "budget_tokens": 16_384}, None),
        ("claude-sonnet-4-5", "off", None, None),
    ],
)
def test_anthropic_is_told_by_level_or_by_budget(
    model: str, effort: Effort, thinking: dict[str, Any] | None, level: str | None
) -> None:
    """An effort wins over the budget of the configuration."""
    body = anthropic.payload(request(model, effort, schema={"type": "object"}, temperature=0.5), thinking=2_000)

    assert body.get("thinking") == thinking
    assert body["output_config"].get("effort") == level
    assert body["output_config"]["format"]["type"] == "json_schema"
    assert body["max_tokens"] > (thinking or {}).get("budget_tokens", 0)
    assert ("temperature" in body) is (thinking is None and model == "claude-sonnet-4-5")


def test_anthropic_continues_an_answer_without_thinking() -> None:
    """The thinking of a prefilled answer is over; to ask for it would be a 400."""
    said = (Message(role="user", text="q"), Message(role="assistant", text="a"))
    asked = Request(
        model="claude-haiku-4-5", messages=said, continuation="prefill", options=Options(effort="high", top_p=0.5)
    )

    body = anthropic.payload(asked)

    assert "thinking" not in body
    assert body["top_p"] == 0.5


@pytest.mark.parametrize(
    ("model", "effort", "told"),
    [
        ("gemini-3.8-flash", "max", {"includeThoughts": True, "thinkingLevel": "HIGH"}),
        ("gemini-3.5-flash", "minimal", {"includeThoughts": True, "thinkingLevel": "MINIMAL"}),
        ("gemini-2.5-flash", "off", {"thinkingBudget": 0}),
        ("gemini-2.5-pro", "low", {"includeThoughts": True, "thinkingBudget": 4_096}),
        ("gemini-2.0-flash", "off", None),
        ("gemini-3.8-flash", None, {"includeThoughts": True}),
    ],
)
def test_gemini_is_told_by_level_or_by_budget(model: str, effort: Effort, told: dict[str, Any] | None) -> None:
    assert gemini.payload(request(model, effort))["generationConfig"].get("thinkingConfig") == told


def test_cohere_and_ollama_are_told_in_their_own_words() -> None:
    def told(payload: Any, model: str, effort: Effort) -> object:
        plain, body = payload(request(model, None)), payload(request(model, effort))
        return {name: value for name, value in body.items() if name not in plain}

    budget = {"thinking": {"type": "enabled", "token_budget": 8_192}}
    assert told(cohere.payload, "command-a-plus-05-2026", "medium") == budget
    assert told(cohere.payload, "command-a-plus-05-2026", "off") == {"thinking": {"type": "disabled"}}
    assert told(cohere.payload, "command-a-03-2025", "off") == {}
    assert told(ollama.payload, "qwen3", "off") == {"think": False}
    assert told(ollama.payload, "qwen3", "low") == {"think": True}
    assert told(ollama.payload, "gpt-oss:20b", "max") == {"think": "high"}


def test_the_sdk_of_openai_would_send_what_we_send() -> None:
    """Its types take our bodies, and know every name in them."""
    require(libraries=("openai",))
    pydantic: Any = importlib.import_module("pydantic")
    chat: Any = importlib.import_module("openai.types.chat.completion_create_params")
    others: Any = importlib.import_module("openai.types.responses.response_create_params")
    kinds = (chat.CompletionCreateParamsStreaming, others.ResponseCreateParamsStreaming)
    judges = [(get_type_hints(kind).keys(), pydantic.TypeAdapter(kind)) for kind in kinds]
    wishes: dict[str, Any] = {"top_p": 0.5, "verbosity": "low", "service_tier": "flex", "schema": {"type": "object"}}
    sent = 0
    for model, effort in product(("gpt-6.1-terra", "gpt-6-luna", "gpt-5.4", "gpt-5"), EFFORTS):
        asked, searching = (request(model, effort, **wishes, web_search=each) for each in (None, True))
        try:
            bodies = (
                openai.payload(asked, official=True, host="openai"),
                responses.payload(searching, official=True, host="openai"),
            )
        except UsageError:
            continue  # the SDK would send it, and get a 400
        for body, (known, judge) in zip(bodies, judges, strict=True):
            assert body.keys() <= known
            judge.validate_python(body)
            sent += 1

    assert sent == 2 * (4 * len(EFFORTS) - 2)  # two of them cannot be without thinking


@pytest.mark.parametrize("effort", [None, *EFFORTS[1:]])
@pytest.mark.parametrize("model", ["gemini-3.8-flash", "gemini-4-argon"])
def test_the_types_of_google_genai_take_what_interactions_are_asked(model: str, effort: Effort | None) -> None:
    types: Any = importlib.import_module("google.genai._gaos.types.interactions.createmodelinteraction")
    asked = request(model, effort, top_p=0.5, service_tier="flex", web_search=True)

    found = types.CreateModelInteraction.model_validate(interactions.payload(asked))

    assert found.service_tier == "flex"
    assert found.generation_config.thinking_level == efforts.interactions(model, effort).get("thinking_level")
    assert found.tools[0].type == "google_search"
