"""`llmterm ask` at a terminal: drawn as in a chat, paused and stopped by keys, and then gone."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests import starter
from tests.asking import served, stored
from tests.chatting import until_hung_up
from tests.terminal import LLMTERM, Program
from tests.wire import Exchange, Gate, Script, WireServer, finish, say, thought

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")


@contextmanager
def asking(home: Path, script: Script, *arguments: str, shell: str = "") -> Iterator[tuple[Program, WireServer]]:
    """Run `llmterm ask` in a terminal; as "$@" of a line of the `shell`, if there is one."""
    with WireServer(script) as server:
        words = [*LLMTERM, "ask", "-p", "openai", "-m", "test", *arguments]
        command: Sequence[str] = ["sh", "-c", shell, "sh", *words] if shell else words
        with Program(command, served(home, server)) as program:
            yield program, server


def test_answer_is_drawn_paused_resumed_and_then_it_is_over(tmp_path: Path) -> None:
    """With what is asked about on standard input, whose keys come from the terminal all the same."""
    (tmp_path / "text").write_text("a text", "utf-8")

    script = until_hung_up("It is **bold** and", then=" so on.")
    with asking(tmp_path, script, "why?", shell=f'"$@" <{tmp_path}/text') as (program, server):
        program.wait_for("It is bold and")
        program.send(" ")
        program.wait_for("paused after")
        server.wait(lambda: server.open_connections == 0)
        program.send(" ")

        assert program.exit_code == 0
        assert "It is bold and so on." in program.text
        assert "**" not in program.text
        assert "SPACE" not in program.text
        assert program.stty() == program.stty_before
    assert [each["text"] for each in stored(tmp_path)] == ["why?\n\na text", "It is **bold** and so on."]


@pytest.mark.parametrize("plain", [[], ["--plain"]])
def test_escape_stops_the_answer_and_what_came_is_kept(tmp_path: Path, plain: list[str]) -> None:
    with asking(tmp_path, until_hung_up("half"), *plain, "why?") as (program, _):
        program.wait_for("half")
        program.send("\x1b")

        assert program.exit_code == 130
    assert [each["text"] for each in stored(tmp_path)] == ["why?", "half"]


def test_paused_answer_that_is_left_says_how_to_go_on(tmp_path: Path) -> None:
    with asking(tmp_path, until_hung_up("half"), "why?") as (program, _):
        program.wait_for("half")
        program.send(" ")
        program.wait_for("paused after")
        program.send("\x04")

        assert program.exit_code == 130
        assert "goes on with it" in program.text
    assert [each["text"] for each in stored(tmp_path)] == ["why?", "half"]


def test_answer_that_is_not_kept_is_paused_like_any_other(tmp_path: Path) -> None:
    with asking(tmp_path, until_hung_up("half", then="and more"), "--no-save", "why?") as (program, _):
        program.wait_for("half")
        program.send(" ")
        program.wait_for("paused after")
        program.send("a secret\r")

        assert program.exit_code == 0
        assert "and more" in program.text
    assert stored(tmp_path) == []
    assert not [each for each in (tmp_path / "data").rglob("*") if each.is_file() and b"secret" in each.read_bytes()]


def test_what_is_sent_meanwhile_is_asked_as_well(tmp_path: Path) -> None:
    gate = Gate()

    async def script(exchange: Exchange) -> None:
        if exchange.question != "and why?":
            await exchange.start()
            await exchange.text("First.")
            await gate.wait()
            await exchange.end()
        else:
            await say("Second.")(exchange)

    with asking(tmp_path, script, "--no-marker", "why?") as (program, server):
        program.wait_for("First")
        program.send("and why?\r")
        program.wait_for("queued 1: and why")
        server.run(_open(gate))

        assert program.exit_code == 0
    assert [each["text"] for each in stored(tmp_path)] == ["why?", "First.", "and why?", "Second."]


async def _open(gate: Gate) -> None:
    gate.open()


async def refuse(exchange: Exchange) -> None:
    await exchange.refuse(401, {"error": {"message": "no such key"}})


@pytest.mark.parametrize(
    ("script", "arguments", "code", "words"),
    [
        (refuse, [], 3, "no such key"),
        (say(), [], 3, "the answer is empty"),
        (say("half", reason="length"), [], 3, "the answer was cut short: the token limit was reached"),
        (say("half", reason="length"), ["--max-tokens", "5"], 0, "the token limit was reached"),
        (say("ok"), ["--session", "gone"], 4, "gone"),
    ],
)
def test_end_of_an_answer_has_the_code_that_it_has_in_a_pipe(
    tmp_path: Path, script: Script, arguments: list[str], code: int, words: str
) -> None:
    """Nobody is asked what is to become of one that rests by itself."""
    with asking(tmp_path, script, *arguments, "why?") as (program, _):
        assert program.exit_code == code
        assert words in program.words
        assert program.words.count("llmterm: ") == 1


@pytest.mark.parametrize(
    ("arguments", "shell", "shown"),
    [
        ([], '"$@" </dev/null', "**ok**"),
        ([], 'set -m; "$@" & wait', "**ok**"),
        (["--json"], "", '"text": "**ok**"'),
        (["--extract-code"], "", "llmterm: the answer"),
    ],
)
def test_what_is_not_drawn_is_text_as_in_a_pipe(tmp_path: Path, arguments: list[str], shell: str, shown: str) -> None:
    """Where nobody is meant to be there, as under `xargs`, in the background, and in every form for programs."""
    with asking(tmp_path, say("**ok**"), *arguments, "why?", shell=shell) as (program, _):
        program.wait_for_end()

        assert shown in program.text
        assert b"\x1b[?" not in program.written  # the terminal is as it was all the while


def test_question_is_needed(tmp_path: Path) -> None:
    with asking(tmp_path, say("ok")) as (program, _):
        assert program.exit_code == 2
        assert "there is no question" in program.text


@pytest.mark.parametrize(
    ("arguments", "shell", "spins"),
    [
        ([], '"$@" >{}/out', True),
        (["-o", "{}/out"], "", True),
        (["--no-progress"], '"$@" >{}/out', False),
        ([], '"$@" | cat >{}/out', False),
        (["--progress"], '"$@" | cat >{}/out', True),
        (["--progress"], '"$@" 2>{}/err | cat >{}/out', False),
    ],
)
def test_spinner_turns_where_nothing_of_the_answer_is_to_be_seen(
    tmp_path: Path, arguments: list[str], shell: str, spins: bool
) -> None:
    """On standard error, with what has come so far; it leaves nothing behind."""
    gate = Gate()

    async def script(exchange: Exchange) -> None:
        await exchange.start()
        await exchange.raw(thought("Hm. "))
        if spins:
            await gate.wait()
        await exchange.text("an answer")
        await exchange.raw(finish())
        await exchange.close()

    given = [each.format(tmp_path) for each in arguments]
    with asking(tmp_path, script, *given, "why?", shell=shell.format(tmp_path, tmp_path)) as (program, server):
        if spins:
            program.wait_for(r"[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏] thinking - 1 tokens? - ")
            server.run(_open(gate))

        assert program.exit_code == 0
        assert program.text.strip() == ("" if spins or "2>" in shell else "Hm.")
        assert (b"\r\x1b[K" in program.written) is spins
    assert (tmp_path / "out").read_text("utf-8") == "an answer\n"


def test_flags_mean_the_same_in_a_pipe_and_at_a_terminal(tmp_path: Path) -> None:
    """What is sent, what the cache knows, and the session that is gone on with."""
    (tmp_path / "a.txt").write_text("a text", "utf-8")
    asked: list[dict[str, Any]] = []

    async def script(exchange: Exchange) -> None:
        asked.append(exchange.body)
        await say("an answer")(exchange)

    options = ["--seed", "7", "--temperature", "0.5", "--max-tokens", "9", "-s", "Be brief.", "--no-marker"]
    flags = [*options, "--cache", "--throttle", "500", "-f", str(tmp_path / "a.txt"), "--no-progress"]
    with WireServer(script) as server:
        command = [*LLMTERM, "ask", "-p", "openai", "-m", "test", *flags]
        env = served(tmp_path, server)
        piped = starter.run([*command, "why?"], env)
        for more in (["why?"], ["--continue", "and why?"]):
            with Program([*command, *more], env) as program:
                assert program.exit_code == 0
                assert "an answer" in program.text

    assert (piped.stdout, piped.returncode) == (b"an answer\n", 0)
    first, last = asked  # the second was in the cache
    assert {name: first[name] for name in ("seed", "temperature")} == {"seed": 7, "temperature": 0.5}
    assert first["max_completion_tokens" if "max_completion_tokens" in first else "max_tokens"] == 9
    assert [each["content"][:9] for each in first["messages"]] == ["Be brief.", "why?\n\nFil"]
    assert [each["role"] for each in last["messages"]] == ["system", "user", "assistant", "user"]
    assert "a text" in last["messages"][-1]["content"]


@pytest.mark.parametrize(
    ("arguments", "answer", "shown"),
    [
        (["--schema", "name, age int"], '{"name": "Ada", "age": 36}', r'(?m)^\{"name": "Ada", "age": 36\}$'),
        (["--stream-json"], "ok", r'"event": "TextDelta", "text": "ok"'),
        (["--extract-code", "2"], "```\nx\n```\n\n```\ny\n```", r"(?m)^y$"),
    ],
)
def test_form_for_programs_is_shown_at_a_terminal(
    tmp_path: Path, arguments: list[str], answer: str, shown: str
) -> None:
    with asking(tmp_path, say(answer), *arguments, "why?") as (program, _):
        assert program.exit_code == 0
        program.wait_for(shown)
