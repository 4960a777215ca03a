"""One stream: of items that are there, of none at all, read as a whole, or no faster than wanted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from typing import Never, TypeVar

from llmterm.streams.queues import reading

T = TypeVar("T")


async def stream_content(items: Iterable[T], delay: float = 0) -> AsyncGenerator[T, None]:
    """Yield the items, with so many seconds between two; without any, others have their turn in between all the same.

    An item is taken from the iterable when it is asked for, and an error of that is raised then. A break or a
    cancellation leaves the rest; a slow reader slows it down.
    """
    first = True
    for item in items:
        if not first:
            await asyncio.sleep(delay)
        first = False
        yield item


async def endless_stream() -> AsyncGenerator[Never, None]:
    """Yield nothing, and never end but by being closed or cancelled: where a stream is wanted, and there is none."""
    never: asyncio.Future[Never] = asyncio.get_running_loop().create_future()
    yield await never


async def gather_stream(stream: AsyncIterable[T]) -> list[T]:
    """Return all items of the stream. An error, or a cancellation, closes it, and what came before is lost."""
    async with reading(stream) as items:
        return [item async for item in items]


async def throttle(stream: AsyncIterable[T], per_second: float) -> AsyncGenerator[T, None]:
    """Yield the items of the stream, at most so many a second and evenly: what was late is not made up for.

    The stream is read an item at a time and so slowed down, by a slow reader too. An error comes at once; a break or a
    cancellation closes the stream. Raises ValueError, when it is first read, for a rate that is not above 0.
    """
    if not per_second > 0:
        raise ValueError(f"a stream is throttled to more than 0 items a second, not to {per_second}")
    now = asyncio.get_running_loop().time
    due = now()
    async with reading(stream) as items:
        async for item in items:
            if (wait := due - now()) > 0:
                await asyncio.sleep(wait)
            due = max(due, now()) + 1 / per_second
            yield item
