"""What a command line means: a command, a question, or a slip."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import typer

from llmterm.cli import _COMMANDS, command_line, program
from llmterm.cli.help import readable
from llmterm.errors import UsageError
from tests.terminal import LLMTERM, Program, environment

# A title, a colour, and what turns the order of a line around.
EVIL = "x\x1b]0;evil\x07\x1b[31m\u202etxt\x9b5n"


@pytest.mark.parametrize(
    "given",
    [
        ["hello"],
        ["what", "is", "a", "monad?"],
        ["What is a monad?"],
        ["models of thought, please"],
        ["sessions?", "what", "are", "they"],
        ["stat", "is", "what"],
        ["hello", "-p", "local"],
        ["-p", "local", "hello"],
        ["-p", "local", "sessions"],
        ["--plain"],
        ["--", "-x"],
        ["--", "sessions"],
        [""],
        ["-"],
        ["--stat"],
        ["-m", "x", "--", "--help"],
    ],
)
def test_what_begins_with_no_command_is_for_a_chat(given: list[str]) -> None:
    assert command_line(given) == ["chat", *given]


def test_nothing_is_a_chat() -> None:
    assert command_line([]) == ["chat"]


@pytest.mark.parametrize("given", [[], ["hello"], ["-p", "local", "Why?"], ["--json", "Why?"]])
def test_in_a_pipe_a_question_is_meant(given: list[str]) -> None:
    assert command_line(given, interactive=False) == ["ask", *given]


@pytest.mark.parametrize(
    "given",
    [
        ["chat", "hello"],
        ["ask", "hello"],
        ["sessions", "list"],
        ["models"],
        ["--help"],
        ["-h"],
        ["--version"],
        ["config", "nonsense"],
    ],
)
def test_command_is_itself(given: list[str]) -> None:
    assert command_line(given) == given


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (["sesions"], "sessions"),
        (["sesions", "list"], "sessions"),
        (["session", "--json"], "sessions"),
        (["Models"], "models"),
        (["model"], "models"),
        (["docter"], "doctor"),
        (["stat"], "stats"),
        (["help"], "--help"),
        (["version"], "--version"),
    ],
)
def test_slip_names_the_command_and_how_to_ask(given: list[str], meant: str) -> None:
    with pytest.raises(UsageError) as caught:
        command_line(given)

    assert caught.value.hint == f"did you mean llmterm {meant}? As a question: llmterm chat {given[0]}"


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([f"--no{EVIL}"], r"No such option: .*\(llmterm chat --help says how it is used\)"),
        (["sessions", "show", "a", EVIL], r"[^\n]*extra argument.*\(llmterm sessions show --help"),
        (["sessions", "show"], r"Missing argument 'session'.*\(llmterm sessions show --help"),
        (["completion"], r"Missing argument 'shell'. Choose from: bash, zsh, fish \(llmterm completion --help"),
        (["config", EVIL], r"No such command.*\(llmterm config --help"),
        (["doctor", "sk-0123456789"], r"[^\n]*extra argument.*\*\*\*"),
    ],
)
def test_command_line_that_is_refused_is_shown_harmlessly(tmp_path: Path, given: list[str], said: str) -> None:
    """In one line like every error, without what a terminal acts on, and without a key."""
    with Program([*LLMTERM, *given], environment(tmp_path, OPENAI_API_KEY="sk-0123456789"), columns=200) as program:
        program.wait_for(rf"^llmterm: {said}")

        assert program.exit_code == 2
        assert len(program.text.splitlines()) == 1
        written = program.written.removeprefix(b"> \r\x1b[K")  # the prompt of a chat that does not come
        assert not [each for each in (b"\x1b", b"\x07", "\u202e".encode(), "\x9b".encode()) if each in written]


def pages(columns: int, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The help texts of all commands, in a window of so many columns."""
    monkeypatch.setenv("COLUMNS", str(columns))
    app = program(*_COMMANDS)
    readable(app)
    found: dict[str, str] = {}
    left = [("llmterm", typer.main.get_command(app))]
    for path, command in left:
        found[path] = command.get_help(command.context_class(command, info_name=path))
        left += [(f"{path} {name}", each) for name, each in getattr(command, "commands", {}).items()]
    return found


def test_help_is_wrapped_between_words_in_any_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """No line is wider than the window, and no word, name of an option or sentence is cut."""
    wide = pages(80, monkeypatch)
    words = {path: page.split() for path, page in wide.items()}
    assert len(wide) > 25

    for columns in (60, 40):
        narrow = pages(columns, monkeypatch)

        assert [line for page in narrow.values() for line in page.split("\n") if len(line) > columns] == []
        assert {path: page.split() for path, page in narrow.items()} == words
    assert "..." not in wide["llmterm"].partition("Options:")[2]


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_program_shows_help_as_wide_as_the_window(tmp_path: Path, flag: str) -> None:
    env = environment(tmp_path, COLUMNS="40")
    done = subprocess.run([*LLMTERM, "sessions", flag], env=env, capture_output=True, text=True, check=True)

    assert "export  Write a session to standard\n" in done.stdout
    assert max(map(len, done.stdout.split("\n"))) <= 40
