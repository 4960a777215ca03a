"""An answer that is steered while it streams, and commands that do not wait for its end."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from tests.chatting import Open, opened, until_hung_up


@pytest.fixture
def open_chat(tmp_path: Path) -> Open:
    return partial(opened, tmp_path, columns=100, rows=60)


@pytest.mark.parametrize("keys", ["shorter, please\x13", "/steer shorter, please\r"])
def test_answer_goes_on_under_what_was_typed_in_one_stroke(open_chat: Open, keys: str) -> None:
    """It is paused, and resumed with the words as guidance, which stand above what comes then."""
    with open_chat(until_hung_up("one two ", then="three.")) as chat:
        chat.ask("count")
        chat.program.wait_for("one two")
        chat.program.send(keys)
        chat.program.wait_for(r"one two\n\n> shorter, please\n\nthree\.\n\n>\n(?!.*SPACE pause).")

        answer = chat.messages()[-1]
        assert "shorter, please" in chat.server.exchanges[1].body["messages"][-1]["content"]
        assert [each["end_reason"] for each in answer["segments"]] == ["pause", "stop"]


def test_commands_that_change_nothing_are_run_while_an_answer_streams(open_chat: Open) -> None:
    """The others wait for its end; one that does not exist is not sent, then or later; none is steered without one."""
    with open_chat(until_hung_up("one two ", then="three.")) as chat:
        program = chat.program
        chat.ask("/steer left")
        program.wait_for(r"no answer is open")
        chat.ask("count")
        program.wait_for("one two")
        program.send("/nonsense\r/tokens\r")
        program.wait_for(r"there is no /nonsense(?s:.*)nothing(?s:.*)one two\n\n>\n.*SPACE pause")
        program.send("/search count\r")
        program.wait_for(r"\w{8}  count - just now\n(?s:.*)one two\n\n>\n.*SPACE pause")
        program.send("/title Mine\r")
        program.wait_for(r"one two\n\nqueued 1: /title Mine\n>\n.*SPACE pause")
        program.send(" ")
        program.wait_for(r"queued 1: /title Mine\n>\npaused after")
        program.send(" ")
        program.wait_for(r"three\.\n\n> /title Mine\nMine\n>")

        assert len(chat.server.exchanges) == 2
        assert all("/nonsense" not in str(exchange.body) for exchange in chat.server.exchanges)
