"""The examples, as a user runs them: in a real terminal, against a real server."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.terminal import Program, environment
from tests.wire import Exchange, Script, WireServer, say

FOLDER = Path(__file__).parent.parent / "examples"


@contextmanager
def run(example: Path, home: Path, script: Script) -> Iterator[tuple[Program, WireServer]]:
    """Run an example that asks "why?", with a server that answers by `script`."""
    with WireServer(script) as server:
        env = environment(home, OPENAI_BASE_URL=server.base_url, OPENAI_API_KEY="sk-test")
        with Program([sys.executable, str(example), "why?"], env) as program:
            yield program, server


def untouched(program: Program) -> bool:
    """Tell whether the terminal is as it was found; waits for the end."""
    program.wait_for_end()
    return (program.stty(), program.modes_left) == (program.stty_before, set())


async def half(exchange: Exchange) -> None:
    """Say half of an answer until the client hangs up, and the other half when it asks again."""
    await exchange.start()
    if len(exchange.body["messages"]) > 1:
        await exchange.text("the other half.")
        await exchange.end()
    else:
        await exchange.text("one half, ")
        await exchange.hung_up()


@pytest.fixture(params=sorted(FOLDER.glob("pause*.py")), ids=lambda path: path.stem)
def example(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def test_example_prints_the_answer_and_ends(example: Path, tmp_path: Path) -> None:
    """The answer's end is the program's."""
    with run(example, tmp_path, say("Because ", "of \x1b[2J", "that.")) as (program, server):
        assert program.exit_code == 0
        assert program.text == "Because of ␛[2Jthat."
        assert untouched(program)
        assert server.exchanges[0].question == "why?"


def test_space_pauses_and_resumes(example: Path, tmp_path: Path) -> None:
    """SPACE closes the connection; SPACE again asks for the rest, and the text goes on where it was."""
    with run(example, tmp_path, half) as (program, server):
        program.wait_for("one half,")
        program.send(" ")
        server.wait(lambda: server.open_connections == 0)
        program.send(" ")

        assert program.exit_code == 0
        assert program.text == "one half, the other half."
        assert untouched(program)
        assert server.exchanges[1].body["messages"][1] == {"role": "assistant", "content": "one half, "}


def test_two_spaces_at_once_are_a_pause_and_a_resume(example: Path, tmp_path: Path) -> None:
    """A key that comes while the pause is taking effect is for what comes after it."""
    with run(example, tmp_path, half) as (program, _):
        program.wait_for("one half,")
        program.send("x  ")

        assert program.exit_code == 0
        assert program.text == "one half, the other half."


@pytest.mark.parametrize("keys", ["q", "\x03"], ids=["q", "ctrl-c"])
@pytest.mark.parametrize("paused", [False, True], ids=["streaming", "paused"])
def test_a_key_ends_it(example: Path, tmp_path: Path, keys: str, paused: bool) -> None:
    """q and Ctrl-C end an answer that streams and one that is paused; what has come stays on the screen."""
    with run(example, tmp_path, half) as (program, server):
        program.wait_for("one half,")
        if paused:
            program.send(" ")
            server.wait(lambda: server.open_connections == 0)
        program.send(keys)

        assert program.exit_code == 0
        assert program.text == "one half,"
        assert untouched(program)


def test_failure_leaves_the_terminal_as_it_was(example: Path, tmp_path: Path) -> None:
    """An answer that cannot begin is an error of ours, with its reason, and the terminal is given back."""

    async def refuse(exchange: Exchange) -> None:
        await exchange.refuse(401, {"error": {"message": "no"}})

    with run(example, tmp_path, refuse) as (program, _):
        assert program.exit_code == 1
        assert "llmterm.errors.AuthError" in program.words
        assert untouched(program)


def test_two_readers_of_one_answer(tmp_path: Path) -> None:
    """The one that leaves has its part, the other one has all of it."""
    texts = ("Because of that, ", "and of this, ", "and of what nobody has ever thought of.")
    with run(FOLDER / "readers.py", tmp_path, say(*texts)) as (program, server):
        assert program.exit_code == 0
        assert program.text == f"{''.join(texts)}\nIt began with: {''.join(texts)[:40]}"
        assert len(server.exchanges) == 1


def test_example_fits_in_a_glance(example: Path) -> None:
    """About fifteen lines besides what is imported and said about it."""
    _, *statements = ast.parse(example.read_text("utf-8")).body

    lines = {
        node.lineno
        for statement in statements
        if not isinstance(statement, ast.Import | ast.ImportFrom)
        for node in ast.walk(statement)
        if isinstance(node, ast.stmt | ast.expr)
    }

    assert len(lines) <= 17
