"""What is one character to a reader is one to every editor of a line: its keys, and vi's."""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wcwidth import iter_graphemes

from llmterm.chat import graphemes
from llmterm.chat.decision import Phase, Send
from tests.clock import instant
from tests.parts import composing

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
# What a terminal sends for the keys.
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


def edited(text: str, keys: list[str]) -> str:
    """What the keys make of a text, with a bar where the cursor is then."""
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
    return f"{''.join(before)}|{''.join(behind)}"


@instant
async def test_line_is_edited_by_characters(tmp_path: Path) -> None:
    moves = [["backspace"], ["left", "left", "backspace"], ["left", "delete"], ["left", "right", "left", "backspace"]]
    async with composing(tmp_path) as (composer, source):
        for character in CHARACTERS:
            text = f"a{character}{character}b{character}"
            for keys in moves:
                source.send_text(f"\x1b[200~{text}\x1b[201~{''.join(map(KEYS.__getitem__, keys))}|\r")

                assert await composer.decision() == Send(edited(text, keys)), (text, keys)


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
    async with composing(tmp_path, vi=True) as (composer, source):
        for character in CHARACTERS:
            composer.begin(Phase.ASKING)
            source.send_text(f"\x1b[200~a{character}{character}\x1b[201~\x1b{keys}\r")

            assert await composer.decision() == Send(left.format(character)), (character, keys)
