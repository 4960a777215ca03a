"""Keys and replies of every kind of terminal, at the prompt, while an answer streams, and at a pause."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import pytest

from tests.chatting import Open, opened, until_hung_up
from tests.wire import Exchange, say

REPLIES = (
    "\x1b[?62;1;4c\x1b[>0;276;0c\x1b[?2026;2$y\x1b]10;rgb:0000/0000/0000\x1b\\\x1b]11;rgb:ffff/ffff/ffff\x07"
    "\x1b]11;#ffffff\x9c\x1bP>|XTerm(390)\x1b\\\x1b[?1u\x1b[?997;1n\x1b[8;24;80t\x1b[48;24;80;480;800t"
    "\x1b[<0;3;3M\x1b[12;40R\x1b[97;1:3u\x1b]52;c;aGVsbG8=\x07"
)
STOPPED = r"/continue goes on"


@pytest.fixture
def open_chat(tmp_path: Path) -> Open:
    return partial(opened, tmp_path)


def test_a_newer_terminal_types_as_any_other(open_chat: Open) -> None:
    """Shift-Enter is a new line in both protocols, and no reply is in the line or sends it."""
    with open_chat(say("fine.")) as chat:
        chat.program.send("\x1b[111;;111u" + REPLIES + "ne\x1b[13;2ut\x1b[119uo")
        chat.program.send("\x1b[27;2;13~three\x1b[97:65;2:1u\x1b[127u\x1b[1;1:3D\x1b[1;1:1D!\x1b[13u")
        chat.program.wait_for(r"fine\.\n\n>")

        assert [exchange.question for exchange in chat.server.exchanges] == ["one\ntwo\nthre!e"]
        chat.program.send("\x1b[100;5u")
        assert chat.program.exit_code == 0


def test_a_newer_terminal_pauses_and_stops_as_any_other(open_chat: Open) -> None:
    """SPACE pauses and goes on, Esc and Ctrl-C end an answer; what was not pressed does none of that."""
    with open_chat(until_hung_up("half an answer")) as chat:
        chat.ask("one")
        chat.program.wait_for("half an answer")
        chat.program.send(REPLIES + "\x1b[32;1:3u\x1b[27;1:3uab\x1b[13;2uc")
        chat.program.wait_for(r"> ab\n  c\n")
        assert "paused" not in chat.program.text
        chat.program.send("\x1b[117;5u\x1b[117;5u\x1b[117;5u\x1b[32u")
        chat.program.wait_for("paused after")
        chat.program.send("\x1b[32;1:2u\x1b[32;1:3ud")
        chat.program.wait_for(r"\n> d\npaused - Enter")
        assert len(chat.server.exchanges) == 1
        chat.program.send("\x1b[117;5u\x1b[27u")
        chat.program.wait_for(STOPPED)

        assert chat.messages()[-1]["status"] == "interrupted"


async def _half(exchange: Exchange) -> None:
    await exchange.start()
    await exchange.text(f"half of {exchange.question}")
    await exchange.hung_up()


def test_an_answer_is_stopped_by_the_keys_of_every_protocol(open_chat: Open) -> None:
    with open_chat(_half) as chat:
        for question, key in {"one": "\x1b[27u", "two": "\x1b[27;5;99~", "three": "\x1b"}.items():
            chat.ask(question)
            chat.program.wait_for(rf"half of {question}\n")
            chat.program.send(key)
            chat.program.wait_for(rf"half of {question}\n(.*\n)*> ?\n.*{STOPPED}")

        statuses = [message["status"] for message in chat.messages() if message["role"] == "assistant"]
        assert statuses == ["interrupted"] * 3


@pytest.mark.parametrize(
    ("reply", "on", "off", "steers"),
    [
        ("\x1b[?0u\x1bP>|kitty(0.36.4)\x1b\\", "\x1b[>1u", "\x1b[<u", "\x1b[13;5u"),
        (
            "\x1bP>|XTerm(390)\x1b\\",
            "\x1b[>4;1m\x1b[?1036s\x1b[?1036h",
            "\x1b[?1036r\x1b[>4m",
            "\x1b[27;5;13~",
        ),
        ("\x1bP>|other\x1b\\", "", "", "\x13"),
    ],
)
def test_ctrl_enter_steers_where_the_terminal_tells_it_from_enter(
    open_chat: Open, tmp_path: Path, reply: str, on: str, off: str, steers: str
) -> None:
    """It is asked for with the terminal, from one that knows it, and taken back whenever another program has that."""
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\necho edited >> $1\n")
    editor.chmod(0o755)
    with open_chat(_half_of_each, EDITOR=str(editor)) as chat:
        program = chat.program
        assert b"\x1b[?u\x1b[>q" in program.written
        program.send(reply + "\x1b[?62;4c")
        program.wait_for(lambda: program.written.count(on.encode()) == 1 if on else True)
        chat.ask("one")
        program.wait_for("half of one")
        program.send(f"shorter{steers}")
        program.wait_for(lambda: len(chat.server.exchanges) == 2)
        assert "shorter" in str(chat.server.exchanges[1].body)
        program.send("\x1b[27u" if "u" in on else "\x1b")
        program.wait_for(STOPPED)
        program.send("draft\x18\x05")
        program.wait_for("edited")
        program.send("\x15\x04" if "u" not in on else "\x1b[117;5u\x1b[117;5u\x1b[100;5u")

        assert program.exit_code == 0
        switches = re.findall(rb"\x1b\[(?:>1|<)u|(?:\x1b\[(?:>4(?:;1)?m|\?1036[hrs]))+", program.written)
        assert switches == [on.encode(), off.encode()] * 2 if on else not switches


async def _half_of_each(exchange: Exchange) -> None:
    await exchange.start()
    await exchange.text(f"half of {exchange.question}")
    await exchange.hung_up()
