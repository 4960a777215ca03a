"""One endpoint of one provider, and all that stands between a request and the first token of its answer.

`begin` waits for the limits, asks the breaker, takes a key, and tries again what may pass. From the first token on
nothing here touches the answer, but for the place among the concurrent requests, which `leave` gives back at its end.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from llmterm.errors import AuthError, ProviderError, RateLimitError
from llmterm.progress import Progress
from llmterm.transport.breaker import Breaker
from llmterm.transport.keys import KeyRing
from llmterm.transport.limits import RateLimits
from llmterm.transport.retry import RetryPolicy, retriable

T = TypeVar("T")


class Endpoint:
    """Shared by all requests to one provider; `limits.learn` is for the headers of whatever it answers."""

    def __init__(
        self,
        name: str,
        keys: KeyRing,
        limits: RateLimits,
        breaker: Breaker,
        retry: RetryPolicy,
        *,
        origin: Callable[[], str] = str,
    ) -> None:
        """`origin` says in a few words where the keys come from, for who has to look at them."""
        self.name = name
        self._origin = origin
        self.limits = limits
        self._keys = keys
        self._breaker = breaker
        self._retry = retry

    async def begin(self, attempt: Callable[[str], Awaitable[T]], *, tokens: int, progress: Progress) -> T:
        """Return what `attempt(key)` returns: a stream whose first content has come. Raises our errors only.

        `tokens` is about what the request costs. Whoever gets a stream calls `leave` once, when it is over; when this
        raises, or is cancelled, nothing is to be given back.
        """
        # Before any wait: what is not going to be asked should make room for the next provider at once.
        self._breaker.check(self.name)
        await self.limits.enter(tokens, progress)
        first = True

        async def ask(key: str) -> T:
            nonlocal first
            if not first:
                # One more request. Its tokens are not drawn again, as what failed has cost none.
                await self.limits.draw(0, progress)
            first = False
            with self._breaker.guard(self.name):
                return await attempt(key)

        try:
            return await self._retry.run(lambda: self._with_any_key(ask, progress), progress, again=self._is_worth_it)
        except BaseException:
            self.limits.leave()
            raise

    @property
    def has_key(self) -> bool:
        """Whether there is a key at all. Looking is not taking: it is nobody's turn."""
        return len(self._keys) > 0

    @property
    def first_key(self) -> str:
        """The key whose account holds what is managed."""
        return self._keys.first

    async def manage(
        self, attempt: Callable[[str], Awaitable[T]], *, again: Callable[[ProviderError], bool] = retriable
    ) -> T:
        """Return what `attempt(key)` returns: for what is no answer, and belongs to the account of a key, the first.

        It is tried again where that is worth it, and `again` holds. Raises our errors only.
        """
        try:
            return await self._retry.run(lambda: attempt(self.first_key), Progress(), again=again)
        except AuthError as error:
            raise self._told_origin(error) from None

    async def again(self, attempt: Callable[[], Awaitable[T]], progress: Progress) -> T:
        """Return what `attempt` returns: for an answer that has begun and is read on, in its place among the requests.

        It is tried again as a request is. Raises our errors only.
        """
        return await self._retry.run(attempt, progress)

    def key(self) -> str:
        """Return the key whose turn it is, "" where there is none; for what is no request for an answer."""
        return self._keys.take()

    def leave(self) -> None:
        """Give back the place of a stream that is over."""
        self.limits.leave()

    async def _with_any_key(self, ask: Callable[[str], Awaitable[T]], progress: Progress) -> T:
        """Ask with one key; where it is refused and another one is awake, with that, at once."""
        failures: list[ProviderError] = []
        while True:
            key = self._keys.take()
            try:
                return await ask(key)
            except (AuthError, RateLimitError) as error:
                self._keys.rest(key, error)
                failures.append(error)
                if isinstance(error, AuthError):
                    self._told_origin(error)
            if not self._keys.awake or len(failures) >= len(self._keys):
                # A limit passes, a key that is no good does not: what tells is the one that can go on the soonest.
                raise min(filter(retriable, failures), key=lambda each: each.retry_after or 0.0, default=failures[-1])
            progress.retry()
            progress.say(f"{self.name}: {_refused(failures[-1])}, using the next one")

    def _told_origin(self, error: AuthError) -> AuthError:
        """Have an error say where the keys come from."""
        if origin := self._origin():
            error.hint = f"{error.hint or 'check the key'}: {origin}"
        return error

    def _is_worth_it(self, error: ProviderError) -> bool:
        return retriable(error) and not self._breaker.is_open


def _refused(error: ProviderError) -> str:
    status = f" (HTTP {error.status})" if error.status else ""
    return ("a key was refused" if isinstance(error, AuthError) else "a key has reached its limit") + status
