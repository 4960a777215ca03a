"""Several texts of which each is called the whole answer."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from llmterm.providers.wholes import Wholes

TEXTS = st.lists(st.text("ab ", min_size=1, max_size=3), min_size=1, max_size=8)


def said(*texts: str) -> str:
    wholes = Wholes()
    return "".join(map(wholes.unsaid, texts))


@given(TEXTS)
def test_pieces_are_all_said(pieces: list[str]) -> None:
    """Also those that are alike; unless the second could be the first one grown."""
    first, *others = pieces
    assume(not others or others[0] == first or not others[0].startswith(first))

    assert said(*pieces) == "".join(pieces)


@given(TEXTS)
def test_text_that_grows_is_said_once(pieces: list[str]) -> None:
    """Also where its end is all of it again, once it has grown."""
    texts = ["".join(pieces[:number]) for number in range(1, len(pieces) + 1)]

    assert said(*texts) == texts[-1]
    if len(texts) > 1:
        assert said(*texts, texts[-1], texts[-1]) == texts[-1]
