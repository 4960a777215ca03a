"""`llmterm batch --via provider`: a batch is handed over once, and comes back whole, whatever happens meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests import starter
from tests.jobserver import KINDS, MODELS, JobServer, Kind
from tests.terminal import LLMTERM, Program, environment
from tests.wire import WireServer

PRICES = '[providers.openai.prices."*"]\ninput = 1\noutput = 1000\n'


def questions(folder: Path, number: int, *more: str) -> None:
    lines = [json.dumps({"id": f"q{each}", "prompt": f"question {each}"}) for each in range(number)]
    (folder / "q.jsonl").write_text("".join(f"{line}\n" for line in [*lines, *more]))


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


def once(folder: Path, number: int) -> bool:
    """Tell whether each question has its own answer, and no other."""
    return Counter((each["id"], each["text"]) for each in read(folder / "a.jsonl")) == Counter(
        (f"q{each}", f"answer to question {each}") for each in range(number)
    )


class Desk:
    """A folder with questions, a server that takes batches, and the program between them."""

    def __init__(self, folder: Path, kind: Kind, server: WireServer, jobs: JobServer) -> None:
        self.folder = folder
        self.kind = kind
        self.server = server
        self.jobs = jobs
        self.journal = folder / "a.jobs.jsonl"

    @property
    def env(self) -> dict[str, str]:
        config = self.folder / "config.toml"
        more = {"LLMTERM_CONFIG": str(config)} if config.exists() else {}
        return environment(self.folder, **self.jobs.address(self.server.address), **more)

    def command(self, *arguments: str) -> list[str]:
        paths = [str(self.folder / "q.jsonl"), "-o", str(self.folder / "a.jsonl")]
        return [*LLMTERM, "batch", *paths, "-m", MODELS[self.kind], *arguments]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        return starter.run(self.command(*arguments), self.env)

    def hand_over(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        return self.run("--via", "provider", *arguments)


@contextmanager
def desk(folder: Path, kind: Kind = "openai") -> Iterator[Desk]:
    jobs = JobServer(kind)
    with WireServer(jobs) as server:
        yield Desk(folder, kind, server, jobs)


@pytest.mark.parametrize("kind", KINDS)
def test_batch_is_handed_over_and_fetched_another_day(tmp_path: Path, kind: Kind) -> None:
    """Each answer once, in whatever order; what was added to the file meanwhile is handed over then."""
    questions(tmp_path, 3)
    with desk(tmp_path, kind) as at:
        given = at.hand_over("-s", "Be brief.", "--max-tokens", "50")
        again = at.hand_over()
        running = at.run("--resume")
        journal = at.journal.read_text()
        at.jobs.end()
        questions(tmp_path, 4)
        fetched = at.run("--resume")
        at.jobs.end()
        at.jobs.held[1].lines *= 2
        at.jobs.held[1].lines.append({"custom_id": "somebody-else", "key": "somebody-else", "result": {"type": "x"}})
        last = at.run("--resume")

    assert given.returncode == 0, given.stderr.decode()
    assert again.returncode == 2
    assert b"is under way" in again.stderr
    assert running.returncode == 0
    assert b"is running" in running.stderr
    assert b"3 are under way" in running.stderr
    assert "secret" not in journal
    assert "question" not in journal
    assert fetched.returncode == 0, fetched.stderr.decode()
    assert b"3 answered" in fetched.stderr
    assert last.returncode == 0, last.stderr.decode()
    assert b"nobody asked for, which are left: somebody-else" in last.stderr
    assert once(tmp_path, 4)
    assert [at.jobs.questions(each) for each in at.jobs.held] == [[f"question {n}" for n in range(3)], ["question 3"]]
    assert "Be brief." in json.dumps(at.jobs.held[0].requests)
    assert {each["model"] for each in read(tmp_path / "a.jsonl")} == {MODELS[kind]}
    assert read(tmp_path / "a.jsonl")[0]["usage"] == {"input_tokens": 5, "output_tokens": 7}
    assert not at.journal.exists()
    if kind == "anthropic":
        assert [each.path for each in at.server.exchanges if "results" in each.path] == [
            "/elsewhere/messages/batches/msgbatch_0/results",
            "/v1/messages/batches/msgbatch_1/results",
        ]


def aged(journal: Path) -> None:
    """Have what is written there be two minutes old, so that what was accepted would be listed by now."""
    entries = read(journal)
    lines = [json.dumps({**each, "at": each["at"] - 120} if "at" in each else each) for each in entries]
    journal.write_text("".join(f"{line}\n" for line in lines))


def killed(at: Desk, step: str, *arguments: str, written: int = 0) -> None:
    """Have the program killed with SIGKILL while the server has gone quiet at a step, and so many answers are there."""
    before, at.jobs.stall = at.jobs.stalled, step
    with Program(at.command(*arguments), at.env) as program:
        program.wait_for(lambda: at.jobs.stalled > before and len(read(at.folder / "a.jsonl")) >= written)
        os.kill(program.pid, signal.SIGKILL)
    at.jobs.stall = ""


@pytest.mark.parametrize("kind", KINDS)
def test_killed_while_it_is_accepted_it_is_found_and_not_submitted_again(tmp_path: Path, kind: Kind) -> None:
    """Among others; where nothing of ours is listed with a batch, its results tell once it has ended."""
    questions(tmp_path, 3)
    with desk(tmp_path, kind) as at:
        killed(at, "accepted", "--via", "provider")
        aged(at.journal)
        for other in range(1 if kind == "gemini" else 2):  # so many fill a page of the list
            at.hand_over("-o", str(tmp_path / f"other{other}.jsonl"))
        for held in at.jobs.held[1:]:
            at.jobs.end_one(held)
        resumed = at.run("--resume")
        at.jobs.end()
        fetched = at.run("--resume")

    assert resumed.returncode == 0, resumed.stderr.decode()
    assert (b"may be what was submitted" if kind == "anthropic" else b"was accepted, though") in resumed.stderr
    assert fetched.returncode == 0, fetched.stderr.decode()
    assert len(at.jobs.held) == (2 if kind == "gemini" else 3)
    assert once(tmp_path, 3)


def test_killed_at_any_other_step_it_is_submitted_once_and_fetched_once(tmp_path: Path) -> None:
    """While the file is sent, before the batch is accepted, and in the middle of the results."""
    questions(tmp_path, 250)
    with desk(tmp_path) as at:
        killed(at, "upload", "--via", "provider")
        killed(at, "create", "--via", "provider")
        early = at.run("--resume")
        aged(at.journal)
        late = at.run("--resume")
        held = len(at.jobs.held)
        at.jobs.end()
        killed(at, "results", "--resume", written=100)
        kept = len(read(tmp_path / "a.jsonl"))
        done = at.run("--resume")

    assert early.returncode == 0, early.stderr.decode()
    assert b"--resume finds out, and submits nothing twice, in a minute" in early.stderr
    assert b"was not accepted" in late.stderr
    assert held == 1
    assert 100 <= kept < 250
    assert done.returncode == 0, done.stderr.decode()
    assert once(tmp_path, 250)


REFUSED: dict[str, Any] = {
    "openai": {
        "response": {"body": {"error": {"message": "no sk-very-secret-key", "code": "context_length_exceeded"}}}
    },
    "anthropic": {
        "result": {
            "type": "errored",
            "error": {"type": "error", "error": {"type": "request_too_large", "message": "no sk-very-secret-key"}},
        }
    },
}


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
def test_request_that_was_refused_says_why_and_so_does_one_without_a_result(tmp_path: Path, kind: Kind) -> None:
    """As where it is asked at once; and no key is in it."""
    questions(tmp_path, 3)
    with desk(tmp_path, kind) as at:
        at.hand_over()
        at.jobs.end()
        last, _, first = at.jobs.held[0].lines
        at.jobs.held[0].lines = [{"custom_id": last["custom_id"], **REFUSED[kind]}, first]
        done = at.run("--resume")

    assert done.returncode == 3
    assert [each["id"] for each in read(tmp_path / "a.jsonl")] == ["q0"]
    why = {each["id"]: (each["kind"], each["error"]) for each in read(tmp_path / "a.failed.jsonl")}
    assert why["q1"] == ("missing", "the batch has ended without a result for it")
    assert why["q2"][0] == "contexttoolong"
    assert "no ***" in why["q2"][1]


def test_responses_are_handed_over_as_responses(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[providers.openai]\napi = "responses"\n')
    questions(tmp_path, 2)
    with desk(tmp_path) as at:
        at.hand_over()
        created = at.server.exchanges[-1].body
        at.jobs.end()
        done = at.run("--resume")

    assert created["endpoint"] == "/v1/responses"
    assert done.returncode == 0, done.stderr.decode()
    assert once(tmp_path, 2)
    assert read(tmp_path / "a.jsonl")[0]["usage"] == {"input_tokens": 5, "output_tokens": 7}


def test_answer_to_a_submission_that_is_lost_does_not_submit_it_twice(tmp_path: Path) -> None:
    questions(tmp_path, 2)
    with desk(tmp_path) as at:
        at.jobs.deaf = True
        lost = at.hand_over()
        at.jobs.deaf = False
        at.jobs.end()
        done = at.run("--resume")

    assert lost.returncode == 3
    assert b"whether it was accepted is not known: --resume finds out" in lost.stderr
    assert done.returncode == 0, done.stderr.decode()
    assert len(at.jobs.held) == 1
    assert once(tmp_path, 2)


def test_results_that_break_off_are_asked_for_again(tmp_path: Path) -> None:
    """Half a line is none, and what has come of it before is not written twice."""
    questions(tmp_path, 3)
    with desk(tmp_path) as at:
        at.hand_over()
        at.jobs.end()
        at.jobs.cut = 400
        done = at.run("--resume")

    assert done.returncode == 0, done.stderr.decode()
    assert once(tmp_path, 3)


def test_what_expired_or_failed_has_its_reason_and_is_submitted_again_when_that_is_wanted(tmp_path: Path) -> None:
    questions(tmp_path, 2, "nonsense")
    with desk(tmp_path) as at:
        given = at.hand_over()
        at.jobs.end("expired")
        expired = at.run("--resume")
        left = at.run("--resume")
        expired_why = read(tmp_path / "a.failed.jsonl")
        at.run("--via", "provider", "--retry-failed")
        at.jobs.end("failed")
        failed = at.run("--resume")
        failed_why = (tmp_path / "a.failed.jsonl").read_text()
        at.run("--via", "provider", "--retry-failed")
        canceled = at.run("--cancel")
        too_late = at.run("--cancel")
        after = at.run("--resume")
        canceled_why = read(tmp_path / "a.failed.jsonl")
        at.run("--via", "provider", "--retry-failed")
        at.jobs.end()
        done = at.run("--resume")

    assert (given.returncode, expired.returncode, left.returncode) == (3, 3, 0)
    assert b"line 3: it is no JSON" in given.stderr
    assert {each["id"]: each["kind"] for each in expired_why} == {"3": "line", "q0": "expired", "q1": "expired"}
    assert failed.returncode == 3
    assert "the batch is failed: bad *** (line 1 of the batch)" in failed_why
    assert canceled.returncode == 0, canceled.stderr.decode()
    assert b"batch_2 is being canceled" in canceled.stderr
    assert b"batch_2 has ended: the batch is cancelled" in too_late.stderr
    assert after.returncode == 3
    assert {each["kind"] for each in canceled_why} == {"line", "canceled"}
    assert done.returncode == 0
    assert len(at.jobs.held) == 4
    assert once(tmp_path, 2)


def test_lines_that_have_changed_are_answered_as_they_were(tmp_path: Path) -> None:
    questions(tmp_path, 3)
    with desk(tmp_path) as at:
        at.hand_over()
        (tmp_path / "q.jsonl").write_text('{"id": "q0", "prompt": "question 0"}\n{"id": "q1", "prompt": "else?"}\n')
        at.jobs.end()
        done = at.run("--resume")

    assert done.returncode == 0, done.stderr.decode()
    assert b"lines that have changed since they were submitted are answered as they were: 2" in done.stderr
    assert once(tmp_path, 3)


def test_answers_cost_half_and_are_kept_within_the_budget(tmp_path: Path) -> None:
    """What is estimated is checked before anything is submitted, with what is under way."""
    (tmp_path / "config.toml").write_text(PRICES)
    questions(tmp_path, 10)
    with desk(tmp_path) as at:
        tried = at.run("--via", "provider", "--dry-run", "--max-tokens", "10")
        refused = at.hand_over("--max-tokens", "10", "--budget", "0.04")
        untouched = len(at.jobs.held)
        given = at.hand_over("--max-tokens", "10", "--budget", "0.06")
        questions(tmp_path, 15)
        more = at.run("--resume", "--max-tokens", "10", "--budget", "0.06")
        at.jobs.end()
        at.run("--resume", "--max-tokens", "10", "--budget", "0.06")

    assert tried.stdout.decode().splitlines()[1:] == [
        "50% of the price, within a day: the providers' own batches",
        "about 0.0000 for the questions, and 0.0500 at most for the answers",
    ]
    assert (refused.returncode, untouched, given.returncode, more.returncode) == (3, 0, 0, 3)
    assert b"might pass the budget of 0.04: nothing was submitted" in refused.stderr
    assert {each["cost"] for each in read(tmp_path / "a.jsonl")} == {(5 * 1 + 7 * 1000) / 1_000_000 / 2}


def test_schema_role_and_files_go_along_and_are_checked(tmp_path: Path) -> None:
    """As the same questions have them that are asked at once; what does not fit has failed."""
    (tmp_path / "cat.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(50))
    line = json.dumps({"id": "q2", "prompt": "what?", "attachments": ["cat.png"]})
    missing = json.dumps({"id": "q3", "prompt": "what?", "attachments": ["dog.png"]})
    questions(tmp_path, 2, line, missing)
    with desk(tmp_path, "gemini") as at:
        at.jobs.answers = lambda question: '{"age": 3}' if question == "question 0" else '{"age": "old"}'
        given = at.hand_over("--schema", "age int")
        at.jobs.end()
        done = at.run("--resume", "--schema", "age int")

    assert (given.returncode, done.returncode) == (3, 3)
    assert [(each["id"], each["data"]) for each in read(tmp_path / "a.jsonl")] == [("q0", {"age": 3})]
    why = {each["id"]: each["error"] for each in read(tmp_path / "a.failed.jsonl")}
    assert "does not fit the schema: $.age" in why["q1"]
    assert "dog.png" in why["q3"]
    requests = list(at.jobs.held[0].requests.values())
    assert all("responseJsonSchema" in json.dumps(each) for each in requests)
    assert "image/png" in json.dumps(requests[2]["contents"])


def test_who_takes_no_batches_is_named_and_a_refused_key_leaves_nothing_under_way(tmp_path: Path) -> None:
    questions(tmp_path, 2)
    with desk(tmp_path) as at:
        groq = starter.run(at.command("--via", "provider", "-m", "groq/x"), {**at.env, "GROQ_API_KEY": "gsk-test"})
        at.jobs.refuse = (401, "wrong key sk-very-secret-key")
        refused = at.hand_over()
        at.jobs.refuse = None
        nothing = at.run("--cancel")
        given = at.hand_over()
        wrong = [at.run(*words) for words in (["--via", "post"], ["--via", "provider", "--engine", "ray"])]

    assert groq.returncode == 2
    assert b"groq takes no batches (openai, anthropic and gemini do" in groq.stderr
    assert refused.returncode == 3
    assert b"wrong key ***" in refused.stderr
    assert b"OPENAI_API_KEY" in refused.stderr
    assert nothing.returncode == 2
    assert b"nothing is under way" in nothing.stderr
    assert given.returncode == 0, given.stderr.decode()
    assert len(at.jobs.held) == 1
    assert [each.returncode for each in wrong] == [2, 2]


def test_batch_that_the_provider_does_not_know_is_no_hindrance_for_others(tmp_path: Path) -> None:
    """Such as with the key of another account: nothing is given up, and what else has come is taken in."""
    questions(tmp_path, 1)
    with desk(tmp_path) as at:
        at.hand_over()
        questions(tmp_path, 2)
        at.run("--resume")
        at.jobs.end()
        gone = at.jobs.held.pop(0)
        lost = at.run("--resume")
        kept = read(tmp_path / "a.jsonl")
        at.jobs.held.append(gone)
        done = at.run("--resume")

    assert lost.returncode == 3
    assert b"is it of another account's key? Whoever gives it up removes" in lost.stderr
    assert [each["id"] for each in kept] == ["q1"]
    assert done.returncode == 0, done.stderr.decode()
    assert once(tmp_path, 2)


def test_each_model_of_each_provider_has_a_batch_of_its_own(tmp_path: Path) -> None:
    lines = [{"id": f"q{n}", "prompt": f"question {n}", "model": model} for n, model in enumerate(["", "b", "", "b"])]
    lines.append({"id": "q4", "prompt": "question 4", "model": MODELS["anthropic"]})
    (tmp_path / "q.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in lines))
    with desk(tmp_path) as at, desk(tmp_path, "anthropic") as other:
        env = {**at.env, **other.env}
        given = starter.run(at.command("--via", "provider"), env)
        at.jobs.end()
        other.jobs.end()
        done = starter.run(at.command("--resume"), env)

    assert given.returncode == 0, given.stderr.decode()
    assert [held.model for held in at.jobs.held] == ["gpt-test", "b"]
    assert [at.jobs.questions(held) for held in at.jobs.held] == [
        ["question 0", "question 2"],
        ["question 1", "question 3"],
    ]
    assert done.returncode == 0, done.stderr.decode()
    assert once(tmp_path, 5)


def test_waiting_can_be_left_and_taken_up_again(tmp_path: Path) -> None:
    questions(tmp_path, 2)
    with desk(tmp_path) as at:
        with Program(at.command("--via", "provider", "--wait"), at.env, columns=200) as program:
            program.wait_for("batch_0 is running")
            program.send("\x03")
            assert program.exit_code == 130
            assert "2 are under way: --resume fetches them" in program.text
        with Program(at.command("--resume", "--wait"), at.env, columns=200) as program:
            program.wait_for("batch_0 is running")
            at.jobs.end()
            assert program.exit_code == 0
    assert once(tmp_path, 2)
