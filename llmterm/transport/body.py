"""The body of a request: a payload in JSON, made in pieces while it is being sent.

What is attached to a message has megabytes. To encode them at once takes tenths of a second in which the event loop
answers no key, and a thread would not help: base64 and json keep the interpreter to themselves. So the payload has an
`Embedded` in their place, which becomes base64 slice by slice, between two writes to the socket.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

# Bytes or characters, encoded in 0.3 ms. A multiple of three: the slices of a base64 text need no padding between them.
SLICE = 3 * 64 * 1024
_BLOCK = 64 * 1024


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
    """`payload` as bytes, to be iterated as often as it has to be sent. `size` is how many they are.

    A long conversation is a long payload, sent with every question: it is put together without a copy of the whole.
    """

    def __init__(self, payload: Mapping[str, Any]) -> None:
        found: list[Embedded] = []
        mark = os.urandom(16).hex()  # in no text that anybody has written before

        def stand_in(value: object) -> str:
            if not isinstance(value, Embedded):
                raise TypeError(f"{type(value).__name__} is nothing that JSON has")
            found.append(value)
            return value.prefix + mark

        self._parts: list[str | Embedded] = []
        for text in _blocks(_written(payload, json.JSONEncoder(ensure_ascii=False, default=stand_in).encode)):
            first, *others = text.split(mark)
            self._parts.append(first)
            for other in others:
                self._parts += [found.pop(0), other]
        self.size = sum(part.size if isinstance(part, Embedded) else _size(part) for part in self._parts)

    def pieces(self) -> Iterator[bytes]:
        """Yield all of it in small pieces: every copy on the way to the socket is as small."""
        for part in self._parts:
            yield from part.slices() if isinstance(part, Embedded) else _encoded(part)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces():
            yield piece


def _written(payload: Mapping[str, Any], encode: Callable[[object], str]) -> Iterator[str]:
    """Yield `payload` in JSON, each element of its lists by itself."""
    yield "{"
    for number, (name, value) in enumerate(payload.items()):
        yield f"{', ' if number else ''}{encode(name)}: "
        if isinstance(value, list):
            yield "["
            for index, element in enumerate(value):
                yield f"{', ' if index else ''}{encode(element)}"
            yield "]"
        else:
            yield encode(value)
    yield "}"


def _blocks(texts: Iterable[str]) -> Iterator[str]:
    """Yield the same text in fewer pieces."""
    block: list[str] = []
    size = 0
    for text in texts:
        block.append(text)
        size += len(text)
        if size >= _BLOCK:
            yield "".join(block)
            block, size = [], 0
    yield "".join(block)


def _size(text: str) -> int:
    return sum(map(len, _encoded(text)))


def _encoded(text: str) -> Iterator[bytes]:
    for start in range(0, len(text), SLICE):
        yield text[start : start + SLICE].encode("utf-8", "replace")
