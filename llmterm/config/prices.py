"""What the models cost that this program knows by name: a small table of its own, which `prices` in the file overrides.

In US dollars for a million tokens, without taxes, on the day `CHECKED`: as genai-prices 0.2.3 had them
(https://github.com/pydantic/genai-prices), which collects them from the providers' pages named beside each. They are
those of the provider's own address: what a gateway or a server of somebody's own charges, nobody knows here. A model
that is not listed has no known price, and neither has one whose price depends on the hour (DeepSeek's).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import NamedTuple

from llmterm.config.access import base_url
from llmterm.config.endpoints import KNOWN
from llmterm.config.settings import Environ, Price, Settings

CHECKED = date(2026, 11, 28)
CURRENCY = "USD"


class Listing(NamedTuple):
    """The price of a model, and of its snapshots, whose names have a date behind it; it holds `since` then."""

    model: str
    price: Price
    since: date = date.min


def _claude(input: float, output: float, cached: float) -> Price:
    """A cache that lives for five minutes is written to at 1.25 times the price of input."""
    return Price(input=input, output=output, cached=cached, cache_write=1.25 * input)


def _flash(input: float) -> Price:
    return Price(input=input, output=5 * input, cached=0.1 * input)


def _argon(input: float) -> Price:
    return Price(input=input, output=5 * input, cached=0.05 * input)


def _grok(input: float, output: float, cached: float) -> Price:
    """Twice as much from 200,000 tokens on."""
    return Price(
        input=input, output=output, cached=cached, above=199_999, input_above=2 * input, output_above=2 * output
    )


_SNAPSHOT = re.compile(r"-\d{8}|-\d{4}-\d\d-\d\d")
# Of several for one model the first counts that holds.
_LISTED: Mapping[str, Sequence[Listing]] = {
    # https://developers.openai.com/api/docs/pricing
    "openai": (
        Listing(
            "gpt-6.1-terra",
            Price(
                input=1.0,
                output=5.0,
                cached=0.05,
                cache_write=1.25,
                above=272_000,
                input_above=2.0,
                output_above=7.5,
            ),
        ),
    ),
    # https://platform.claude.com/docs/en/about-claude/pricing
    "anthropic": (
        Listing("claude-sonnet-5-5", _claude(2.0, 10.0, 0.1)),
        Listing("claude-sonnet-5", _claude(2.0, 10.0, 0.2)),
        Listing("claude-opus-5-5", _claude(4.0, 20.0, 0.2)),
        Listing("claude-opus-5", _claude(5.0, 25.0, 0.5)),
        Listing("claude-haiku-4-5", _claude(1.0, 5.0, 0.1)),
    ),
    # https://ai.google.dev/gemini-api/docs/pricing
    "gemini": (
        Listing("gemini-3.8-flash", _flash(1.5), since=date(2027, 1, 1)),
        Listing("gemini-3.8-flash", _flash(0.75)),
        Listing("gemini-3.6-flash", _flash(1.5), since=date(2027, 1, 1)),
        Listing("gemini-3.6-flash", _flash(0.75)),
        Listing("gemini-4-argon", _argon(4.0), since=date(2026, 12, 1)),
        Listing("gemini-4-argon", _argon(2.0)),
    ),
    # https://cohere.com/pricing, which has none yet for the model that is asked unless another one is named
    "cohere": (Listing("command-a-03-2025", Price(input=2.5, output=10.0)),),
    # https://docs.x.ai/docs/models
    "xai": (Listing("grok-4.7", _grok(2.0, 6.0, 0.5)), Listing("grok-4.3", _grok(1.25, 2.5, 0.2))),
    # https://mistral.ai/pricing
    "mistral": (Listing("mistral-medium-latest", Price(input=1.5, output=7.5, cached=0.15)),),
    # https://console.groq.com/docs/models
    "groq": (Listing("openai/gpt-oss-120b", Price(input=0.15, output=0.6, cached=0.075)),),
    # https://fireworks.ai/pricing
    "fireworks": (Listing("accounts/fireworks/models/gpt-oss-120b", Price(input=0.15, output=0.6, cached=0.015)),),
    # https://www.together.ai/pricing
    "together": (Listing("openai/gpt-oss-120b", Price(input=0.15, output=0.6)),),
}


def listed(provider: str, model: str, day: date) -> Price | None:
    """Return the price of a model at its provider's own address on that day, None where it is not known."""
    named = (each for each in _LISTED.get(provider, ()) if each.since <= day and _is(model, each.model))
    return next((each.price for each in named), None)


def _is(model: str, name: str) -> bool:
    return model == name or (model.startswith(name) and _SNAPSHOT.fullmatch(model, len(name)) is not None)


def price(provider: str, model: str, settings: Settings, environ: Environ) -> Price | None:
    """Return what a model costs: as the settings have it, else as is known of the provider's own address.

    Raises ConfigError for an address that is none.
    """
    remote = settings.providers.remote(provider)
    if remote is None:
        return None
    if own := remote.price(model):
        return own
    known = KNOWN.get(provider)
    if known is None or base_url(provider, settings, environ).rstrip("/") != known.base_url:
        return None
    return listed(provider, model, datetime.now(UTC).date())


class Priced(NamedTuple):
    """What is known of the price of a model, or of those whose names fit a pattern; `own` is the user's word for it."""

    provider: str
    model: str
    price: Price | None
    own: bool = False


def every_price(settings: Settings, environ: Environ, day: date) -> Iterator[Priced]:
    """Yield all prices there are, and None for what is asked where nobody says which model, if that has none.

    Raises ConfigError for an address that is none.
    """
    for provider in settings.providers.names:
        remote, known = settings.providers.remote(provider), KNOWN.get(provider)
        if remote is None:
            continue
        found = {model: Priced(provider, model, each, own=True) for model, each in remote.prices.items()}
        if known is not None and base_url(provider, settings, environ).rstrip("/") == known.base_url:
            for model in dict.fromkeys(each.model for each in _LISTED.get(provider, ())):
                if remote.price(model) is None:
                    found[model] = Priced(provider, model, listed(provider, model, day))
        if remote.model and remote.model not in found and remote.price(remote.model) is None:
            found[remote.model] = Priced(provider, remote.model, None)
        yield from found.values()
