"""Menus in the real program: commands, files below the folder, what one picks from; numbers in a plain one."""

from __future__ import annotations

import re
import subprocess
from functools import partial
from pathlib import Path

import pytest

from tests.chatting import Open, opened
from tests.wire import Exchange, say

MODELS = ["test", "test-large", "test-small"]
PRICES = '[providers.openai.prices."*-large"]\ninput = 2.5\noutput = 10\n'


@pytest.fixture
def open_chat(tmp_path: Path) -> Open:
    return partial(opened, tmp_path, columns=100)


def at_prompt(draft: str = "") -> str:
    """Return what matches the end of a screen with the line below all else, and no menu."""
    return rf"> ?{re.escape(draft)}\nopenai/[^\n]*\Z"


async def models(exchange: Exchange) -> None:
    if exchange.path.endswith("/models"):
        await exchange.refuse(200, {"data": [{"id": name} for name in MODELS]})
    else:
        await say("fine.")(exchange)


def test_menus_open_by_themselves(open_chat: Open, tmp_path: Path) -> None:
    """A command by a few of its letters, then what it picks from: Enter takes, Esc closes."""
    (tmp_path / "config.toml").write_text(PRICES, "utf-8")
    with open_chat(models, LLMTERM_CONFIG=str(tmp_path / "config.toml")) as chat:
        program = chat.program
        chat.ask("about owls")
        program.wait_for(r"fine\.\n\n" + at_prompt())
        program.send("/md")
        program.wait_for(r"> /md\n  /model +show or change the model\n  /pause-mode")
        program.send("\r")
        program.wait_for(
            r"> /model\n  test +answers now\n  test-large +2\.5 in, 10 out for a million tokens\n  test-small"
        )
        program.send("la")
        program.wait_for(r"> /model la\n  test-large.*\nopenai/test - ")
        program.send("\r")
        program.wait_for(r"> /model test-large\nopenai/test-large\n" + at_prompt())
        program.send("/new birds\r")
        program.wait_for("a new session")
        chat.ask("of the night")
        program.wait_for(r"fine\.\n\n" + at_prompt())
        program.send("/new\r")
        program.wait_for("(?s)a new session.*a new session")
        program.send("/load\r")
        program.wait_for(
            r"> /load\n  \w{8}  birds - “of the night” - just now\n  \w{8}  about owls - just now\nopenai/"
        )
        program.send("owl")
        program.wait_for(r"> /load owl\n  \w{8}  about owls - just now\nopenai/")
        program.send("\x1b")
        program.wait_for(at_prompt("/load owl"))
        program.send("\x15/search owls\r")
        program.wait_for(r"> /search owls\n> /load\n  \w{8}  about owls - just now\nopenai/")
        program.send("\x15/search AB\r")
        program.wait_for(r"> /search AB\n> /load\n  \w{8}  about owls - just now\nopenai/")
        program.send("\r")
        program.wait_for(r"\n> /load \w{8}\n\n> about owls\n\nfine\.\n\n" + at_prompt())
        program.send("/theme\r")
        program.wait_for(r"> /theme\n  auto +is used now\n  dark\n  light\n  high-contrast\n")
        program.send("\x1b[B\r")
        program.wait_for(r"theme: dark\n" + at_prompt())


def test_files_are_found_below_the_folder(open_chat: Open, tmp_path: Path) -> None:
    """By letters of their names, but not what git ignores; a folder goes along with its text files."""
    work = tmp_path / "work"
    (work / "src" / "deep").mkdir(parents=True)
    (work / "src" / "deep" / "reader.py").write_text("x = 1\n", "utf-8")
    (work / "src" / "picture.bin").write_bytes(b"\x00\x01")
    (work / "reading.log").write_text("noise", "utf-8")
    (work / ".gitignore").write_text("*.log\n", "utf-8")
    subprocess.run(["git", "init", "-q", str(work)], check=True)
    with open_chat(models, cwd=work) as chat:
        program = chat.program
        program.send("see @rdr")
        program.wait_for(r"> see @rdr\n  @src/deep/reader\.py +6 bytes\nopenai/")
        program.send("\r")
        program.wait_for(at_prompt("see @src/deep/reader.py"))
        program.send("and @sr")
        program.wait_for(r"\n  @src/ +folder\n")
        program.send("\t")
        program.wait_for(r"\n  @src/ +folder, 2 files, 8 bytes\n")
        program.send("\r")
        program.wait_for(r"attached src/: 1 text file, 6 bytes, 1 others left out\n(?s:.*)fine\.\n")

        [asked] = [each.body for each in chat.server.exchanges if each.path.endswith("/completions")]
        assert "File src/deep/reader.py:\n```py\nx = 1\n```" in asked["messages"][-1]["content"]
        assert "noise" not in str(asked)


def test_plain_chat_has_numbers(open_chat: Open) -> None:
    """Nothing opens by itself; a command that picks lists, and takes a number of the list."""
    with open_chat(models, "--plain") as chat:
        program = chat.program
        program.send("/model\r")
        program.wait_for(r"\n  1  test  answers now\n  2  test-large\n  3  test-small\n/model NUMBER takes one\n")
        program.send("/model 2\r")
        program.wait_for(r"\nopenai/test-large\n")
        program.send("/theme 2\r")
        program.wait_for("there is no theme '2'")
        chat.ask("about owls")
        program.wait_for(r"fine\.\n> ?\Z")
        program.send("/search owls\r")
        program.wait_for(r"\n  1  \w{8}  about owls - just now\n/load NUMBER takes one\n")
        program.send("/load 1\r")
        program.wait_for(r"(?s)> /load 1\n.*> about owls\n+fine\.\n> ?\Z")
