"""A thread for a disk: in order, never in the loop's way, and what was given to it is done."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest

from llmterm.lane import Driver, Lane


def nothing() -> None:
    pass


class Disk:
    """Writes down what is written to it, once it answers."""

    def __init__(self) -> None:
        self.written: list[str] = []
        self.answers = threading.Event()
        self.reached = threading.Event()

    def write(self, text: str) -> None:
        self.written.append(text)

    def hang(self) -> None:
        self.reached.set()
        self.answers.wait(60)


@asynccontextmanager
async def lane_of(disk: Disk) -> AsyncIterator[Lane]:
    lane = Lane("lane", idle=nothing, seconds=60)
    yield lane
    disk.answers.set()
    lane.close()
    await lane.run(nothing)


async def test_what_is_put_is_done_in_its_order_and_off_the_loop() -> None:
    disk = Disk()
    async with lane_of(disk) as lane:
        for name in "abc":
            lane.put(partial(disk.write, name))

        assert await lane.run(lambda: [*disk.written, threading.current_thread().name]) == ["a", "b", "c", "lane"]
        with pytest.raises(ZeroDivisionError):
            await lane.run(lambda: 1 // 0)


async def test_only_the_newest_of_what_waits_for_the_same_is_done() -> None:
    """Unless something else was put in between, or it is under way."""
    disk, journal, other = Disk(), object(), object()
    async with lane_of(disk) as lane:
        lane.put(disk.hang, instead_of=journal)
        await asyncio.to_thread(disk.reached.wait)
        for name, key in (("1", journal), ("2", journal), ("a", None), ("3", journal), ("b", other), ("4", other)):
            lane.put(partial(disk.write, name), instead_of=key)
        disk.answers.set()

        assert await lane.run(lambda: disk.written) == ["2", "a", "3", "4"]


async def test_who_waits_no_more_takes_nothing_back() -> None:
    """A disk that does not answer holds up nobody; what was given to it is done when it does."""
    disk = Disk()
    async with lane_of(disk) as lane:
        lane.put(disk.hang)
        written = lane.run(partial(disk.write, "kept"))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(written, 0)
        assert disk.written == []
        disk.answers.set()

        await lane.run(nothing)
        assert disk.written == ["kept"]


async def test_it_begins_again_after_its_end() -> None:
    disk = Disk()
    async with lane_of(disk) as lane:
        for name in "ab":
            lane.put(partial(disk.write, name))
            lane.close()
        assert await lane.run(lambda: disk.written) == ["a", "b"]


async def test_idle_is_called_while_nothing_is_to_be_done() -> None:
    called = threading.Event()
    lane = Lane("lane", idle=called.set, seconds=0)
    lane.put(nothing)
    await asyncio.to_thread(called.wait)
    lane.close()


async def test_one_thread_serves_many_lanes_each_in_its_turn() -> None:
    """One that is given much does not keep the others waiting, and each keeps its own order."""
    disk, driver = Disk(), Driver("driver")
    lanes = {name: Lane(name, driver=driver) for name in "abc"}
    lanes["a"].put(disk.hang)
    await asyncio.to_thread(disk.reached.wait)
    for name, numbers in (("a", "1234"), ("b", "12"), ("c", "1")):
        for number in numbers:
            lanes[name].put(partial(disk.write, name + number))
    disk.answers.set()
    names = {await lane.run(lambda: threading.current_thread().name) for lane in lanes.values()}

    assert names == {"driver"}
    assert disk.written == ["a1", "b1", "c1", "a2", "b2", "a3", "a4"]
    for lane in lanes.values():
        lane.close()


async def test_lane_that_is_closed_leaves_the_others_their_thread() -> None:
    driver = Driver("driver")
    one, other = Lane("one", driver=driver), Lane("other", driver=driver)
    threads = {await lane.run(threading.get_ident) for lane in (one, other)}
    one.close()
    threads |= {await lane.run(threading.get_ident) for lane in (one, other)}

    assert len(threads) == 1
    other.close()


async def test_idle_of_each_lane_is_called() -> None:
    driver, called = Driver("driver"), [threading.Event() for _ in range(3)]
    lanes = [Lane("lane", idle=each.set, seconds=0, driver=driver) for each in called]
    for lane in lanes:
        lane.put(nothing)
    for each in called:
        await asyncio.to_thread(each.wait)
    for lane in lanes:
        lane.close()
