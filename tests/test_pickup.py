"""What waits for the batches that were handed over, with a clock of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, cast

import pytest

from llmterm.batch.journal import Journal, Submission
from llmterm.batch.ledger import Ledger
from llmterm.batch.parcels import Line
from llmterm.batch.pickup import Pickup
from llmterm.batch.results import Results
from llmterm.errors import AuthError, NetworkError, ProviderError
from llmterm.messages import Options, StreamLimits
from llmterm.providers.jobs import Found, Job, Result
from llmterm.providers.jobs.taking import JobProvider
from llmterm.respondent import Respondent


class ScriptedJobs:
    """Says of a job what stands next in the script; an error is raised."""

    def __init__(self, *script: Job | ProviderError) -> None:
        self._script = list(script)

    async def look(self, job: str) -> Job:
        said = self._script.pop(0)
        if isinstance(said, ProviderError):
            raise said
        return said

    async def find(self, mark: str, *, since: float, size: int) -> Found | None:
        return None

    async def results(self, job: Job) -> AsyncGenerator[Result]:
        yield Result("m-0", why="no", kind="expired")


def waited(folder: Path, jobs: ScriptedJobs, *, job: str) -> tuple[list[float], list[str], set[str]]:
    """Wait for one batch; return the pauses, what was told, and what is under way in the end."""
    pauses, told = list[float](), list[str]()

    async def choose(given: str) -> Respondent:
        return Respondent(provider=cast(Any, None), model="m", options=Options(), limits=StreamLimits())

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    async def wait(journal: Journal, results: Results) -> None:
        taker = JobProvider(cast(Any, None), cast(Any, jobs))
        pickup = Pickup(
            journal,
            choose,
            lambda _: taker,
            tell=told.append,
            clock=lambda: 100.0 + sum(pauses),
            sleep=sleep,
        )
        await pickup.wait(Ledger(results))

    with Journal(folder / "a.jobs.jsonl") as journal:
        journal.submit(Submission(mark="m", provider="p", model="m", at=100.0, lines=[Line("q", 1, "")]))
        if job:
            journal.accept("m", job)
        with Results(folder / "a.jsonl", resume=True) as results:
            asyncio.run(wait(journal, results))
        return pauses, told, set(journal.open)


RUNNING = Job(id="j", state="running", total=1)
ENDED = Job(id="j", state="ended", total=1, failed=1, results=("/there",))


def test_it_looks_less_and_less_often_over_faults_that_pass(tmp_path: Path) -> None:
    """What does not change is told once; a refused key ends it, and nothing is given up."""
    fault = NetworkError("p: the connection broke")

    pauses, told, left = waited(tmp_path, ScriptedJobs(RUNNING, fault, RUNNING, *[RUNNING] * 20, ENDED), job="j")

    assert pauses[:3] == [2.0, 3.0, 4.5]
    assert max(pauses) == pauses[-1] == 300.0
    assert told == [
        "p: j is running, 0 of 1 done",
        "p: the connection broke",
        "p: j has ended, 0 of 1 done, 1 failed",
    ]
    assert left == set()
    with pytest.raises(AuthError):
        waited(tmp_path, ScriptedJobs(AuthError("p: wrong key")), job="j")


def test_what_nobody_heard_of_is_given_up_when_it_would_be_listed(tmp_path: Path) -> None:
    """Not sooner: a list may be behind."""
    pauses, told, left = waited(tmp_path, ScriptedJobs(), job="")

    assert sum(pauses) >= 60 > sum(pauses[:-1])
    assert told[-1] == "p: what was submitted was not accepted: it is still to be submitted"
    assert left == set()
