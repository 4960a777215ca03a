"""The menu that opens below the line by itself: what keys mean while it is open, and when it is."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmterm.chat.decision import Gesture, Phase, Send
from llmterm.chat.fuzzy import ranked
from llmterm.chat.menu import shared
from llmterm.chat.suggestion import Found, Later, Suggestion
from tests.clock import instant
from tests.parts import Composing, composing


def rows(composer: Composing) -> list[tuple[str, bool]]:
    return [(item.text, item.chosen) for item in composer.menu(9)]


async def test_opens_by_itself_and_follows_what_is_typed(tmp_path: Path) -> None:
    """Also what is taken away again; with nothing in the line there is none."""
    async with composing(tmp_path) as (composer, source):
        composer.begin(Phase.ASKING)
        source.send_text("/th")
        await composer.seen(lambda: rows(composer) == [("/theme", True), ("/thinking", False)])
        source.send_text("i")
        await composer.seen(lambda: rows(composer) == [("/thinking", True)])
        source.send_text("\x7f")
        await composer.seen(lambda: len(rows(composer)) == 2)
        source.send_text("\x15")
        await composer.seen(lambda: not rows(composer))


@instant
@pytest.mark.parametrize("vi", [False, True])
async def test_enter_takes_what_is_marked(tmp_path: Path, vi: bool) -> None:
    """In one write, too; what is typed already is sent as it always was, unless another was moved to."""
    async with composing(tmp_path, vi=vi) as (composer, source):
        for keys, sent in {
            "/th\r": "/theme",
            "/thi\r": "/thinking",
            "/theme\r": "/theme",
            "/th\x1b[B\r": "/thinking",
            "/th\x1b[A\r": "/thinking",
            "/theme\x1b[B\x1b[B\r": "/theme",
            "/thx\r": "/thx",
            "/theme x\r": "/theme x",
        }.items():
            composer.begin(Phase.ASKING)
            source.send_text(keys)

            assert await composer.decision() == Send(sent), keys
            assert not rows(composer)


async def test_escape_closes_it_and_does_nothing_else(tmp_path: Path) -> None:
    """Until something else is typed; the next one stops the answer, as ever."""
    async with composing(tmp_path) as (composer, source):
        composer.begin(Phase.BUSY)
        source.send_text("/th")
        await composer.seen(lambda: len(rows(composer)) == 2)
        source.send_text("\x1b")
        await composer.seen(lambda: not rows(composer))
        assert not composer.decided
        source.send_text("e")
        await composer.seen(lambda: len(rows(composer)) == 1)
        source.send_text("\x1b")
        await composer.seen(lambda: not rows(composer))
        source.send_text("\x1b")

        assert await composer.decision() is Gesture.STOP
        assert composer.text == "/the"


async def test_tab_completes_and_opens_it_again(tmp_path: Path) -> None:
    async with composing(tmp_path) as (composer, source):
        composer.begin(Phase.ASKING)
        source.send_text("/t\t")
        await composer.seen(lambda: composer.text == "/th")
        source.send_text("\x1b")
        await composer.seen(lambda: not rows(composer))
        source.send_text("\t")
        await composer.seen(lambda: composer.text == "/theme")


async def test_what_was_found_is_picked_from_until_the_line_is_another_one(tmp_path: Path) -> None:
    """By a few letters, also of what stands beside; Enter sends the line with it."""
    async with composing(tmp_path) as (composer, source):
        for keys, found, text in (("\r", "cab", "/theme cab"), ("bi\r", "b12", "/theme b12")):
            composer.pick("/theme ", [("cab", "all cabs"), ("b12", "a bird")])
            composer.begin(Phase.ASKING)
            assert rows(composer) == [("cab", True), ("b12", False)]
            source.send_text(keys[:-1])
            await composer.seen(lambda: rows(composer)[0] == (found, True))  # noqa: B023 - waited for at once
            source.send_text("\r")
            assert await composer.decision() == Send(text)
        composer.begin(Phase.ASKING)
        source.send_text("/theme")
        await composer.seen(lambda: rows(composer) == [("/theme", True)])


async def test_message_that_is_called_back_opens_none(tmp_path: Path) -> None:
    """The arrows go on through the history."""
    async with composing(tmp_path) as (composer, source):
        for text in ("/theme", "/thinking"):
            composer.begin(Phase.ASKING)
            source.send_text(f"{text}\r")
            await composer.decision()
        composer.begin(Phase.ASKING)
        source.send_text("\x1b[A\x1b[A")
        await composer.seen(lambda: composer.text == "/theme")

        assert not rows(composer)


async def test_what_is_found_too_late_is_never_taken(tmp_path: Path) -> None:
    """Neither is what was found for another text; a bug in finding ends the line."""
    gate, wanted = asyncio.Event(), list[str]()

    def find(text: str) -> Later:
        async def later() -> Found:
            wanted.append(text)
            if "!" in text:
                raise ZeroDivisionError
            await gate.wait()
            return Found([Suggestion(f"{text}-found", len(text))], offered=True)

        return later

    async def type_in() -> None:
        async with composing(tmp_path, find=find) as (composer, source):
            composer.begin(Phase.ASKING)
            source.send_text("a")
            await composer.seen(lambda: wanted == ["a"])
            source.send_text("b\r")
            assert await composer.decision() == Send("ab")
            gate.set()
            composer.begin(Phase.ASKING)
            source.send_text("c")
            await composer.seen(lambda: rows(composer) == [("c-found", True)])
            source.send_text("\r")
            await composer.seen(lambda: composer.text == "c-found")
            source.send_text("!")
            await composer.decision()

    with pytest.raises(ZeroDivisionError):
        await type_in()


@given(st.text("ab-/", max_size=4), st.lists(st.text("abc-/", max_size=6)))
def test_all_that_is_meant_has_the_letters_in_order(typed: str, names: list[str]) -> None:
    """And all that has them is meant; equals stay in their order, and a name that begins so is before others."""
    found = ranked(typed, names, str)

    def has(name: str) -> bool:
        letters = iter(name)
        return all(letter in letters for letter in typed)

    assert sorted(found) == sorted(name for name in names if has(name))
    begins = [name.startswith(typed) for name in found]
    assert begins == sorted(begins, reverse=True)
    assert [name for name in found if name == typed] == found[: names.count(typed)]


@given(st.text("ab", max_size=3), st.lists(st.text("ab", max_size=5)))
def test_what_they_share_is_the_longest_that_all_begin_with(typed: str, names: list[str]) -> None:
    begin = [name for name in names if name.startswith(typed)]
    found = shared([Suggestion(name, 0) for name in names], typed)

    if found:
        assert len(found) > len(typed)
        assert all(name.startswith(found) for name in begin)
    assert not any(
        all(name.startswith(begin[0][:size]) for name in begin)
        for size in range(max(len(found), len(typed)) + 1, len(begin[0]) + 1 if begin else 0)
    )
