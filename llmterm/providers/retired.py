"""Models that are no more, or not for long, and what follows each: a small table, as of 28 November 2026.

From the providers' own lists of deprecations, named beside each. What follows is the model of today that does what the
other did; a list may name one that has gone since.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Final, NamedTuple


class Retirement(NamedTuple):
    """The last day of a model, and the model that follows it."""

    day: date
    successor: str

    def words(self, model: str, today: date) -> str:
        when = "was retired on" if self.day <= today else "will be retired on"
        return f"{model} {when} {self.day}"


# By provider: what the whole name of a model is, the last day, and what follows. The first that fits counts.
RETIRED: Final[Mapping[str, tuple[tuple[str, str, str], ...]]] = {
    # https://developers.openai.com/api/docs/deprecations
    "openai": (
        (r"o1-preview.*", "2025-07-28", "gpt-6.1-sol"),
        (r"o1-mini.*", "2025-10-27", "gpt-6.1-terra"),
        (r"chatgpt-4o-latest", "2026-02-17", "gpt-6-luna"),
        (r"gpt-(5|5\.1)-chat-latest|gpt-5\.1-codex|gpt-4o(-mini)?-search-preview.*", "2026-07-23", "gpt-6.1-sol"),
        (r"gpt-5\.[23]-chat-latest", "2026-08-10", "gpt-6.1-sol"),
        (r"gpt-4o-2024-05-13|gpt-4(-turbo)?(-\d.*)?|o1(-pro)?(-\d.*)?|o3-mini.*", "2026-10-23", "gpt-6.1-sol"),
        (r"gpt-3\.5-turbo(-0125)?|o4-mini(-\d.*)?", "2026-10-23", "gpt-6.1-terra"),
        (r"gpt-4\.1-nano.*", "2026-10-23", "gpt-6-luna"),
        (r"gpt-5(-pro)?(-\d.*)?|o3(-pro)?(-\d.*)?", "2026-12-11", "gpt-6.1-sol"),
        (r"gpt-5-mini.*", "2026-12-11", "gpt-6.1-terra"),
        (r"gpt-5-nano.*", "2026-12-11", "gpt-6-luna"),
        (r"gpt-4(o|\.1)(-mini)?(-\d.*)?", "2027-01-14", "gpt-6-luna"),
        (r"gpt-5\.1(-\d.*)?", "2027-04-01", "gpt-6.1-sol"),
        (r"gpt-5\.4-nano.*", "2027-04-01", "gpt-6-luna"),
    ),
    # https://platform.claude.com/docs/en/about-claude/model-deprecations, and `DEPRECATED_MODELS` of its SDK
    "anthropic": (
        (r"claude-(1|instant).*", "2024-11-06", "claude-haiku-5-5"),
        (r"claude-2.*|claude-3-sonnet.*", "2025-07-21", "claude-sonnet-5-5"),
        (r"claude-3-5-sonnet.*", "2025-10-28", "claude-sonnet-5-5"),
        (r"claude-3-opus.*", "2026-01-05", "claude-opus-5-5"),
        (r"claude-3-7-sonnet.*", "2026-02-19", "claude-sonnet-5-5"),
        (r"claude-3-5-haiku.*", "2026-02-19", "claude-haiku-5-5"),
        (r"claude-sonnet-4(-0|-2025\d+)?", "2026-06-15", "claude-sonnet-5-5"),
        (r"claude-opus-4(-0|-2025\d+)?", "2026-06-15", "claude-opus-5-5"),
        (r"claude-mythos-preview", "2026-06-30", "claude-mythos-5-2"),
        (r"claude-opus-4-1.*", "2026-08-05", "claude-opus-5-5"),
        (r"claude-sonnet-4-5.*", "2026-11-30", "claude-sonnet-5-5"),
        (r"claude-opus-4-5.*", "2027-01-22", "claude-opus-5-5"),
    ),
    # https://ai.google.dev/gemini-api/docs/deprecations; from its last day on another model answers for a 2.5.
    "gemini": (
        (r"gemini-2\.0-flash-lite.*", "2026-06-01", "gemini-3.5-flash-lite"),
        (r"gemini-2\.0-flash.*", "2026-06-01", "gemini-3.8-flash"),
        (r"gemini-3-pro-preview", "2026-03-09", "gemini-4-argon"),
        (r"gemini-2\.5-pro", "2026-12-01", "gemini-3.8-flash"),
        (r"gemini-2\.5-flash", "2026-12-01", "gemini-3.5-flash-lite"),
    ),
    # https://docs.cohere.com/docs/deprecations
    "cohere": ((r"command(-light|-r|-r-plus|-r-03-2024|-r-plus-04-2024)?", "2025-09-15", "command-a-plus-05-2026"),),
    # https://docs.x.ai/developers/migration/may-15-retirement
    "xai": (
        (r"grok-3|grok-4-0709|grok-4(-1)?-fast.*|grok-code-fast.*", "2026-05-15", "grok-4.7"),
        (r"grok-build-0\.1", "2026-11-19", "grok-4.7"),
    ),
}


def retirement(provider: str, model: str) -> Retirement | None:
    """Return when a model of a provider goes, or went, None where nothing is known of that."""
    name = model.removeprefix("models/")
    for pattern, day, successor in RETIRED.get(provider, ()):
        if re.fullmatch(pattern, name):
            return Retirement(date.fromisoformat(day), successor)
    return None
