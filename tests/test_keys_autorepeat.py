"""A key that is held is pressed once, however often it comes; one that is pressed twice is pressed twice."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmterm.keys import Key
from llmterm.keys.autorepeat import LET_GO_SECONDS, Autorepeat, Press
from llmterm.keys.scripted import ScriptedKeys
from tests.clock import instant, now

SPACE = Key.typing(" ")
delays = st.floats(0.2, 0.99)
intervals = st.lists(st.floats(0.02, 0.06), min_size=2, max_size=300)


def meant(times: Iterable[float]) -> list[float]:
    """Return when a key was pressed that came at these times, as a reader sees it who can look ahead."""
    moments = list(times)
    autorepeat = Autorepeat(iter(moments).__next__)
    found: list[float] = []
    for moment, following in pairwise([*moments, float("inf")]):
        press = autorepeat.press("space")
        if press is Press.NEW or (press is Press.DOUBTFUL and following - moment >= LET_GO_SECONDS):
            found.append(moment)
    return found


@given(delays, intervals)
def test_held_key_is_one_press(delay: float, repetitions: list[float]) -> None:
    assert meant(accumulate((0.0, delay, *repetitions))) == [0.0]


@given(st.lists(st.floats(0.16, 3.0), max_size=20))
def test_every_deliberate_press_counts(gaps: list[float]) -> None:
    """Also quick ones, and those right after a pause."""
    moments = list(accumulate((0.0, *gaps)))

    assert meant(moments) == moments


def test_press_after_a_held_key_was_let_go_counts() -> None:
    held = list(accumulate([0.0, 0.5, *[0.03] * 300]))

    assert meant([*held, held[-1] + 0.3]) == [0.0, held[-1] + 0.3]


def test_keys_are_told_apart() -> None:
    autorepeat = Autorepeat(lambda: 0.0)

    assert [autorepeat.press(name) for name in ("space", "enter", "space", "enter")] == [
        Press.NEW,
        Press.NEW,
        Press.DOUBTFUL,
        Press.DOUBTFUL,
    ]


def test_press_that_counted_makes_no_repetition_of_the_next() -> None:
    """Lines that are sent faster than a key repeats itself: each of them counts."""
    autorepeat = Autorepeat(iter((0.0, 0.1, 0.2, 0.23)).__next__)
    for _ in range(2):
        autorepeat.count("enter")

    assert [autorepeat.press("enter") for _ in range(2)] == [Press.DOUBTFUL, Press.REPEATED]


@pytest.mark.parametrize(
    ("behind", "pressed", "following"),
    [([], True, None), (["escape"], True, Key("escape")), (["space"], False, None), (["space", "x"], False, Key("x"))],
)
@instant
async def test_reader_waits_until_the_key_is_let_go(behind: list[str], pressed: bool, following: Key | None) -> None:
    """Another key says at once that it was; that one is given back, for it is read."""
    autorepeat, keys = Autorepeat(asyncio.get_running_loop().time), ScriptedKeys()
    assert await autorepeat.pressed(SPACE, keys.get) == (True, None)
    keys.press(*behind)

    assert await autorepeat.pressed(SPACE, keys.get) == (pressed, following)
    assert now() == pytest.approx(0 if following else LET_GO_SECONDS)
