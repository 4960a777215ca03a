"""Several keys for one provider: taken in turn, and left alone for a while after they were refused."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from llmterm.errors import AuthError, ProviderError, QuotaError, RateLimitError

_REFUSED_SECONDS = 600.0
_LIMITED_SECONDS = 60.0


class KeyRing:
    """The keys of one endpoint. A ring without keys gives "", for servers that need none."""

    def __init__(self, keys: Sequence[str] = (), clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # When each key may be used again, in the order in which they are to be taken.
        self._rested = {key: clock() for key in keys if key}
        self.first = next(iter(self._rested), "")
        """The one that is used for what belongs to the account of a key; "" where there is none."""

    def __len__(self) -> int:
        return len(self._rested)

    def __repr__(self) -> str:
        return f"KeyRing({len(self)} keys, {self.awake} of them awake)"

    @property
    def awake(self) -> int:
        """How many keys do not rest now."""
        now = self._clock()
        return sum(rested <= now for rested in self._rested.values())

    def take(self) -> str:
        """Return the next key that does not rest; if all do, the one whose rest ends first."""
        if not self._rested:
            return ""
        now = self._clock()
        key = min(self._rested, key=lambda each: max(self._rested[each], now))
        self._rested[key] = self._rested.pop(key)  # to the end of the queue
        return key

    def rest(self, key: str, error: ProviderError) -> None:
        """Leave `key` alone for as long as `error` says or suggests; errors that are not the key's change nothing."""
        match error:
            case AuthError() | QuotaError():
                seconds = _REFUSED_SECONDS
            case RateLimitError(retry_after=float() | int() as asked) if asked > 0:
                seconds = asked
            case RateLimitError():
                seconds = _LIMITED_SECONDS
            case _:
                return
        if key in self._rested:
            self._rested[key] = max(self._rested[key], self._clock() + seconds)
