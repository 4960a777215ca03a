"""Ways out of an answer and of the chat, in the terminal: the first one counts, what comes after it is not lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chatting import opened
from tests.wire import Exchange


async def part(exchange: Exchange) -> None:
    await exchange.start()
    await exchange.text("a part.")
    await exchange.hung_up()


# What is pressed at a pause, or behind the SPACE that pauses, and what stands in the line afterwards. There is only one
# Ctrl-C in a chat, for two of them may leave it.
STOPPING = [
    ("paused", "\x1b ", " ?"),
    ("streaming", "\x1b ", " ?"),
    ("paused", "\x1b\x1b", ""),
    ("streaming", "\x1b \x1b", " ?"),
    ("paused", "?\x1b\x1b?", r"\?"),
    ("streaming", "\x1b\x03?", r"\?"),
]


@pytest.mark.parametrize("plain", [[], ["--plain"]])
def test_keys_after_the_one_that_stops_belong_to_the_next_line(tmp_path: Path, plain: list[str]) -> None:
    """In one write, at a pause and while the answer streams: the answer is stopped once, and nothing else happens."""
    end = "" if plain else r"\nopenai/[^\n]*"
    with opened(tmp_path, part, *plain, rows=60) as chat:
        program = chat.program
        for number, (moment, keys, line) in enumerate(STOPPING):
            program.send(f"\x15q{number}\r")
            program.wait_for(rf"> q{number}\n[^>]*a part\.")
            if moment == "paused":
                program.send(" ")
                program.wait_for(rf"> q{number}\n[^>]*(>\npaused after[^>]*|paused after[^>]*> ?)(\n|\Z)")
                program.send(keys)
            else:
                program.send(f" {keys}")
            program.wait_for(rf"> q{number}\n(?:(?!> q)(?s:.))*\n> ?{line}{end}\Z")

        assert len(chat.server.exchanges) == len(STOPPING)
        assert "Traceback" not in program.text
        program.send("\x15\x04")
        assert program.exit_code == 0


@pytest.mark.parametrize("plain", [[], ["--plain"]])
def test_two_ctrl_c_with_something_sent_between_them_do_not_leave(tmp_path: Path, plain: list[str]) -> None:
    with opened(tmp_path, part, *plain) as chat:
        chat.program.send("\x03/theme \r\x03\x04")

        assert chat.program.exit_code == 0


@pytest.mark.parametrize(("keys", "code"), [("\x1b\x04", 0), (" \x1b\x04", 0), ("\x04\x1b ", 0), ("\x1b\x03\x03", 130)])
def test_way_out_of_the_program_after_one_that_stops(tmp_path: Path, keys: str, code: int) -> None:
    with opened(tmp_path, part) as chat:
        chat.ask("go")
        chat.program.wait_for(r"a part\.")
        chat.program.send(f" {keys}")

        assert chat.program.exit_code == code
        assert "Traceback" not in chat.program.text
        assert len(chat.server.exchanges) <= 2
