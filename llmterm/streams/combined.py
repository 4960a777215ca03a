"""Several streams read as one: in their order, or as they come."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable
from typing import TypeVar

from llmterm.streams.queues import AHEAD, StreamQueue, closed, dequeue, enqueuing, reading

T = TypeVar("T")


async def concat(*streams: AsyncIterable[T], eager: bool = False) -> AsyncGenerator[T, None]:
    """Yield all of the first stream, then all of the second, and so on.

    Each begins when the one before is over. `eager`, all begin at once, and run ahead of their turn by `AHEAD` items.

    An error is raised when its stream's turn has come, and closes those that are left, as a break or a cancellation
    does. A slow reader is waited for by the stream whose turn it is, and by the others where they are ahead.
    """
    queues: list[StreamQueue[T]] = [asyncio.Queue(AHEAD) for _ in streams if eager]
    left: deque[AsyncIterator[T]] = deque(map(dequeue, queues)) if eager else deque(map(aiter, streams))
    async with enqueuing([*zip(streams, queues, strict=False)]):
        try:
            while left:
                async with reading(left.popleft()) as items:
                    async for item in items:
                        yield item
        finally:
            await closed(left)


async def merge(streams: Iterable[AsyncIterable[T]], stop_on_first: bool = False) -> AsyncGenerator[T, None]:
    """Yield the items of all streams as they come; those of one stream stay in their order.

    It ends when all have ended or, `stop_on_first`, when one has, and closes the others then.

    The first error is raised after what came before it, and closes the others, as a break or a cancellation does. A
    slow reader is waited for by all: together they are ahead of it by `AHEAD` items.
    """
    queue: StreamQueue[T] = asyncio.Queue(AHEAD)
    sources = [(stream, queue) for stream in streams]
    async with enqueuing(sources):
        for _ in sources[:1] if stop_on_first else sources:
            async with reading(dequeue(queue)) as items:
                async for item in items:
                    yield item
