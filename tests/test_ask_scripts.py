"""`llmterm ask` where others run it: in a make rule, in a git hook, several at once on one store."""

from __future__ import annotations

import json
import shlex
import shutil
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from llmterm.sessions import SessionStore
from tests import starter
from tests.asking import served
from tests.chatting import until_hung_up
from tests.terminal import LLMTERM
from tests.test_streams import patiently, received
from tests.wire import Exchange, Script, WireServer, say

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs a shell")

ASK = f"{shlex.join(LLMTERM)} ask"
RULE = """\
%.txt: %.md
\t$(ASK) -o $@ -f $< "Sum it up."
"""


def run(
    home: Path, script: Script, *words: str, cwd: Path | None = None, piped: bytes = b"", **more: str
) -> subprocess.CompletedProcess[bytes]:
    if shutil.which(words[0]) is None:
        pytest.skip(f"needs {words[0]}")
    with WireServer(script) as server:
        return starter.run(words, served(home, server, ASK=ASK, **more), cwd=cwd, input=piped)


async def echo(exchange: Exchange) -> None:
    await say("about ", exchange.question.splitlines()[-2])(exchange)


async def cut(exchange: Exchange) -> None:
    await exchange.start()
    await exchange.text("half")
    exchange.drop()


def test_make_rule_has_a_whole_answer_or_none(tmp_path: Path) -> None:
    """And is run again only where its source has changed."""
    (tmp_path / "Makefile").write_text(RULE, "utf-8")
    for name in ("a", "b"):
        (tmp_path / f"{name}.md").write_text(f"text {name}\n", "utf-8")

    failed = run(tmp_path, cut, "make", "a.txt", cwd=tmp_path)
    made = run(tmp_path, echo, "make", "-j2", "a.txt", "b.txt", cwd=tmp_path)
    again = run(tmp_path, cut, "make", "a.txt", "b.txt", cwd=tmp_path)

    assert (failed.returncode, (tmp_path / "a.txt.partial").read_text("utf-8")) == (2, "half\n")
    assert (made.returncode, again.returncode) == (0, 0)
    assert [(tmp_path / f"{name}.txt").read_text("utf-8") for name in "ab"] == ["about text a\n", "about text b\n"]


def test_git_hook_writes_the_message_of_a_commit(tmp_path: Path) -> None:
    """A question in words, the change on standard input, and nothing but the answer in the file."""
    questions: list[str] = []

    async def script(exchange: Exchange) -> None:
        questions.append(exchange.question)
        await say("Add a file")(exchange)

    repository = tmp_path / "repository"
    hook = repository / ".git" / "hooks" / "prepare-commit-msg"
    git = ["git", "-c", "user.name=A", "-c", "user.email=a@b.example", "-C", str(repository)]
    subprocess.run(["git", "init", "-q", str(repository)], check=True)
    (repository / "new.txt").write_text("new\n", "utf-8")
    subprocess.run([*git, "add", "new.txt"], check=True)
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f'#!/bin/sh\ngit diff --cached | {ASK} "A message for this change:" > "$1"\n', "utf-8")
    hook.chmod(0o755)

    done = run(tmp_path, script, *git, "commit", "-q", GIT_EDITOR="true")

    assert (done.returncode, done.stderr) == (0, b"")
    assert subprocess.check_output([*git, "log", "-1", "--format=%B"]).strip() == b"Add a file"
    assert questions[0].startswith("A message for this change:\n\ndiff --git")
    assert questions[0].endswith("+new")


def test_several_at_once_share_a_store(tmp_path: Path) -> None:
    """`xargs -P4`: every answer is there, in a session of its own, whole."""
    numbers = [f"number-{number}" for number in range(8)]

    async def script(exchange: Exchange) -> None:
        await say(f"seen {exchange.question}\n")(exchange)

    command = ["xargs", "-P4", "-n1", *shlex.split(ASK)]
    done = run(tmp_path, script, *command, piped="\n".join(numbers).encode())

    assert (done.returncode, done.stderr) == (0, b"")
    assert sorted(done.stdout.decode().splitlines()) == [f"seen {number}" for number in numbers]
    with closing(SessionStore(tmp_path / "data")) as store:
        kept = [store.load(info.id, peek=True).conversation.messages for info in store.infos()]
    assert sorted([each.text for each in messages] for messages in kept) == [
        [number, f"seen {number}\n"] for number in numbers
    ]


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_answer_that_is_interrupted_lies_beside_its_file(tmp_path: Path, form: list[str]) -> None:
    """As far as it came, in the form that was wanted; and Ctrl-C has the code that it has in a shell."""
    file = tmp_path / "answer"
    with WireServer(until_hung_up("half")) as server:
        command = [*LLMTERM, "ask", *form, "-o", str(file), "why?"]
        with subprocess.Popen(command, env=served(tmp_path, server), stdin=subprocess.DEVNULL) as program:
            for _ in patiently():
                if received(tmp_path) == "half":
                    break
            program.send_signal(signal.SIGINT)

            assert program.wait(60) == 130
    left = (tmp_path / "answer.partial").read_text("utf-8")
    assert (json.loads(left)["text"] if form else left.strip()) == "half"
    assert not file.exists()
