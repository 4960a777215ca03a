"""Retries before the first token: which failures pass by themselves, how long to wait, and the wait.

Every request that goes out is a try, also the one after a kept connection that had been closed: only the wait is spared
there. A wait goes through `Progress`: it is seen, can be ended early, and ends at once when its task is cancelled. What
has begun to answer is never asked again: that would lose or repeat text, and is the business of whoever pauses and
resumes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import SystemRandom
from typing import TypeVar

from llmterm import log
from llmterm.errors import (
    ConnectError,
    NetworkError,
    ProviderError,
    QuotaError,
    RateLimitError,
    ServerError,
    StaleConnectionError,
    StreamTimeoutError,
)
from llmterm.progress import Progress

T = TypeVar("T")

_FIRST_WAIT = 2.0
_PASSING_STATUSES = frozenset({408, 409, 429, 500, 502, 503, 504, 529})
# Where no HTTP status tells: nobody answered, the connection broke, or the failure came in an accepted stream.
_PASSING_KINDS = (ConnectError, NetworkError, RateLimitError, ServerError)
_OVERLOADED = (503, 529)


def retriable(error: BaseException) -> bool:
    """Tell whether the same request may succeed a little later."""
    match error:
        case QuotaError():
            return False
        case StreamTimeoutError():
            return error.timer == "connect"
        case ProviderError(status=int(status)) if status >= 400:
            return status in _PASSING_STATUSES
        case _:
            return isinstance(error, _PASSING_KINDS)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """At most so many `attempts`, and no wait longer than `max_wait` seconds. `jitter(low, high)` picks between."""

    attempts: int = 3
    max_wait: float = 60.0
    jitter: Callable[[float, float], float] = SystemRandom().uniform  # the sequence of `random` is the host's

    def wait_for(self, error: ProviderError, number: int) -> float | None:
        """Return the seconds to wait after try `number` failed, counted from 1; None if it is not worth waiting.

        What the provider asks for is honoured, unless it is longer than `max_wait`. Otherwise the wait is anything up
        to a bound that doubles: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/, full jitter.
        Behind a stale connection there may be nothing wrong at all.
        """
        if isinstance(error, StaleConnectionError):
            return 0.0
        asked = error.retry_after or 0.0
        if asked > self.max_wait:
            return None
        if asked > 0:
            return asked
        return self.jitter(0.0, min(self.max_wait, _FIRST_WAIT * 2.0 ** min(number - 1, 32)))

    async def run(
        self,
        attempt: Callable[[], Awaitable[T]],
        progress: Progress,
        *,
        again: Callable[[ProviderError], bool] = retriable,
    ) -> T:
        """Return what `attempt` returns, trying once more after each failure for which `again` holds."""
        number = 1
        while True:
            try:
                return await attempt()
            except ProviderError as error:
                if not again(error):
                    raise
                wait, why = self.wait_for(error, number), _words(error)
                if wait is None:
                    error.hint = f"try again in {_duration(error.retry_after or 0.0)}, or use another provider"
                if wait is None or number >= self.attempts:
                    raise
            number += 1
            log.event("retry", number=number - 1, wait_seconds=round(wait, 2), why=why)
            if wait > 0:
                await progress.wait(wait, f"{why}, try {number} of {self.attempts}")
            progress.retry()


def _words(error: ProviderError) -> str:
    """Say in a few words what has failed."""
    match error:
        case RateLimitError():
            what = "too many requests"
        case ServerError():
            what = "the provider is overloaded" if error.status in _OVERLOADED else "a failure at the provider"
        case ConnectError() | StreamTimeoutError():
            what = "no connection"
        case NetworkError():
            what = "the connection broke"
        case _:
            what = "refused for the moment"
    return what if error.status is None else f"{what} (HTTP {error.status})"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
