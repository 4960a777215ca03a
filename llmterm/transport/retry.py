"""Retries before the first token: which failures pass by themselves, how long to wait, and the wait.

stamina counts the tries and lets through what another one would not mend. The waiting is done here, through
`Progress`: it is seen, can be ended early, and ends at once when its task is cancelled. What has begun to answer is
never asked again: that would lose or repeat text, and is the business of whoever pauses and resumes.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from llmterm import log
from llmterm.errors import (
    ConnectError,
    NetworkError,
    ProviderError,
    QuotaError,
    RateLimitError,
    ServerError,
    StreamTimeoutError,
)
from llmterm.progress import Progress

if TYPE_CHECKING:
    import stamina

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
    jitter: Callable[[float, float], float] = random.uniform

    def wait_for(self, error: ProviderError, number: int) -> float | None:
        """Return the seconds to wait after try `number` failed, counted from 1; None if it is not worth waiting.

        What the provider asks for is honoured, unless it is longer than `max_wait`. Otherwise the wait is anything up
        to a bound that doubles: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/, full jitter.
        """
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
        number, wait, why = 0, 0.0, ""

        def judge(error: Exception) -> bool | float:
            nonlocal wait, why
            if not isinstance(error, ProviderError) or not again(error):
                return False
            seconds = self.wait_for(error, number)
            if seconds is None:
                error.hint = f"try again in {_duration(error.retry_after or 0.0)}, or use another provider"
                return False
            wait, why = seconds, _words(error)
            return 0.0  # no sleep of stamina's

        tries = self._tries(judge)
        while True:
            # The library gives the next try, or raises what the last one raised.
            each = await anext(tries)
            if number:
                log.event("retry", number=number, wait_seconds=round(wait, 2), why=why)
                await progress.wait(wait, f"{why}, try {number + 1} of {self.attempts}")
                progress.retries += 1
            number += 1
            with each:
                return await attempt()

    def _tries(self, judge: Callable[[Exception], bool | float]) -> AsyncIterator[stamina.Attempt]:
        import stamina  # not with the program: it takes 25 ms, and is needed with the first request only

        # Its hooks log or print each retry, and any text beside the status line would tear the screen.
        stamina.instrumentation.set_on_retry_hooks(())
        # Its switches are for whole programs under test; they are read when the iteration begins, and only then.
        active = stamina.is_active()
        with stamina.set_testing(False):
            stamina.set_active(True)
            try:
                return aiter(stamina.retry_context(on=judge, attempts=self.attempts, timeout=None))
            finally:
                stamina.set_active(active)


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
