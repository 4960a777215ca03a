"""Has several processes answer: gives each its chunks, takes back what came of them, and gives on what a lost one had.

A question is settled once, by whoever answers it first; what comes of it after that is nobody's. What a process had
answered, and was not heard of yet, is asked again when that process is lost.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from llmterm.batch.engine import Asked, EngineLostError, Failed, Outcome

# Questions of a chunk, where there are enough.
_FEWEST, _MOST = 50, 100
# How long somebody without work waits for more than the first question, in seconds.
_LINGER = 0.02
# With so many that asked it a question may be lost, before it is taken to be what ends them.
_LOSSES = 5


class WorkerLostError(Exception):
    """What a worker had is lost. There may be another in its place."""


class Worker(Protocol):
    """A process that answers."""

    async def ready(self) -> None:
        """Wait until it is there, anew where it was lost. Raises EngineLostError where it never will be."""
        ...

    async def exchange(self, chunk: Sequence[Asked]) -> Sequence[Outcome]:
        """Give it a chunk, and return what came of others. Raises WorkerLostError."""
        ...

    async def pause(self) -> None:
        """Pause what it has; one that is lost has nothing."""
        ...

    def resume(self) -> None: ...


class _Hand:
    """A worker, how many it answers at once, and what it has been given."""

    def __init__(self, worker: Worker, share: int) -> None:
        self.worker = worker
        self.share = share
        self.has: dict[str, Asked] = {}


class Crew:
    """An engine of workers, each with its share of what is answered at once, and a chunk in hand beside that."""

    def __init__(self, workers: Iterable[tuple[Worker, int]]) -> None:
        self._hands = [_Hand(worker, share) for worker, share in workers]
        self.room = sum(hand.share + _MOST for hand in self._hands)
        self._queue: deque[Asked] = deque()
        self._waiting: dict[str, asyncio.Future[Outcome]] = {}
        self._losses: Counter[str] = Counter()
        self._more = asyncio.Event()
        self._going = asyncio.Event()
        self._going.set()
        self._end: BaseException | None = None

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Have the workers work, inside."""
        tasks = [asyncio.create_task(self._work(hand)) for hand in self._hands]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def answer(self, asked: Asked) -> Outcome:
        """Return what came of it. Raises EngineLostError where no worker is left, and what is a bug."""
        if self._end is not None:
            raise self._end
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting[asked.id] = outcome
        self._queue.append(asked)
        self._more.set()
        try:
            return await outcome
        finally:
            del self._waiting[asked.id]

    async def pause(self) -> None:
        """Pause all answers that stream, and begin none."""
        self._going.clear()
        await asyncio.gather(*(hand.worker.pause() for hand in self._hands))

    def resume(self) -> None:
        """Go on with all that was paused."""
        for hand in self._hands:
            hand.worker.resume()
        self._going.set()

    async def _work(self, hand: _Hand) -> None:
        try:
            while True:
                await hand.worker.ready()
                await self._exchange(hand)
        except EngineLostError as error:
            self._hands.remove(hand)
            if not self._hands:
                self.give_up(error)
        except Exception as error:
            self.give_up(error)

    async def _exchange(self, hand: _Hand) -> None:
        """Work with a worker until it is lost."""
        while True:
            chunk = await self._chunk(hand)
            hand.has.update((asked.id, asked) for asked in chunk)
            try:
                outcomes = await hand.worker.exchange(chunk)
            except WorkerLostError:
                self._give_on(hand)
                return
            for outcome in outcomes:
                hand.has.pop(outcome.id, None)
                self._settle(outcome)

    async def _chunk(self, hand: _Hand) -> Sequence[Asked]:
        """Return what a worker gets now; one that has nothing waits until there is something."""
        while True:
            if not hand.has:
                await self._more.wait()
                await asyncio.sleep(_LINGER)
                await self._going.wait()
            chunk = self._cut(hand) if self._going.is_set() else []
            if chunk or hand.has:
                return chunk

    def _cut(self, hand: _Hand) -> list[Asked]:
        unsettled = len(self._queue) + sum(len(each.has) for each in self._hands)
        level = -(-unsettled // len(self._hands))
        number = size(len(self._queue), len(hand.has), hand.share, level)
        chunk = [self._queue.popleft() for _ in range(number)]
        if not self._queue:
            self._more.clear()
        return [asked for asked in chunk if asked.id in self._waiting]

    def _give_on(self, hand: _Hand) -> None:
        """Have others answer what a lost worker had."""
        lost, hand.has = hand.has, {}
        for key, asked in lost.items():
            self._losses[key] += 1
            if self._losses[key] >= _LOSSES:
                why = f"{_LOSSES} workers have ended, one after the other, that had it among their questions"
                self._settle(Failed(id=key, error=why, kind="lost"))
            else:
                self._queue.appendleft(asked)
        self._more.set()

    def _settle(self, outcome: Outcome) -> None:
        self._losses.pop(outcome.id, None)
        waiting = self._waiting.get(outcome.id)
        if waiting is not None and not waiting.done():
            waiting.set_result(outcome)

    def give_up(self, error: BaseException) -> None:
        """Have whoever waits for an answer, and whoever asks for one, get this error instead."""
        self._end = error
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(error)


def shares(at_once: int, most: int) -> list[int]:
    """Return how many each of at most so many workers answers: 50, and more where they are too few."""
    workers = max(1, min(most, -(-at_once // _FEWEST)))
    each, more = divmod(at_once, workers)
    return [each + (number < more) for number in range(workers)]


def size(queued: int, has: int, share: int, level: int) -> int:
    """Return how many of those that wait are given to a worker that has so many, of which it answers its `share`.

    A chunk has at least 50, unless the worker were without one otherwise: then it gets as many as bring it to the
    `level`, what each has where all is divided evenly.
    """
    room = min(_MOST, share + _MOST - has)
    if room < _FEWEST:
        return 0
    if has > share:
        return min(room, queued) if queued >= _FEWEST else 0
    return min(room, queued, max(1, level - has))
