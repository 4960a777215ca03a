"""How much one endpoint is asked for: so many requests at a time, so many requests and tokens in a minute.

Who is over a limit waits instead of failing. A wait that is more than a moment is shown; ending it early asks all the
same, cancelling it gives everything back. What the provider's own headers say of its limits is heeded as well.
"""

from __future__ import annotations

import asyncio
import math
import re
import sys
import time
from bisect import bisect_left
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Protocol

from aiolimiter import AsyncLimiter

from llmterm.progress import Progress

_MOMENT = 0.3
_EARLY = 0.05  # clocks are coarse: so much earlier, a wait has still run its time
_EPOCH_SECONDS = 1e9
_EPOCH_MILLISECONDS = 1e11
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_UNIT = r"(\d+(?:\.\d*)?)(ms|us|µs|ns|h|m|s)"
_DURATION = re.compile(rf"(?:{_UNIT})+", re.ASCII)
_PART = re.compile(_UNIT, re.ASCII)
# https://platform.openai.com/docs/guides/rate-limits, https://console.groq.com/docs/rate-limits,
# https://openrouter.ai/docs/api-reference/limits, https://docs.anthropic.com/en/api/rate-limits
_HEADERS = (
    ("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
    ("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
    ("x-ratelimit-remaining", "x-ratelimit-reset"),
    ("anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset"),
    ("anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset"),
    ("anthropic-ratelimit-input-tokens-remaining", "anthropic-ratelimit-input-tokens-reset"),
    ("anthropic-ratelimit-output-tokens-remaining", "anthropic-ratelimit-output-tokens-reset"),
)


def reset_seconds(text: str, now: float) -> float | None:
    """Return the seconds from `now`, in seconds of the epoch, until what a reset header says; None if it is no time.

    Seconds ("12"), durations ("2m59.56s", "120ms"), seconds or milliseconds of the epoch, and RFC 3339.
    """
    text = text.strip()
    try:
        value = float(text)
    except ValueError:
        value = _length(text) if _DURATION.fullmatch(text) else _moment(text) - now
    else:
        if value >= _EPOCH_MILLISECONDS:
            value = value / 1000 - now
        elif value >= _EPOCH_SECONDS:
            value -= now
    return max(0.0, value) if math.isfinite(value) else None


def _length(duration: str) -> float:
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(duration))


def _moment(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return math.nan


def exhausted_seconds(headers: Mapping[str, str], now: float) -> float:
    """Return the seconds until all limits of which the headers say that nothing remains are reset; 0 if none is."""
    values = {name.lower(): value for name, value in headers.items()}
    waits = [
        reset_seconds(values[reset], now)
        for remaining, reset in _HEADERS
        if reset in values and _is_zero(values.get(remaining, ""))
    ]
    return max((wait for wait in waits if wait is not None), default=0.0)


def _is_zero(text: str) -> bool:
    try:
        return float(text) == 0
    except ValueError:
        return False


class Permits(Protocol):
    """So much in a minute, of requests or of tokens."""

    async def draw(self, amount: float, why: str, progress: Progress) -> None:
        """Wait, for the reason of `why`, until so much of it may be used."""
        ...


class Bucket:
    """What one process is allowed by itself: a minute's worth at once, and then as it comes again."""

    def __init__(self, per_minute: int) -> None:
        self._limiter = AsyncLimiter(per_minute)

    async def draw(self, amount: float, why: str, progress: Progress) -> None:
        """Take `amount` out of the bucket, or all that it holds when it is full."""
        amount = min(max(0.0, amount), self._limiter.max_rate)
        while not self._limiter.has_capacity(amount):
            if not await _waited(self._seconds_until(amount), why, progress):
                return
        await self._limiter.acquire(amount)

    def _seconds_until(self, amount: float) -> float:
        """Return when it will hold `amount`. It only says whether it does: search for the part that is there."""
        bucket = self._limiter
        missing = bisect_left(range(1000), True, key=lambda part: bucket.has_capacity(amount * (1 - part / 1000)))
        return amount * missing / 1000 * bucket.time_period / bucket.max_rate


def alone(_: str, per_minute: int) -> Permits:
    """Return what a process is allowed that knows of no other."""
    return Bucket(per_minute)


class RateLimits:
    """The limits of one endpoint; 0 is no limit. Each `enter` that returns is followed by one `leave`.

    A reset that headers announce for later than `max_wait` seconds is not waited for: it is a day's limit rather than
    a minute's, and the provider's refusal says it better.
    """

    def __init__(
        self,
        concurrent: int = 10,
        requests_per_minute: int = 0,
        tokens_per_minute: int = 0,
        *,
        max_wait: float = 60.0,
        permits: Callable[[str, int], Permits] = alone,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """`permits` gives those of "requests" and of "tokens", of so many a minute."""
        self._slots = asyncio.BoundedSemaphore(concurrent if concurrent > 0 else sys.maxsize)
        self._requests = permits("requests", requests_per_minute) if requests_per_minute > 0 else None
        self._tokens = permits("tokens", tokens_per_minute) if tokens_per_minute > 0 else None
        self._max_wait = max_wait
        self._wall_clock = wall_clock
        self._closed_until = 0.0  # in the loop's time

    async def enter(self, tokens: int, progress: Progress) -> None:
        """Wait until a request of about so many tokens may be sent, and take one of the places for it."""
        await self._slots.acquire()
        try:
            await self.draw(tokens, progress)
        except BaseException:
            self._slots.release()
            raise

    def leave(self) -> None:
        """Give the place back."""
        self._slots.release()

    async def draw(self, tokens: int, progress: Progress) -> None:
        """Wait as `enter` does, for one more request of someone who has a place already."""
        loop = asyncio.get_running_loop()
        while (left := self._closed_until - loop.time()) > 0:
            if not await _waited(left, "the provider's rate limit is used up", progress):
                self._closed_until = 0.0
        if self._requests is not None:
            await self._requests.draw(1, "the limit of requests per minute is reached", progress)
        if self._tokens is not None:
            await self._tokens.draw(tokens, "the limit of tokens per minute is reached", progress)

    def learn(self, headers: Mapping[str, str]) -> None:
        """Heed what the headers of a response say of the provider's limits: nothing left, nothing sent until then."""
        seconds = exhausted_seconds(headers, self._wall_clock())
        if 0 < seconds <= self._max_wait:
            self._closed_until = max(self._closed_until, asyncio.get_running_loop().time() + seconds)


async def _waited(seconds: float, why: str, progress: Progress) -> bool:
    """Wait, and tell whether it was to the end."""
    if seconds < _MOMENT:
        await asyncio.sleep(seconds)
        return True
    loop = asyncio.get_running_loop()
    due = loop.time() + seconds
    await progress.wait(seconds, why)
    return loop.time() >= due - _EARLY
