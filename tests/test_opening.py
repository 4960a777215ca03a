"""The prompt is there before the program is: what is typed at it is asked, and nothing is left of it without a chat."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.terminal import LLMTERM, READY, Program, environment
from tests.wire import WireServer, say

# The program on a disk that gives away nothing but the opening until somebody writes to a pipe, which it says.
SLOW = """
import sys

class Disk:
    pipe = sys.argv.pop(1)

    def find_spec(self, name, path=None, target=None):
        if name == "llmterm.cli":
            print(end="slow: ", flush=True)
            open(self.pipe).read()

sys.meta_path.insert(0, Disk())
print(end=sys.argv.pop(1), flush=True)
from llmterm.__main__ import main
main()
"""


@contextmanager
def slow(folder: Path, *arguments: str, before: str = "", **more: str) -> Iterator[tuple[Program, Path]]:
    """Start the program on a screen that something stands on `before` it, with the pipe that it waits for."""
    pipe = folder / "pipe"
    os.mkfifo(pipe)
    command = [sys.executable, "-c", SLOW, str(pipe), before, *arguments]
    with Program(command, environment(folder, **more)) as program:
        program.wait_for(r"(?m)^> slow:")
        yield program, pipe


def test_what_is_typed_before_the_program_is_loaded_is_asked(tmp_path: Path) -> None:
    """The terminal shows it, the next line too, and the chat takes both."""
    with (
        WireServer(say("fine.")) as server,
        slow(tmp_path, "-m", "openai/test", OPENAI_BASE_URL=server.base_url, OPENAI_API_KEY="sk-test") as (program, go),
    ):
        program.send("is it you\rsecond")
        program.wait_for(r"\A> slow: is it you\nsecond")
        go.write_text("")

        program.wait_for(READY)
        program.wait_for(r"> is it you\n\nfine\.\n\n> second")


@pytest.mark.parametrize("rows", [0, 30])
def test_what_was_typed_before_it_is_loaded_stands_as_if_it_had_been_typed_later(tmp_path: Path, rows: int) -> None:
    """Nothing of it is left above the welcome, at the bottom of the screen and where it took several rows, too."""
    before = "before\n" * rows
    with (
        WireServer(say("fine.")) as server,
        slow(
            tmp_path,
            "-m",
            "openai/test",
            before=before,
            OPENAI_BASE_URL=server.base_url,
            OPENAI_API_KEY="sk-test",
        ) as (program, go),
    ):
        program.send(f"{'many words ' * 12}\r\rsecond")
        program.wait_for(r"words\n\nsecond")
        go.write_text("")

        program.wait_for(r"fine\.\n\n> second")
        assert program.text.startswith(f"{before}llmterm ")
        assert program.text.count("> many") == 1


def test_ctrl_c_while_it_is_loaded_leaves_without_a_word(tmp_path: Path) -> None:
    """An import that is broken off would say anything."""
    with slow(tmp_path, "chat") as (program, go):
        program.send("\x03")
        program.wait_for(r"\^C")
        go.write_text("")

        assert (program.exit_code, program.text) == (130, "")


@pytest.mark.parametrize("arguments", [["-p", "nosuch"], ["--nosuch"], ["chat", "-c", "--marker", ""]])
def test_where_no_chat_comes_nothing_is_left_of_it(tmp_path: Path, arguments: list[str]) -> None:
    """What is wrong is said on its row."""
    with Program([*LLMTERM, *arguments], environment(tmp_path)) as program:
        assert program.exit_code == 2

        assert program.written.startswith(b"> ")
        assert program.text.startswith("llmterm: ")


@pytest.mark.parametrize(
    ("arguments", "term"),
    [
        (["--help"], "xterm"),
        (["chat", "-h"], "xterm"),
        (["--plain"], "xterm"),
        (["chat"], "dumb"),
        (["stats"], "xterm"),
    ],
)
def test_it_is_not_shown_to_who_asks_for_something_else(tmp_path: Path, arguments: list[str], term: str) -> None:
    """Nor where it could not be taken back."""
    with Program([*LLMTERM, *arguments], environment(tmp_path, TERM=term)) as program:
        program.wait_for(r"llmterm|no figures")

        assert not program.written.startswith(b">")
