"""Models that are no more: when they went, and what follows them."""

from __future__ import annotations

from datetime import date

import pytest

from llmterm.config import BUILT_IN, PRESETS
from llmterm.providers.retired import RETIRED, retirement

TODAY = date(2026, 11, 28)


@pytest.mark.parametrize(
    ("provider", "model", "words", "successor"),
    [
        ("openai", "gpt-4o-mini", "will be retired on 2027-01-14", "gpt-6-luna"),
        ("openai", "gpt-4-turbo-2024-04-09", "was retired on 2026-10-23", "gpt-6.1-sol"),
        ("openai", "gpt-5", "will be retired on 2026-12-11", "gpt-6.1-sol"),
        ("openai", "o4-mini", "was retired on 2026-10-23", "gpt-6.1-terra"),
        ("anthropic", "claude-sonnet-4-20250514", "was retired on 2026-06-15", "claude-sonnet-5-5"),
        ("anthropic", "claude-sonnet-4-5-20250929", "will be retired on 2026-11-30", "claude-sonnet-5-5"),
        ("anthropic", "claude-3-5-haiku-latest", "was retired on 2026-02-19", "claude-haiku-5-5"),
        ("gemini", "models/gemini-2.5-pro", "will be retired on 2026-12-01", "gemini-3.8-flash"),
        ("cohere", "command-r-plus", "was retired on 2025-09-15", "command-a-plus-05-2026"),
        ("xai", "grok-4-fast-reasoning", "was retired on 2026-05-15", "grok-4.7"),
    ],
)
def test_a_model_that_goes_has_a_day_and_a_successor(provider: str, model: str, words: str, successor: str) -> None:
    found = retirement(provider, model)

    assert found is not None
    assert (found.words(model, TODAY), found.successor) == (f"{model} {words}", successor)


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "gpt-5.4"),
        ("openai", "gpt-5.6-sol"),
        ("openai", "gpt-4.5"),
        ("anthropic", "claude-sonnet-4-6"),
        ("anthropic", "claude-opus-4-7"),
        ("gemini", "gemini-2.5-flash-lite"),
        ("xai", "grok-4.3"),
        ("mine", "gpt-4o"),
    ],
)
def test_what_is_here_to_stay_has_none(provider: str, model: str) -> None:
    assert retirement(provider, model) is None


def test_neither_a_default_nor_a_successor_goes() -> None:
    """What is offered in place of a model that is gone is there itself, and so is what a provider begins with."""
    known = {**BUILT_IN, **PRESETS}
    followers = {(name, successor) for name, rows in RETIRED.items() for *_, successor in rows}

    assert {each for each in followers if retirement(*each)} == set()
    assert {name for name, endpoint in known.items() if retirement(name, endpoint.model)} == set()
