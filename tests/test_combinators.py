"""Streams put together: right items, right order, right error, and nothing left behind, whatever becomes of anybody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Coroutine, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from itertools import count, pairwise
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmterm import (
    StreamCancelledError,
    concat,
    dequeue,
    endless_stream,
    enqueue,
    gather_stream,
    merge,
    split,
    stream_content,
    throttle,
)
from llmterm.streams import AHEAD, StreamQueue
from tests.clock import instant, now

Item = tuple[int, int] | None


class Fault(Exception):
    """What a source raises."""


@dataclass(frozen=True)
class Script:
    """What a source does: its items, with turns of the loop before each, and its end."""

    waits: tuple[int, ...]
    end: Literal["end", "error", "silence"] = "end"
    fails_closing: bool = False


class Source:
    """A stream of (name, number), or None for each third, that knows what was done with it."""

    def __init__(self, name: int, script: Script) -> None:
        self.name = name
        self.items: list[Item] = [None if at % 3 == 2 else (name, at) for at in range(len(script.waits))]
        self.error = Fault(f"{name} failed")
        self.script = script
        self.given = 0
        self.open = False
        self.tasks: set[asyncio.Task[Any] | None] = set()

    async def __aiter__(self) -> AsyncGenerator[Item, None]:
        self.open = True
        try:
            for item, wait in zip(self.items, self.script.waits, strict=True):
                for _ in range(wait):
                    await asyncio.sleep(0)
                self.tasks.add(asyncio.current_task())
                self.given += 1
                yield item
            if self.script.end == "silence":
                await asyncio.Event().wait()
            if self.script.end == "error":
                raise self.error
        finally:
            self.tasks.add(asyncio.current_task())
            try:
                await asyncio.sleep(0)
            finally:
                self.open = False
            if self.script.fails_closing:
                raise Fault(f"{self.name} cannot be closed")


def sources(*scripts: Script) -> list[Source]:
    return [Source(name, script) for name, script in enumerate(scripts)]


def of(size: int, end: Literal["end", "error", "silence"] = "end", *, fails_closing: bool = False) -> Script:
    return Script((0,) * size, end, fails_closing)


async def nothing_left(*given: Source) -> None:
    """Fail where a task or a source is left."""
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert [source.name for source in given if source.open] == []
    # Each was run by one task from beginning to end.
    assert all(len(source.tasks) <= 1 for source in given)


@dataclass(frozen=True)
class Reading:
    """How a stream is read: so many items at the most, with turns in between; cancelled after so many turns, and once
    more after others."""

    most: int | None = None
    turns: int = 0
    cancelled_after: int | None = None
    again_after: int | None = None


@dataclass
class Read:
    """What a reader got."""

    items: list[Item]
    error: BaseException | None = None
    whole: bool = False


async def read(stream: AsyncGenerator[Item, None] | Any, how: Reading) -> Read:
    """Read a stream in that way and close it, in a task of its own."""
    got = Read([])

    async def run() -> None:
        async with aclosing(stream):
            async for item in stream:
                got.items.append(item)
                for _ in range(how.turns):
                    await asyncio.sleep(0)
                if how.most is not None and len(got.items) >= how.most:
                    return
            got.whole = True

    task = asyncio.create_task(run())
    for turns in (how.cancelled_after, how.again_after):
        if turns is not None:
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
    await asyncio.wait({task})
    await stream.aclose()  # one that was cancelled before its first step has not done so
    got.error = asyncio.CancelledError() if task.cancelled() else task.exception()
    return got


SCRIPTS = st.builds(
    Script,
    waits=st.lists(st.integers(0, 3), max_size=AHEAD + 3).map(tuple),
    end=st.sampled_from(["end", "end", "error"]),
)
SOURCES = st.lists(SCRIPTS, max_size=5).map(lambda scripts: sources(*scripts))
SILENT = st.lists(
    st.builds(
        Script,
        waits=st.lists(st.integers(0, 3), max_size=4).map(tuple),
        end=st.sampled_from(["end", "error", "silence"]),
        fails_closing=st.booleans(),
    ),
    min_size=1,
    max_size=4,
).map(lambda scripts: sources(*scripts))
WAYS: dict[str, Callable[[Sequence[Source]], AsyncGenerator[Item, None]]] = {
    "concat": lambda given: concat(*given),
    "concat eager": lambda given: concat(*given, eager=True),
    "merge": lambda given: merge(given),
    "merge to the first": lambda given: merge(given, stop_on_first=True),
}
# With an upper bound of turns, everybody ends although some sources never do.
READINGS = st.builds(
    Reading,
    most=st.none() | st.integers(1, 20),
    turns=st.integers(0, 2),
    cancelled_after=st.none() | st.integers(0, 40),
)


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(test())


@given(SOURCES, st.booleans(), READINGS)
def test_concat_gives_all_in_order_up_to_the_first_error(given: list[Source], eager: bool, how: Reading) -> None:
    """Of a reader that stops, or is stopped, it is the beginning of that."""
    wanted: list[Item] = []
    error: Fault | None = None
    for source in given:
        wanted += source.items
        if source.script.end == "error":
            error = source.error
            break

    async def test() -> None:
        got = await read(concat(*given, eager=eager), how)
        await nothing_left(*given)

        assert got.items == wanted[: len(got.items)]
        if got.whole:
            assert (got.items, error) == (wanted, None)
        elif isinstance(got.error, Fault):
            assert (got.items, got.error) == (wanted, error)
        elif got.error is None:
            assert len(got.items) == how.most
        else:
            assert how.cancelled_after is not None

    run(test)


@given(SOURCES, st.booleans(), READINGS)
def test_merge_gives_each_stream_in_its_order(given: list[Source], first: bool, how: Reading) -> None:
    """All of all; or all of the one that ended first; or all that came of the one that failed, and its error."""

    async def test() -> None:
        got = await read(merge(given, stop_on_first=first), how)
        await nothing_left(*given)

        numbered = [item for item in got.items if item is not None]
        per = {source.name: [item for item in numbered if item[0] == source.name] for source in given}
        full = {source.name: [item for item in source.items if item is not None] for source in given}
        assert all(per[name] == full[name][: len(per[name])] for name in per)
        whole = {source.name for source in given if per[source.name] == full[source.name]}
        nones = sum(item is None for item in got.items)
        if got.whole and first and given:
            assert whole
        elif got.whole:
            assert whole == per.keys()
            assert nones == sum(item is None for source in given for item in source.items)
        elif isinstance(got.error, Fault):
            [failed] = [source for source in given if source.error is got.error]
            assert failed.name in whole
        elif got.error is None:
            assert len(got.items) == how.most
        else:
            assert how.cancelled_after is not None

    run(test)


CANCELLED = st.builds(
    Reading, turns=st.integers(0, 2), cancelled_after=st.integers(0, 60), again_after=st.none() | st.integers(0, 3)
)


@given(SILENT, st.sampled_from(sorted(WAYS)), CANCELLED)
def test_cancelled_at_any_moment_it_leaves_nothing(given: list[Source], way: str, how: Reading) -> None:
    """Also with sources that never end or fail in being closed, and while it is being closed already."""

    async def test() -> None:
        got = await read(WAYS[way](given), how)

        await nothing_left(*given)
        assert got.whole or got.error is not None
        assert not isinstance(got.error, ExceptionGroup)

    run(test)


@given(SCRIPTS, st.lists(READINGS, min_size=1, max_size=4))
def test_split_gives_each_reader_all_whatever_the_others_do(script: Script, how: list[Reading]) -> None:
    """One that stops, fails to keep up or is cancelled changes nothing for the others."""
    [source] = sources(script)
    error = source.error if script.end == "error" else None

    async def test() -> None:
        branches = split(source, len(how))
        results = await asyncio.gather(*map(read, branches, how))
        await nothing_left(source)

        for got, each in zip(results, how, strict=True):
            assert got.items == source.items[: len(got.items)]
            if each.cancelled_after is None and each.most is None:
                assert (got.items, got.error) == (source.items, error)
                assert got.whole == (error is None)
            elif isinstance(got.error, Fault):
                assert (got.items, got.error) == (source.items, error)

    run(test)


@given(SCRIPTS, st.integers(0, 4), READINGS)
def test_queue_gives_back_what_was_put_into_it(script: Script, size: int, how: Reading) -> None:
    """Items, None too, in their order, and the error at their end; through a queue of any size."""
    [source] = sources(script)

    async def test() -> None:
        queue: StreamQueue[Item] = asyncio.Queue(size)
        filling = asyncio.create_task(enqueue(source, queue))
        got = await read(dequeue(queue), how)
        filling.cancel()
        await asyncio.wait({filling})
        await nothing_left(source)

        assert got.items == source.items[: len(got.items)]
        if got.whole:
            assert (got.items, script.end) == (source.items, "end")
        elif isinstance(got.error, Fault):
            assert (got.items, got.error) == (source.items, source.error)

    run(test)


@given(st.integers(0, 8), st.integers(0, 4), st.integers(0, 30))
def test_cancelled_enqueue_loses_nothing_that_came(items: int, size: int, turns: int) -> None:
    """What is in the queue can be read, also of a full one; then it is an error that the stream was cut."""
    [source] = sources(of(items, "silence"))

    async def test() -> None:
        queue: StreamQueue[Item] = asyncio.Queue(size)
        filling = asyncio.create_task(enqueue(source, queue))
        await asyncio.sleep(0)  # one that has not begun has no stream
        for _ in range(turns):
            await asyncio.sleep(0)
        filling.cancel()
        await asyncio.wait({filling})
        got = await read(dequeue(queue), Reading())
        await nothing_left(source)

        assert got.items == source.items[: min(items, size or items)]
        assert isinstance(got.error, StreamCancelledError)

    run(test)


async def test_two_ends_in_a_queue_for_one_are_two_ends() -> None:
    """The end of a stream never waits, and is never lost."""
    queue: StreamQueue[int] = asyncio.Queue(1)
    await enqueue(stream_content([1]), queue)
    await enqueue(stream_content(list[int]()), queue)

    assert await gather_stream(dequeue(queue)) == [1]
    assert await gather_stream(dequeue(queue)) == []
    assert queue.empty()


# What is known to go wrong elsewhere


@pytest.mark.parametrize("way", ["concat", "concat eager", "merge"])
async def test_source_that_raises_does_not_hang_its_reader(way: str) -> None:
    """What came before the error is there; others are closed."""
    given = sources(of(2, "error"), of(2, "silence"))
    got = await asyncio.wait_for(read(WAYS[way](given), Reading()), 30)

    assert [item for item in got.items if item and item[0] == 0] == given[0].items
    assert got.error is given[0].error
    await nothing_left(*given)


async def test_each_reader_of_a_split_gets_the_error() -> None:
    """Also one that begins to read when the other is over."""
    [source] = sources(of(2, "error"))
    first, second = split(source)

    for branch in (first, second):
        got = await asyncio.wait_for(read(branch, Reading()), 30)
        assert (got.items, got.error) == (source.items, source.error)
    assert await gather_stream(second) == []
    await nothing_left(source)


async def test_none_is_an_item() -> None:
    """It ends nothing: neither in a queue nor in any stream."""
    nones: list[None] = [None, None]
    queue: StreamQueue[None] = asyncio.Queue()
    await enqueue(stream_content(nones), queue)

    assert await gather_stream(dequeue(queue)) == nones
    assert await gather_stream(concat(stream_content(nones), stream_content(nones), eager=True)) == nones * 2
    assert await gather_stream(merge([stream_content(nones), stream_content(nones)])) == nones * 2
    for branch in split(stream_content(nones), 2):
        assert await gather_stream(branch) == nones


@pytest.mark.parametrize("way", sorted(WAYS))
async def test_break_and_aclose_raise_nothing(way: str) -> None:
    """What the sources had still to say, and that one of them has failed ahead of the reader, is dropped."""
    given = sources(of(5), of(1, "error"), of(5, "silence"))
    stream = WAYS[way](given)
    async for _ in stream:
        break
    for _ in range(10):
        await asyncio.sleep(0)

    await stream.aclose()

    await nothing_left(*given)


@pytest.mark.parametrize("way", ["concat eager", "merge"])
async def test_failure_in_closing_is_raised_as_it_is(way: str) -> None:
    """By `aclose`, as that of the source itself would be; never in a group."""
    given = sources(of(5, "silence", fails_closing=True), of(5, "silence", fails_closing=True))
    stream = WAYS[way](given)
    await anext(stream)

    with pytest.raises(Fault, match="0 cannot be closed"):
        await stream.aclose()

    await nothing_left(*given)


async def test_cancelled_reader_of_a_split_ends_no_other_and_can_read_on() -> None:
    """It has asked for the item that both wait for."""
    [source] = sources(Script((0, 5, 5)))
    first, second = split(source)
    await anext(first)
    waiting = asyncio.create_task(anext(first))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait({waiting})

    assert waiting.cancelled()
    assert await gather_stream(second) == source.items
    assert await gather_stream(first) == source.items[1:]
    await nothing_left(source)


async def test_forgotten_stream_is_closed() -> None:
    """A reader that breaks and says nothing more."""
    given = sources(of(5, "silence"), of(5, "silence"))
    async for _ in merge(given):
        break
    branches = split(Source(2, of(5, "silence")))
    await anext(branches[0])
    del branches
    for _ in range(10):
        await asyncio.sleep(0)

    await nothing_left(*given)


@pytest.mark.parametrize("way", ["concat eager", "merge", "split", "queue"])
async def test_source_that_is_cancelled_from_within_is_an_error(way: str) -> None:
    """Or its reader, who was not, would end without one."""

    async def cut() -> AsyncIterator[Item]:
        yield (0, 0)
        raise asyncio.CancelledError

    async def through_a_queue() -> AsyncIterator[Item]:
        queue: StreamQueue[Item] = asyncio.Queue()
        filling = asyncio.create_task(enqueue(cut(), queue))
        async for item in dequeue(queue):
            yield item
        await filling

    streams: dict[str, AsyncIterable[Item]] = {
        "concat eager": concat(cut(), eager=True),
        "merge": merge([cut()]),
        "split": split(cut(), 1)[0],
        "queue": through_a_queue(),
    }
    stream = aiter(streams[way])

    assert await anext(stream) == (0, 0)
    with pytest.raises(StreamCancelledError):
        await anext(stream)
    await nothing_left()


# Slow readers, and what was never read


@pytest.mark.parametrize(("way", "ahead"), [("concat", 0), ("concat eager", AHEAD), ("merge", AHEAD)])
async def test_slow_reader_slows_the_sources_down(way: str, ahead: int) -> None:
    """One item is in hand, and one more waits for room where there is a buffer."""
    given = sources(of(AHEAD * 3))
    stream = WAYS[way](given)
    await anext(stream)
    for _ in range(AHEAD * 3):
        await asyncio.sleep(0)

    assert given[0].given == 1 + ahead + bool(ahead)
    await stream.aclose()


async def test_eager_streams_begin_together_and_others_in_their_turn() -> None:
    """What takes time takes it at once."""
    for eager in (False, True):
        given = sources(of(3), of(3))
        stream = concat(*given, eager=eager)
        await anext(stream)
        for _ in range(5):
            await asyncio.sleep(0)

        assert bool(given[1].given) is eager
        await stream.aclose()


async def test_split_is_read_no_faster_than_its_fastest_reader() -> None:
    """And a slow one finds all that it has missed."""
    [source] = sources(of(5, "silence"))
    fast, slow = split(source)
    await anext(fast)
    await anext(fast)
    for _ in range(10):
        await asyncio.sleep(0)

    assert source.given == 2
    assert [await anext(slow) for _ in range(2)] == source.items[:2]
    await fast.aclose()
    await slow.aclose()
    await nothing_left(source)


@pytest.mark.parametrize("way", sorted(WAYS))
async def test_stream_that_was_never_read_touches_nothing(way: str) -> None:
    """Its sources are still those of whoever made them."""
    given = sources(of(1), of(1))
    await WAYS[way](given).aclose()
    for branch in split(given[0]):
        await branch.aclose()

    assert [source.given for source in given] == [0, 0]
    await nothing_left(*given)


@pytest.mark.parametrize("way", sorted(WAYS))
async def test_nothing_put_together_is_an_empty_stream(way: str) -> None:
    """It ends at once."""
    assert await gather_stream(WAYS[way]([])) == []


# The others


async def test_copies_of_a_split_are_each_reader_s_own() -> None:
    """What one does to an item is not seen by another; without copies it is the same item."""
    for copy in (False, True):
        one, other = split(stream_content([[1]]), copy=copy)
        (await anext(one)).append(2)

        assert await anext(other) == ([1] if copy else [1, 2])
        await one.aclose()
        await other.aclose()


async def test_item_that_cannot_be_copied_is_an_error_of_the_stream() -> None:
    """Each reader gets it."""
    for branch in split(stream_content([(each for each in [1])]), copy=True):
        with pytest.raises(TypeError):
            await anext(branch)


def test_split_into_none_is_refused() -> None:
    """There would be nobody to read the stream, or to close it."""
    with pytest.raises(ValueError, match="not into 0"):
        split(stream_content([1]), 0)


@instant
async def test_content_comes_with_its_delay() -> None:
    """Between two items: neither before the first nor after the last."""
    times = [now() async for _ in stream_content("abc", delay=2)]

    assert times == [0, 2, 4]
    assert now() == 4


async def test_content_of_a_long_list_gives_others_their_turn() -> None:
    """A stream of what is there already is no loop that holds up everything."""
    ticks = count()
    ticking = asyncio.create_task(_tick(ticks))
    await gather_stream(stream_content(range(100)))
    ticking.cancel()

    assert next(ticks) > 50


async def _tick(ticks: count[int]) -> None:
    while True:
        next(ticks)
        await asyncio.sleep(0)


@instant
async def test_endless_stream_waits_until_it_is_stopped() -> None:
    """Beside others it keeps a merge going, and ends no first."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(3600):
            await gather_stream(endless_stream())

    assert await gather_stream(merge([endless_stream(), stream_content([1])], stop_on_first=True)) == [1]


@instant
async def test_throttle_lets_items_through_evenly() -> None:
    """What comes late is not made up for; what comes slowly waits for nothing."""

    async def bursts() -> AsyncIterator[int]:
        for item in range(4):
            yield item
        await asyncio.sleep(10)
        for item in range(4, 6):
            yield item

    times = [(item, now()) async for item in throttle(bursts(), 2)]

    assert times == [(0, 0), (1, 0.5), (2, 1), (3, 1.5), (4, 11.5), (5, 12)]


@given(st.lists(st.floats(0, 2), max_size=20), st.floats(0.1, 100))
def test_throttle_never_lets_more_through_than_it_says(gaps: list[float], rate: float) -> None:
    """Whatever comes when: there is a time between two items, and nothing is lost."""

    async def source() -> AsyncIterator[int]:
        for item, gap in enumerate(gaps):
            await asyncio.sleep(gap)
            yield item

    @instant
    async def test() -> None:
        times = [(item, now()) async for item in throttle(source(), rate)]

        assert [item for item, _ in times] == list(range(len(gaps)))
        assert all(later - time >= 1 / rate * 0.999 for (_, time), (_, later) in pairwise(times))

    test()


@pytest.mark.parametrize("rate", [0, -1, float("nan")])
async def test_rate_that_is_none_is_refused(rate: float) -> None:
    """When it is first read; the source is not touched."""
    [source] = sources(of(1))
    with pytest.raises(ValueError, match="more than 0 items a second"):
        await gather_stream(throttle(source, rate))

    assert source.given == 0


async def test_gathered_stream_is_closed_where_it_fails() -> None:
    """Its error is raised."""
    [source] = sources(of(2, "error"))
    with pytest.raises(Fault):
        await gather_stream(source)

    await nothing_left(source)
