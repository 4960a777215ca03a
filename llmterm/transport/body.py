"""The body of a request: a payload in JSON, made in pieces while it is being sent.

What is attached to a message has megabytes, and so may have what was said. To encode them at once takes tenths of a
second in which the event loop answers no key, and a thread would not help: base64 and json keep the interpreter to
themselves. So the payload has an `Embedded` in the place of bytes, which becomes base64 slice by slice, between two
writes to the socket; a long text becomes JSON in the same way.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

# Bytes or characters, encoded in 0.3 ms. A multiple of three: the slices of a base64 text need no padding between them.
SLICE = 3 * 64 * 1024
_BLOCK = 64 * 1024
# So many short elements of a list take as long as a block.
_MANY = 100


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


@dataclass(frozen=True, slots=True)
class _Long:
    """The inside of a JSON string that is too long to be written at once. `size` is known when it was counted."""

    text: str = field(repr=False)

    def slices(self) -> Iterator[bytes]:
        for start in range(0, len(self.text), SLICE):
            yield json.dumps(self.text[start : start + SLICE], ensure_ascii=False)[1:-1].encode("utf-8", "replace")


class Body:
    """A payload as bytes, to be iterated as often as it has to be sent. `size` is how many they are.

    A long conversation is a long payload, sent with every question: it is put together without a copy of the whole.
    """

    def __init__(self) -> None:
        self.size = 0
        self._parts: list[str | Embedded | _Long] = []

    @classmethod
    async def of(cls, payload: Mapping[str, Any]) -> Self:
        """Return the body of `payload`; the loop has its turn between two pieces of it."""
        body = cls()
        for size in body._put_together(payload):
            body.size += size
            await asyncio.sleep(0)
        return body

    def _put_together(self, payload: Mapping[str, Any]) -> Iterator[int]:
        """Take in a payload, and yield how many bytes each piece of it has."""
        found: list[Embedded | _Long] = []
        mark = os.urandom(16).hex()  # in no text that anybody has written before

        def stand_in(value: object) -> str:
            if not isinstance(value, Embedded | _Long):
                raise TypeError(f"{type(value).__name__} is nothing that JSON has")
            found.append(value)
            return value.prefix + mark if isinstance(value, Embedded) else mark

        encode = json.JSONEncoder(ensure_ascii=False, default=stand_in).encode
        for text in _blocks(_written(payload, lambda value: encode(_apart(value)))):
            first, *others = text.split(mark)
            self._parts.append(first)
            yield _size(first)
            for other in others:
                part = found.pop(0)
                self._parts += [part, other]
                if isinstance(part, _Long):
                    yield from map(len, part.slices())
                else:
                    yield part.size
                yield _size(other)

    def pieces(self) -> Iterator[bytes]:
        """Yield all of it in small pieces: every copy on the way to the socket is as small."""
        for part in self._parts:
            yield from _encoded(part) if isinstance(part, str) else part.slices()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces():
            yield piece


def _apart(value: Any) -> Any:
    """Return `value` with a stand-in for each text that is too long to be written at once."""
    match value:
        case str() if len(value) > SLICE:
            return _Long(value)
        case dict():
            return {name: _apart(each) for name, each in value.items()}
        case list():
            return [_apart(each) for each in value]
        case _:
            return value


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
        if size >= _BLOCK or len(block) >= _MANY:
            yield "".join(block)
            block, size = [], 0
    yield "".join(block)


def _size(text: str) -> int:
    return sum(map(len, _encoded(text)))


def _encoded(text: str) -> Iterator[bytes]:
    for start in range(0, len(text), SLICE):
        yield text[start : start + SLICE].encode("utf-8", "replace")
