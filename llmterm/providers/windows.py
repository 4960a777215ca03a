"""How many tokens a model reads at once, its question, what was said before and its answer together.

Facts only, from the documentation named beside each; a model that is not here has a window that nobody here knows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

# By provider: patterns that are looked for at the beginning of a model's name, the first that fits, and its window.
_WINDOWS: Mapping[str, tuple[tuple[str, int], ...]] = {
    # https://platform.openai.com/docs/models
    "openai": (
        (r"gpt-5(-mini|-nano)?(-\d{4}-\d\d-\d\d)?$", 400_000),
        (r"gpt-4\.1", 1_047_576),
        (r"gpt-4o(?!.*(audio|realtime))|gpt-4-turbo|chatgpt-4o", 128_000),
        (r"o1(?!-mini|-preview)|o3|o4-mini", 200_000),
        (r"gpt-3\.5-turbo(?!-instruct)", 16_385),
    ),
    # https://docs.claude.com/en/docs/about-claude/models/overview
    "anthropic": ((r"claude-(3|(opus|sonnet|haiku)-4)", 200_000),),
    # https://ai.google.dev/gemini-api/docs/models
    "gemini": ((r"gemini-(2\.[05]|1\.5)-flash|gemini-2\.5-pro", 1_048_576),),
}


def window(provider: str, model: str) -> int | None:
    """Return the window of a model in tokens, None where it is not known."""
    found = (size for pattern, size in _WINDOWS.get(provider, ()) if re.match(pattern, model))
    return next(found, None)
