"""What a command line means: a command, a question, or a slip."""

from __future__ import annotations

import pytest

from llmterm.cli import command_line
from llmterm.errors import UsageError


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


@pytest.mark.parametrize(
    "given",
    [["chat", "hello"], ["sessions", "list"], ["models"], ["--help"], ["-h"], ["--version"], ["config", "nonsense"]],
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
