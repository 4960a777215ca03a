"""What comes from outside, made fit to be reckoned with: JSON, counts, seconds.

A server may send any number: of 400 digits, which no float holds; of 5,000, which Python refuses to read; infinite,
negative, none at all. This is the one place where they are read, so that everything behind it can add, multiply, store
and show them.
"""

from __future__ import annotations

import json
import math
from typing import Any

# Far beyond what is real, and so small that sums of very many of them still fit 64 bits.
MOST_TOKENS = 10**12
MOST_BYTES = 10**15
MOST_COST = 10.0**9
MOST_SECONDS = 10.0**9
_MOST_DIGITS = 18
_LARGEST = 1_000_000_000_000_000_000


def parsed(text: str | bytes | bytearray) -> Any:
    """Return what `text` is in JSON. Raises ValueError for what is none, or is nested too deep to be read."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deep") from None
    except json.JSONDecodeError:
        raise
    except ValueError:
        # An integer of more digits than Python reads (sys.set_int_max_str_digits): one number is no reason to lose
        # what stands beside it. Not done at once, as it makes the reading of all others slower.
        try:
            return json.loads(text, parse_int=_integer)
        except RecursionError:
            raise ValueError("nested too deep") from None


def _integer(digits: str) -> int:
    if len(digits) <= _MOST_DIGITS:
        return int(digits)
    return -_LARGEST if digits.startswith("-") else _LARGEST


def count(value: object, most: int = MOST_TOKENS) -> int:
    """Return a count out of JSON, at most `most`; what is no count is 0."""
    # Turned around, the comparison would let NaN pass.
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        return 0
    return int(min(value, most))


def amount(value: object, most: float = MOST_COST) -> float | None:
    """Return a sum of money out of JSON, at most `most`; None for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        return None
    return float(min(value, most))


def seconds(text: str) -> float | None:
    """Return a number of seconds that a server names, at most `MOST_SECONDS`; None for what is none."""
    try:
        value = float(text)
    except ValueError:
        return None
    return min(value, MOST_SECONDS) if value >= 0 and not math.isnan(value) else None
