"""Notifications: only to somebody who looks elsewhere, only after long answers, and words never act on the terminal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmterm.chat.notifier import Notification, Notifier, sequence


@dataclass
class Terminal:
    focused: bool | None


KINDS: tuple[Notification, ...] = get_args(Notification)


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        ("off", ""),
        ("bell", "\a"),
        ("osc9", "\x1b]9;openai/m has answered\a"),
        ("osc777", "\x1b]777;notify;llmterm;openai/m has answered\a"),
    ],
)
def test_sequence_of_each_kind(kind: Notification, written: str) -> None:
    """What terminals know."""
    assert sequence(kind, "openai/m has answered") == written


@given(st.sampled_from(["osc9", "osc777"]), st.text() | st.text("\x1b\a\\]9;\x9c\x07\n\t a"))
def test_words_stay_inside_the_sequence(kind: Notification, words: str) -> None:
    """Whatever a model is called: no control character, no further field, one end."""
    beginning = {"osc9": "\x1b]9;", "osc777": "\x1b]777;notify;llmterm;"}[kind]

    written = sequence(kind, words)

    inside = written.removeprefix(beginning).removesuffix("\a")
    assert written == f"{beginning}{inside}\a"
    assert ";" not in inside
    assert not any(character < " " or "\x7f" <= character <= "\x9f" for character in inside)


@given(st.sampled_from(KINDS), st.floats(0, 100), st.sampled_from([True, False, None]))
def test_only_who_looks_elsewhere_is_told(kind: Notification, seconds: float, focused: bool | None) -> None:
    """After long answers; a terminal that does not say whether it has the focus is left alone."""
    written: list[str] = []
    notifier = Notifier(kind=kind, after=10.0, terminal=Terminal(focused), write=written.append)

    notifier.ended("m has answered", seconds)

    expected = kind != "off" and seconds >= 10.0 and focused is False
    assert written == ([sequence(kind, "m has answered")] if expected else [])
