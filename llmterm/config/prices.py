"""What the models cost that this program knows by name: a small table of its own, which `prices` in the file overrides.

In US dollars for a million tokens, without taxes, as the providers' pages named beside each had it on `CHECKED`. It is
the price of the provider's own address: what a gateway or a server of somebody's own charges, nobody knows here. A
model that is not listed has no known price, and neither has one whose price depends on the hour (DeepSeek's).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import NamedTuple

from llmterm.config.access import base_url
from llmterm.config.endpoints import KNOWN
from llmterm.config.settings import Environ, Price, Settings

CHECKED = date(2026, 11, 28)
CURRENCY = "USD"


class Listing(NamedTuple):
    """The price of the models whose name is `pattern`; of several for one name the first counts that holds `since`."""

    pattern: str
    price: Price
    since: date = date.min


def _claude(input: float, output: float, cached: float) -> Price:
    """A cache that lives for five minutes is written to at 1.25 times the price of input."""
    return Price(input=input, output=output, cached=cached, cache_write=1.25 * input)


def _gemini(input: float, output: float, cached: float) -> Price:
    return Price(input=input, output=output, cached=cached)


_DAY = r"(-\d{8})?"
_LISTED: Mapping[str, Sequence[Listing]] = {
    # https://developers.openai.com/api/docs/pricing
    "openai": (
        Listing(
            r"gpt-6\.1-terra(-\d{4}-\d\d-\d\d)?",
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
        Listing(r"claude-sonnet-5-5" + _DAY, _claude(2.0, 10.0, 0.1)),
        Listing(r"claude-sonnet-5" + _DAY, _claude(2.0, 10.0, 0.2)),
        Listing(r"claude-opus-5-5" + _DAY, _claude(4.0, 20.0, 0.2)),
        Listing(r"claude-opus-5" + _DAY, _claude(5.0, 25.0, 0.5)),
        Listing(r"claude-haiku-4-5" + _DAY, _claude(1.0, 5.0, 0.1)),
    ),
    # https://ai.google.dev/gemini-api/docs/pricing
    "gemini": (
        Listing(r"gemini-3\.[68]-flash", _gemini(1.5, 7.5, 0.15), since=date(2027, 1, 1)),
        Listing(r"gemini-3\.[68]-flash", _gemini(0.75, 3.75, 0.075)),
        Listing(r"gemini-4-argon", _gemini(4.0, 20.0, 0.2), since=date(2026, 12, 1)),
        Listing(r"gemini-4-argon", _gemini(2.0, 10.0, 0.1)),
    ),
    # https://cohere.com/pricing, which has none yet for the model that is asked unless another one is named
    "cohere": (Listing(r"command-a-03-2025", Price(input=2.5, output=10.0)),),
    # https://docs.x.ai/docs/models
    "xai": (
        Listing(
            r"grok-4\.7",
            Price(input=2.0, output=6.0, cached=0.5, above=199_999, input_above=4.0, output_above=12.0),
        ),
        Listing(
            r"grok-4\.3",
            Price(input=1.25, output=2.5, cached=0.2, above=199_999, input_above=2.5, output_above=5.0),
        ),
    ),
    # https://mistral.ai/pricing
    "mistral": (Listing(r"mistral-medium-latest", Price(input=1.5, output=7.5, cached=0.15)),),
    # https://console.groq.com/docs/models
    "groq": (Listing(r"openai/gpt-oss-120b", Price(input=0.15, output=0.6, cached=0.075)),),
    # https://fireworks.ai/pricing
    "fireworks": (Listing(r"accounts/fireworks/models/gpt-oss-120b", Price(input=0.15, output=0.6, cached=0.015)),),
    # https://www.together.ai/pricing
    "together": (Listing(r"openai/gpt-oss-120b", Price(input=0.15, output=0.6)),),
}


def listed(provider: str, model: str, day: date) -> Price | None:
    """Return the price of a model at its provider's own address on that day, None where it is not known."""
    found = (
        each.price for each in _LISTED.get(provider, ()) if each.since <= day and re.fullmatch(each.pattern, model)
    )
    return next(found, None)


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
