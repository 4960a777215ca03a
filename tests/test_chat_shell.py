"""`!command` and long pastes in the real program: what goes to the model, and what stands on the screen."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import pytest

from tests.chatting import Open, opened
from tests.wire import Exchange, say

PASTE = "\x1b[200~{}\x1b[201~"


@pytest.fixture
def open_chat(tmp_path: Path) -> Open:
    return partial(opened, tmp_path, columns=100, rows=40, cwd=tmp_path, SHELL="/bin/sh")


def test_output_of_a_command_goes_along(open_chat: Open, tmp_path: Path) -> None:
    """It is shown with its exit code, and is one character of the line; nothing of it is a question by itself."""
    with open_chat(say("fine.")) as chat:
        program = chat.program
        program.send("!echo one; printf '\\033[31mtwo\\033[0m\\n' >&2; exit 3\r")
        program.wait_for(r"\none\ntwo\nexit code 3\n> ?\[output: 2 lines\]\nopenai/")
        program.send("is that red?\r")
        program.wait_for("fine")
        program.send("!nosuchcommand\r")
        program.wait_for(r"exit code 127\n> ?\[output: ")
        program.send("\x15!kill -40 $$\r")
        program.wait_for(r"ended by signal 40\n> ?\n")
        program.send("!env\r")
        program.wait_for(r"OPENAI_API_KEY=\W(?s:.*)\[output: ")
        assert "sk-test" not in program.text
        program.send("\x15!true\r")
        program.wait_for(r"> !true\nexit code 0\n> ?\nopenai/")
        program.send("!\r")
        program.wait_for(r"\n> !\n\nfine")

        asked = [exchange.question for exchange in chat.server.exchanges]
        command = "echo one; printf '\\033[31mtwo\\033[0m\\n' >&2; exit 3"
        assert asked == [f"Output of `{command}` (exit code 3):\n```\none\ntwo\n```\nis that red?", "!"]


def test_escape_ends_a_command_with_all_that_it_has_started(open_chat: Open, tmp_path: Path) -> None:
    """What it has said goes along with what is sent meanwhile. Leaving ends it too, and so does its own end."""
    with open_chat(say("fine.")) as chat:
        program = chat.program
        program.send("!echo begun; sleep 600 & echo $! > child; wait\r")
        program.wait_for("runs - Esc stops it")
        program.wait_for(lambda: (tmp_path / "child").exists() and bool((tmp_path / "child").read_text("utf-8")))
        program.send("a question\r")
        program.wait_for("queued 1: a question")
        program.send("\x1b")
        program.wait_for(r"\nbegun\nended by SIGTERM\n")
        program.wait_for("fine")
        assert chat.server.exchanges[0].question.startswith("a question\n\nOutput of `echo begun; sleep 600")
        assert "[output" not in program.text
        child = int((tmp_path / "child").read_text("utf-8"))
        program.wait_for(lambda: gone(child))
        (tmp_path / "child").unlink()
        program.send("\x15!sleep 600 & echo $! > child; echo left\r")
        program.wait_for(r"\nleft\n> ?\[output: ")
        program.wait_for(lambda: gone(int((tmp_path / "child").read_text("utf-8"))))
        (tmp_path / "child").unlink()
        program.send("\x15!echo $$ > child; exec sleep 600\r")
        program.wait_for(lambda: (tmp_path / "child").exists() and bool((tmp_path / "child").read_text("utf-8")))
        program.send("\x04")

        assert program.exit_code == 0
        assert gone(int((tmp_path / "child").read_text("utf-8")))


def test_what_a_script_asks_is_no_command(open_chat: Open, tmp_path: Path) -> None:
    """Neither a question on the command line, nor an answer; at a pause what is typed is one."""

    async def script(exchange: Exchange) -> None:
        await exchange.start()
        await exchange.text("!touch answered\n")
        await exchange.hung_up()

    with open_chat(script, "!touch asked") as chat:
        program = chat.program
        program.wait_for("touch answered")
        program.send(" ")
        program.wait_for("paused after")
        program.send("!echo guided\r")
        program.wait_for(r"\nguided\n(?s:.*)\[output: ")
        program.send("\r")
        chat.server.wait(lambda: len(chat.server.exchanges) == 2)

        assert "Output of `echo guided` (exit code 0)" in chat.server.exchanges[1].body["messages"][-1]["content"]
        assert not {"asked", "answered"} & set(os.listdir(tmp_path))


def test_long_paste_stands_as_its_beginning_and_its_end(open_chat: Open) -> None:
    """Sent whole, also while an answer streams, where it waits in one row."""
    text = "\n".join(f"row {number}" for number in range(300))
    with open_chat(say("fine.")) as chat:
        program = chat.program
        program.send(PASTE.format(text) + "what is it?")
        program.wait_for(r"> ?\[pasted 300 lines\]what is it\?\nopenai/")
        program.send("\r")
        program.wait_for(r"  row 8\n  … 289 lines …\n  row 298\n  row 299\n  what is it\?\n\nfine\.")

        assert [exchange.question for exchange in chat.server.exchanges] == [f"{text}\nwhat is it?"]


def gone(pid: int) -> bool:
    """Tell whether a process is over; one that nobody has waited for counts."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
