"""The line of a plain chat: what is typed is echoed, and nothing is drawn over."""

from __future__ import annotations

import pyte
from hypothesis import given
from hypothesis import strategies as st

from llmterm.chat.foot import Foot
from llmterm.chat.plainview import PlainView


class FakeFoot(Foot):
    """A line below an answer at rest."""

    open = resting = True
    status = "paused"
    text = warning = ""

    def __init__(self) -> None:
        pass


@given(st.lists(st.text("ab 世\n", max_size=5), min_size=1, max_size=8))
def test_line_is_echoed_as_it_stands(texts: list[str]) -> None:
    """Whatever becomes of it, also nothing: an answer at rest is looked at again every half a second."""
    foot, screen = FakeFoot(), pyte.Screen(60, 80)
    stream = pyte.Stream(screen)
    view = PlainView(write=stream.feed, foot=foot)

    for text in (twice for each in texts for twice in (each, each)):
        foot.text = text
        view.refresh()

    shown = [row.rstrip() for row in screen.display[: screen.cursor.y + 1]]
    lines = f"> {texts[-1]}".replace("\n", "\n  ").split("\n")
    assert shown[-len(lines) :] == [line.rstrip() for line in lines]
    assert shown.count("paused") == 1
