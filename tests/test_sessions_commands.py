"""`llmterm sessions` on what is stored: searched, renamed, and deleted only if that was meant."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from llmterm.messages import Message
from llmterm.sessions import SessionStore
from tests.starter import run_text
from tests.terminal import LLMTERM, Program, environment


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SessionStore]:
    with closing(SessionStore(tmp_path / "data")) as store:
        yield store


def ask(store: SessionStore, text: str) -> str:
    session_id = store.create()
    store.add(session_id, Message(role="user", text=text))
    return session_id


def run(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run_text([*LLMTERM, "sessions", *arguments], environment(home))


def test_list_of_nothing_says_so(tmp_path: Path) -> None:
    """On standard error: a program that reads the list has none."""
    listed, as_json = run(tmp_path), run(tmp_path, "list", "--json")

    assert (listed.stdout, listed.returncode) == ("", 0)
    assert "there are no sessions yet: llmterm chat begins one" in listed.stderr
    assert (as_json.stdout, as_json.stderr) == ("[]\n", "")


def test_search_lists_what_it_finds(tmp_path: Path, store: SessionStore) -> None:
    """The newest first, each with the place, as lines or as JSON; words are those of all arguments."""
    first = ask(store, "How far is the moon?\nIn miles.")
    second = ask(store, "How far is the sun?")

    lines = run(tmp_path, "search", "FAR is", "how").stdout.splitlines()
    rows = json.loads(run(tmp_path, "search", "miles", "--json").stdout)

    assert [line.split()[0] for line in lines[::2]] == [second, first]
    assert lines[3].strip() == "How far is the moon? In miles."
    assert [set(row) for row in rows] == [{"id", "title", "updated_at", "snippet"}]
    assert (rows[0]["id"], rows[0]["title"]) == (first, "How far is the moon?")
    assert len(run(tmp_path, "search", "far", "-n", "1").stdout.splitlines()) == 2


def test_search_that_finds_nothing_says_so_aside(tmp_path: Path, store: SessionStore) -> None:
    """Standard output has hits and nothing else."""
    ask(store, "why?")

    lines, rows = run(tmp_path, "search", "needle"), run(tmp_path, "search", "needle", "--json")

    assert (lines.returncode, lines.stdout) == (0, "")
    assert "no session" in lines.stderr
    assert json.loads(rows.stdout) == []


def test_rename_gives_a_title(tmp_path: Path, store: SessionStore) -> None:
    """By the beginning of an id; what is said is what was kept."""
    session_id = ask(store, "why?")

    shown = run(tmp_path, "rename", session_id[:5], "The  moon")
    values = json.loads(run(tmp_path, "rename", session_id, "x" * 99, "--json").stdout)
    refused = run(tmp_path, "rename", session_id, " ")

    assert shown.stdout == f"{session_id}  The moon\n"
    assert values == {"id": session_id, "title": store.load(session_id).title}
    assert (refused.returncode, "cannot be empty" in refused.stderr) == (4, True)


def delete(home: Path, *arguments: str) -> Program:
    return Program([*LLMTERM, "sessions", "delete", *arguments], environment(home))


def test_delete_asks_on_a_terminal(tmp_path: Path, store: SessionStore) -> None:
    """It says what would go, and only a yes lets it go."""
    session_id = ask(store, "how far is the moon?")

    with delete(tmp_path, session_id) as program:
        program.wait_for(r"for good\?")
        program.send("\r")
        program.wait_for(f"kept {session_id}")
        refused = (program.exit_code, program.words)
    kept = len(store.infos())
    with delete(tmp_path, session_id) as program:
        program.wait_for(r"for good\?")
        program.send("y\r")
        program.wait_for(f"deleted {session_id}")

    assert refused[0] == 0
    assert f"delete “how far is the moon?” ({session_id}, 1 message) for good?" in refused[1]
    assert (kept, len(store.infos())) == (1, 0)


@pytest.mark.parametrize(("key", "code"), [("\x03", 130), ("\x04", 130)])
def test_delete_that_is_broken_off_keeps_the_session(tmp_path: Path, store: SessionStore, key: str, code: int) -> None:
    """Ctrl-C and Ctrl-D, with the code of an interruption."""
    session_id = ask(store, "why?")

    with delete(tmp_path, session_id) as program:
        program.wait_for(r"for good\?")
        # Python hears of a Ctrl-C that comes right before it waits for a line when it has one.
        program.send(f"{key}\r")

        assert program.exit_code == code
    assert len(store.infos()) == 1


@pytest.mark.parametrize("flag", ["--yes", "-y", "--json"])
def test_delete_does_not_ask_where_the_answer_is_known(tmp_path: Path, store: SessionStore, flag: str) -> None:
    """Neither who has said yes already nor a program is asked."""
    session_id = ask(store, "why?")

    with delete(tmp_path, session_id, flag) as program:
        code = program.exit_code

    assert (code, store.infos()) == (0, [])


def test_delete_does_not_ask_without_a_terminal(tmp_path: Path, store: SessionStore) -> None:
    """Scripts go on as they did."""
    session_id = ask(store, "why?")

    done = run(tmp_path, "delete", session_id)

    assert (done.stdout, store.infos()) == (f"deleted {session_id}\n", [])


def test_paths_can_do_nothing_to_a_terminal(tmp_path: Path) -> None:
    """Anybody may have named a folder; a program that reads the path gets it as it is."""
    folder = tmp_path / "a\x1b]0;owned\x07\n\u202eb"
    env = environment(tmp_path, LLMTERM_DATA_DIR=str(folder), LLMTERM_CONFIG=str(folder / "c.toml"))
    commands = [" ".join([shlex.quote(each) for each in [*LLMTERM, what, "path"]]) for what in ("config", "sessions")]
    folder.mkdir()
    (folder / "c.toml").touch()

    with Program(["sh", "-c", "; ".join(commands)], env, columns=200) as program:
        program.wait_for_end()
    piped = subprocess.run([*LLMTERM, "sessions", "path"], env=env, capture_output=True, timeout=60).stdout

    assert b"\x1b" not in program.written
    assert program.text.count("a␛]0;owned␇ b/") == 2
    assert piped == os.fsencode(folder / "sessions.db") + b"\n"
