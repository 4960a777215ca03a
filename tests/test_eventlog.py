"""The log of a turn: whatever happens, and whenever a reader comes or goes, every reader has the reply's text."""

from __future__ import annotations

import asyncio
import gc
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from llmterm.eventlog import EventLog, Reader
from llmterm.events import (
    Entry,
    Notice,
    Retraction,
    SegmentEnded,
    SegmentStarted,
    StateChanged,
    TurnEvent,
    decoded,
    encoded,
    reduced,
)
from llmterm.messages import EndReason, Reply, Rope, Segment, TextDelta, ThinkingDelta, Timing, Usage, UsageReport
from llmterm.states import TurnState

words = st.text("ab \n", max_size=5)
counts = st.integers(0, 9)
segments = st.builds(
    Segment,
    provider=words,
    model=words,
    mode=st.sampled_from(["fresh", "prefill", "instruct"]),
    start=counts,
    end=counts,
    end_reason=st.sampled_from(EndReason),
    usage=st.builds(Usage, input_tokens=counts, output_tokens=counts, estimated=st.booleans()),
    timing=st.builds(Timing, first_token_ms=st.none() | counts, duration_ms=counts, retries=counts),
    guidance=words,
    cost=st.none() | st.floats(0, 9),
)
events: st.SearchStrategy[TurnEvent] = st.one_of(
    st.builds(SegmentStarted, provider=words, model=words, mode=st.just("fresh"), guidance=words),
    st.builds(TextDelta, words, counts),
    st.builds(ThinkingDelta, words, counts),
    st.builds(Notice, words),
    st.builds(UsageReport, st.builds(Usage, input_tokens=counts)),
    st.builds(Retraction, counts, counts, st.lists(segments, max_size=2).map(tuple)),
    st.builds(StateChanged, st.sampled_from(TurnState), st.none() | st.sampled_from(EndReason), words),
    st.builds(SegmentEnded, st.none() | segments),
)


@given(counts, events)
def test_an_event_travels_as_json(seq: int, event: TurnEvent) -> None:
    entry = Entry(seq, event)

    assert decoded(json.loads(json.dumps(encoded(entry)))) == entry


@given(
    st.recursive(
        st.none() | st.integers() | words, lambda inner: st.lists(inner) | st.dictionaries(words, inner), max_leaves=5
    ),
    st.sampled_from(["TextDelta", "SegmentEnded", "StateChanged", "Retraction", "UsageReport", "int"]),
)
def test_what_is_no_event_is_a_value_error(value: object, name: str) -> None:
    with pytest.raises(ValueError, match="no event"):
        decoded({"seq": 1, "event": name, "strange": value})


@given(st.lists(words), st.lists(words), st.data())
def test_a_rope_is_cut_like_its_text(some: list[str], others: list[str], data: st.DataObject) -> None:
    rope, other = Rope(), Rope()
    for word in some:
        rope = rope.add(word)
    for word in others:
        other = other.add(word)
    text = str(rope)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))

    assert rope.slice(start, end) == text[start:end]
    assert str(rope.head(end)) == text[:end]
    common = rope.common(other)
    assert text[:common] == str(other)[:common]
    assert text[common : common + 1] != str(other)[common : common + 1] or common == len(text) == len(str(other))


class Following:
    """A reader, and what it has made of what it was given."""

    def __init__(self, log: EventLog, after: int, reply: Reply) -> None:
        self.log = log
        self.reader = log.reader(after)
        self.reply = reply

    async def take(self, most: int, size: int | None = None) -> None:
        """Take what is there, at most so many entries, of so many characters."""
        self.reader.portion(size)
        while most and not self.reader.at_end:
            seq, event = await anext(self.reader)
            assert seq == self.reader.seq
            self.reply = reduced(self.reply, event)
            most -= 1


class Readers(RuleBasedStateMachine):
    """Chunks, pauses, rewrites, and readers that come, lag, leave and come again, here or at a copy, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.log = EventLog()
        self.copy = EventLog()
        self.copied = self.log.reader()
        self.readers: list[Following] = []

    def teardown(self) -> None:
        self.carry(-1)
        assert self.copy.seq == self.log.seq
        for each in self.readers:
            self.catch_up(each)
            assert each.reply.text == self.log.reply.text
            assert each.reply.thinking == self.log.reply.thinking
            assert each.reply.segments == self.log.reply.segments
        self.loop.close()

    def catch_up(self, each: Following, most: int = -1, size: int | None = None) -> None:
        self.loop.run_until_complete(each.take(most, size))

    def append(self, event: TurnEvent) -> None:
        async def appending() -> None:
            self.log.append(event)

        self.loop.run_until_complete(appending())

    @rule(text=words, thinks=st.booleans())
    def chunk(self, text: str, thinks: bool) -> None:
        self.append(ThinkingDelta(text) if thinks else TextDelta(text))

    @rule(event=st.builds(Notice, words) | st.builds(UsageReport, st.builds(Usage, input_tokens=counts)))
    def tell(self, event: TurnEvent) -> None:
        self.append(event)

    @rule()
    def end_segment(self) -> None:
        end = len(self.log.reply.body)
        segment = Segment(provider="p", model="m", mode="fresh", start=0, end=end, end_reason=EndReason.PAUSE)
        self.append(SegmentEnded(segment))
        self.append(StateChanged(TurnState.PAUSED, EndReason.PAUSE))

    @rule(text=words, data=st.data())
    def rewrite(self, text: str, data: st.DataObject) -> None:
        keep = data.draw(st.integers(0, len(self.log.reply.body)))

        async def rewriting() -> None:
            self.log.rewrite(self.log.reply.rewrite(self.log.reply.text[:keep] + text))

        self.loop.run_until_complete(rewriting())

    @rule()
    def attach(self) -> None:
        self.readers.append(Following(self.log, 0, Reply()))

    @rule(most=st.integers(0, 4), again=st.integers(0, 9))
    def carry(self, most: int, again: int = 0) -> None:
        """Have the copy take what comes next, and what it has had already, as after a lost connection."""
        self.copied.leave()
        self.copied = self.log.reader(max(self.log.first, self.copy.seq - again))

        async def carrying() -> None:
            left = most
            while left and not self.copied.at_end:
                self.copy.take(await anext(self.copied))
                left -= 1

        self.loop.run_until_complete(carrying())

    @precondition(lambda self: self.readers)
    @rule(data=st.data())
    def go_elsewhere(self, data: st.DataObject) -> None:
        """Go on at the copy, or from there back, where the other one reaches that far."""
        each = data.draw(st.sampled_from(self.readers))
        other = self.copy if each.log is self.log else self.log
        if each.reader.seq <= other.seq:
            each.reader.leave()
            self.readers.remove(each)
            self.readers.append(Following(other, each.reader.seq, each.reply))

    @precondition(lambda self: self.readers)
    @rule(data=st.data(), most=st.integers(0, 4), size=st.none() | st.integers(1, 3))
    def read(self, data: st.DataObject, most: int, size: int | None) -> None:
        self.catch_up(data.draw(st.sampled_from(self.readers)), most, size)

    @precondition(lambda self: self.readers)
    @rule(data=st.data(), comes_back=st.booleans())
    def leave(self, data: st.DataObject, comes_back: bool) -> None:
        """One that comes back says how far it was, as a browser does."""
        each = data.draw(st.sampled_from(self.readers))
        each.reader.leave()
        self.readers.remove(each)
        if comes_back:
            self.readers.append(Following(each.log, each.reader.seq, each.reply))

    @invariant()
    def one_that_comes_now_has_it_all(self) -> None:
        new = Following(self.log, 0, Reply())
        self.catch_up(new)
        assert (new.reply.text, new.reply.thinking) == (self.log.reply.text, self.log.reply.thinking)


Readers.TestCase.settings = settings(max_examples=150, stateful_step_count=25, deadline=None)
TestReaders = Readers.TestCase


async def entries(reader: Reader) -> list[Entry]:
    return [entry async for entry in reader]


async def test_a_late_reader_gets_what_it_missed_in_one_piece() -> None:
    log = EventLog()
    for _ in range(1000):
        log.append(TextDelta("word "))
    log.append(StateChanged(TurnState.DONE))

    first, last = await entries(log.reader())

    assert (first.seq, first.event) == (5000, TextDelta("word " * 1000, 1000))
    assert last == Entry(5001, StateChanged(TurnState.DONE))


async def test_a_late_reader_never_sees_what_was_taken_back() -> None:
    log = EventLog()
    log.append(TextDelta("kept, lost"))
    log.append(Notice("between"))
    log.rewrite(log.reply.rewrite("kept, new"))
    log.append(StateChanged(TurnState.DONE))

    texts = [event.text for _, event in await entries(log.reader()) if isinstance(event, TextDelta)]

    assert texts == ["kept, ", "new"]


async def test_it_can_be_read_on_from_any_place() -> None:
    log = EventLog()
    for text in ("one ", "two ", "three"):
        log.append(TextDelta(text))
    log.append(StateChanged(TurnState.DONE))

    for after in range(log.seq + 1):
        texts = [event.text for _, event in await entries(log.reader(after)) if isinstance(event, TextDelta)]
        assert "".join(texts) == "one two three"[after:]
    with pytest.raises(ValueError, match="not to 99"):
        log.reader(99)


async def test_only_a_reader_with_a_bound_is_waited_for() -> None:
    """One that left, or was forgotten without a word, is not."""
    log = EventLog()
    slow, other, careless = log.reader(bound=2), log.reader(), log.reader(bound=2)
    for _ in range(2):
        log.append(TextDelta("x"))
    room = asyncio.ensure_future(log.room())
    await anext(other)
    await anext(slow)
    await asyncio.sleep(0)
    assert not room.done()

    del careless
    gc.collect()

    await room
    log.append(TextDelta("x", 2))
    assert slow.full
    slow.leave()
    await log.room()


async def test_a_reader_that_holds_goes_on_where_it_was() -> None:
    log = EventLog()
    reader = log.reader()
    log.append(TextDelta("shown"))
    assert (await anext(reader)).event == TextDelta("shown")
    reader.hold()
    log.append(TextDelta(" and held"))
    assert [entry async for entry in reader] == []
    assert (reader.text, reader.waiting) == (5, 1)

    log.append(StateChanged(TurnState.DONE))
    reader.let_go()

    assert [event for _, event in await entries(reader)] == [TextDelta(" and held"), StateChanged(TurnState.DONE)]


async def test_what_is_reported_with_every_chunk_is_kept_once() -> None:
    """Memory goes by the text: of usage only the first report and the last are events."""
    log = EventLog()
    for number in range(1000):
        log.append(UsageReport(Usage(output_tokens=number)))
    log.append(SegmentEnded(None))
    log.append(StateChanged(TurnState.DONE))

    told = [event.usage.output_tokens for _, event in await entries(log.reader()) if isinstance(event, UsageReport)]

    assert told == [0, 999]
