"""A stream in a queue and out of it again: what is read by one task, and told to another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

T = TypeVar("T")

AHEAD = 16


class StreamCancelledError(Exception):
    """A stream was cancelled while somebody else was reading it: what came is not all there is."""

    def __init__(self) -> None:
        super().__init__("the stream was cancelled before its end")


@dataclass(slots=True, eq=False)
class End:
    """Where a stream is over in a queue. One that has found it full has taken the last place: of an item, or of the
    end of another stream."""

    error: Exception | None = None
    items: list[Any] = field(default_factory=list)
    others: list[End] = field(default_factory=list)


StreamQueue: TypeAlias = asyncio.Queue[T | End]


async def enqueue(stream: AsyncIterable[T], queue: StreamQueue[T]) -> None:
    """Put all of the stream into the queue, and its end, for `dequeue` to read.

    An error is put there too, and raised by `dequeue`, not here. Cancelled, this closes the stream, and `dequeue`
    raises `StreamCancelledError`. A full queue is waited for, but never with the end.
    """
    try:
        async with reading(stream) as items:
            async for item in items:
                await queue.put(item)
    except asyncio.CancelledError:
        _put_end(queue, End(StreamCancelledError()))
        raise
    except Exception as error:
        _put_end(queue, End(error))
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise  # it failed in being closed: nobody may read the queue any more
    else:
        _put_end(queue, End())


async def dequeue(queue: StreamQueue[T]) -> AsyncGenerator[T, None]:
    """Yield what `enqueue` puts into the queue, up to the end of one stream; raise that stream's error.

    A break or a cancellation leaves in the queue what was not read. A slow reader lets the queue become full, or grow.
    Each end ends one reader.
    """
    while not isinstance(item := await queue.get(), End):
        yield item
    for other in item.others:
        _put_end(queue, other)
    for last in item.items:
        yield last
    if item.error is not None:
        raise item.error


def _put_end(queue: StreamQueue[T], end: End) -> None:
    """Put an end into a queue without waiting for room in it: there may be nobody left to make any."""
    waiting = [queue.get_nowait() for _ in range(queue.qsize() if queue.full() else 0)]
    match waiting:
        case [*_, End() as other]:
            other.others.append(end)
        case [*_, item]:
            end.items.append(item)
            waiting[-1] = end
        case _:
            waiting = [end]
    for each in waiting:
        queue.put_nowait(each)


@asynccontextmanager
async def reading(stream: AsyncIterable[T]) -> AsyncIterator[AsyncIterator[T]]:
    """Give what iterates over a stream, and close it at the end."""
    items = aiter(stream)
    try:
        yield items
    finally:
        await closed([items])


async def closed(streams: Iterable[AsyncIterator[T]]) -> None:
    """Close all of them, whatever one raises."""
    async with AsyncExitStack() as stack:
        for stream in streams:
            if (close := getattr(stream, "aclose", None)) is not None:
                stack.push_async_callback(close)


@asynccontextmanager
async def enqueuing(sources: Sequence[tuple[AsyncIterable[T], StreamQueue[T]]]) -> AsyncIterator[None]:
    """Put each stream into its queue, all at once; at the end all are closed, and what one raises in that is raised."""
    tasks = [asyncio.create_task(enqueue(*source), name="llmterm-stream") for source in sources]
    failed = False
    try:
        yield
    except Exception:
        failed = True
        raise
    finally:
        failures = await ended(*tasks)
        if failures and not failed:
            raise failures[0]


async def ended(*tasks: asyncio.Task[None]) -> list[BaseException]:
    """Cancel tasks, wait for their end, and return what they raise. Cancelled itself, it tells them so and waits on."""
    cancelled: asyncio.CancelledError | None = None
    again = True
    while left := {task for task in tasks if not task.done()}:
        if again:
            for task in left:
                task.cancel()
        try:
            again = False
            await asyncio.wait(left)
        except asyncio.CancelledError as error:
            cancelled, again = error, True
    if cancelled is not None:
        raise cancelled
    return [failure for task in tasks if not task.cancelled() and (failure := task.exception()) is not None]
