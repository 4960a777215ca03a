"""The body of a request: a payload in JSON, made in pieces while it is being sent.

What is attached to a message has megabytes. To encode them at once takes tenths of a second in which the event loop
answers no key, and a thread would not help: base64 and json keep the interpreter to themselves. So the payload has an
`Embedded` in their place, which becomes base64 slice by slice, between two writes to the socket.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

# Bytes, encoded in 0.3 ms. A multiple of three: the slices of a base64 text need no padding between them.
SLICE = 3 * 64 * 1024


@dataclass(frozen=True, slots=True)
class Embedded:
    """Bytes in a payload: a string of `prefix` and, in base64, `data`."""

    data: bytes = field(repr=False)
    prefix: str = ""

    @property
    def size(self) -> int:
        """The length of the base64."""
        return (len(self.data) + 2) // 3 * 4

    def slices(self) -> Iterator[bytes]:
        view = memoryview(self.data)
        for start in range(0, len(view), SLICE):
            yield base64.b64encode(view[start : start + SLICE])


class Body:
    """`payload` as bytes, to be iterated as often as it has to be sent. `size` is how many they are."""

    def __init__(self, payload: Mapping[str, Any]) -> None:
        self._embedded: list[Embedded] = []
        mark = os.urandom(16).hex()  # in no text that anybody has written before

        def stand_in(value: object) -> str:
            if not isinstance(value, Embedded):
                raise TypeError(f"{type(value).__name__} is nothing that JSON has")
            self._embedded.append(value)
            return value.prefix + mark

        text = json.dumps(payload, ensure_ascii=False, default=stand_in)
        self._words = [each.encode("utf-8", "replace") for each in text.split(mark)]
        self.size = sum(map(len, self._words)) + sum(each.size for each in self._embedded)

    def pieces(self) -> Iterator[bytes]:
        """Yield all of it; what is embedded comes in small pieces."""
        for words, embedded in zip_longest(self._words, self._embedded):
            yield words
            if embedded is not None:
                yield from embedded.slices()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces():
            yield piece
