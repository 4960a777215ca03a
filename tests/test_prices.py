"""What requests cost: by a price, by the table of prices, and by what the provider says itself."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmterm.config import KNOWN, Price, ProvidersSettings, RemoteSettings, Settings
from llmterm.config.prices import CHECKED, listed, price
from llmterm.messages import Usage

PLAIN = Price(input=2.0, output=10.0)
CACHING = Price(input=2.0, output=10.0, cached=0.1, cache_write=2.5)
LONG = Price(input=1.0, output=5.0, cached=0.05, cache_write=1.25, above=272_000, input_above=2.0, output_above=7.5)
TOKENS = st.integers(0, 10**9)
USAGE = st.builds(
    Usage, input_tokens=TOKENS, output_tokens=TOKENS, cached_tokens=TOKENS, cache_write_tokens=TOKENS
).map(lambda each: each if each.cached_tokens + each.cache_write_tokens <= each.input_tokens else Usage())
MILLION = 1_000_000


@pytest.mark.parametrize(
    ("its_price", "usage", "cost"),
    [
        (PLAIN, Usage(input_tokens=MILLION, output_tokens=MILLION), 12.0),
        # What is not known to be cheaper is not.
        (PLAIN, Usage(input_tokens=MILLION, cached_tokens=600_000, cache_write_tokens=400_000), 2.0),
        (CACHING, Usage(input_tokens=MILLION, cached_tokens=MILLION), 0.1),
        (CACHING, Usage(input_tokens=MILLION, cached_tokens=500_000, cache_write_tokens=400_000), 0.05 + 1.0 + 0.2),
        (LONG, Usage(input_tokens=272_000, output_tokens=1_000), 0.272 + 0.005),
        # All of it, not only what is beyond; and what the cache has as well.
        (LONG, Usage(input_tokens=300_000, output_tokens=1_000), 0.6 + 0.0075),
        (LONG, Usage(input_tokens=300_000, cached_tokens=300_000), 0.03),
        (LONG, Usage(input_tokens=300_000, cache_write_tokens=300_000), 0.75),
        # A server may say more of its cache than of the prompt.
        (CACHING, Usage(input_tokens=0, cached_tokens=MILLION), 0.1),
    ],
)
def test_a_request_costs_what_its_tokens_do(its_price: Price, usage: Usage, cost: float) -> None:
    assert its_price.cost(usage) == pytest.approx(cost)


@given(USAGE)
def test_a_cache_never_makes_a_request_dearer_than_writing_all_of_it_would(usage: Usage) -> None:
    """And never cheaper than reading all of it would be."""
    read = Usage(input_tokens=usage.input_tokens, output_tokens=usage.output_tokens, cached_tokens=usage.input_tokens)
    written = Usage(
        input_tokens=usage.input_tokens, output_tokens=usage.output_tokens, cache_write_tokens=usage.input_tokens
    )

    cost = LONG.cost(usage)

    assert LONG.cost(read) <= cost * 1.000_001
    assert cost <= LONG.cost(written) * 1.000_001


def test_a_price_is_said_in_a_few_words() -> None:
    assert str(PLAIN) == "2 in, 10 out for a million tokens"
    assert str(LONG) == "1 in, 5 out, 0.05 cached for a million tokens"


def test_models_that_are_asked_unless_another_is_named_are_listed_or_known_not_to_be() -> None:
    """Unknown is said, not guessed: of these nobody could say what they cost."""
    unknown = {name for name, each in KNOWN.items() if each.model and not listed(name, each.model, CHECKED)}

    assert unknown == {"cohere", "openrouter", "deepseek", "together", "airefinery"}


def test_a_price_that_changes_is_that_of_the_day() -> None:
    before, after = (
        listed("gemini", "gemini-4-argon", date(2026, 11, 30)),
        listed("gemini", "gemini-4-argon", date(2026, 12, 1)),
    )

    assert before is not None
    assert after is not None
    assert (before.input, after.input) == (2.0, 4.0)


@pytest.mark.parametrize(
    ("provider", "model", "known"),
    [
        ("anthropic", "claude-sonnet-5-5", True),
        ("anthropic", "claude-sonnet-5-5-20261001", True),
        ("anthropic", "claude-sonnet-5-5-turbo", False),
        ("openai", "gpt-6.1-terra", True),
        ("openai", "gpt-6.1-terrax", False),
        ("deepseek", "deepseek-flash", False),
        ("ollama", "gpt-6.1-terra", False),
        ("local", "gpt-6.1-terra", False),
        ("nobody", "gpt-6.1-terra", False),
    ],
)
def test_a_model_that_is_not_listed_has_no_price(provider: str, model: str, known: bool) -> None:
    assert (price(provider, model, Settings(), {}) is not None) is known


def test_the_table_is_of_the_providers_own_addresses() -> None:
    """What a gateway charges is not known, and the user's own price always wins."""
    elsewhere = RemoteSettings(base_url="https://gateway.example/v1")
    own = RemoteSettings(base_url="https://gateway.example/v1", prices={"gpt-*": PLAIN})

    def asked(remote: RemoteSettings | None, **environ: str) -> Price | None:
        remotes = {} if remote is None else {"openai": remote}
        return price("openai", "gpt-6.1-terra", Settings(providers=ProvidersSettings(remotes=remotes)), environ)

    assert asked(None) is not None
    assert asked(None, OPENAI_BASE_URL="https://api.openai.com/v1/") is not None
    assert asked(None, OPENAI_BASE_URL="https://gateway.example/v1") is None
    assert asked(elsewhere) is None
    assert asked(own) == PLAIN
    assert asked(RemoteSettings(prices={"gpt-6.1-terra": PLAIN})) == PLAIN
