"""`llmterm batch --engine ray` on a cluster of two nodes: the same file, the same resume, whatever ends meanwhile."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests import starter
from tests.cluster import WORKER, Cluster, wait
from tests.conftest import need
from tests.terminal import LLMTERM, Program, environment
from tests.wire import Exchange, WireServer

AT_ONCE = 60


@pytest.fixture(autouse=True)
def _ray() -> None:
    if find_spec("ray") is None:
        need("Ray")


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    if sys.platform != "linux":
        need("two addresses of its own")
    # In a short name: there are sockets in it.
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder:
        found = Cluster(Path(folder))
        try:
            found.begin()
            yield found
        finally:
            found.end()


def command(folder: Path, address: str, *arguments: str) -> list[str]:
    words = [*LLMTERM, "batch", str(folder / "q.jsonl"), "-o", str(folder / "a.jsonl"), "-m", "openai/test"]
    return [*words, "--engine", "ray", "--address", address, "-n", str(AT_ONCE), *arguments]


def env_of(folder: Path, server: WireServer, cluster: Mapping[str, str], **more: str) -> dict[str, str]:
    return environment(folder, OPENAI_BASE_URL=server.base_url, **cluster, **more)


def questions(folder: Path, number: int) -> None:
    lines = [{"id": f"q{each}", "prompt": f"question {each}"} for each in range(number)]
    (folder / "q.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))


def answers(folder: Path) -> Counter[tuple[str, str]]:
    found = [json.loads(line) for line in (folder / "a.jsonl").read_text("utf-8").splitlines()]
    return Counter((each["id"], each["text"]) for each in found)


def wanted(number: int) -> Counter[tuple[str, str]]:
    return Counter((f"q{each}", f"answer to question {each}") for each in range(number))


async def answering(exchange: Exchange) -> None:
    await exchange.start()
    await exchange.text("answer to ")
    await exchange.text(exchange.question)
    await exchange.end()


def asked(server: WireServer, enough: int) -> bool:
    return len(server.exchanges) >= enough


def test_batch_on_a_cluster(tmp_path: Path, cluster: Cluster) -> None:
    """In one test: a cluster takes longer to begin than all of it, and wherever else tests run they want one more."""
    for each in (
        _every_question_is_answered_once_whoever_ends,
        _space_pauses_all_workers,
        _key_that_is_missing_is_one_of_its_machines,
    ):
        folder = tmp_path / each.__name__
        folder.mkdir()
        each(folder, cluster)


def _every_question_is_answered_once_whoever_ends(tmp_path: Path, cluster: Cluster) -> None:
    """A worker, and the program itself; while requests fail, and others are limited."""
    questions(tmp_path, 700)
    dice, faults = random.Random(7), Counter[str]()

    async def script(exchange: Exchange) -> None:
        fault = dice.choice(["limit", "fault", "cut", *[""] * 57])
        faults[fault] += 1
        match fault:
            case "limit":
                await exchange.refuse(429, {"error": {"message": "slow down"}}, **{"Retry-After": "0"})
            case "fault":
                await exchange.refuse(500, {"error": {"message": "oops"}}, **{"Retry-After": "0"})
            case "cut":
                await exchange.start()
                await exchange.text("answer to someth")
                exchange.drop()
            case _:
                await answering(exchange)

    with WireServer(script) as server:
        env = env_of(tmp_path, server, cluster.environ)
        with Program(command(tmp_path, cluster.address), env) as program:
            program.wait_for(partial(asked, server, 150))
            program.wait_for(lambda: (tmp_path / "a.jsonl").stat().st_size > 0)
            os.kill(program.pid, signal.SIGKILL)
        kept = len(answers(tmp_path))
        before = len(server.exchanges)
        with Program(command(tmp_path, cluster.address, "--resume", "--rpm", "60000"), env, columns=150) as program:
            program.wait_for(partial(asked, server, before + 100))
            os.kill(max(cluster.processes(WORKER)), signal.SIGKILL)

            assert program.exit_code == 0, program.text
            text = program.text

    assert kept > 0
    assert answers(tmp_path) == wanted(700)
    assert faults["limit"]
    assert faults["fault"]
    assert faults["cut"]
    assert "700 of 700" in text
    assert "raylet" not in text
    assert not (tmp_path / "a.failed.jsonl").exists()
    # What was in hand when the program ended, and when a worker did.
    assert len(server.exchanges) - 700 - sum(faults[each] for each in ("limit", "fault", "cut")) <= 2 * (AT_ONCE + 200)


def _space_pauses_all_workers(tmp_path: Path, cluster: Cluster) -> None:
    """No connection is open meanwhile; Ctrl-C leaves, and what is answered is kept. No worker stays behind."""
    questions(tmp_path, 200)
    resumed = list[str]()

    async def script(exchange: Exchange) -> None:
        if resumed and exchange.question != "question 199":
            await answering(exchange)
        else:
            await exchange.start()
            await exchange.hung_up()

    with (
        WireServer(script) as server,
        Program(command(tmp_path, cluster.address), env_of(tmp_path, server, cluster.environ), columns=150) as program,
    ):
        program.wait_for(partial(asked, server, AT_ONCE))
        program.wait_for("SPACE pauses")
        program.send(" ")
        program.wait_for("paused: SPACE resumes")
        program.wait_for(lambda: server.open_connections == 0)
        assert len(server.exchanges) == AT_ONCE
        resumed.append("now")
        program.send("x ")
        program.wait_for("199 of 200")
        program.send("\x03")

        assert program.exit_code == 130
    assert len(answers(tmp_path)) == 199
    wait(lambda: not cluster.processes(WORKER), lambda: "workers are still there")


def _key_that_is_missing_is_one_of_its_machines(tmp_path: Path, cluster: Cluster) -> None:
    """Whatever this one has."""
    questions(tmp_path, 1)

    with WireServer(answering) as server:
        env = env_of(tmp_path, server, cluster.environ, ANTHROPIC_API_KEY="sk-ant-of-here")
        done = starter.run(command(tmp_path, cluster.address, "-p", "anthropic", "-m", "test"), env)

    assert done.returncode == 2, done.stderr.decode()
    assert "no key for anthropic" in done.stderr.decode()
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == b""


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("127.0.0.1:1", "no cluster at 127.0.0.1:1: Connection refused"),
        ("nowhere", "nowhere is no address of a cluster"),
        ("ray://there:10001", "ray:// is for clients"),
    ],
)
def test_address_of_no_cluster_is_said_in_a_line(tmp_path: Path, address: str, said: str) -> None:
    questions(tmp_path, 1)

    with WireServer(answering) as server:
        done = starter.run(command(tmp_path, address), env_of(tmp_path, server, {}))

    assert done.returncode == 2, done.stderr.decode()
    assert said in done.stderr.decode()
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == b""
