"""Tells a quota that is used up from requests that came too fast: the one is not mended by asking again in a moment.

Providers say both with a 429, and some the first with a 400, 401, 402 or 403. What tells is a code, or the words.
"""

from __future__ import annotations

import re

from llmterm.untrusted import parsed

_PAYMENT_REQUIRED = 402
_STATUSES = frozenset({None, 400, 401, 403, 429})
_MOST_VALUES = 1000  # of an error body, that are looked at
_NAMES = frozenset({"code", "type", "status", "param", "reason", "quotaId"})
# OpenAI, Azure: insufficient_quota, billing_hard_limit_reached, billing_not_active; Anthropic: billing_error; Moonshot:
# exceeded_current_quota_error; Gemini: GenerateRequestsPerDayPerProjectPerModel-FreeTier
# (https://ai.google.dev/gemini-api/docs/rate-limits); others: insufficient_balance, credits_exhausted.
_CODE = re.compile(
    r"insufficient.?(quota|credit|balance|funds)|billing|payment.?required|exceeded.?current.?quota|per.?day"
    r"|(quota|credits?|balance).?(exhausted|depleted)",
    re.IGNORECASE,
)
# Gemini says "exceeded your current quota" of a minute's as well.
_EITHER = "RESOURCE_EXHAUSTED"
_WORDS = re.compile(
    r"insufficient.?(quota|credits?|balance|funds)|credit balance|exceeded your current quota|regain access"
    r"|(out of|run out of|used (up )?all|no (more|remaining)|add).{0,30}\bcredits?\b|credit limit|payment required"
    r"|(spending|billing hard) limit|(daily|weekly|monthly)( \w+)? limit|free-models-per-day"
    r"|/ ?(day|month)\b|per month",
    re.IGNORECASE,
)


def used_up(status: int | None, words: str, codes: str) -> bool:
    """Tell whether a quota is used up, by an error's HTTP status (None in a stream), its words and its codes."""
    if status == _PAYMENT_REQUIRED:
        return True
    if status not in _STATUSES:
        return False
    if _CODE.search(codes):
        return True
    return _EITHER not in codes and _WORDS.search(words) is not None


def codes(body: bytes | str) -> str:
    """Return the codes, types, names of parameters and of quotas that stand anywhere in an error body."""
    try:
        values = [parsed(body)]
    except ValueError:
        return ""
    found: list[str] = []
    # Not recursive: a stranger's JSON may be nested deeper than the stack.
    for _ in range(_MOST_VALUES):
        if not values:
            break
        match values.pop():
            case dict() as inner:
                found += [value for name, value in inner.items() if name in _NAMES and isinstance(value, str)]
                values += [value for value in inner.values() if isinstance(value, dict | list)]
            case list() as inner:
                values += inner
    return " ".join(found)
