"""Several processes that answer the questions of a batch, without processes: each is answered, and settled once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmterm.batch.crew import Crew, WorkerLostError, shares, size
from llmterm.batch.desk import Desk
from llmterm.batch.engine import Answered, Asked, EngineLostError, Failed, Outcome
from llmterm.conversation import Conversation
from llmterm.messages import Options
from tests.clock import instant, now


class Machine:
    """An engine that takes its time, and notes what it was asked."""

    def __init__(self, room: int, seconds: float, asked: Counter[str]) -> None:
        self.room = room
        self.running = self.most = 0
        self._seconds = seconds
        self._asked = asked
        self._going = asyncio.Event()
        self._going.set()

    async def answer(self, asked: Asked) -> Outcome:
        await self._going.wait()
        self._asked[asked.id] += 1
        self.running += 1
        self.most = max(self.most, self.running)
        await asyncio.sleep(self._seconds)
        self.running -= 1
        return Answered(id=asked.id, record={"text": f"answer to {asked.id}"}, length=1)

    async def pause(self) -> None:
        self._going.clear()

    def resume(self) -> None:
        self._going.set()


class Process:
    """A worker whose process can be ended at any moment; another is in its place two seconds later."""

    def __init__(self, room: int = 10, seconds: float = 0.5) -> None:
        self.asked = Counter[str]()
        self.chunks = list[int]()
        self.told = set[str]()
        self.room = room
        self._seconds = seconds
        self._lost = asyncio.Event()
        self._gone = False
        self.begin()

    def begin(self) -> None:
        self.machine = Machine(self.room, self._seconds, self.asked)
        self._desk = Desk(self.machine)

    def kill(self) -> None:
        self._lost.set()

    def end(self) -> None:
        """End it for ever."""
        self._gone = True
        self.kill()

    async def ready(self) -> None:
        if self._lost.is_set():
            await asyncio.sleep(2)
            if self._gone:
                raise EngineLostError("the machines are gone")
            self._lost.clear()
            self.begin()

    async def exchange(self, chunk: Sequence[Asked]) -> Sequence[Outcome]:
        if chunk:
            self.chunks.append(len(chunk))
        lost = asyncio.create_task(self._lost.wait())
        work = asyncio.create_task(self._desk.exchange(chunk))
        try:
            await asyncio.wait({lost, work}, return_when=asyncio.FIRST_COMPLETED)
            if lost.done():
                raise WorkerLostError
            outcomes = work.result()
        finally:
            lost.cancel()
            work.cancel()
        self.told.update(each.id for each in outcomes)
        return outcomes

    async def pause(self) -> None:
        await self._desk.pause()

    def resume(self) -> None:
        self._desk.resume()


def crew_of(*processes: Process) -> Crew:
    return Crew((each, each.room) for each in processes)


def asked(number: int) -> Asked:
    return Asked(id=f"q{number}", conversation=Conversation(), options=Options())


async def answered(crew: Crew, number: int) -> list[Outcome]:
    """Ask so many, no more at once than there is room for."""
    places = asyncio.Semaphore(crew.room)

    async def one(each: int) -> Outcome:
        async with places:
            return await crew.answer(asked(each))

    return await asyncio.gather(*map(one, range(number)))


def right(outcomes: list[Outcome]) -> bool:
    return all(
        isinstance(each, Answered) and each.record == {"text": f"answer to q{number}"}
        for number, each in enumerate(outcomes)
    )


@given(st.integers(0, 700), st.integers(1, 5), st.lists(st.tuples(st.floats(0, 20), st.integers(0, 4)), max_size=4))
@settings(max_examples=40, deadline=None)
def test_every_question_is_answered_whoever_is_lost(number: int, workers: int, kills: list[tuple[float, int]]) -> None:
    """What was heard of is not asked again; all of it is answered while one worker is there."""

    @instant
    async def run() -> None:
        processes = [Process() for _ in range(workers)]
        crew = crew_of(*processes)
        for moment, which in kills:
            asyncio.get_running_loop().call_later(moment, processes[which % workers].kill)
        async with crew.at_work():
            outcomes = await answered(crew, number)

        assert right(outcomes)
        told = Counter(key for each in processes for key in each.told)
        assert set(told) == {f"q{each}" for each in range(number)}
        twice = sum(process.asked.total() for process in processes) - number
        assert 0 <= twice <= len(kills) * crew.room
        assert all(each.machine.most <= 10 for each in processes)

    run()


@instant
async def test_chunks_have_fifty_to_a_hundred() -> None:
    """But for the last ones."""
    processes = [Process(room=60, seconds=1), Process(room=60, seconds=0.7)]
    crew = crew_of(*processes)
    async with crew.at_work():
        assert right(await answered(crew, 3_000))

    for each in processes:
        assert all(50 <= chunk <= 100 for chunk in each.chunks[:-3]), each.chunks
    assert sum(len(each.chunks) for each in processes) >= 15


@instant
async def test_few_questions_are_divided_among_all() -> None:
    processes = [Process(), Process()]
    crew = crew_of(*processes)
    async with crew.at_work():
        began = now()
        assert right(await answered(crew, 20))

    assert [each.asked.total() for each in processes] == [10, 10]
    assert now() - began < 1


@instant
async def test_nothing_is_begun_while_all_are_paused() -> None:
    """Nor by the worker that takes the place of one that is lost then."""
    processes = [Process(), Process()]
    crew = crew_of(*processes)
    async with crew.at_work():
        asking = asyncio.create_task(answered(crew, 200))
        await asyncio.sleep(1.2)
        await crew.pause()
        await asyncio.sleep(1)
        processes[0].kill()
        await asyncio.sleep(5)
        before = sum(each.asked.total() for each in processes)
        await asyncio.sleep(100)
        assert sum(each.asked.total() for each in processes) == before < 200
        crew.resume()

        assert right(await asking)


@instant
async def test_work_is_given_up_where_nobody_is_left() -> None:
    """What was asked has not failed: it is not known what becomes of it."""
    processes = [Process(), Process()]
    crew = crew_of(*processes)
    async with crew.at_work():
        asking = [asyncio.create_task(crew.answer(asked(each))) for each in range(300)]
        await asyncio.sleep(1)
        processes[0].end()
        await asyncio.sleep(5)
        assert not asking[-1].done()
        processes[1].end()
        await asyncio.wait(asking)

        assert any(isinstance(each.exception(), EngineLostError) for each in asking)
        assert all(each.exception() is None or str(each.exception()) == "the machines are gone" for each in asking)
        with pytest.raises(EngineLostError):
            await crew.answer(asked(300))


@instant
async def test_question_that_ends_every_worker_fails_alone() -> None:
    """Five times it is lost with them, and no more."""

    class Poisoned(Process):
        async def exchange(self, chunk: Sequence[Asked]) -> Sequence[Outcome]:
            if any(each.id == "q3" for each in chunk):
                self.kill()
            return await super().exchange(chunk)

    crew = crew_of(Poisoned())
    async with crew.at_work():
        outcome = await crew.answer(asked(3))
        assert isinstance(outcome, Failed)
        assert outcome.kind == "lost"
        assert right([await crew.answer(asked(0))])


@instant
async def test_fault_in_a_worker_is_raised_and_not_waited_out() -> None:
    class Faulty(Process):
        async def exchange(self, chunk: Sequence[Asked]) -> Sequence[Outcome]:
            raise ZeroDivisionError

    crew = crew_of(Faulty(), Process())
    async with crew.at_work():
        with pytest.raises(ZeroDivisionError):
            await asyncio.gather(*(crew.answer(asked(each)) for each in range(100)))


@given(st.integers(0, 5000), st.integers(0, 300), st.integers(0, 200), st.integers(0, 400))
def test_chunk_fits_into_the_hand_that_gets_it(queued: int, has: int, share: int, level: int) -> None:
    """And a worker without enough to do gets something wherever there is something."""
    found = size(queued, has, share, level)

    assert 0 <= found <= min(queued, 100)
    assert found == 0 or has + found <= share + 100
    if has > share:
        assert found == 0 or found >= 50
    elif queued:
        assert found > 0


@given(st.integers(1, 100_000), st.integers(1, 1000))
def test_workers_answer_as_many_at_once_as_is_wanted_between_them(at_once: int, most: int) -> None:
    found = shares(at_once, most)

    assert sum(found) == at_once
    assert 1 <= len(found) <= most
    assert max(found) - min(found) <= 1
    assert len(found) == most or max(found) <= 50
