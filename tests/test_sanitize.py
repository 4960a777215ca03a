"""Untrusted text made safe for a terminal."""

from __future__ import annotations

import re
from itertools import cycle, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmterm.render.backlog import Backlog
from llmterm.render.sanitize import Sanitizer, clean, is_plain

UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff]"
    "|[\xad\u115f\u1160\u180e\u200b\u2060-\u2064\u3164\uffa0]|(?<![\u0590-\U0010ffff])\u200d|[^\U000e0000-\U000effff🏴]\U000e0061"
)
LETTERS = "\r\n\x1b\x00\x9b\u202e\ufeff\u2028\ud83d\ude00ab éא👩🏴\u0301\u200b\u200c\u200d\ufe0f\U000e0061\u1100\u1161"
nasty = st.lists(
    st.one_of(
        st.sampled_from(LETTERS), st.sampled_from(["\u0301" * 5, "\u0301" * 12, "\U000e0061" * 7]), st.characters()
    )
).map("".join)


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("\x1b]0;title\x07", "␛]0;title␇"),
        ("\x00\x7f", "␀␡"),
        ("\x9b31m", "\ufffd31m"),
        ("a\r\nb\tc", "a\nb\tc"),
        ("over\rwritten", "over␍written"),
        ("one\u2028two\u2029three", "one\ntwo\nthree"),
        ("user\u202etxt.exe\u2066x\u2069", "usertxt.exex"),
        ("\ufeffbom\ufff9", "bom"),
        ("half \ud83d", "half \ufffd"),
        ("two halves \ud83d\ude00", "two halves 😀"),
        ("pay\u200dpal \u200cpay\u200bpal\u2060 so\xadft", "paypal paypal soft"),
        ("see\U000e0068\U000e0069 this", "see this"),
        ("blank\u3164\uffa0\u115f", "blank"),
        ("a" + "\u0301" * 10_000 + "b", "a" + "\u0301" * 8 + "b"),
        ("👩" + "\u200d" * 10_000, "👩" + "\u200d" * 8),
        ("ᄒ" + "\u1161" * 10_000, "ᄒ" + "\u1161" * 8),
    ],
)
def test_what_acts_on_a_terminal_becomes_visible_or_goes(text: str, safe: str) -> None:
    """Controls are shown as glyphs; what reorders or hides text is dropped."""
    assert clean(text) == safe


@pytest.mark.parametrize(
    "text",
    ["👩‍👩‍👧", "❤️", "👍🏽", "🇩🇪", "🏴󠁧󠁢󠁳󠁣󠁴󠁿", "می‌خواهم", "क्‍ष", "한글", "\u200eleft \u200fright", "naïve café\n\t日本語"],
)
def test_what_scripts_need_stays(text: str) -> None:
    """Joiners, variation selectors, direction marks and all ordinary text come out as they went in."""
    assert clean(text) == text


@given(nasty)
def test_nothing_unsafe_comes_out(text: str) -> None:
    """Whatever goes in, no character that a terminal acts on is left."""
    assert not UNSAFE.search(clean(text))


@given(nasty)
def test_cleaning_twice_changes_nothing(text: str) -> None:
    """What is clean stays as it is."""
    assert clean(clean(text)) == clean(text)


@given(nasty, st.lists(st.integers(0, 50)))
def test_chunks_do_not_matter(text: str, cuts: list[int]) -> None:
    """However the text is cut, the same comes out, and an ordinary character is never held back."""
    sanitizer = Sanitizer()
    points = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]

    pieces = [sanitizer.feed(text[start:end]) for start, end in pairwise(points)]

    assert "".join(pieces) + sanitizer.close() == clean(text)


def test_half_a_line_end_waits_for_the_other_half() -> None:
    """A return at the end of a chunk is shown only when no line feed follows."""
    sanitizer = Sanitizer()

    pieces = [sanitizer.feed("a\r"), sanitizer.feed("\nb\r"), sanitizer.feed("c")]

    assert pieces == ["a", "\nb", "␍c"]


@pytest.mark.parametrize(
    "name",
    [
        "gpt-\u202e4",
        "gpt\u20664", "gp\u200bt", "gp\u200et", "gp\u200dt", "gp\u200ct", "gp\xadt", "\ufeffgpt", "g\u2060pt",
        "gpt\x1b[31m",
        "gpt\n", "gpt\r", "g\tpt", "gpt\x9b", "gpt\x7f", "g\u115fpt", "g\u3164pt", "g\u034fpt", "g\ufe0fpt",
        "g\ufe00pt", "g\U000e0101pt", "g\U000e0041pt", "g\u2028pt", "half\ud83d", "e" + "\u0301" * 9, "a\xa0b",
    ],
)  # fmt: skip
def test_name_that_hides_something_is_not_plain(name: str) -> None:
    """Controls, what reorders, what has no width."""
    assert not is_plain(name)


@pytest.mark.parametrize(
    "name",
    ["gpt-4.1", "qwen3:0.6b", "a/b c", "é", "e\u0301", "日本語", "می\u200cخواهم", "👩\u200d👩\u200d👧", "❤\ufe0f", ""],
)
def test_name_that_shows_all_is_plain(name: str) -> None:
    assert is_plain(name)


@given(nasty)
def test_plain_name_is_a_line_that_comes_out_as_it_went_in(name: str) -> None:
    if is_plain(name):
        assert clean(name) == name
        assert len(name.splitlines()) <= 1
        assert not UNSAFE.search(name)


@given(st.lists(nasty, max_size=5), st.lists(st.integers(1, 9), min_size=1, max_size=5))
def test_text_is_made_safe_in_the_portions_in_which_it_is_taken(pieces: list[str], portions: list[int]) -> None:
    """However it came, and however much of it is looked at in one go; none is less than was asked for but the last."""
    backlog, found = Backlog(), []
    for piece in pieces:
        backlog.feed(piece)
    for portion in cycle(portions):
        if not backlog:
            break
        found.append(backlog.take(portion))
        assert not backlog or portion <= len(found[-1]) <= portion + 1

    assert "".join([*found, backlog.close()]) == clean("".join(pieces))
