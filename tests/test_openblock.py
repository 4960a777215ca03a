"""What is open at the end of a text."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmterm.openblock import End, Fences, ending, open_block


@pytest.mark.parametrize(
    ("text", "block"),
    [
        ("", ""),
        ("Plain text, in the middle of", ""),
        ("```python\nprint(1)\n", "a code block in python"),
        ("```\nx", "a code block"),
        ("~~~ js\nx\n```\n", "a code block in js"),
        ("````\n```\n", "a code block"),
        ("```python\nx\n```\n", ""),
        ("```python\nx\n```\nand then", ""),
        ("`` ```not a fence``` ``", ""),
        ("```inline``` is", ""),
        ("- item\n  ```sh\n  ls", "a code block in sh"),
        ("> ```\n> x", "a code block"),
        ("| a | b |\n|---|---|\n| 1 |", "a table"),
        ("| a | b |\n|---|---|\n| 1 | 2 |\n\n", ""),
        ("1. one\n2. two", "a list"),
        ("- one\n  goes on", "a list"),
        ("- one\n\n", "a list"),
        ("- one\n\nA paragraph", ""),
    ],
)
def test_block_at_the_end(text: str, block: str) -> None:
    """Fences by their length and kind, tables and lists until a blank line."""
    assert open_block(text, End.of(text)) == block


@given(st.text("`~\n a-|1."))
def test_any_text_has_an_end(text: str) -> None:
    """A fence that is open stays open when anything but a fence follows."""
    fence = End.of(text).fence

    assert End.of(text + "\nword\n").fence == fence or (fence is None and text.rpartition("\n")[2].strip(" >"))


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ("", ""),
        ("One.\n\nTwo, and", "Two, and"),
        ("One.\n\n", "One.\n\n"),
        ("One.\n```py\n" + "x\n" * 9 + "y", "```py\nx\nx\nx\nx\ny"),
        ("```py\nx\n```\nand", "and"),
        ("- one\n\n  ```sh\n  ls", "- one\n\n  ```sh\n  ls"),
        ("| a |\n|---|\n" + "| 1 |\n" * 9 + "| 2", "| a |\n|---|\n| 1 |\n| 1 |\n| 1 |\n| 2"),
        ("- one\n" * 9 + "- two", "- one\n- one\n- one\n- one\n- one\n- two"),
        ("- one\n" + "  - two\n" * 9 + "  - three", "- one\n" + "  - two\n" * 9 + "  - three"),
        ("word " * 100 + "end", "… " + "word " * 79 + "end"),
        ("字" * 500, "… " + "字" * 400),
    ],
)
def test_ending_is_what_can_be_gone_on_with(text: str, last: str) -> None:
    """A few lines or words of the last block, and what makes it a block of its kind."""
    assert ending(text) == last


@given(st.text("`~\n a|1."))
def test_ending_leaves_open_what_the_text_does(text: str) -> None:
    assert (End.of(ending(text)).fence is None) == (End.of(text).fence is None)


@given(st.text("`~\n a-|1."), st.lists(st.integers(0, 200), max_size=10))
def test_an_end_is_the_same_however_the_text_is_cut(text: str, cuts: list[int]) -> None:
    points = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    fences = Fences()
    for start, end in pairwise(points):
        fences.feed(text[start:end])

    assert fences.end == End.of(text)
    assert fences.end.above == End.of(text[: text.rfind("\n") + 1]).fence
