"""Shell completion: what is offered, by the real program and in the real shells."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmterm.cli import LINE
from llmterm.cli.completion import split
from llmterm.messages import Message
from llmterm.sessions import SessionStore
from tests.conftest import need
from tests.starter import run_text
from tests.terminal import LLMTERM, Program, environment
from tests.wire import Exchange, WireServer


def complete(home: Path, line: str, **env: str) -> list[str]:
    """Return the words that the program offers for the last one of `line`."""
    return [word for word, _ in explained(home, line, **env)]


def explained(home: Path, line: str, **env: str) -> list[tuple[str, str]]:
    done = run_text(LLMTERM, {**environment(home, **env), LINE: line})
    assert (done.returncode, done.stderr) == (0, "")
    return [(word, meaning) for word, _, meaning in (row.partition("\t") for row in done.stdout.splitlines())]


def session(home: Path, title: str) -> str:
    store = SessionStore(home / "data")
    found = store.create(title=title)
    store.add(found, Message(role="user", text="hi"))
    store.close()
    return found


def configure(home: Path, text: str) -> None:
    (home / "config" / "llmterm").mkdir(parents=True)
    (home / "config" / "llmterm" / "config.toml").write_text(text, "utf-8")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("llmterm doc", ["doctor"]),
        ("llmterm sessions exp", ["export"]),
        ("llmterm -p anth", ["anthropic"]),
        ("llmterm chat --provider anth", ["anthropic"]),
        ("llmterm --provider=anth", ["--provider=anthropic"]),
        ("llmterm models -p anth", ["anthropic"]),
        ("llmterm --plain --prov", ["--provider"]),
        ("llmterm --vers", ["--version"]),
        ("llmterm --keys ", ["terminal", "global"]),
        ("llmterm --theme ", ["auto", "dark", "light", "high-contrast"]),
        ("llmterm ask --effort m", ["minimal", "medium", "max"]),
        ("llmterm --verbosity ", ["low", "medium", "high"]),
        ("llmterm --pause-mode=", ["--pause-mode=cut", "--pause-mode=hold"]),
        ("llmterm sessions export --format ", ["json", "markdown"]),
        ("llmterm completion ", ["bash", "zsh", "fish"]),
        ("llmterm -p anthropic -m ", ["claude-sonnet-5-5"]),
        ("llmterm -p anthropic/", ["anthropic/claude-sonnet-5-5"]),
        ("llmterm --version -p anth", []),
        ("llmterm --no-such ", []),
        ("llmterm no such ", []),
        ("llmterm --system ", []),
        ("llmterm 'open", []),
    ],
)
def test_words_of_the_command_line(tmp_path: Path, line: str, words: list[str]) -> None:
    """Commands, options, closed sets and names are offered, where they belong; elsewhere nothing is."""
    assert complete(tmp_path, line) == words


def test_option_that_was_given_is_not_offered_again(tmp_path: Path) -> None:
    """And those with a value are not taken for given while their value is being typed."""
    assert "--model" in complete(tmp_path, "llmterm -")
    assert "--model" not in complete(tmp_path, "llmterm --model x -")
    assert complete(tmp_path, "llmterm --model -") == complete(tmp_path, "llmterm --model -x")


def test_models_are_those_that_the_machine_knows(tmp_path: Path) -> None:
    """Of the provider that is named, else of the one that is configured: set, listed, priced or pulled."""
    configure(
        tmp_path,
        'provider = "mine"\nmodel = "first"\n[providers.mine]\nkind = "openai"\nbase_url = "http://mine.invalid/v1"\n'
        'models = ["second:8b"]\n[providers.mine.prices]\n"third" = {input = 1, output = 1}\n'
        '"gpt-*" = {input = 1, output = 1}\n',
    )
    (tmp_path / "data" / "models").mkdir(parents=True)
    (tmp_path / "data" / "models" / "pulled.gguf").touch()

    assert complete(tmp_path, "llmterm -m ") == ["first", "second:8b", "third"]
    assert "pulled" in complete(tmp_path, "llmterm -p local -m ")


def test_models_of_the_machines_own_ollama_are_asked_for(tmp_path: Path) -> None:
    """It answers at once; one that does not is not waited for, and one on another machine is not asked at all."""

    async def script(exchange: Exchange) -> None:
        assert exchange.path == "/api/tags"
        await exchange.refuse(200, {"models": [{"name": "qwen3:0.6b"}, {"name": "x\x1b[31m y"}]})

    async def silent(exchange: Exchange) -> None:
        await exchange.hung_up()

    with WireServer(script) as server:
        host = f"127.0.0.1:{server.port}"
        proxies = {"http_proxy": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
        assert complete(tmp_path, "llmterm -p ollama -m q", OLLAMA_HOST=host, **proxies) == ["qwen3:0.6b"]
        assert complete(tmp_path, "llmterm -p ollama -m ", OLLAMA_HOST=host) == ["qwen3:0.6b"]
    with WireServer(silent) as server:
        assert complete(tmp_path, "llmterm -p ollama -m ", OLLAMA_HOST=f"127.0.0.1:{server.port}") == []
    assert complete(tmp_path, "llmterm -p ollama -m ", OLLAMA_HOST="http://192.0.2.1:11434") == []


@pytest.mark.parametrize("command", ["--session", "sessions show", "sessions export", "sessions delete"])
def test_sessions_come_with_their_titles(tmp_path: Path, command: str) -> None:
    """Wherever a session is asked for; a title is one line that can do nothing."""
    found = session(tmp_path, "what\tis\x1b]0;x\x07 it?\n" + "x" * 100)

    [(word, meaning)] = explained(tmp_path, f"llmterm {command} {found[:3]}")

    assert word == found
    assert meaning.startswith("what is")
    assert meaning.isprintable()
    assert len(meaning) <= 60


@pytest.mark.parametrize("line", ["llmterm --session ", "llmterm -p ", "llmterm -m "])
def test_what_is_broken_is_passed_over_in_silence(tmp_path: Path, line: str) -> None:
    """A broken configuration and a broken store print nothing, and nothing is created."""
    configure(tmp_path, "nonsense = [")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "sessions.db").write_bytes(b"not a database" * 100)

    complete(tmp_path, line, OPENAI_BASE_URL="nonsense")

    assert (tmp_path / "data" / "sessions.db").read_bytes() == b"not a database" * 100


def test_completing_creates_nothing(tmp_path: Path) -> None:
    """A look is not a use."""
    assert complete(tmp_path, "llmterm --session ") == []

    assert not (tmp_path / "data").exists()


@given(st.text() | st.text(alphabet="llmterm -='\"\\ p\n"))
def test_any_line_has_words(line: str) -> None:
    """Splitting raises nothing, whatever is being typed."""
    assert split(line)


@given(st.lists(st.text(alphabet="ab \\'\"$", min_size=1), min_size=1), st.booleans())
def test_quoted_words_come_apart_as_the_shell_takes_them(words: list[str], more: bool) -> None:
    """A line that was quoted by the rules gives the words back; after white space a new one begins."""
    import shlex

    assert split(shlex.join(words) + (" " if more else "")) == [*words, *([""] if more else [])]


def test_script_of_an_unknown_shell_is_a_usage_error(tmp_path: Path) -> None:
    """Exit code 2, and which there are."""
    done = subprocess.run([*LLMTERM, "completion", "csh"], env=environment(tmp_path), capture_output=True, text=True)

    assert done.returncode == 2
    assert "'fish'" in done.stderr


_SHELLS = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
    "fish": ["fish", "--no-config", "-i"],
}
_CLEAR = "\x15"  # Ctrl-U
_LOAD = {
    "bash": 'PS1="ready> "; bind "set bell-style none"; eval "$(llmterm completion bash)"\r',
    "zsh": 'PROMPT="ready> "; eval "$(llmterm completion zsh)"\r',
    "fish": 'function fish_prompt; echo -n "ready> "; end; llmterm completion fish | source\r',
}


def shell(name: str, home: Path) -> Program:
    """Return a shell with the completion loaded, and `llmterm` on its path."""
    if shutil.which(name) is None:
        need(name)
    (home / "bin").mkdir()
    program = home / "bin" / "llmterm"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m llmterm "$@"\n', "utf-8")
    program.chmod(0o755)
    path = f"{home / 'bin'}{os.pathsep}{os.environ['PATH']}"
    env = environment(home, PATH=path, PYTHONPATH=str(Path.cwd()), OLLAMA_HOST="127.0.0.1:9")
    started = Program(_SHELLS[name], env, columns=100, rows=30, cwd=home)
    started.send(_LOAD[name])
    started.wait_for(lambda: started.lines[-1:] != [] and "ready> " in prompts(started))
    return started


def prompts(program: Program) -> str:
    """Return the line that is being typed, and its beginning; the blank at the end of a prompt is not on a screen."""
    return next((line + " " for line in reversed(program.lines) if line.startswith("ready>")), "")


_TYPED = {
    "llmterm doc": "llmterm doctor",
    "llmterm -p anth": "llmterm -p anthropic",
    "llmterm --provider=anth": "llmterm --provider=anthropic",
    "llmterm -p mine -m small:": "llmterm -p mine -m small:8b",
    "llmterm -p mine/small:": "llmterm -p mine/small:8b",
    "llmterm -s 'a b' --pause-mode ho": "llmterm -s 'a b' --pause-mode hold",
    "llmterm -m some": "llmterm -m somewhere.gguf",
}


@pytest.mark.parametrize("name", list(_SHELLS))
def test_tab_completes_in_a_shell(tmp_path: Path, name: str) -> None:
    """The word as a whole, also with a colon or an equals sign in it; a file where nothing of ours fits."""
    configure(
        tmp_path,
        '[providers.mine]\nkind = "openai"\nbase_url = "http://mine.invalid/v1"\nmodels = ["small:8b"]\n',
    )
    (tmp_path / "somewhere.gguf").touch()
    with shell(name, tmp_path) as program:
        for typed, becomes in _TYPED.items():
            program.send(f"{typed}\t")
            program.wait_for(lambda becomes=becomes: prompts(program) == f"ready> {becomes} ")  # type: ignore[misc]
            program.send(_CLEAR)


@pytest.mark.parametrize("name", list(_SHELLS))
def test_title_is_never_run(tmp_path: Path, name: str) -> None:
    """A title is text to every shell, whatever is written in it."""
    traps = [
        r"\$(touch trap)",
        "$(touch trap)",
        "`touch trap`",
        "'; touch trap; '",
        '"; touch trap; "',
        "*",
        "%n %F{1}",
    ]
    ids = [session(tmp_path, title) for title in traps]
    with shell(name, tmp_path) as program:
        program.send("llmterm --session \t\t")
        program.wait_for(lambda: all(each in program.text for each in ids))

    assert not (tmp_path / "trap").exists()


def test_newest_session_is_offered_first(tmp_path: Path) -> None:
    """In the order of the list, where the shell leaves it alone."""
    older, newer = session(tmp_path, "older"), session(tmp_path, "newer")
    listed = subprocess.run(
        [*LLMTERM, "sessions", "list", "--json"], env=environment(tmp_path), capture_output=True, check=True
    )

    words: Sequence[str] = complete(tmp_path, "llmterm --session ")

    assert set(words) == {older, newer}
    assert words == [row["id"] for row in json.loads(listed.stdout)]
