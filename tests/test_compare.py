"""`llmterm compare`: several models at once, in a terminal and in a pipe, some of them slow, broken or cut off."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from llmterm.sessions import SessionStore, StoredSession, Version
from tests import starter
from tests.terminal import LLMTERM, READY, Program, environment
from tests.wire import Exchange, Gate, WireServer

LETTERS = "abcdef"


class Model:
    """Says its first words, and the others once its gate is open; asked to go on, it says them at once."""

    def __init__(self, name: str, fault: str = "") -> None:
        self.name = name
        self.fault = fault
        self.gate = Gate()
        self.asked: list[str] = []
        self.server = WireServer(self.answer)

    async def answer(self, exchange: Exchange) -> None:
        self.asked.append(exchange.question)
        if self.fault == "broken":
            await exchange.refuse(500, {"error": {"message": "out of order"}})
            return
        await exchange.start()
        if len(self.asked) == 1:
            await exchange.text(f"{self.name} begins,")
            if self.fault == "cut":
                exchange.drop()
                return
            if not await self._may_go_on(exchange):
                return
        await exchange.text(f" and {self.name} ends.")
        await exchange.end()

    async def _may_go_on(self, exchange: Exchange) -> bool:
        opened, gone = asyncio.create_task(self.gate.wait()), asyncio.create_task(exchange.hung_up())
        done, left = await asyncio.wait({opened, gone}, return_when=asyncio.FIRST_COMPLETED)
        for task in left:
            task.cancel()
        await asyncio.wait({opened, gone})
        return opened in done

    def wait_for_silence(self) -> None:
        """Wait until nobody is connected any more."""
        self.server.wait(lambda: not self.server.open_connections)


@contextmanager
def serving(home: Path, *models: Model) -> Iterator[dict[str, str]]:
    """Have the models be providers of their names; give the environment of who knows them."""
    with ExitStack() as stack:
        config = "[retry]\nattempts = 1\n"
        for model in models:
            server = stack.enter_context(model.server)
            config += f'[providers.{model.name}]\nkind = "openai"\nbase_url = "{server.base_url}"\nmodel = "m"\n'
        (home / "config" / "llmterm").mkdir(parents=True)
        (home / "config" / "llmterm" / "config.toml").write_text(config)
        yield environment(home)


def of(*models: Model) -> list[str]:
    return [word for model in models for word in ("-m", model.name)]


def record(home: Path) -> tuple[StoredSession, Sequence[Version]]:
    """The newest session, and all that was answered to its last question."""
    with closing(SessionStore(home / "data")) as store:
        session = store.load(store.latest() or "", peek=True)
        rows = [row for rows in session.forks.values() for row in rows]
        return session, store.versions(sorted(rows))


def test_six_models_side_by_side(tmp_path: Path) -> None:
    """All are paused and resumed by SPACE, one by its digit; guidance is for one; a window of any width shows them."""
    models = [Model(letter) for letter in "abcd"] + [Model("e", "broken"), Model("f", "cut")]
    a, b, c, d = models[:4]
    command = [*LLMTERM, "compare", "why?", *of(*models)]
    with serving(tmp_path, *models) as env, Program(command, env, columns=200, rows=20) as program:
        program.wait_for(r"1 a/m +│ 2 b/m +│ 3 c/m +│ 4 d/m +│ 5 e/m +│ 6 f/m")
        program.wait_for(r"a begins, +│ b begins, +│ c begins, +│ d begins, +│ e: out of order.*│ f begins,")
        program.wait_for(r"failed +│ cut by a broken connection")
        program.wait_for("SPACE pause all - 1-6 one")

        program.send("2")
        program.wait_for(r"1 token +│ paused after 1 token +│ ")
        b.wait_for_silence()
        assert [len(each.asked) for each in (a, c, d)] == [1, 1, 1]
        program.send("in French 2x")
        program.wait_for(r"> in French 2x\n.*Enter tells 2")
        program.send("\r")
        program.wait_for("and b ends.")
        assert "in French 2x" in b.asked[1]

        program.resize(100, 20)
        program.wait_for(r"(?s)1 a/m\na begins,\n.*1 a/m  1 token\n2 b/m  has answered.*5 e/m  failed")
        program.resize(60, 20)
        program.send(" ")
        program.wait_for(
            r"(?s)1 a/m  paused after.*2 b/m  has answered.*4 d/m  paused after.*paused - SPACE resume all"
        )
        for model in (a, c, d):
            model.wait_for_silence()
        program.send(" ")
        assert program.exit_code == 0

        assert [len(each.asked) for each in models] == [2, 2, 2, 2, 1, 1]
        for letter in "abcd":
            assert f"{letter} begins, and {letter} ends." in program.text
        assert "a/m" in program.text.rpartition("first")[2]
        assert "llmterm chat --session" in program.words
        assert (program.modes_left, program.stty()) == (set(), program.stty_before)
    session, versions = record(tmp_path)
    # Where nothing came there is no version; one that was cut can be gone on with.
    assert [(each.models, each.open) for each in versions] == [((f"{x}/m",), x == "f") for x in "abcdf"]
    assert [each.text for each in session.conversation.messages] == ["why?", "a begins, and a ends."]


def test_narrow_terminal_has_columns_for_two_and_escape_keeps_what_came(tmp_path: Path) -> None:
    """At 60 columns, without a flicker: each frame is one write that a terminal shows at once."""
    a, b = Model("a"), Model("b")
    command = [*LLMTERM, "compare", "why?", *of(a, b)]
    with serving(tmp_path, a, b) as env, Program(command, env, columns=60, rows=12) as program:
        program.wait_for(r"a begins, +│ b begins,")
        # Without a digit it is for both.
        program.send("shorter\r")
        a.server.wait(lambda: len(a.asked) == 2)
        program.wait_for(r"and a ends.")

        assert program.exit_code == 0
        assert "shorter" in a.asked[1]
        assert "shorter" in b.asked[1]
        assert b"begins" not in re.sub(rb"(?s)\x1b\[\?2026h.*?\x1b\[\?2026l", b"", program.written)
        assert b"\x1b[2J" not in program.written

    a, b = Model("a"), Model("b")
    other = tmp_path / "other"
    with serving(other, a, b) as env, Program([*LLMTERM, "compare", "why?", *of(a, b)], env) as program:
        program.wait_for(r"a begins, +│ b begins,")
        program.send("\x1b")
        assert program.exit_code == 130
        program.wait_for("stopped after")
        assert (program.modes_left, program.stty()) == (set(), program.stty_before)
    _, versions = record(other)
    assert [(each.text, each.open) for each in versions] == [("a begins,", False), ("b begins,", False)]


def test_plain_terminal_shows_one_after_the_other_and_hears_the_keys(tmp_path: Path) -> None:
    """What the second has said meanwhile is there when the first is over."""
    a, b = Model("a"), Model("b")
    command = [*LLMTERM, "compare", "why?", "--plain", *of(a, b)]
    with serving(tmp_path, a, b) as env, Program(command, env) as program:
        b.gate.open()
        program.wait_for(r"1 a/m\na begins,")
        program.send("1")
        program.wait_for("paused - SPACE resume all - 1 resume 1 - type to guide 1")
        a.wait_for_silence()
        program.send("go on\r")
        program.wait_for("1 is told: go on")

        assert program.exit_code == 0
        assert "2 b/m\nb begins, and b ends." in program.text
        assert program.text.index("and a ends.") < program.text.index("b begins,")
        assert b"\x1b[" not in program.written.replace(b"\x1b[?2004h", b"").replace(b"\x1b[?2004l", b"")


def test_terminal_that_is_closed_leaves_all_answers_to_be_gone_on_with(tmp_path: Path) -> None:
    """As they were when it happened."""
    a, b = Model("a"), Model("b")
    with serving(tmp_path, a, b) as env, Program([*LLMTERM, "compare", "why?", *of(a, b)], env) as program:
        program.wait_for(r"a begins, +│ b begins,")
        assert program.hang_up() == 129
    _, versions = record(tmp_path)
    assert [(each.text, each.open) for each in versions] == [("a begins,", True), ("b begins,", True)]


def test_chat_has_others_answer_and_keeps_one(tmp_path: Path) -> None:
    """What they say are versions of the answer: the one that is kept is gone on with, and the others are beside it."""
    a, b, c = (Model(letter) for letter in "abc")
    for model in (a, b, c):
        model.gate.open()
    with serving(tmp_path, a, b, c) as env, Program([*LLMTERM, "chat", "-p", "a"], env, columns=100) as program:
        program.wait_for(READY)
        program.send("why?\r")
        program.wait_for("and a ends.")
        program.send("/compare\r")
        program.wait_for("who else is to answer?")
        program.send("/compare b c\r")
        program.wait_for(r"(?s)b begins, and b ends. +│ c begins, and c ends\..*1 or 2 goes on with that answer")
        program.send("2go on\r")  # what is typed after the digit is for the chat
        program.wait_for(r"(?s)the answer of c/m is kept\n.*> go on\n.*and a ends\..*\n>\na/m - version 3 of 3")
        said = [each["content"] for each in a.server.exchanges[-1].body["messages"]]
        assert said[-3:] == ["why?", "c begins, and c ends.", "go on"]
        program.send("\x1b[1;3D")
        program.wait_for(r"b begins, and b ends\.\n\n>\na/m - version 2 of 3")
        program.send("/compare b\r")
        program.wait_for("1 goes on with that answer")
        program.send("\r")
        program.wait_for(r"(?s)the answer stays as it was\n.*>\na/m - version 2 of 4")
        program.send("\x04")
        assert program.exit_code == 0
        assert (program.modes_left, program.stty()) == (set(), program.stty_before)
    session, _ = record(tmp_path)
    assert [each.text for each in session.conversation.messages] == ["why?", "b begins, and b ends."]


def run(home: Path, models: Sequence[Model], *arguments: str, piped: bytes = b"") -> CompletedProcess[bytes]:
    for model in models:
        if model.fault != "slow":
            model.gate.open()
    with serving(home, *models) as env:
        return starter.run([*LLMTERM, "compare", *arguments, *of(*models)], env, input=piped)


def test_pipe_gets_one_after_the_other_and_the_table(tmp_path: Path) -> None:
    """What is piped goes with the question; a failing one has its error in its place."""
    models = [Model("a"), Model("b", "broken"), Model("c")]

    done = run(tmp_path, models, "why?", piped=b"a text")

    *said, table = done.stdout.decode().split("\n\n")
    assert said == [
        "1 a/m\na begins, and a ends.",
        "2 b/m\n(b: out of order (HTTP 500, model m) (the provider has a problem; try again, or use another))",
        "3 c/m\nc begins, and c ends.",
    ]
    assert [line.split()[0] for line in table.splitlines()] == ["first", "model", "a/m", "b/m", "c/m"]
    assert table.splitlines()[3].endswith("failed")
    assert b"\x1b" not in done.stdout
    assert b"llmterm chat --session" in done.stderr
    assert (done.returncode, models[0].asked) == (0, ["why?\n\na text"])


def test_interleaved_lines_have_the_names_of_their_models(tmp_path: Path) -> None:
    """As they come, and never half a line."""
    done = run(tmp_path, [Model("a"), Model("b"), Model("c", "broken")], "why?", "--interleaved")

    said = done.stdout.decode().partition("\n\n")[0].splitlines()
    assert sorted(said)[:2] == ["1 a/m: a begins, and a ends.", "2 b/m: b begins, and b ends."]
    assert sorted(said)[2].startswith("3 c/m: (c: out of order")
    assert done.returncode == 0


def test_first_to_finish_is_kept_and_the_others_are_stopped(tmp_path: Path) -> None:
    """One that fails before is not the first."""
    done = run(tmp_path, [Model("a", "slow"), Model("b")], "why?", "-m", "anthropic/m", "--first", "--json")

    value = json.loads(done.stdout)
    assert [(each["model"], each["state"]) for each in value["answers"]] == [
        ("anthropic/m", "failed"),
        ("a/m", "stopped"),
        ("b/m", "answered"),
    ]
    assert value["answers"][2]["text"] == "b begins, and b ends."
    session, versions = record(tmp_path)
    assert (session.id, session.conversation.messages[-1].text) == (value["session"], "b begins, and b ends.")
    assert not any(each.open for each in versions)
    assert done.returncode == 0


def test_first_in_a_pipe_is_all_that_is_shown(tmp_path: Path) -> None:
    """The others are stopped before they have said anything there; who has failed is said beside it."""
    done = run(tmp_path, [Model("a", "slow"), Model("b")], "why?", "-m", "anthropic/m", "--first")

    assert (done.stdout, done.returncode) == (b"b begins, and b ends.\n", 0)
    assert b"1 anthropic/m: no key for anthropic" in done.stderr
    assert b"goes on with b/m" in done.stderr


def test_rounds_ask_again_and_the_table_has_one_row_for_each(tmp_path: Path) -> None:
    """Every answer of every round is a version, and one value of the JSON."""
    models = [Model("a"), Model("b")]

    done = run(tmp_path, models, "why?", "--rounds", "2", "--json")

    value = json.loads(done.stdout)
    assert value["question"] == "why?"
    assert [(each["model"], each["round"], each["state"]) for each in value["answers"]] == [
        ("a/m", 1, "answered"),
        ("b/m", 1, "answered"),
        ("a/m", 2, "answered"),
        ("b/m", 2, "answered"),
    ]
    assert [model.asked for model in models] == [["why?", "why?"]] * 2
    _, versions = record(tmp_path)
    assert [each.models for each in versions] == [("a/m",), ("b/m",), ("a/m",), ("b/m",)]


def test_nobody_who_answers_is_an_error_and_leaves_no_session(tmp_path: Path) -> None:
    """Also of those who cannot even be asked."""
    done = run(tmp_path, [Model("a", "broken"), Model("b", "broken")], "why?", "-m", "anthropic")

    assert done.returncode == 3
    assert b"no key for anthropic" in done.stdout
    with closing(SessionStore(tmp_path / "data")) as store:
        assert store.infos() == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["why?"], "there is nothing to compare"),
        (["why?", "-m", "a"], "there is nothing to compare"),
        (["why?", *["-m", "a"] * 10], "at most 9 models"),
        (["why?", "-m", "a", "-m", "b", "--json", "--interleaved"], "do not go together"),
    ],
)
def test_what_cannot_be_compared_is_refused(tmp_path: Path, arguments: list[str], said: str) -> None:
    """Before anybody is asked."""
    done = starter.run([*LLMTERM, "compare", *arguments], environment(tmp_path), input=b"")

    assert (said in done.stderr.decode(), done.returncode, done.stdout) == (True, 2, b"")
