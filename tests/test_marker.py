"""The marker: found whatever the chunking, never shown, and text within code."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmterm.errors import UsageError
from llmterm.marker import MarkerScanner, check_marker, marker_for, marker_note

MARKER = "!!CANCEL"

# Text that is likely to hold the marker, parts of it, and everything that code is made of.
texts = st.lists(
    st.sampled_from(
        [
            "!",
            "!!",
            "!!C",
            "ANCEL",
            MARKER,
            "`",
            "``",
            "```",
            "~~~",
            "\n",
            "\n\n",
            " ",
            "a",
            "- ",
            "> ",
            "```py\n",
            "\n```\n",
        ]
    )
).map("".join)


def recalling(before: str) -> MarkerScanner:
    scanner = MarkerScanner(MARKER)
    scanner.recall(before)
    return scanner


def scan(chunks: list[str], before: str = "") -> tuple[str, bool]:
    scanner = recalling(before)
    shown = "".join([*map(scanner.feed, chunks), scanner.close()])
    return shown, scanner.found


def chunked(text: str, cuts: list[int]) -> list[str]:
    points = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    return [text[start:end] for start, end in pairwise(points)]


@given(texts, st.lists(st.integers(0, 200), max_size=10))
def test_chunking_makes_no_difference(text: str, cuts: list[int]) -> None:
    """However the text is cut, the same is shown and the same is found."""
    assert scan(chunked(text, cuts)) == scan([text]) == scan(list(text))


@given(texts, st.lists(st.integers(0, 200), max_size=10), texts)
def test_what_was_said_before_may_be_read_in_pieces(before: str, cuts: list[int], text: str) -> None:
    """However it is cut, what follows is judged alike; a marker in it, as a user may write one, is text."""
    scanner = MarkerScanner(MARKER)
    for piece in chunked(before, cuts):
        scanner.recall(piece)
    shown = scanner.feed(text) + scanner.close()

    assert (shown, scanner.found) == scan([text], before)


@given(texts, st.lists(st.integers(0, 200), max_size=10))
def test_text_without_an_end_by_marker_comes_out_whole(text: str, cuts: list[int]) -> None:
    """Nothing but the marker and what follows it is ever dropped."""
    shown, found = scan(chunked(text, cuts))

    assert text.startswith(shown + MARKER) if found else shown == text


@given(texts, st.lists(st.integers(0, 200), max_size=10))
def test_no_more_is_withheld_than_a_marker_may_begin_with(text: str, cuts: list[int]) -> None:
    """At every moment all but the last seven characters have been given out."""
    scanner = MarkerScanner(MARKER)
    given_out = received = 0
    for chunk in chunked(text, cuts):
        given_out += len(scanner.feed(chunk))
        received += len(chunk)

        assert scanner.found or received - given_out < len(MARKER)


@given(texts, st.integers(0, 200))
def test_a_pause_in_the_middle_makes_no_difference(text: str, cut: int) -> None:
    """A scanner that starts after a part of the answer finds what one that saw it all would have found."""
    part, rest = text[: cut % (len(text) + 1)], text[cut % (len(text) + 1) :]
    whole, found = scan([text])
    shown_before, found_before = scan([part])
    if found_before:
        return

    scanner = recalling(part)
    shown = scanner.feed(rest) + scanner.close()

    assert scanner.found is found
    assert (shown_before + shown)[: len(shown_before + shown) - scanner.retract] == whole


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("wait !!CANCEL and more", "wait "),
        ("!!CANCEL", ""),
        ("!!!CANCEL", "!"),
        ("```\n!!CANCEL\n```\nthen !!CANCEL", "```\n!!CANCEL\n```\nthen "),
        ("~~~\n```\n!!CANCEL\n~~~\n!!CANCEL", "~~~\n```\n!!CANCEL\n~~~\n"),
        ("````\n```\n!!CANCEL\n````\n!!CANCEL", "````\n```\n!!CANCEL\n````\n"),
        ("- ```\n  !!CANCEL\n  ```\n!!CANCEL", "- ```\n  !!CANCEL\n  ```\n"),
        ("say `!!CANCEL` to stop. !!CANCEL", "say `!!CANCEL` to stop. "),
        ("```!!CANCEL``` is code, !!CANCEL", "```!!CANCEL``` is code, "),
        ("an open ` tick\n\n!!CANCEL", "an open ` tick\n\n"),
    ],
)
def test_marker_outside_code_ends_the_text(text: str, shown: str) -> None:
    """The marker is swallowed with what follows; in fences and code spans it is text."""
    assert scan([text]) == (shown, True)


@pytest.mark.parametrize("text", ["`!!CANCEL`", "```\n!!CANCEL", "!!cancel", "!! CANCEL", "!!CANCE"])
def test_code_and_near_misses_are_text(text: str) -> None:
    """Nothing is taken for the marker that is not exactly it, outside code."""
    assert scan([text]) == (text, False)


def test_marker_across_a_pause_is_taken_back() -> None:
    """What was shown of a marker before a pause is named, so that the record can be mended."""
    scanner = recalling("so !!CAN")

    shown = scanner.feed("CEL and so on")

    assert (shown, scanner.found, scanner.retract) == ("", True, len("!!CAN"))


@pytest.mark.parametrize("marker", ["", "!!", "a b", "a`b", "~~~", "x\ny"])
def test_useless_markers_are_refused(marker: str) -> None:
    """A marker that ordinary text or code is full of is a usage error that says what is wanted."""
    with pytest.raises(UsageError, match="three or more characters"):
        check_marker(marker)


def test_note_names_the_marker() -> None:
    """The model is told the very text that is looked for."""
    assert MARKER in marker_note(MARKER)
    assert marker_for(MARKER, "what is it?") == (MARKER, marker_note(MARKER))


def test_question_that_mentions_the_marker_switches_it_off() -> None:
    """The answer may quote it. What the system prompt says does not change: it is the beginning of every request."""
    assert marker_for(MARKER, f"what is {MARKER}?") == (None, marker_note(MARKER))
    assert marker_for(None, "what is it?") == (None, "")
