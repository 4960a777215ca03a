"""Blocks without an end: each look at them is little work, and what comes out in the end is the same."""

from __future__ import annotations

from collections.abc import Callable
from cProfile import Profile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmterm.render.limits import cut_of, end_of_turn, lines_at_once, long_line, work
from llmterm.render.markdown import MarkdownRenderer

WORDS = "A producer that is **faster than its consumer** has to `wait`, see [docs](http://x.org/y). "
HUGE = {
    "a paragraph in one line": WORDS,
    "a paragraph of lines": WORDS + "\n",
    "a paragraph of short lines": "one *two*\n",
    "a line without a space": "x",
    "brackets": "[",
    "a table": "| `row` | some *words* here 日本 | 12 |\n",
    "a table of letters": "|b|\n",
    "a table of many columns": "|" + " bc **d** |" * 12 + "\n",
    "a nested list": "- item with *some* `words` in it\n  - below\n    - it\n",
    "one item": "  - sub *item* with words\n",
    "a quote": "> A *quote* that never ends, with `code`.\n",
    "a quote of lists": "> - a *b*\n>   - c\n",
    "code": "x = f(1)  # words\n",
    "code of long lines": "x = f(1); " * 90 + "\n",
    "code in an item": "  x = f(1)  # words\n",
    "Chinese": "生产者比消费者快的时候，要么等待，要么丢弃一些东西。",
    "lines of Chinese": "生产者比消费者快的时候，要么等待，要么丢弃一些东西。\n",
    "emoji": "👩‍👩‍👧 family 👍🏽 ok 🇩🇪🇫🇷 flags ❤️ heart 😀 faces\n",
    "blank lines in an item": "\n\n\n  a\n",
}
OPENED = {
    "a table": "| a | *b* | c |\n|---|:-:|--:|\n",
    "a table of letters": "|a|\n|-|\n",
    "a table of many columns": "|" + " a |" * 12 + "\n|" + "---|" * 12 + "\n",
    "one item": "- top\n",
    "code": "```python\n",
    "code of long lines": "```python\n",
    "code in an item": "- top\n  ```python\n",
    "blank lines in an item": "- top\n",
}
SIZE = 24_000
# Some 40 ms; a block of 20,000 characters of short lines took four times as many.
MOST_CALLS = 400_000

lines = st.text(st.sampled_from("ab |[*`-日👍🏽\t>1. "), max_size=60).map(lambda text: text * 40)
texts = st.lists(lines, max_size=60).map("\n".join)


def huge(name: str) -> str:
    opening = OPENED.get(name, "")
    return (opening + HUGE[name] * (SIZE // len(HUGE[name]) + 1))[:SIZE]


def whole(text: str) -> list[str]:
    renderer = MarkdownRenderer(width=60)
    renderer.feed(text)
    return renderer.close()


def calls(do: Callable[[], object]) -> int:
    """Return how many functions `do` calls."""
    profile = Profile()
    profile.runcall(do)
    return sum(entry.callcount for entry in profile.getstats())


@pytest.mark.parametrize("name", HUGE)
def test_no_frame_of_a_huge_block_is_much_work(name: str) -> None:
    """However large the open block is, a frame takes no longer than it may, and the lines are those of the whole."""
    text = huge(name)
    renderer = MarkdownRenderer(width=60)
    permanent: list[str] = []
    most = 0

    for start in range(0, len(text), 4096):
        renderer.feed(text[start : start + 4096])
        most = max(most, calls(lambda: permanent.extend(renderer.advance(briefly=True))), calls(renderer.live))

    assert permanent + renderer.close() == whole(text)
    assert most <= MOST_CALLS


@pytest.mark.parametrize("name", HUGE)
def test_a_burst_is_shown_bit_by_bit(name: str) -> None:
    """What comes at once is laid out in several frames, each of little work, and nothing is live until the last."""
    renderer = MarkdownRenderer(width=60)
    renderer.feed(huge(name))
    permanent: list[str] = []
    most = frames = 0

    while not frames or renderer.behind:
        most = max(most, calls(lambda: permanent.extend(renderer.advance(briefly=True))))
        frames += 1
        assert not renderer.behind or renderer.live() == []

    assert permanent + renderer.close() == whole(huge(name))
    assert most <= MOST_CALLS
    assert frames > 1


def test_a_pause_shows_all_of_a_burst() -> None:
    """After frames that had no time for everything, a look without haste returns the rest, and the live end."""
    renderer = MarkdownRenderer(width=60)
    renderer.feed("a line\n\n" * 4000 + "the end")

    brief = renderer.advance(briefly=True)
    behind = renderer.behind
    rest = renderer.advance()

    assert behind
    assert not renderer.behind
    assert renderer.live() == ["", "the end"]
    assert len(brief + rest) == 4000 * 2 - 1


@pytest.mark.parametrize("short", [False, True])
def test_a_burst_of_thinking_is_shown_bit_by_bit(short: bool) -> None:
    """Thinking that comes at once is shown in several frames, too, and ends the same."""
    together = MarkdownRenderer(width=60, thinking="line" if short else "full")
    renderer = MarkdownRenderer(width=60, thinking="line" if short else "full")
    together.think("想法 and words\n" * 4000)
    renderer.think("想法 and words\n" * 4000)

    permanent: list[str] = []
    frames = 0
    while not frames or renderer.behind:
        permanent += renderer.advance(briefly=True)
        frames += 1

    assert frames > 1
    assert permanent + renderer.close() == together.close()


@given(texts, st.text(st.sampled_from("ab |[*\n日"), max_size=3000))
def test_limits_depend_on_nothing_that_comes_later(text: str, more: str) -> None:
    """Where a line or a block is cut stays, whatever follows."""
    line = text.replace("\n", " ")
    rows = text.split("\n")
    cut, count, end = cut_of(line), lines_at_once("table_open", rows), end_of_turn(text)

    assert not cut or cut == cut_of(line + more.replace("\n", " "))
    assert not long_line(text) or long_line(text) == long_line(f"{text}{more}")
    assert count == len(rows) or count == lines_at_once("table_open", [*rows, *more.split("\n")])
    assert end == text.rfind("\n") + 1 or end == end_of_turn(text + more)


@given(texts)
def test_what_is_cut_is_within_the_limit(text: str) -> None:
    """A part of a line or a block is never empty, and is no more work than what need not be cut."""
    line = text.replace("\n", " ")
    cut = cut_of(line)
    rows = text.split("\n")
    count = lines_at_once("paragraph_open", rows)

    assert cut == 0 or cut_of(line[:cut]) == 0
    assert 1 <= count <= len(rows)
    assert lines_at_once("paragraph_open", rows[:count]) == count
    assert work(text) >= len(text)


def test_a_heading_is_cut_like_the_paragraph_that_it_was() -> None:
    """Which of them it is, the last line tells; by then a piece may be on the screen."""
    text = "some words of prose, with nothing else\n" * 360 + "---\n"

    in_pieces = MarkdownRenderer(width=60)
    rows: list[str] = []
    for start in range(0, len(text), 500):
        in_pieces.feed(text[start : start + 500])
        rows += in_pieces.advance(briefly=True)

    assert rows + in_pieces.close() == whole(text)


@pytest.mark.parametrize("name", HUGE)
def test_what_there_was_no_time_for_is_shown_as_it_is_written(name: str) -> None:
    """In a hurry; and what comes after it is markdown again."""
    renderer = MarkdownRenderer(width=60, color=False)
    renderer.feed(huge(name))
    rows = renderer.advance(briefly=True)
    left = [renderer.behind]

    rows += renderer.hurry()
    left.append(renderer.behind)
    assert left == [True, False]
    assert renderer.live() == []
    renderer.feed("\n\n- The end.")
    rows += renderer.close()

    assert rows[-1] == "• The end."
    for kind in "abcdeo日产":
        assert sum(row.count(kind) for row in rows[:-1]) >= huge(name).count(kind)
