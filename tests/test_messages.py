"""The values: a reply grows without losing or copying too much, and is one message in the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmterm.messages import (
    Attachment,
    EndReason,
    Finished,
    Message,
    Options,
    Part,
    Reply,
    Request,
    Rope,
    Segment,
    TextDelta,
    TextPart,
    ThinkingDelta,
    ThinkingPart,
    Usage,
    UsageReport,
)
from llmterm.messages.plain import READERS, plain
from llmterm.providers import anthropic, cohere, gemini, ollama, openai, responses
from tests.values import ATTACHMENT, OPAQUE, PART, ROPE, TEXT

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


@given(ROPE, ROPE)
def test_ropes_are_equal_by_their_text_and_not_by_their_cuts(one: Rope, other: Rope) -> None:
    assert (one == other) == (str(one) == str(other))
    assert Rope.joined((one, other)) == Rope.of(str(one) + str(other))
    assert one.blank == (not str(one).strip())


@given(st.lists(st.text(" \na", max_size=4)), st.integers(0, 20))
def test_end_of_a_rope_is_that_of_its_text(texts: list[str], most: int) -> None:
    """Its last characters, and what is left without the white space there, wherever it is cut."""
    rope, text = Rope(tuple(texts)), "".join(texts)

    assert rope.tail(most) == text[max(0, len(text) - most) :]
    assert str(rope.rstrip()) == text.rstrip()


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


def test_a_long_answer_is_there_once() -> None:
    """Its message, what is left of it when it is cut or rewritten, and the reply of it again share its pieces."""
    reply = Reply()
    for number in range(100):
        reply = reply.add(TextDelta(f"{number:03}" * 1000))
    pieces = [part for part in reply.body.parts if len(part) > 10_000]

    message = reply.message("complete")
    others = [message.body, Reply.of(message).body, reply.cut(5).body, reply.rewrite(reply.text + "!").body]

    assert len(pieces) > 2
    for other in others:
        assert all(one is two for one, two in zip(pieces[:-1], other.parts, strict=False))


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


# A message and its parts


@given(parts=st.lists(PART, max_size=5))
def test_views_are_what_the_parts_of_a_kind_say_together(parts: list[Part]) -> None:
    """In their order; what goes back is that of all parts, by wire, and equal parts make equal messages."""
    message = Message(role="assistant", parts=parts)

    assert message.parts == tuple(parts)
    assert message.text == "".join(str(part.text) for part in parts if isinstance(part, TextPart))
    assert message.thinking == "".join(str(part.text) for part in parts if isinstance(part, ThinkingPart))
    assert message.attachments == tuple(part for part in parts if isinstance(part, Attachment))
    assert set(message.provider_data) == {name for part in parts for name in part.provider_data}
    assert message == Message(role="assistant", parts=tuple(parts))
    assert hash(message) == hash(replace(message, status="complete"))


@given(text=TEXT, thinking=TEXT, attachments=st.lists(ATTACHMENT, max_size=2), data=OPAQUE)
def test_usual_message_is_made_of_what_it_says(
    text: str, thinking: str, attachments: list[Attachment], data: Mapping[str, Any]
) -> None:
    """With nothing in it that is empty."""
    message = Message(role="user", text=text, thinking=thinking, attachments=attachments, provider_data=data)

    assert (message.text, message.thinking) == (text, thinking)
    assert (message.attachments, message.provider_data) == (tuple(attachments), data)
    assert len(message.parts) == bool(text) + bool(thinking or data) + len(attachments)


@given(parts=st.lists(PART, max_size=5), text=TEXT, thinking=st.none() | TEXT)
def test_message_says_something_else_and_keeps_the_rest(parts: list[Part], text: str, thinking: str | None) -> None:
    """What is attached, called and returned stays, and so does what goes back with what was said."""
    before = Message(role="assistant", parts=parts)

    message = before.saying(text, thinking=thinking)

    assert message.text == text
    assert message.thinking == (before.thinking if thinking is None else thinking)
    kept = [part for part in parts if not isinstance(part, TextPart | ThinkingPart)]
    assert [part for part in message.parts if not isinstance(part, TextPart | ThinkingPart)] == kept
    assert set(message.provider_data) == set(before.provider_data)


def test_message_is_not_made_of_parts_and_of_text() -> None:
    """One of them would be lost."""
    with pytest.raises(TypeError):
        Message(role="user", parts=[TextPart(Rope.of("a"))], text="b")


@settings(max_examples=25)
@given(parts=st.lists(PART, max_size=4))
def test_every_wire_has_words_for_any_parts(parts: list[Part]) -> None:
    """Or leaves them out; the text of a question is in its request whatever is around it."""
    question = Message(role="user", parts=[TextPart(Rope.of("why?")), *parts])
    answer = Message(role="assistant", parts=[*parts, TextPart(Rope.of("so"))])
    request = Request(model="claude-haiku-4-5", messages=(question, answer, question))

    for each in (anthropic, cohere, gemini, ollama, openai, responses):
        body = str(each.wire().payload(request))

        assert body.count("why?") >= 2
        assert "so" in body


@settings(max_examples=25)
@given(pieces=st.lists(TEXT, max_size=3), attachments=st.lists(ATTACHMENT, max_size=2), data=OPAQUE)
def test_no_request_depends_on_how_a_text_was_cut(
    pieces: list[str], attachments: list[Attachment], data: Mapping[str, Any]
) -> None:
    """An answer comes in pieces, and is read from the store in others."""
    bodies: list[list[str]] = []
    for text in (Rope(tuple(pieces)), Rope.of("".join(pieces))):
        question = Message(role="user", text=text, attachments=attachments)
        answer = Message(role="assistant", text=text, provider_data=data)
        request = Request(model="claude-haiku-4-5", messages=(question, answer, question))
        wires = (anthropic, cohere, gemini, ollama, openai, responses)
        bodies.append([str(each.wire().payload(request)) for each in wires])

    assert bodies[0] == bodies[1]


@given(st.lists(st.text("ab", max_size=9)), st.lists(st.text("ab", max_size=9)))
def test_common_beginning_does_not_depend_on_the_parts(one: list[str], other: list[str]) -> None:
    """Of two ropes, however they were put together."""
    first, second = "".join(one), "".join(other)
    size = max(size for size in range(len(first) + 1) if second.startswith(first[:size]))

    assert Rope(tuple(one)).common(Rope(tuple(other))) == size


def test_options_of_an_older_program_are_read_and_those_of_this_one_come_back() -> None:
    """What was not known when they were written is not said; what is wrong is refused."""
    older = {"temperature": 0.5, "max_tokens": None, "seed": None, "stop": ["END"]}
    now = Options(effort="max", top_p=0.5, verbosity="low", service_tier="flex", web_search=False)

    assert READERS["Options"](older) == Options(temperature=0.5, stop=("END",))
    assert READERS["Options"](plain(now)) == now
    with pytest.raises(ValueError, match="none of off"):
        READERS["Options"]({**older, "effort": "much"})


def test_options_stand_over_others_where_they_say_something() -> None:
    usual = Options(temperature=0.5, seed=3, web_search=True, stop=("END",))

    assert Options(temperature=0.0, web_search=False).over(usual) == Options(
        temperature=0.0, seed=3, web_search=False, stop=("END",)
    )
