"""How many turns may stream at once, in all and for one client."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from llmterm.serve.refusals import DrainingError, FullError
from llmterm.serve.respondents import Terms


class Room:
    def __init__(self, terms: Terms, streaming: Callable[[], Sequence[str]], held: Callable[[], int]) -> None:
        """`streaming` gives who has asked for each of those that stream, which goes through all that are `held`."""
        self._terms = terms
        self._streaming = streaming
        self._held = held
        # For whom how many are about to be made.
        self._beginning: Counter[str] = Counter()
        self.closed = False

    @property
    def taken(self) -> int:
        """How many are streaming."""
        return self._beginning.total() + len(self._streaming())

    @contextmanager
    def one_more(self, client: str) -> Iterator[None]:
        """Keep room for one more that a client asks for. Raises DrainingError, FullError."""
        if self.closed:
            raise DrainingError("the service is ending", hint="try again in a moment")
        # Where there are not so many at all, none has to be looked at.
        if self._beginning.total() + self._held() >= self._terms.most and self.taken >= self._terms.most:
            raise FullError("too many answers are being made", hint="try again in a moment")
        most = self._terms.most_of_client
        if most is not None and self._beginning[client] + self._streaming().count(client) >= most:
            raise FullError("too many answers are being made for you", hint="try again when one of them has come")
        self._beginning[client] += 1
        try:
            yield
        finally:
            self._beginning -= Counter((client,))
