"""What is one character to a reader is one to every editor of a line: the prompt, vi's keys, and typing ahead."""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wcwidth import iter_graphemes

from llmterm.chat import graphemes
from llmterm.chat.ahead import Ahead
from llmterm.chat.decision import Send
from llmterm.keys import Key
from tests.clock import instant
from tests.test_chat_leaving import prompting

FAMILY, TONE, FLAG = "👨\u200d👩\u200d👧", "👍🏽", "🇩🇪"
CHARACTERS = (
    "a",
    "é",
    "e\u0301",
    "字",
    FAMILY,
    TONE,
    FLAG,
    "1\ufe0f\u20e3",
    "❤\ufe0f",
    "각",
    "\u1112\u1161\u11ab",
    "क्षि",
)
PARTS = sorted({char for character in CHARACTERS for char in character})
# What the keys are called where a line is typed ahead, and what a terminal sends for them.
KEYS = {"left": "\x1b[D", "right": "\x1b[C", "backspace": "\x7f", "delete": "\x1b[3~"}
texts = st.lists(st.sampled_from([*CHARACTERS, *PARTS]), max_size=12).map("".join)


def edges(text: str) -> list[int]:
    return [0, *accumulate(map(len, iter_graphemes(text)))]


@pytest.mark.parametrize("character", CHARACTERS)
def test_character_of_several_code_points_is_one(character: str) -> None:
    assert edges(f"x{character}x") == [0, 1, 1 + len(character), 2 + len(character)]


@given(texts, st.data())
def test_neighbours_of_a_character_are_its_edges(text: str, data: st.DataObject) -> None:
    """From any edge, and from the middle of a character."""
    position = data.draw(st.integers(0, len(text)))
    low = max(edge for edge in edges(text) if edge <= position)
    high = min(edge for edge in edges(text) if edge >= position)

    assert graphemes.before(text, high) == max([edge for edge in edges(text) if edge < high], default=0)
    assert graphemes.after(text, low) == min([edge for edge in edges(text) if edge > low], default=len(text))
    assert graphemes.whole(text, position, forward=False) == low
    assert graphemes.whole(text, position, forward=True) == high


def typed_ahead(text: str, keys: list[str]) -> str:
    ahead = Ahead()
    for key in (Key("paste", text), *map(Key, keys), Key("paste", "|")):
        ahead.press(key)
    return ahead.text


@given(texts, st.lists(st.sampled_from(list(KEYS)), max_size=12))
def test_line_typed_ahead_is_edited_by_characters(text: str, keys: list[str]) -> None:
    before, behind = list(iter_graphemes(text)), list[str]()
    for key in keys:
        match key:
            case "left" if before:
                behind.insert(0, before.pop())
            case "right" if behind:
                before.append(behind.pop(0))
            case "backspace" if before:
                before.pop()
            case "delete" if behind:
                behind.pop(0)
        # What has come together may have become one.
        before, behind = list(iter_graphemes("".join(before))), list(iter_graphemes("".join(behind)))

    # Where the two sides have become one character the cursor was in the middle of it.
    if len("".join(before)) in edges("".join([*before, *behind])):
        assert typed_ahead(text, keys) == f"{''.join(before)}|{''.join(behind)}"


@instant
async def test_prompt_edits_by_characters_too(tmp_path: Path) -> None:
    moves = [["backspace"], ["left", "left", "backspace"], ["left", "delete"], ["left", "right", "left", "backspace"]]
    with prompting(tmp_path) as (prompt, source):
        for character in CHARACTERS:
            text = f"a{character}{character}b{character}"
            for keys in moves:
                source.send_text(f"\x1b[200~{text}\x1b[201~{''.join(map(KEYS.__getitem__, keys))}|\r")

                assert await prompt.ask("", {}) == Send(typed_ahead(text, keys)), (text, keys)


@pytest.mark.parametrize(
    ("keys", "left"),
    [
        ("x", "a{0}"),
        ("hx", "a{0}"),
        ("hhx", "{0}{0}"),
        ("0lx", "a{0}"),
        ("0llX", "a{0}"),
        ("02lx", "a{0}"),
        ("0ldl", "a{0}"),
        ("dh", "a{0}"),
    ],
)
@instant
async def test_vi_edits_by_characters_too(tmp_path: Path, keys: str, left: str) -> None:
    with prompting(tmp_path, vi=True) as (prompt, source):
        for character in CHARACTERS:
            source.send_text(f"\x1b[200~a{character}{character}\x1b[201~\x1b{keys}\r")

            assert await prompt.ask("", {}) == Send(left.format(character)), (character, keys)
