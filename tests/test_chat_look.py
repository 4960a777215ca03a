"""What a chat looks like, on the rows of the terminal that it runs in."""

from __future__ import annotations

import re
from pathlib import Path

from tests.chatting import opened
from tests.wire import Exchange, Gate, say


def test_question_is_a_block_and_an_answer_has_a_margin_where_there_is_room(tmp_path: Path) -> None:
    """What was asked is found again by its bar, which a command has not; both break between words."""
    answer = "Several words of an answer that goes on for a while, longer than the window is wide."
    with opened(tmp_path, say(answer), columns=50) as chat:
        chat.ask("why does a question that is long break between its words?")
        chat.program.wait_for(r"wide\.\n\n>\nopenai/")
        chat.ask("/pause-mode")
        chat.program.wait_for("pause mode: cut")
        shown = chat.program.lines
        chat.program.resize(39, 24)
        chat.ask("and now?")
        chat.program.wait_for(r"(?s)> and now\?.*wide\.\n\n>\n")

        assert [line for line in shown if line.startswith("▌")] == [
            "▌ why does a question that is long break between",
            "▌ its words?",
        ]
        assert "  Several words of an answer that goes on for a" in shown
        assert "  while, longer than the window is wide." in shown
        assert "> /pause-mode" in shown
        assert "Several words of an answer that goes on" in chat.program.lines


def test_something_moves_only_while_nothing_has_come(tmp_path: Path) -> None:
    """Not beside text that streams: that moves by itself."""
    gate = Gate()

    async def script(exchange: Exchange) -> None:
        await exchange.start()
        await gate.wait()
        await exchange.text("Some words.")
        await exchange.hung_up()

    with opened(tmp_path, script) as chat:
        chat.ask("go")
        chat.program.wait_for(r"⠙ openai/test - \d s - waiting for the first token")
        chat.program.wait_for(r"⠸ openai/test - \d s - waiting for the first token")
        gate.open()
        chat.program.wait_for(r"Some words\.\n\n>\nopenai/test - \d s - [^\n]*SPACE pause")
        chat.program.send(" ")
        chat.program.wait_for("paused after")

        assert not re.search("[⠀-⣿]", chat.program.text)


def test_an_answer_that_was_cut_off_has_a_mark_where_it_ends(tmp_path: Path) -> None:
    """On the screen, when it is shown again, in the pager, and in what is exported; what it was cut off by is said."""
    pager = tmp_path / "pager"
    pager.write_text("#!/bin/sh\ncat > paged\n")
    pager.chmod(0o755)

    async def script(exchange: Exchange) -> None:
        await exchange.start()
        await exchange.text("```sh\nls")
        if exchange.question == "long":
            await exchange.end("length")
        elif exchange.question == "lost":
            exchange.drop()
        else:
            await exchange.hung_up()

    with opened(tmp_path, script, cwd=tmp_path, PAGER=str(pager)) as chat:
        for question, mark in [
            ("long", "cut off at the token limit"),
            ("lost", "connection lost"),
            ("wait", "stopped"),
        ]:
            chat.ask(question)
            chat.program.wait_for(rf"> {question}\n(?s:.*)(paused|ls\n(?s:.*)tokens/s)")
            chat.program.send("\x1b")
            chat.program.wait_for(rf"> {question}\n(?s:.*)ls\n─+\n\n■ {mark}\n\n([^>]*\n)?>\n")
        chat.ask("/export page.md")
        chat.program.wait_for("written to")
        chat.ask("/pager all")
        chat.program.wait_for(lambda: (tmp_path / "paged").exists() and "stopped" in (tmp_path / "paged").read_text())

        assert re.findall("■ .*", (tmp_path / "page.md").read_text()) == [
            "■ cut off at the token limit*",
            "■ connection lost*",
            "■ stopped*",
        ]
        paged = (tmp_path / "paged").read_text()
        assert re.findall("(?m)^ *(■ .*)", paged) == ["■ cut off at the token limit", "■ connection lost", "■ stopped"]
