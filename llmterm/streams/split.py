"""One stream read as several, each at its own pace."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable
from copy import deepcopy
from typing import Generic, Self, TypeVar
from weakref import ref

from llmterm.streams.queues import StreamCancelledError, ended, reading

T = TypeVar("T")


def split(stream: AsyncIterable[T], n: int = 2, copy: bool = False) -> tuple[Branch[T], ...]:
    """Return `n` streams that each give all of `stream`, or what came before its error, and that.

    With `copy` each gets a deep copy of each item, so that what one changes stays its own; an item that cannot be
    copied is an error of the stream.

    The stream is read when one of them has nothing left, so as fast as the fastest reads; what a slow one has not read
    is kept for it, however much that is. One that is closed or forgotten changes nothing for the others; the last one
    closes the stream. To be cancelled while waiting closes none and loses nothing: it can be read on.
    Raises ValueError for fewer than one.
    """
    if n < 1:
        raise ValueError(f"a stream is split into one or more, not into {n}")
    trunk = _Trunk(stream, copy)
    return tuple(Branch(trunk) for _ in range(n))


class Branch(Generic[T]):
    """One of the streams that `split` makes of one."""

    def __init__(self, trunk: _Trunk[T]) -> None:
        self._trunk = trunk
        self._got = trunk.join(self)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        return await self._trunk.next(self._got)

    async def aclose(self) -> None:
        """Read no more. The last one to do so closes the stream, and raises what that raises."""
        await self._trunk.leave(self._got)


class _Got(Generic[T]):
    """What has come for a branch, and was not read; `over` once its end was told."""

    def __init__(self) -> None:
        self.items: deque[T] = deque()
        self.more = asyncio.Event()
        self.over = False


class _Trunk(Generic[T]):
    """Reads a stream whenever one of its branches has nothing left, as long as somebody has a branch."""

    def __init__(self, stream: AsyncIterable[T], copy: bool) -> None:
        self._stream = stream
        self._copy = copy
        self._branches: dict[ref[Branch[T]], _Got[T]] = {}
        self._wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._error: Exception | None = None
        self._over = False

    def join(self, branch: Branch[T]) -> _Got[T]:
        got = self._branches[ref(branch, self._forget)] = _Got()
        return got

    async def next(self, got: _Got[T]) -> T:
        while not got.items:
            if got.over:
                raise StopAsyncIteration
            self._task = self._task or asyncio.create_task(self._read(), name="llmterm-split")
            if self._over:
                got.over = True
                if self._error is not None:
                    raise self._error
                continue
            got.more.clear()
            self._wanted.set()
            await got.more.wait()
        return got.items.popleft()

    async def leave(self, got: _Got[T]) -> None:
        got.over = True
        got.items.clear()
        got.more.set()
        self._branches = {branch: each for branch, each in self._branches.items() if each is not got}
        if self._task is not None and not self._branches:
            for failure in await ended(self._task):
                raise failure

    async def _read(self) -> None:
        try:
            async with reading(self._stream) as items:
                async for item in items:
                    self._wanted.clear()
                    for got in list(self._branches.values()):
                        got.items.append(deepcopy(item) if self._copy else item)
                        got.more.set()
                    await self._wanted.wait()
        except asyncio.CancelledError:
            self._error = StreamCancelledError()
            raise
        except Exception as error:
            self._error = error
            if not self._branches:
                raise  # it failed in being closed
        finally:
            self._over = True
            for got in self._branches.values():
                got.more.set()

    def _forget(self, branch: ref[Branch[T]]) -> None:
        """Nobody can read on: there is no other who would close the stream."""
        self._branches.pop(branch, None)
        task = self._task
        if task is not None and not self._branches and not task.get_loop().is_closed():
            task.cancel()
