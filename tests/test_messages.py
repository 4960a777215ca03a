"""The values: a reply grows without losing or copying too much, and is one message in the end."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from llmterm.messages import (
    EndReason,
    Finished,
    Message,
    Reply,
    Rope,
    Segment,
    TextDelta,
    ThinkingDelta,
    Usage,
    UsageReport,
)

SEGMENT = Segment(provider="p", model="m", mode="fresh", start=0, end=3, end_reason=EndReason.PAUSE)


@given(st.lists(st.text()))
def test_rope_is_its_parts_in_order(texts: list[str]) -> None:
    """However it was put together, a rope equals its text."""
    rope = Rope()
    for text in texts:
        rope = rope.add(text)

    assert str(rope) == "".join(texts)
    assert len(rope) == len("".join(texts))
    assert rope == Rope().add("".join(texts))
    assert hash(rope) == hash(Rope().add("".join(texts)))


@given(st.lists(st.integers(1, 50), max_size=300))
def test_rope_has_few_parts(sizes: list[int]) -> None:
    """Each part is at least twice as long as the next, so there are few, and appending copies little."""
    rope = Rope()
    for size in sizes:
        rope = rope.add("x" * size)

    lengths = list(map(len, rope.parts))
    assert all(longer >= 2 * shorter for longer, shorter in pairwise(lengths))


def test_rope_never_has_a_long_text_twice() -> None:
    """Parts stop merging at a size, so that appending to a long text copies little at a time."""
    rope = Rope()
    for _ in range(1000):
        rope = rope.add("x" * 1000)

    assert len(rope) == 1_000_000
    assert max(map(len, rope.parts)) <= Rope.LARGEST
    assert len(rope.parts) < 50


def test_reply_takes_events_in() -> None:
    """Text and thinking add up, usage and end are the last ones."""
    reply = Reply()
    for event in (
        ThinkingDelta("hm"),
        TextDelta("a", 2),
        UsageReport(Usage(output_tokens=1)),
        TextDelta("b"),
        UsageReport(Usage(output_tokens=2)),
        Finished(EndReason.STOP),
    ):
        reply = reply.add(event)

    assert (reply.text, reply.thinking, reply.chunks, reply.finish) == ("ab", "hm", 4, EndReason.STOP)
    assert reply.usage == Usage(output_tokens=2)


def test_closed_segment_leaves_fresh_figures() -> None:
    """The figures are those of the segment being written."""
    reply = Reply().add(TextDelta("abc")).add(UsageReport(Usage(output_tokens=3))).close(SEGMENT)

    assert (reply.text, reply.segments, reply.usage, reply.chunks) == ("abc", (SEGMENT,), None, 0)


def test_reply_and_message_are_each_others_record() -> None:
    """A reply that was stored as a message can be gone on with."""
    reply = Reply().add(TextDelta("abc")).add(ThinkingDelta("hm")).close(SEGMENT)

    message = reply.message("interrupted")

    assert message == Message(role="assistant", text="abc", thinking="hm", status="interrupted", segments=(SEGMENT,))
    assert Reply.of(message) == reply


@given(st.text(), st.integers(0, 10))
def test_cut_takes_off_the_end(text: str, size: int) -> None:
    """Segments never reach beyond what is left."""
    reply = Reply().add(TextDelta(text)).close(SEGMENT)

    cut = reply.cut(min(size, len(text)))

    assert cut.text == text[: len(text) - min(size, len(text))]
    assert all(segment.end <= len(cut.text) or segment.end == 3 > len(text) for segment in cut.segments)
