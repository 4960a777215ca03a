"""The renderer for terminals without cursor movement."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from llmterm.render.plain import PlainRenderer
from llmterm.render.sanitize import clean


def test_text_comes_out_as_it_comes_in() -> None:
    """Pieces are given once, in order, with their markdown untouched."""
    renderer = PlainRenderer()

    renderer.feed("**Hel")
    first = renderer.advance()
    renderer.feed("lo**\n")
    second = renderer.advance()

    assert (first, second, renderer.advance()) == (["**Hel"], ["lo**\n"], [])


def test_escape_sequences_do_not_come_out() -> None:
    """What a model writes cannot act on the terminal, in text or in thinking."""
    renderer = PlainRenderer()

    renderer.think("\x1b[2J")
    renderer.feed("\x1b]0;x\x07")

    assert "\x1b" not in "".join(renderer.close())


def test_thinking_and_text_are_set_apart() -> None:
    """A blank line stands between what a model thinks and what it says, however the first ends."""
    written = []
    for ending in ("", "\n", "\n\n"):
        renderer = PlainRenderer()
        renderer.think("Hmm." + ending)
        renderer.advance()
        renderer.feed("Yes.")
        written.append("Hmm." + ending + "".join(renderer.close()))

    assert written == ["Hmm.\n\nYes."] * 3


@given(st.lists(st.text()))
def test_nothing_is_lost_or_added(chunks: list[str]) -> None:
    """All pieces together are the sanitised text."""
    renderer = PlainRenderer()

    pieces: list[str] = []
    for chunk in chunks:
        renderer.feed(chunk)
        pieces += renderer.advance()

    assert "".join(pieces + renderer.close()) == clean("".join(chunks))
