"""How much a model is to think, in its provider's own words: a table of facts, and the parts of requests made of them.

Of our six words "off" is a promise: a model that cannot do without thinking refuses it. Any other is the nearest of
what the model takes, the higher of two that are as near. A model that is not known is asked in its provider's newest
words, and its server says what is wrong with them. Taken from the types of the official SDKs and the pages named
beside each, in November 2026.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from llmterm.errors import WishRefusedError
from llmterm.messages import Effort

_OURS: Final[Mapping[Effort, str]] = {
    "off": "none",
    "minimal": "minimal",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "max": "max",
}
# From least to most. Between the two last ones are models that have only one of them.
_SCALE = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_ALL = _SCALE
_USUAL = ("low", "medium", "high")
_UP_TO_MAX = (*_USUAL, "xhigh", "max")
_ON_OR_OFF = ("none", "high")

# Tokens, where it is a budget: fewer than any answer of the models that have one may be long.
_BUDGETS: Final[Mapping[str, int]] = {"minimal": 1_024, "low": 4_096, "medium": 8_192, "high": 16_384, "max": 24_576}
_BUDGET = ("none", *_BUDGETS)


class _Row(NamedTuple):
    """The models whose name begins with `pattern`: the words that they take, of `_SCALE`.

    None of them is a model that cannot be told; whether that one thinks all the same is `always`.
    """

    pattern: str
    words: tuple[str, ...]
    always: bool = False


# By provider, or by what a server speaks; the first row that fits counts.
_MODELS: Final[Mapping[str, tuple[_Row, ...]]] = {
    # https://developers.openai.com/api/docs/guides/reasoning, .../guides/latest-model
    "openai": (
        _Row(r"gpt-5-chat", ()),
        _Row(r"gpt-5-pro", ("high",)),
        _Row(r"gpt-5\.\d+-pro", ("medium", "high", "xhigh")),
        _Row(r"gpt-5\.\d+-chat", ("medium",)),
        _Row(r"gpt-5\.1-codex-max", (*_USUAL, "xhigh")),
        _Row(r"o1-(mini|preview)", (), always=True),
        _Row(r"gpt-5(\.1)?-codex|codex-mini|gpt-oss|o\d", _USUAL),
        _Row(r"gpt-5\.1\b", ("none", *_USUAL)),
        _Row(r"gpt-5\.[2-5]\b", ("none", *_USUAL, "xhigh")),
        _Row(r"gpt-5\.", ("none", *_UP_TO_MAX)),
        _Row(r"gpt-5\b", ("minimal", *_USUAL)),
        _Row(r"gpt-6(\.\d+|-astra)", _UP_TO_MAX),
        _Row(r"gpt-[345]|chatgpt", ()),
        _Row(r"", _ALL),
    ),
    # https://platform.claude.com/docs/en/build-with-claude/effort; those up to 4.5 have a budget.
    "anthropic": (
        _Row(r"claude-([a-z]+-)?4[-.]6\b", ("none", *_USUAL, "max")),
        _Row(r"claude-([a-z]+-)?4[-.]([7-9]|\d\d)\b", ("none", *_UP_TO_MAX)),
        _Row(r"claude-(3[-.]7|([a-z]+-)?4)", _BUDGET),
        _Row(r"claude-(instant|[123]\b)", ()),
        _Row(r"claude-(fable|mythos|opus-5[-.]5)", _UP_TO_MAX),
        _Row(r"claude", ("none", *_UP_TO_MAX)),
        _Row(r"", _BUDGET),
    ),
    # https://ai.google.dev/gemini-api/docs/thinking: a budget up to 2.5, then levels, without an off.
    "gemini": (
        _Row(r"gemini-.*(image|tts|audio|live|embedding)", ()),
        _Row(r"gemini-2\.5-pro", tuple(_BUDGETS)),
        _Row(r"gemini-2\.5", _BUDGET),
        _Row(r"gemini-[12](\.|-)", ()),
        _Row(r"gemini-3-pro", ("low", "high")),
        _Row(r"gemini-3(\.[0-7])?-flash", ("minimal", *_USUAL)),
        _Row(r"gemini-(\d|(pro|flash|flash-lite)-latest)", _USUAL),
        _Row(r"", ()),
    ),
    # The same models by levels only: `ThinkingLevel` of google-genai's Interactions.
    "interactions": (
        _Row(r"gemini-(2\.5|3(\.[0-7])?-flash)", ("minimal", *_USUAL)),
        _Row(r"gemini-([3-9]|\d\d)", _USUAL),
        _Row(r"", ()),
    ),
    # https://docs.cohere.com/docs/reasoning
    "cohere": (
        _Row(r"command(-r|-light|-nightly|-a-\d|-a-vision|-a-translate|\d|\Z)|c4ai|aya", ()),
        _Row(r"", _BUDGET),
    ),
    # https://docs.ollama.com/capabilities/thinking
    "ollama": (_Row(r"(.*/)?gpt-oss", _USUAL), _Row(r"", _ON_OR_OFF)),
    # https://docs.x.ai/developers/model-capabilities/text/reasoning
    "xai": (
        _Row(r"grok-.*non-reasoning", ()),
        _Row(r"grok-3-mini", ("low", "high")),
        _Row(r"grok-4\.20-multi-agent", (*_USUAL, "xhigh")),
        _Row(r"grok-4\.3", ("none", *_USUAL)),
        _Row(r"grok-4\.5", _USUAL),
        _Row(r"grok-[23]", ()),
        _Row(r"grok-(4(?!\.[6-9])|code|build)", (), always=True),
        _Row(r"", (*_USUAL, "xhigh")),
    ),
    # https://openrouter.ai/docs/guides/best-practices/reasoning-tokens: what a model does not take is translated there.
    "openrouter": (_Row(r"", _ALL),),
    # https://api-docs.deepseek.com/guides/thinking_mode
    "deepseek": (_Row(r"", ("none", "low", "high", "max")),),
    # The engine takes no such thing.
    "local": (_Row(r"", ()),),
    # https://docs.mistral.ai/capabilities/reasoning
    "mistral": (
        _Row(r"magistral", (), always=True),
        _Row(r"open-|codestral|devstral|ministral|pixtral|mistral-(tiny|saba|large)|.*-2[345]\d\d", ()),
        _Row(r"", _ON_OR_OFF),
    ),
}
# Left to themselves, Anthropic's newer models sign their thinking but do not say it.
ADAPTIVE: Final = {"type": "adaptive", "display": "summarized"}
# Any other server of chat completions takes these, if it takes any.
_OTHERS = (_Row(r"", ("none", *_USUAL)),)
# Anthropic's models that are told otherwise to do without: these think where tools are used, and there are none.
_BETWEEN_TOOLS = re.compile(r"claude-sonnet-5[-.][5-9]")
# And these think only where they are asked to.
_UNASKED = re.compile(r"claude-(3|([a-z]+-)?4)|(?!claude)")


def thinks(host: str, model: str) -> bool:
    """Tell whether a model can think at all."""
    row = _row(host, model)
    return bool(row.words) or row.always


def word(host: str, model: str, effort: Effort) -> str:
    """Return what `model` calls `effort`, of the words from "none" to "max"; "" where nothing needs to be said.

    Raises WishRefusedError where the model cannot be told that.
    """
    words, always = _row(host, model)[1:]
    if not words and always:
        raise WishRefusedError(f"{model} thinks as much as it likes", hint="it takes no effort")
    if not words:
        if effort == "off":
            return ""
        raise WishRefusedError(f"{model} does not think", hint="its effort can only be off")
    if effort == "off" and "none" not in words:
        hint = f"{_named(words[0])} is the least that it has"
        raise WishRefusedError(f"{model} always thinks: its effort cannot be off", hint=hint)
    place = _SCALE.index(_OURS[effort])
    given = words if effort == "off" else [each for each in words if each != "none"]
    return min(given, key=lambda each: (abs(_SCALE.index(each) - place), -_SCALE.index(each)))


def _named(own: str) -> str:
    """Return our word for a provider's."""
    return next((ours for ours, each in _OURS.items() if each == own), "max")


def _row(host: str, model: str) -> _Row:
    name = model.lower().removeprefix("models/").removeprefix("ft:")
    return next(each for each in _MODELS.get(host, _OTHERS) if re.match(each.pattern, name))


def chat(host: str, model: str, effort: Effort | None) -> dict[str, Any]:
    """Return the part of a request for a chat completion. Raises WishRefusedError."""
    if effort is None or not (own := word(host, model, effort)):
        return {}
    match host:
        case "openrouter":
            return {"reasoning": {"effort": own}}
        case "deepseek" if own == "none":
            return {"thinking": {"type": "disabled"}}
        case "deepseek":
            return {"thinking": {"type": "enabled"}, "reasoning_effort": own}
        case _:
            return {"reasoning_effort": own}


def responses(host: str, model: str, effort: Effort | None) -> dict[str, Any]:
    """Return what goes into the `reasoning` of OpenAI's Responses. Raises WishRefusedError."""
    own = word(host, model, effort) if effort is not None else ""
    return {"effort": own} if own else {}


def anthropic(model: str, effort: Effort) -> tuple[dict[str, Any], str]:
    """Return how Anthropic's model is told to think, {} for not at all, and the level of its effort, "" for none.

    Raises WishRefusedError.
    """
    own = word("anthropic", model, effort)
    if own in ("", "none"):
        if not own or _UNASKED.match(model.lower()):
            return {}, ""
        return {"type": "between_tools" if _BETWEEN_TOOLS.match(model.lower()) else "disabled"}, ""
    if "minimal" in _row("anthropic", model).words:
        return {"type": "enabled", "budget_tokens": _BUDGETS[own]}, ""
    return {**ADAPTIVE}, own


def gemini(model: str, effort: Effort | None) -> dict[str, Any]:
    """Return what goes into the `thinkingConfig` of Gemini. Raises WishRefusedError."""
    if effort is None or not (own := word("gemini", model, effort)):
        return {}
    if "2.5" in model:
        return {"thinkingBudget": _BUDGETS.get(own, 0)}
    return {"thinkingLevel": own.upper()}


def interactions(model: str, effort: Effort | None) -> dict[str, Any]:
    """Return what goes into the `generation_config` of Gemini's Interactions. Raises WishRefusedError."""
    own = word("interactions", model, effort) if effort is not None else ""
    return {"thinking_level": own} if own else {}


def cohere(model: str, effort: Effort | None) -> dict[str, Any]:
    """Return the part of a request in version 2 of Cohere's API. Raises WishRefusedError."""
    if effort is None or not (own := word("cohere", model, effort)):
        return {}
    if own == "none":
        return {"thinking": {"type": "disabled"}}
    return {"thinking": {"type": "enabled", "token_budget": _BUDGETS[own]}}


def ollama(model: str, effort: Effort | None) -> dict[str, Any]:
    """Return the part of a request to Ollama. Raises WishRefusedError."""
    if effort is None:
        return {}
    own = word("ollama", model, effort)
    switch = {"none": False, "high": True} if "none" in _row("ollama", model).words else {}
    return {"think": switch.get(own, own)}
