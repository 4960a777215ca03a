"""`llmterm batch`: every question has its answer in the file, once, whatever happens meanwhile."""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmterm.assembly.batching import within
from llmterm.assembly.plan import Plan
from llmterm.batch.questions import BadLine, Question, Questions, format_of
from llmterm.batch.results import Lines, Results
from llmterm.batch.tally import Tally
from llmterm.config import Settings
from llmterm.errors import UsageError
from llmterm.messages import Options
from tests import starter
from tests.terminal import LLMTERM, Program, environment
from tests.wire import Exchange, Script, WireServer, say

PRICES = '[providers.openai.prices."*"]\ninput = 1\noutput = 1000\n'


def read(data: str, name: str = "q.jsonl", **more: Any) -> list[Question | BadLine]:
    delimiter = "\t" if name.endswith(".tsv") else ","
    return list(Questions(form=format_of(name), **more).read(BytesIO(data.encode()), delimiter=delimiter))


def asked(found: Sequence[Question | BadLine]) -> list[tuple[str, str]]:
    """What is asked in each line, or wrong with it, behind its id; of one without an id behind its number."""
    ids = [str(each.line) if re.fullmatch("[0-9a-f]{16}", each.id) else each.id for each in found]
    said = [each.messages[-1].text if isinstance(each, Question) else each.problem for each in found]
    return list(zip(ids, said, strict=True))


# What is asked


def test_a_line_of_json_says_all_that_it_asks() -> None:
    """Its own model, options and files; what it does not say is the batch's."""
    line = {
        "id": "a",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "one "}, {"type": "text", "text": "two"}]},
        ],
        "model": "openai/big",
        "temperature": 0.5,
        "max_tokens": 9,
        "seed": 7,
        "effort": "low",
        "web_search": True,
        "attachments": ["cat.png"],
        "anything": "else",
    }

    [found] = read(json.dumps(line))

    assert isinstance(found, Question)
    assert (found.line, found.id, found.model, found.files) == (1, "a", "openai/big", ("cat.png",))
    assert [(each.role, each.text) for each in found.messages] == [("system", "Be brief."), ("user", "one two")]
    assert found.options == Options(temperature=0.5, max_tokens=9, seed=7, effort="low", web_search=True)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("nonsense", "it is no JSON"),
        ("[1]", "it is no JSON object"),
        ("[" * 100_000, "it is no JSON"),
        ("{}", "it has no 'prompt' and no 'messages'"),
        ('{"prompt": " "}', "there is no question in it"),
        ('{"prompt": 3}', "'prompt' is no text"),
        ('{"messages": []}', "'messages' is no list of messages"),
        ('{"messages": [{"role": "tool", "content": "x"}]}', "there is no role 'tool'"),
        ('{"messages": [{"role": "user", "content": [{"type": "image"}]}]}', "is no text"),
        ('{"messages": [{"role": "assistant", "content": "x"}]}', "the last of 'messages' is not the user's"),
        ('{"prompt": "x", "temperature": "hot"}', "'temperature' is 'hot'"),
        ('{"prompt": "x", "max_tokens": true}', "'max_tokens' is True"),
        ('{"prompt": "x", "effort": "much"}', "'effort' is 'much'"),
        ('{"prompt": "x", "top_p": 1.5}', "'top_p' is 1.5"),
        ('{"prompt": "x", "attachments": "a.png"}', "'attachments' is no list"),
    ],
)
def test_a_line_that_cannot_be_asked_is_named_and_the_next_one_is_asked(line: str, problem: str) -> None:
    first, second = read(f'{line}\n{{"prompt": "two"}}')

    assert isinstance(first, BadLine)
    assert (first.line, first.id) == (1, "1")
    assert problem in first.problem
    assert asked([second]) == [("2", "two")]


def test_an_id_that_was_there_before_is_a_bad_line() -> None:
    """Its answer would be taken for that of the other."""
    found = read('{"id": "a", "prompt": "one"}\n\n{"id": "a", "prompt": "two"}')

    assert asked(found) == [("a", "one"), ("a#3", "the id 'a' is that of line 1 too")]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["x/y", "x/z"])), max_size=8), st.data())
def test_a_line_without_an_id_is_known_by_what_it_asks(rows: list[tuple[str, str]], data: st.DataObject) -> None:
    """Wherever it stands; and the same one asked twice is two."""
    lines = [json.dumps({"prompt": prompt, "model": model}) for prompt, model in rows]
    shuffled = data.draw(st.permutations(lines))

    before, after = (read("\n".join(each)) for each in (lines, ["", *shuffled, '{"prompt": "a", "seed": 1}']))

    known = {each.id for each in before}
    assert len(known) == len(rows)
    assert {each.id for each in after[:-1]} == known
    assert after[-1].id not in known


def test_rows_of_a_table_fill_a_template() -> None:
    """Or have a column that is asked; a byte order mark is no part of a name."""
    table = '\ufeffid,name,age\nx,Anna,3\n,"Bo, B",4\nz,too,many,values\n'

    assert asked(read(table, "t.csv", template="Who is {{ name }}, {{age}}?")) == [
        ("x", "Who is Anna, 3?"),
        ("3", "Who is Bo, B, 4?"),
        ("4", "it has more values than the 3 columns of the first line"),
    ]
    assert asked(read("name\tage\nBo\t4", "t.tsv", column="name")) == [("2", "Bo")]
    assert asked(read('{"a": {"b": 1}}', template="{{a}} {{c}}"))[0][1].startswith("there is no column 'c'")
    assert asked(read("one\n\ntwo\n", "q.txt", template="Say {{prompt}}.")) == [("1", "Say one."), ("3", "Say two.")]
    with pytest.raises(UsageError, match="there is no column 'prompt'"):
        read(table, "t.csv")


def test_what_cannot_be_read_is_a_bad_line_and_a_long_value_is_none() -> None:
    """Nothing is asked that was not in the file."""
    found = {
        name: list(Questions(form=format_of(name)).read(BytesIO(data)))
        for name, data in {
            "q.jsonl": b'{"prompt": "caf\xe9"}\n{"prompt": "two"}\n',
            "q.txt": b"caf\xe9\ntwo\n",
            "q.csv": b"prompt\ncaf\xe9\n" + b"two" * 100_000,
        }.items()
    }

    for first, second in found.values():
        assert isinstance(first, BadLine)
        assert first.problem == "it is not in UTF-8"
        assert isinstance(second, Question)
    assert len(asked(found["q.csv"])[1][1]) == 300_000


# What has become of it


@given(st.lists(st.text('ab"\\ \n\x00é', max_size=4), unique=True, max_size=6), st.data())
def test_file_that_ends_anywhere_has_all_lines_before_it(
    tmp_path_factory: pytest.TempPathFactory, keys: list[str], data: st.DataObject
) -> None:
    """Half a line is cut off, and what is added stands on a line of its own."""
    path = tmp_path_factory.mktemp("some") / "a.jsonl"
    lines = Lines(path)
    lines.add({"id": key, "text": key} for key in keys)
    lines.close()
    whole = path.read_bytes()
    cut = data.draw(st.integers(0, len(whole)))
    path.write_bytes(whole[:cut])

    again = Lines(path)
    found = again.ids
    again.add([{"id": "new"}])
    again.close()

    assert found == set(keys[: whole[:cut].count(b"\n")])
    assert [json.loads(line)["id"] for line in path.read_text("utf-8").split("\n")[:-1]] == [*keys[: len(found)], "new"]


def test_a_file_of_somebody_else_is_not_touched(tmp_path: Path) -> None:
    """Neither one with other lines, nor one that another batch is writing, nor one that is there without --resume."""
    path = tmp_path / "a.jsonl"
    for text in ("precious", "precious\n", '{"id": 3}\n', '{"id": "a"}\nprecious\n'):
        path.write_text(text)
        with pytest.raises(UsageError, match="this is no file of a batch"):
            Lines(path)
        assert path.read_text() == text
    path.write_text('{"id": "a"}\n')
    with pytest.raises(UsageError, match="is there already"):
        Results(path)
    with Results(path, resume=True) as results:
        assert results.has("a")
        with pytest.raises(UsageError, match="is being written by another batch"):
            Results(path, resume=True)


def test_tally_tells_how_long_it_takes_yet() -> None:
    """A pause is no time in which something was asked."""
    tally = Tally(began=0.0, total=40, skipped=10, answered=9, failed=1, rested=30.0)

    assert tally.words(90.0) == "20 of 40 - 1 failed - 10 a minute - 0 tokens in, 0 out - 0:02:00 left"


# The program


def questions(folder: Path, number: int, *more: str) -> None:
    lines = [json.dumps({"id": f"q{each}", "prompt": f"question {each}"}) for each in range(number)]
    (folder / "q.jsonl").write_text("".join(f"{line}\n" for line in [*lines, *more]))


def answers(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "a.jsonl").read_text("utf-8").splitlines()]


def once(folder: Path, number: int) -> bool:
    """Tell whether each question has its own answer, and no other."""
    return Counter((each["id"], each["text"]) for each in answers(folder)) == Counter(
        (f"q{each}", f"answer to question {each}") for each in range(number)
    )


async def answering(exchange: Exchange) -> None:
    await exchange.start()
    for piece in ("answer ", "to ", exchange.question):
        await exchange.text(piece)
    await exchange.end()


def command(folder: Path, *arguments: str) -> list[str]:
    source = str(folder / "q.jsonl")
    return [*LLMTERM, "batch", source, "-o", str(folder / "a.jsonl"), "-m", "openai/test", *arguments]


def env_of(folder: Path, server: WireServer, **more: str) -> dict[str, str]:
    return environment(folder, OPENAI_BASE_URL=server.base_url, OPENAI_API_KEY="sk-test", **more)


def _has_come(server: WireServer, enough: int) -> bool:
    return len(server.exchanges) >= enough


def run(
    folder: Path, script: Script, *arguments: str, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    with WireServer(script) as server:
        return starter.run(command(folder, *arguments), env_of(folder, server, **(env or {})))


def test_every_question_has_its_answer_whatever_fails_on_the_way(tmp_path: Path) -> None:
    """Limits, faults of the server, and connections that break in the middle of an answer."""
    questions(tmp_path, 60)
    dice, failed = random.Random(7), set[str]()

    async def script(exchange: Exchange) -> None:
        if exchange.question in failed or dice.random() > 0.2:
            await answering(exchange)
            return
        failed.add(exchange.question)
        match dice.choice(["limit", "fault", "cut"]):
            case "limit":
                await exchange.refuse(429, {"error": {"message": "slow down"}}, **{"Retry-After": "0"})
            case "fault":
                await exchange.refuse(500, {"error": {"message": "oops"}}, **{"Retry-After": "0"})
            case _:
                await exchange.start()
                await exchange.text("answer to someth")
                exchange.drop()

    done = run(tmp_path, script, "-n", "20")

    assert done.returncode == 0, done.stderr.decode()
    assert len(failed) > 5
    assert once(tmp_path, 60)
    assert not (tmp_path / "a.failed.jsonl").exists()
    assert b"60 of 60" in done.stderr
    first = answers(tmp_path)[0]
    assert (first["model"], first["end"], set(first["usage"])) == (
        "openai/test",
        "stop",
        {"input_tokens", "output_tokens"},
    )


def test_batch_that_is_killed_at_any_time_goes_on_where_it_was(tmp_path: Path) -> None:
    """Nothing is lost, asked for twice or torn, and the file of questions may have grown meanwhile."""
    questions(tmp_path, 80)
    dice = random.Random(7)
    with WireServer(answering) as server:
        env = env_of(tmp_path, server)
        for _ in range(5):
            enough = len(server.exchanges) + dice.randint(1, 12)
            with Program(command(tmp_path, "--resume", "-n", "4"), env) as program:
                server.wait(partial(_has_come, server, enough))
                os.kill(program.pid, signal.SIGKILL)
        questions(tmp_path, 100)
        done = starter.run(command(tmp_path, "--resume", "-n", "20"), env)

    assert done.returncode == 0, done.stderr.decode()
    assert once(tmp_path, 100)


def test_line_that_was_changed_is_asked_when_a_batch_goes_on(tmp_path: Path) -> None:
    """Without an id, too; and those that have moved are not asked again."""
    file = tmp_path / "q.jsonl"
    lines = [json.dumps({"prompt": f"question {each}"}) + "\n" for each in range(3)]
    file.write_text("".join(lines))
    run(tmp_path, answering)
    file.write_text("".join(['{"prompt": "new"}\n', lines[0], '{"prompt": "changed"}\n', lines[2]]))

    done = run(tmp_path, answering, "--resume")

    assert done.returncode == 0, done.stderr.decode()
    found = [(each["line"], each["text"]) for each in answers(tmp_path)]
    assert sorted(found[:3]) == [(each + 1, f"answer to question {each}") for each in range(3)]
    assert sorted(found[3:]) == [(1, "answer to new"), (3, "answer to changed")]


def test_what_fails_is_told_beside_the_answers_and_asked_again_when_that_is_wanted(tmp_path: Path) -> None:
    """--resume leaves it, --retry-failed does not; a line that makes no sense stays where it is."""
    questions(tmp_path, 3, "nonsense")

    async def refusing(exchange: Exchange) -> None:
        if exchange.question == "question 1":
            await exchange.refuse(400, {"error": {"message": "no such thing"}})
        else:
            await answering(exchange)

    first = run(tmp_path, refusing)
    failures = [json.loads(line) for line in (tmp_path / "a.failed.jsonl").read_text("utf-8").splitlines()]
    again = run(tmp_path, answering, "--resume")
    last = run(tmp_path, answering, "--retry-failed")

    assert (first.returncode, again.returncode, last.returncode) == (3, 0, 3)
    assert {each["id"]: each["line"] for each in failures} == {"q1": 2, "4": 4}
    assert "no such thing" in next(each["error"] for each in failures if each["id"] == "q1")
    assert b"1 failed" in last.stderr
    assert b"line 4: it is no JSON" in first.stderr
    assert b"line 4" not in again.stderr
    assert once(tmp_path, 3)


def test_a_key_that_is_refused_is_not_tried_for_every_question(tmp_path: Path) -> None:
    questions(tmp_path, 500)

    async def refusing(exchange: Exchange) -> None:
        await exchange.refuse(401, {"error": {"message": "wrong key"}})

    done = run(tmp_path, refusing, "-n", "5")

    assert done.returncode == 3
    assert b"20 have failed for what goes for all, the last: " in done.stderr
    assert 20 <= len((tmp_path / "a.failed.jsonl").read_text("utf-8").splitlines()) <= 30


def test_answer_that_is_as_long_as_it_may_be_says_so(tmp_path: Path) -> None:
    questions(tmp_path, 1)

    done = run(tmp_path, say("answer to", reason="length"), "--max-tokens", "2")

    assert done.returncode == 0
    assert [(each["text"], each["end"]) for each in answers(tmp_path)] == [("answer to", "length")]


def test_answers_fit_a_schema_and_are_given_in_a_role(tmp_path: Path) -> None:
    """One that does not fit is told so once; one that never does has failed."""
    questions(tmp_path, 3)
    roles = tmp_path / "config" / "llmterm" / "roles"
    roles.mkdir(parents=True)
    (roles / "clerk.md").write_text("---\ntemperature: 0.5\nattachments: [style.md]\n---\nIn {{language}}: {{input}}")
    (roles / "style.md").write_text("No long words.")
    asked = list[str]()

    async def script(exchange: Exchange) -> None:
        first = next(each["content"] for each in exchange.body["messages"] if each["role"] == "user")
        again = "That does not fit" in exchange.question
        asked.append(first)
        await exchange.start()
        fits = "question 0" in first or ("question 1" in first and again)
        await exchange.text('{"age": 36}' if fits else '{"age": "old"}')
        await exchange.end()

    done = run(tmp_path, script, "--schema", "age int", "--role", "clerk", "-v", "language=French")

    assert done.returncode == 3
    assert {each["id"]: each["data"] for each in answers(tmp_path)} == {"q0": {"age": 36}, "q1": {"age": 36}}
    assert "the answer does not fit the schema: $.age" in (tmp_path / "a.failed.jsonl").read_text("utf-8")
    assert len(asked) == 5
    assert all(each.startswith("In French: question") and "No long words." in each for each in asked)


def test_file_that_the_model_does_not_take_is_no_question_about_its_name(tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(50))
    (tmp_path / "config.toml").write_text("[providers.openai]\nattachments = []\n")
    (tmp_path / "q.jsonl").write_text(json.dumps({"prompt": "what?", "attachments": ["cat.png"]}) + "\n")

    done = run(tmp_path, answering, env={"LLMTERM_CONFIG": str(tmp_path / "config.toml")})

    assert done.returncode == 3
    assert answers(tmp_path) == []
    assert "openai/test takes no images: cat.png" in (tmp_path / "a.failed.jsonl").read_text("utf-8")


def test_limits_are_those_of_every_provider(tmp_path: Path) -> None:
    """Also of one that the configuration says nothing about."""
    plan = Plan(source="q.jsonl", output=tmp_path / "a.jsonl", concurrency=3, requests_per_minute=7)

    remotes = within(Settings(), plan).providers.remotes

    assert {(each.max_concurrent, each.requests_per_minute) for each in remotes.values()} == {(3, 7)}
    assert {"openai", "groq"} <= remotes.keys()


def test_more_answers_at_once_than_open_files_are_allowed_are_refused(tmp_path: Path) -> None:
    """Before anything is asked; up to what the system allows, files are asked for."""
    questions(tmp_path, 2)
    with WireServer(answering) as server:
        env = env_of(tmp_path, server)
        shell = ["sh", "-c", 'ulimit -Sn 64; ulimit -Hn 512; exec "$@"', "sh"]
        refused = starter.run([*shell, *command(tmp_path, "-n", "1000")], env)
        done = starter.run([*shell, *command(tmp_path, "-n", "300")], env)

    assert (refused.returncode, done.returncode) == (2, 0)
    assert b"1,000 answers at once take 1,128 open files, and the system allows 512" in refused.stderr
    assert once(tmp_path, 2)


def test_budget_is_not_passed(tmp_path: Path) -> None:
    """Also by the answers that stream at the same time; without a price nothing is asked."""
    questions(tmp_path, 50)
    config = tmp_path / "config.toml"
    config.write_text(PRICES)

    unpriced = run(tmp_path, answering, "--budget", "1")
    done = run(
        tmp_path, answering, "--budget", "0.1", "--max-tokens", "10", "-n", "10", env={"LLMTERM_CONFIG": str(config)}
    )

    assert (unpriced.returncode, done.returncode) == (2, 3)
    assert b"there is a budget" in unpriced.stderr
    assert b"one more answer might pass the budget of 0.1" in done.stderr
    assert 0.08 < sum(each["cost"] for each in answers(tmp_path)) <= 0.1
    again = run(
        tmp_path, answering, "--resume", "--budget", "0.1", "--max-tokens", "10", env={"LLMTERM_CONFIG": str(config)}
    )
    assert again.returncode == 3
    assert sum(each["cost"] for each in answers(tmp_path)) <= 0.1  # what is there was paid for, too


def test_what_failed_answers_cost_counts_for_a_later_budget(tmp_path: Path) -> None:
    """Also once they are asked again, whatever became of that; and the first try of an answer that then fits."""
    questions(tmp_path, 3)
    (tmp_path / "config.toml").write_text(PRICES)
    env = {"LLMTERM_CONFIG": str(tmp_path / "config.toml")}
    priced = ("--schema", "age int", "--max-tokens", "10", "-n", "1")

    async def failing(exchange: Exchange) -> None:
        first = len(exchange.body["messages"]) < 3
        await say('{"age": 1}' if "question 0" in str(exchange.body["messages"]) and not first else "nonsense")(
            exchange
        )

    def failures() -> list[dict[str, Any]]:
        return [json.loads(line) for line in (tmp_path / "a.failed.jsonl").read_text("utf-8").splitlines()]

    run(tmp_path, failing, *priced, env=env)
    [answered], failed = answers(tmp_path), failures()
    assert [each["kind"] for each in failed] == ["schema", "schema"]
    assert 0 < answered["cost"] == pytest.approx(failed[0]["cost"]) == pytest.approx(failed[1]["cost"])
    spent = answered["cost"] + sum(each["cost"] for each in failed)

    done = run(tmp_path, failing, "--retry-failed", "--budget", f"{spent:.6f}", *priced, env=env)
    assert b"one more answer might pass the budget" in done.stderr
    [earlier] = failures()
    assert (earlier["kind"], earlier["cost"]) == ("earlier", pytest.approx(spent - answered["cost"]))
    run(tmp_path, failing, "--resume", *priced, env=env)
    assert sum(each["cost"] for each in failures()) == pytest.approx(2 * (spent - answered["cost"]))


def test_nothing_is_asked_to_say_what_it_would_take(tmp_path: Path) -> None:
    """Nor where a line cannot be asked and that is to be no batch at all."""
    questions(tmp_path, 2, "nonsense")
    config = tmp_path / "config.toml"
    config.write_text(PRICES)

    tried = run(tmp_path, say("no"), "--dry-run", "--max-tokens", "500", env={"LLMTERM_CONFIG": str(config)})
    strict = run(tmp_path, say("no"), "--strict")

    assert tried.stdout.decode().splitlines() == [
        "2 questions (1 that cannot be asked), about 4 tokens in",
        "about 0.0000 for the questions, and 1.0000 at most for the answers",
    ]
    assert (strict.returncode, (tmp_path / "a.jsonl").exists()) == (2, False)
    assert b"nothing was asked, 1 line cannot be: line 3: it is no JSON" in strict.stderr


def test_space_pauses_all_answers_and_resumes_them(tmp_path: Path) -> None:
    """No connection is open meanwhile, and nothing new is asked; each answer is whole afterwards. Ctrl-C leaves."""
    questions(tmp_path, 12)
    resumed, begun = asyncio.Event(), list[str]()

    async def script(exchange: Exchange) -> None:
        begun.append(exchange.question)
        await exchange.start()
        said = [each["content"] for each in exchange.body["messages"] if each["role"] == "assistant"]
        question = next(each["content"] for each in exchange.body["messages"] if each["role"] == "user")
        rest = f"answer to {question}".removeprefix(said[0] if said else "")
        await exchange.text(rest[:7])
        if not resumed.is_set():
            await exchange.hung_up()
            return
        await exchange.text(rest[7:])
        await exchange.end()

    with WireServer(script) as server, Program(command(tmp_path, "-n", "4"), env_of(tmp_path, server)) as program:
        server.wait(lambda: len(begun) == 4)
        program.wait_for("SPACE pauses")
        program.send(" ")
        server.wait(lambda: server.open_connections == 0)
        program.wait_for("paused: SPACE resumes")
        assert len(begun) == 4
        resumed.set()
        program.send("x")
        program.send(" ")

        assert program.exit_code == 0
    assert once(tmp_path, 12)


def test_answer_that_is_begun_anew_after_a_pause_is_asked_for_anew(tmp_path: Path) -> None:
    """What is in the file is neither its first half nor both."""
    (tmp_path / "q.jsonl").write_text('{"prompt": "tides?"}\n')
    half = "The tide comes in twice a day, and it goes out twice a day as well. Fishermen have always known"

    async def script(exchange: Exchange) -> None:
        goes_on = gone_on() == len(server.exchanges)
        await exchange.start()
        await exchange.text(half[:80] if goes_on else half)
        if goes_on or not gone_on():
            await exchange.hung_up()
            return
        await exchange.text(" that.")
        await exchange.end()

    def gone_on() -> int:
        """Return the number of the request that goes on with the half, 0 before there is one."""
        roles = [[each["role"] for each in exchange.body["messages"]] for exchange in server.exchanges]
        return next((number for number, each in enumerate(roles, 1) if "assistant" in each), 0)

    with WireServer(script) as server, Program(command(tmp_path), env_of(tmp_path, server)) as program:
        program.wait_for("SPACE pauses")
        while not gone_on():  # a pause may be sooner than the first of its text
            asked = len(server.exchanges)
            program.send("x ")
            server.wait(lambda: server.open_connections == 0)
            program.send("x ")
            server.wait(partial(_has_come, server, asked + 1))

        assert program.exit_code == 0
    assert [each["role"] for each in server.exchanges[-1].body["messages"]] == ["user"]
    assert [each["text"] for each in answers(tmp_path)] == [f"{half} that."]


def test_ctrl_z_stops_with_no_answer_streaming(tmp_path: Path) -> None:
    """Gone on with, it goes on with them."""
    questions(tmp_path, 3)
    stopped = asyncio.Event()

    async def script(exchange: Exchange) -> None:
        if not stopped.is_set():
            await exchange.hung_up()
            return
        await answering(exchange)

    with WireServer(script) as server, Program(command(tmp_path, "-n", "3"), env_of(tmp_path, server)) as program:
        server.wait(lambda: len(server.exchanges) == 3)
        program.wait_for("SPACE pauses")
        stopped.set()
        program.send("\x1a")
        server.wait(lambda: len(server.exchanges) == 6)  # nobody stops a program that no shell would go on with

        assert program.exit_code == 0
    assert once(tmp_path, 3)


def test_ctrl_c_leaves_what_is_answered_for_the_next_time(tmp_path: Path) -> None:
    questions(tmp_path, 5)

    async def script(exchange: Exchange) -> None:
        await (answering(exchange) if exchange.question == "question 0" else exchange.hung_up())

    with WireServer(script) as server, Program(command(tmp_path), env_of(tmp_path, server), columns=200) as program:
        server.wait(lambda: len(server.exchanges) == 5)
        program.wait_for(lambda: (tmp_path / "a.jsonl").stat().st_size > 0)
        program.send("\x03")

        assert program.exit_code == 130
        assert "1 of 5" in program.text
        assert "--resume goes on with the rest" in program.text
        assert program.stty() == program.stty_before
    assert [each["id"] for each in answers(tmp_path)] == ["q0"]


def test_questions_come_on_standard_input_with_files_beside_them(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("remember the milk")
    line = json.dumps({"prompt": "what?", "attachments": ["notes.txt"], "system": "Be brief.", "model": "other"})
    with WireServer(say("milk.")) as server:
        words = [*LLMTERM, "batch", "-", "-o", str(tmp_path / "a.jsonl"), "-m", "openai/test", "-s", "usual"]
        done = starter.run(words, env_of(tmp_path, server), input=line.encode(), cwd=tmp_path)

    assert done.returncode == 0, done.stderr.decode()
    body = server.exchanges[0].body
    assert (body["model"], body["messages"][0]["content"]) == ("other", "Be brief.")
    assert "remember the milk" in body["messages"][1]["content"]
    assert answers(tmp_path)[0]["model"] == "openai/other"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["/no/such/file", "-o", "a.jsonl"], "/no/such/file cannot be read"),
        (["q.jsonl", "-o", "/no/such/folder/a.jsonl"], "cannot be written"),
        (["q.jsonl", "-o", "a.jsonl", "--template", "@nowhere"], "the template nowhere cannot be read"),
        (["q.jsonl"], "Missing option '--output'"),
        (["q.jsonl", "-o", "a.jsonl", "--address", "auto"], "--address is that of a cluster"),
        (["q.jsonl", "-o", "a.jsonl", "-n", "5000"], "--concurrency is at most 4,096 with --engine local"),
        (["q.jsonl", "-o", "a.jsonl", "--engine", "ray", "--cache"], "the cache of answers is this machine's"),
        (
            ["q.jsonl", "-o", "a.jsonl", "--engine", "ray", "-m", "local/x"],
            "the embedded model answers on this machine",
        ),
    ],
)
def test_what_cannot_be_is_said(tmp_path: Path, arguments: list[str], said: str) -> None:
    questions(tmp_path, 1)

    with WireServer(answering) as server:
        done = starter.run([*LLMTERM, "batch", "-m", "openai/test", *arguments], env_of(tmp_path, server), cwd=tmp_path)

    assert done.returncode == 2
    assert said in done.stderr.decode()
    assert not server.exchanges


def test_cluster_without_ray_says_what_to_install(tmp_path: Path) -> None:
    questions(tmp_path, 1)
    without = "import sys, runpy; sys.modules['ray'] = None; runpy.run_module('llmterm', run_name='__main__')"

    with WireServer(answering) as server:
        words = [sys.executable, "-c", without, *command(tmp_path, "--engine", "ray")[len(LLMTERM) :]]
        done = starter.run(words, env_of(tmp_path, server))

    assert done.returncode == 2
    assert done.stderr.decode().strip() == (
        "llmterm: --engine ray takes Ray, which is not installed (pip install 'llmterm[ray]')"
    )
