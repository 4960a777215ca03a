"""How many tokens a model reads at once, its question, what was said before and its answer together.

Only models of which public sources agree; any other, also one whose window depends on how it is asked for, has a window
that nobody here knows. The pages named are where a provider says it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

# By provider: patterns that are looked for at the beginning of a model's name, the first that fits, and its window.
_WINDOWS: Mapping[str, tuple[tuple[str, int], ...]] = {
    # https://platform.openai.com/docs/models
    "openai": (
        (r"gpt-4o(?!.*(audio|realtime))|gpt-4-turbo|chatgpt-4o", 128_000),
        (r"o3|o4-mini", 200_000),
    ),
    # https://support.claude.com/en/articles/8606395: not Sonnet 4 and 4.5 nor Opus 4.6, which may have a million.
    "anthropic": ((r"claude-(3-|(opus-4(-[15])?|haiku-4-5)(-\d{8})?$)", 200_000),),
    # https://ai.google.dev/gemini-api/docs/models
    "gemini": ((r"gemini-(2\.0|1\.5)-flash|gemini-2\.5-pro", 1_048_576),),
}


def window(provider: str, model: str) -> int | None:
    """Return the window of a model in tokens, None where it is not known."""
    found = (size for pattern, size in _WINDOWS.get(provider, ()) if re.match(pattern, model))
    return next(found, None)
