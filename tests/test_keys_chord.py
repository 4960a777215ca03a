"""Chords: what is accepted in a setting, and what presses and releases add up to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmterm.errors import UsageError
from llmterm.keys import Key
from llmterm.keys.chord import DEFAULT_CHORD, Chord, Hand

_NAMES = ("ctrl", "alt", "shift", "cmd", "space", "p")


@pytest.mark.parametrize(
    ("text", "modifiers", "key"),
    [
        (DEFAULT_CHORD, {"ctrl", "alt"}, "space"),
        ("<Ctrl>+<SHIFT>+P", {"ctrl", "shift"}, "p"),
        ("<cmd>++", {"cmd"}, "+"),
        ("<f9>", set(), "f9"),
        ("<shift>+<f12>", {"shift"}, "f12"),
    ],
)
def test_a_chord_is_modifiers_and_one_key(text: str, modifiers: set[str], key: str) -> None:
    """The notation is read as it is meant, in any case of letters."""
    assert Chord.parse(text) == Chord(modifiers=frozenset(modifiers), key=key)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "joined by +"),
        ("ctrl+space", "joined by +"),
        ("<ctrl>+", "joined by +"),
        ("<ctrl> + p", "joined by +"),
        ("<ctrl>+<banana>", "there is no key <banana>"),
        ("<f13>", "there is no key <f13>"),
        ("<ctrl>+<alt>", "exactly one key"),
        ("<ctrl>+a+b", "exactly one key"),
        ("<space>", "whenever somebody types"),
        ("<shift>+a", "whenever somebody types"),
    ],
)
def test_a_setting_that_is_no_chord_is_refused_with_the_reason(text: str, why: str) -> None:
    """The user learns what is wrong and what a chord looks like."""
    with pytest.raises(UsageError) as caught:
        Chord.parse(text)

    assert why in caught.value.message
    assert DEFAULT_CHORD in caught.value.hint


@given(text=st.text(alphabet="<>+ ctrlafspe19\n\x00é", max_size=20) | st.text(max_size=5))
def test_any_text_is_a_chord_or_a_usage_error(text: str) -> None:
    """Bad settings never show a traceback, and a chord that is accepted cannot be ordinary typing."""
    try:
        chord = Chord.parse(text)
    except UsageError:
        return

    assert not chord.types
    assert len(chord.names) == len(chord.modifiers) + 1


def test_the_chord_is_heard_once_while_it_is_held() -> None:
    """A key that repeats itself is one press; let go and pressed again, it is another."""
    hand = Hand(Chord.parse("<ctrl>+<alt>+<space>"))
    for name in ("ctrl", "alt"):
        hand.press(name)

    held = [hand.press("space") for _ in range(5)]
    hand.release("space")
    again = hand.press("space")

    assert held == [Key("chord"), None, None, None, None]
    assert again == Key("chord")


def test_a_chord_with_one_modifier_more_is_another_chord() -> None:
    """What other programs use Ctrl-Alt-Shift-Space for is not ours."""
    hand = Hand(Chord.parse("<ctrl>+<alt>+<space>"))

    heard = [hand.press(name) for name in ("ctrl", "shift", "alt", "space")]

    assert heard == [None, None, None, None]


def test_a_modifier_after_the_key_makes_no_chord() -> None:
    """The key comes last, as everywhere."""
    hand = Hand(Chord.parse("<ctrl>+p"))

    assert [hand.press(name) for name in ("p", "ctrl")] == [None, None]


@given(steps=st.lists(st.tuples(st.booleans(), st.sampled_from(_NAMES)), max_size=40))
def test_only_a_fresh_press_with_exactly_the_right_keys_down_means_anything(steps: list[tuple[bool, str]]) -> None:
    """Over any order of presses, repeats and releases: the chord, a plain SPACE, or nothing."""
    chord = Chord.parse("<ctrl>+p")
    hand = Hand(chord)
    down: list[str] = []

    for pressed, name in steps:
        if not pressed:
            hand.release(name)
            down = [each for each in down if each != name]
            continue
        fresh = name not in down
        down += [name] if fresh else []
        key = hand.press(name)

        if fresh and name == "p" and sorted(down) == ["ctrl", "p"]:
            assert key == Key("chord")
        elif fresh and down == ["space"]:
            assert key == Key("space", " ")
        else:
            assert key is None
