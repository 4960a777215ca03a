"""What messages and attachments take in tokens, by the rules of thumb."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmterm import tokens
from llmterm.events import SegmentStarted
from llmterm.messages import Attachment, EndReason, Message, Options, Reply, Request, Rope, TextDelta, Usage
from llmterm.progress import Progress
from llmterm.providers.http import about
from llmterm.recall import Recall
from llmterm.segment import OpenSegment

IMAGE = Attachment(name="a.png", media_type="image/png", data=b"any")


def pdf(size: int) -> Attachment:
    return Attachment(name="a.pdf", media_type="application/pdf", data=bytes(size))


def test_pdf_takes_tokens_by_its_bytes() -> None:
    """A page at least, and never without end."""
    assert tokens.of_attachment(pdf(9)) == 2_300
    assert tokens.of_attachment(pdf(120_000)) == 3 * 2_300
    assert tokens.of_attachment(pdf(50_000_000)) == 230_000


def test_all_messages_count() -> None:
    """Four characters are a token; text files are part of the text."""
    asked = Message(role="user", text="seven..", attachments=(IMAGE, pdf(9)))

    assert tokens.of_messages((asked, Message(role="assistant", text="."))) == 2 + 1_600 + 2_300
    assert about(Request(model="m", messages=(asked,), options=Options(max_tokens=10))) == 1 + 1_600 + 2_300 + 10


def test_segment_without_usage_counts_what_was_attached() -> None:
    """A paused answer to a question about an image took more than the words of the question."""
    asked = Message(role="user", text="what is it?!", attachments=(IMAGE,))
    segment = OpenSegment(
        SegmentStarted(provider="p", model="m", mode="fresh"),
        Reply(),
        progress=Progress(),
        cost=lambda _model, usage: usage.input_tokens / 1000,
        clock=lambda: 0.0,
    )
    segment.ask(Request(model="m", messages=(asked,)), Recall(Rope(), None), "")
    told = [*segment.take(TextDelta("a cat")), *segment.flush()]

    record = segment.close(Reply().add(TextDelta("a cat")), EndReason.PAUSE)

    assert "".join(event.text for event in told if isinstance(event, TextDelta)) == "a cat"

    assert record is not None
    assert record.usage == Usage(input_tokens=1_603, output_tokens=1, estimated=True)
    assert record.cost == 1.603


def test_chunk_is_a_token_unless_it_is_larger_than_any() -> None:
    """Servers send single tokens, a few at a time, or all there is."""
    assert tokens.of_answer(0, Rope()) == 0
    assert tokens.of_answer(20, Rope.of("a" * 100)) == 20
    assert tokens.of_answer(20, Rope.of("a" * 10)) == 20
    assert tokens.of_answer(1, Rope.of("a" * 144_000)) == 36_000
    assert tokens.of_answer(1, Rope.of("a" * 144_000), 72_000) == 18_000


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("今天天气很好,我们一起去公园散步吧。", 10, 20),
        ("吾輩は猫である。名前はまだ無い。", 9, 20),
        ("오늘은 날씨가 좋아서 공원에 갔습니다.", 9, 24),
        ("Il a dîné à la plage.", 5, 8),
        ("Съешь ещё этих мягких булок", 6, 14),
    ],
)
def test_character_of_chinese_japanese_or_korean_is_most_of_a_token(text: str, least: int, most: int) -> None:
    """Between what tokenizers of today and of some years ago make of it."""
    assert least <= tokens.of_text(text) <= most
    assert tokens.of_answer(1, Rope.of(text * 10)) >= least * 10


@given(st.text("ab \u00e9\u4e16\uac00", max_size=200), st.integers(0, 200))
def test_text_is_as_many_tokens_however_it_is_cut(text: str, at: int) -> None:
    """As many as its characters at most, and a quarter of them at least."""
    whole = tokens.of_messages([Message(role="user", text=text)])
    parts = Rope((text[:at], text[at:]))

    assert tokens.of_text(text) == whole == tokens.of_answer(0, parts)
    assert len(text) // 4 <= whole <= len(text)


@given(st.text("ab\u4e16", min_size=10, max_size=50), st.integers(500, 2_000))
def test_long_text_is_about_as_many_as_it_repeats(text: str, times: int) -> None:
    """Not all of it is looked at."""
    assert tokens.of_text(text * times) == pytest.approx(tokens.of_text(text * 20) * times / 20, rel=0.1)
