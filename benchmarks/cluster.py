"""A batch of 10,000 questions on a cluster of two nodes, one worker killed, while one request in twenty fails.

And what bends first where there are more: what a question costs the one process that hands them out and writes, and a
lease the limiter. `machines` goes on from these two.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from benchmarks.many import FAULTS, QUESTIONS, Server, answers, resident, wait
from benchmarks.measure import Row, alone
from llmterm.assembly.cluster import Limiter
from llmterm.assembly.membership import membership
from tests.cluster import WORKER, Cluster

AT_ONCE = 100
# Requests before a worker is killed, and after those of which the driver is measured.
_KILLED, _WARM = 4_000, 1_000
_GROWTH_GOAL = 8.0  # MB
_LEASES, _CALLERS = 4_000, 2


def run() -> list[Row]:
    server = Server(random.Random(20261128))
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder, server.listening():
        home = Path(folder)
        cluster = Cluster(home)
        try:
            cluster.begin()
            os.environ.update(cluster.environ)
            return [*_batch(home, cluster, server), asyncio.run(_limiter(cluster))]
        finally:
            cluster.end()


def _batch(home: Path, cluster: Cluster, server: Server) -> list[Row]:
    with (home / "questions.jsonl").open("w") as lines:
        lines.writelines(
            json.dumps({"id": f"q{each}", "prompt": f"question {each}"}) + "\n" for each in range(QUESTIONS)
        )
    driver = _started(home, cluster, server)
    wait(driver, server, _WARM)
    began, warm, spent = time.monotonic(), resident(driver.pid), _cpu(driver.pid)
    wait(driver, server, _KILLED)
    os.kill(max(cluster.processes(WORKER)), signal.SIGKILL)
    last, used = warm, spent
    while driver.poll() is None:
        last, used = resident(driver.pid) or last, _cpu(driver.pid) or used
        time.sleep(0.05)
    seconds = time.monotonic() - began
    found = Counter(answers(home / "answers.jsonl"))
    wanted = {(f"q{each}", f"answer to question {each}") for each in range(QUESTIONS)}
    grown = (last - warm) / 1e6
    measured = QUESTIONS - _WARM
    beside = server.asked - QUESTIONS - server.failed.total()
    return [
        alone("questions without their answer", len(wanted - found.keys()), form="{:.0f}", goal=0),
        alone("answers twice, or to nothing", found.total() - len(found.keys() & wanted), form="{:.0f}", goal=0),
        alone("exit code", driver.returncode, form="{:.0f}", goal=0),
        alone(f"requests that were let fail, of {FAULTS:.0%}", server.failed.total(), form="{:.0f}"),
        alone("requests beside, which the killed worker had", beside, form="{:.0f}"),
        alone("questions a second", measured / seconds, form="{:.0f}"),
        alone("CPU of the driver for a question, ms", (used - spent) * 1000 / measured, form="{:.2f}"),
        alone("growth of its memory since the first thousand, MB", grown, form="{:.1f}", goal=_GROWTH_GOAL),
    ]


def _started(home: Path, cluster: Cluster, server: Server) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "llmterm", "batch", "questions.jsonl", "-o", "answers.jsonl", "-m", "openai/test"]
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "OPENAI_BASE_URL": f"http://127.0.0.1:{server.port}/v1",
        "PYTHONPATH": str(Path(__file__).parent.parent),
        **cluster.environ,
    }
    engine = ["--engine", "ray", "--address", cluster.address, "--concurrency", str(AT_ONCE)]
    return subprocess.Popen([*words, *engine], cwd=home, env=env, stdin=subprocess.DEVNULL)


def _cpu(pid: int) -> float:
    """Return the seconds of a processor that a process has used, 0 where it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Caller:
    """Asks a limiter, with fifty questions on the way at any time."""

    async def ask(self, limiter: object, times: int) -> None:
        places = asyncio.Semaphore(50)

        async def one() -> None:
            async with places:
                await limiter.lease.remote("x", 10**9, 1.0)  # type: ignore[attr-defined]  # a handle has any method

        await asyncio.gather(*(one() for _ in range(times)))


async def _limiter(cluster: Cluster) -> Row:
    async with membership(cluster.address):
        import ray

        limiter = ray.remote(num_cpus=0)(Limiter).remote(_CALLERS)
        callers = [ray.remote(num_cpus=0.1)(Caller).remote() for _ in range(_CALLERS)]
        await asyncio.gather(*(caller.ask.remote(limiter, 100) for caller in callers))
        [process] = cluster.processes("ray::Limiter")
        before = _cpu(process)
        await asyncio.gather(*(caller.ask.remote(limiter, _LEASES) for caller in callers))
        spent = _cpu(process) - before
    return alone("CPU of the limiter for a lease, ms", spent * 1000 / (_LEASES * _CALLERS), form="{:.2f}")
