"""A window that changes its size while the chat waits, in a terminal that lays its lines out anew."""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.chatting import until_hung_up
from tests.terminal import LLMTERM, READY, environment
from tests.tmux import Tmux
from tests.wire import Exchange, Gate, Script, WireServer

SIZES = [(60, 30), (120, 30), (60, 20), (100, 24), (25, 40), (120, 30)]
WORDS = [f"word{number}" for number in range(40)]


@contextmanager
def asked(script: Script) -> Iterator[Tmux]:
    """A chat of 120 columns in which a question was asked."""
    with tempfile.TemporaryDirectory() as name, WireServer(script) as server:
        env = environment(Path(name), OPENAI_BASE_URL=server.base_url, OPENAI_API_KEY="sk-test")
        command = [*LLMTERM, "chat", "--provider", "openai", "--model", "test", "--no-marker"]
        with Tmux(Path(name), command, env, columns=120, rows=30) as window:
            window.wait_for(READY)
            window.send("go")
            window.press("Enter")
            yield window


@contextmanager
def paused() -> Iterator[Tmux]:
    """A chat that is paused in an open paragraph of three rows."""
    with asked(until_hung_up("First.\n\n", " ".join(WORDS), then=" and the end.")) as window:
        window.wait_for(WORDS[-1])
        window.send(" ")
        window.wait_for(r"\n>\n+paused after .* Esc stop")
        yield window


def shown_once(window: Tmux) -> None:
    """Nothing of the answer is lost, and nothing of it or of the pause line stands anywhere twice."""
    words = window.text.split()
    assert [word for word in words if word.startswith("word")] == WORDS
    assert words.count("First.") == 1


@pytest.mark.parametrize("sizes", [SIZES, SIZES[:1], SIZES[:3]], ids=["many", "narrower", "lower"])
def test_pause_stands_once_whatever_the_size(sizes: list[tuple[int, int]]) -> None:
    """The pause line and what is typed below it are laid out anew; what stands above stays as it is."""
    with paused() as window:
        window.send("guide it with this text")
        window.wait_for("this text")  # a frame that tmux reads only after it has another size lands elsewhere
        for columns, rows in sizes:
            window.resize(columns, rows)
        window.send(" please")
        window.wait_for("text please")

        shown_once(window)
        assert window.text.split().count("paused") == 1
        assert window.text.count("guide it") == 1


def test_window_that_is_dragged_while_an_answer_streams_loses_nothing() -> None:
    """Changes of size that come faster than the program is told of them leave each word where it belongs, once."""
    dice, gate = random.Random(7), Gate()

    async def script(exchange: Exchange) -> None:
        await exchange.start()
        await exchange.text("First.")
        await gate.wait()
        await exchange.text("\n\n")
        for first in range(0, 400, 20):
            for number in range(first, first + 20):
                await exchange.text(f"word{number} ")
                await asyncio.sleep(0.003)
            await exchange.text("\n\n")
        await exchange.text("The end.")
        await exchange.end()

    with asked(script) as window:
        window.wait_for(r"First\.")
        window.resize(110, 30)  # while nothing is drawn: a frame that tmux reads only after it lands elsewhere
        gate.open()
        columns = 110
        for _ in range(60):
            columns = min(160, max(20, columns + dice.randint(-20, 20)))
            window.resize(columns, dice.choice([30, 25, 20]))
        window.resize(100, 30)
        window.wait_for(r"The end\.\n\n>")
        window.wait_for(lambda: "tokens/s" not in window.text)  # the answer may be all there, and not yet over

        words = [word for word in window.text.split() if word.startswith("word")]
        assert words == [f"word{number}" for number in range(400)]
        assert window.text.count("SPACE pause ") == window.text.count("tokens/s") == 0


def test_line_of_code_that_the_window_is_too_narrow_for_is_selected_as_one() -> None:
    """The terminal wraps it; what stands above and below is there once."""
    code = "call(" + ", ".join(f"argument{number}" for number in range(30)) + ")"
    with asked(
        until_hung_up("First.\n\n```py\n", code[:150], code[150:], "\nx = 1\n", f"{code}\n```\n", "last")
    ) as window:
        window.wait_for("last")
        window.send(" ")
        window.wait_for("last\n+> ?\n+paused after")

        lines = window.text.split("\n")
        assert lines.count(code) == 2
        assert window.text.count("argument29") == 2
        assert [lines.count(each) for each in ("First.", "x = 1", "last")] == [1, 1, 1]


def test_tall_guidance_that_is_taken_back_does_not_repeat_the_answer() -> None:
    """What the prompt has pushed out of the window is not drawn over, and not drawn again."""
    with paused() as window:
        window.resize(60, 14)
        window.send("guide " * 110)
        window.wait_for("guide guide")
        window.press("C-u")
        window.wait_for(lambda: "guide g" not in window.text)
        window.press("Space")
        window.wait_for(r"and the\s+end\.\n\n>\n+(?!.*SPACE pause).")

        shown_once(window)


def test_block_that_is_higher_than_the_window_stands_once_after_a_pause() -> None:
    """What can be reached is drawn over; tmux does not take that for the end of a screen."""
    many = [f"word{number}" for number in range(600)]
    with asked(until_hung_up(" ".join(many), then=" and the end.")) as window:
        window.wait_for(many[-1])
        window.send(" ")
        window.wait_for("paused after")
        window.send(" ")
        window.wait_for(r"and the\s+end\.\n\n>\n+(?!.*SPACE pause).")

        assert [word for word in window.text.split() if word.startswith("word")] == many


def test_table_that_scrolls_away_in_a_window_made_lower_stands_once() -> None:
    """Its first rows are in the scrollback then, and stay there."""
    gate = Gate()

    async def script(exchange: Exchange) -> None:
        await exchange.start()
        await exchange.text("| name | what it is |\n|---|---|\n")
        for number in range(18):
            await exchange.text(f"| row{number} | some text |\n")
        await gate.wait()
        for number in range(18, 30):
            await exchange.text(f"| row{number} | some text |\n")
        await exchange.text("\nThe end.")
        await exchange.end()

    with asked(script) as window:
        window.wait_for("row17")
        window.resize(120, 12)
        window.send("x")
        window.wait_for("> x\n")
        window.press("BSpace")
        gate.open()
        window.wait_for(r"The end\.\n\n>\n+(?!.*SPACE pause).")

        assert [word for word in window.text.split() if word.startswith("row")] == [f"row{n}" for n in range(30)]
        assert window.text.count("tokens/s") == 0


@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_key_right_after_a_change_of_size_leaves_nothing_behind(key: str) -> None:
    """A prompt that is over while its window is still being laid out anew is erased when that is done."""
    with paused() as window:
        if key == "Enter":
            window.send("guide it")
            window.wait_for("> guide it")
        window.resize(60, 30)
        window.press(key)
        window.wait_for(r"and the\s+end\.\n\n>\n+(?!.*SPACE pause).")

        shown_once(window)
        assert "paused" not in window.text
        assert "Warning" not in window.text


def test_emoji_in_the_guidance_take_nothing_away() -> None:
    """Programs disagree about how wide they are; what stands above the prompt is safe."""
    with paused() as window:
        window.send("❤️" * 200)
        window.wait_for("❤️❤️")
        window.press("Enter")
        window.wait_for(r"and the\s+end\.\n\n>\n+(?!.*SPACE pause).")

        shown_once(window)


@pytest.mark.parametrize("key", ["Space", "Escape"])
def test_answer_stands_once_after_a_pause_in_which_the_size_changed(key: str) -> None:
    """The open paragraph is drawn over, not again."""
    with paused() as window:
        for columns, rows in SIZES:
            window.resize(columns, rows)
        window.send("x")
        window.wait_for(r"\n> x")
        window.press("BSpace")
        window.wait_for(r"\n> *\n")
        window.press(key)
        window.wait_for(r"and the\s+end\.\n\n>\n+(?!.*SPACE pause)." if key == "Space" else "/continue goes on")

        shown_once(window)
        assert "paused" not in window.text


def test_draft_stands_once_whatever_the_size() -> None:
    """At the prompt of the chat as at that of a pause."""
    draft = " ".join(f"draft{number}" for number in range(20))
    with paused() as window:
        window.press("Escape")
        window.wait_for("/continue goes on")
        window.send(draft)
        window.wait_for("draft19")  # a frame that tmux reads only after it has another size lands elsewhere
        for columns, rows in SIZES:
            window.resize(columns, rows)
        window.send(" more")
        window.wait_for("draft19 more")

        shown_once(window)
        assert "".join(window.text.split()).count(draft.replace(" ", "")) == 1
