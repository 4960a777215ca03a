"""The circuit breaker of an endpoint: what fails again and again is left alone for a while, and then tried once more.

Closed, open, and half open when its time has run (https://martinfowler.com/bliki/CircuitBreaker.html). Only failures
that are the provider's own count; a cancellation or a refused request is neither a failure nor a success. So is the end
of a request that was on its way when the circuit opened.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from llmterm.errors import (
    CircuitOpenError,
    ConnectError,
    NetworkError,
    ServerError,
    StaleConnectionError,
    StreamTimeoutError,
)

_FAULTS = (ServerError, ConnectError, NetworkError, StreamTimeoutError)


class Breaker:
    """Opens after `threshold` failures in a row, and is half open after `ttl` seconds: one more failure opens it."""

    def __init__(self, threshold: float = 5, ttl: float = 30.0, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._threshold = threshold
        self._ttl = ttl
        self._clock = clock
        self._failures: float = 0  # in a row
        self._opened: float | None = None  # when, until a request has passed the time after it

    @property
    def is_open(self) -> bool:
        """Whether it has opened, and nobody has been let through since."""
        return self._opened is not None

    def check(self, provider: str) -> None:
        """Raise `CircuitOpenError` if `provider` is not to be asked now."""
        if self._opened is None:
            return
        left = self._opened + self._ttl - self._clock()
        if left <= 0:
            self._opened, self._failures = None, self._threshold - 1  # half open
            return
        raise CircuitOpenError(
            f"{provider}: not asked, it has failed too often just now",
            hint=f"it will be tried again in {left:.0f} s",
            provider=provider,
            retry_after=left,
        )

    @contextmanager
    def guard(self, provider: str) -> Iterator[None]:
        """Ask `provider` inside this: raises `CircuitOpenError` instead if it is not to be asked now."""
        self.check(provider)
        try:
            yield
        except _FAULTS as error:
            if not isinstance(error, StaleConnectionError):
                self._note(self._failures + 1)
            raise
        else:
            self._note(0)

    def _note(self, failures: float) -> None:
        """Take the failures in a row for so many; what ends while the circuit is open changes nothing."""
        if self._opened is not None:
            return
        self._failures = failures
        if failures >= self._threshold:
            self._opened = self._clock()
