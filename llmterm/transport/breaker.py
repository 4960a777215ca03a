"""The circuit breaker of an endpoint: what fails again and again is left alone for a while, and then tried once more.

purgatory keeps the states: closed, open, half open. Its context manager takes every end for a failure or a success;
here a cancellation or a refused request is neither, so its domain model is driven directly. Only failures that are
the provider's own count. The time is the wall clock's, as purgatory has it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from llmterm.errors import CircuitOpenError, ConnectError, NetworkError, ProviderError, ServerError, StreamTimeoutError

if TYPE_CHECKING:
    from purgatory.domain.model import Context

_FAULTS = (ServerError, ConnectError, NetworkError, StreamTimeoutError)


class Breaker:
    """Opens after `threshold` failures in a row, and is half open after `ttl` seconds: one more failure opens it."""

    def __init__(self, threshold: int = 5, ttl: float = 30.0) -> None:
        self._threshold = threshold
        self._ttl = ttl
        # Made at the first failure: a session without one is spared the import.
        self._circuit: Context | None = None

    @property
    def is_open(self) -> bool:
        return self._circuit is not None and self._circuit.state == "opened"

    def check(self, provider: str) -> None:
        """Raise `CircuitOpenError` if `provider` is not to be asked now."""
        if self._circuit is None:
            return
        from purgatory.domain.model import OpenedState

        try:
            self._circuit.handle_new_request()
        except OpenedState as opened:
            # The same object is raised each time: it would collect the frames of all who were refused.
            opened.__traceback__ = None
            left = max(0.0, opened.opened_at + self._ttl - time.time())
        else:
            return
        finally:
            self._circuit.messages.clear()  # news for listeners, of which there are none
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
        except ProviderError as error:
            if isinstance(error, _FAULTS):
                self._fail(error)
            raise
        else:
            if self._circuit is not None:
                self._circuit.handle_end_request()
                self._circuit.messages.clear()

    def _fail(self, error: ProviderError) -> None:
        if self._circuit is None:
            from purgatory.domain.model import Context

            self._circuit = Context("", self._threshold, self._ttl)
        self._circuit.handle_exception(error)
        self._circuit.messages.clear()
