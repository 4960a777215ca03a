"""Takes in what comes of the batches that were handed to providers: at once, or another day.

Where nobody has heard whether one was accepted, it is looked for by its mark before anything is submitted again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing

from llmterm.batch.engine import Failed, Outcome
from llmterm.batch.handover import UNHEARD
from llmterm.batch.journal import Journal, Submission
from llmterm.batch.ledger import Ledger
from llmterm.batch.outcome import kind_of, misfit_of, outcome, spent
from llmterm.batch.parcels import Line, key
from llmterm.errors import (
    LlmtermError,
    ModelNotFoundError,
    NetworkError,
    ProviderError,
    ServerError,
    StreamTimeoutError,
)
from llmterm.messages import Request
from llmterm.providers import Provider
from llmterm.providers.jobs import Job, Jobs, Result
from llmterm.providers.jobs.fetched import FetchedProvider
from llmterm.providers.jobs.taking import JobProvider
from llmterm.respondent import Respondent
from llmterm.schema import Schema
from llmterm.states import TurnState
from llmterm.threads import in_thread
from llmterm.transport.retry import retriable
from llmterm.turn import Turn

# Results that are written at a time.
_AT_ONCE = 100
# Until a job that was accepted unheard is listed, in seconds.
_LISTED_SECONDS = 60.0
# How often results are asked for whose connection broke, and how long that waits, doubled each time.
_ANEW = 5
_WAIT_SECONDS = 1.0
_NAMED, _LONGEST_KEY = 3, 80
# Between two looks at jobs that run, in seconds: longer each time.
_FIRST_LOOK, _LONGER, _LAST_LOOK = 2.0, 1.5, 300.0


class Pickup:
    """What is at the providers, as the journal has it."""

    def __init__(
        self,
        journal: Journal,
        choose: Callable[[str], Awaitable[Respondent]],
        taking: Callable[[Provider], JobProvider],
        *,
        schema: Schema | None = None,
        tell: Callable[[str], None],
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`choose` gives who answers for "provider/model"; `taking` raises for one who takes no jobs."""
        self._journal = journal
        self._choose = choose
        self._taking = taking
        self._schema = schema
        self._tell = tell
        self._clock = clock
        self._sleep = sleep
        self._told: dict[str, str] = {}

    async def fetch(self, ledger: Ledger) -> None:
        """Look at all that was submitted, and take in what has ended.

        Raises the first of our errors when it has looked at the rest, and OSError.
        """
        errors = list[LlmtermError]()
        for submission in list(self._journal.open.values()):
            try:
                await self._fetch(submission, ledger)
            except LlmtermError as error:
                errors.append(error)
        if errors:
            raise errors[0]

    async def wait(self, ledger: Ledger) -> None:
        """Fetch until all has come, whatever fails meanwhile and may pass. Raises as `fetch` does."""
        pause = _FIRST_LOOK
        while self._journal.open:
            await self._sleep(pause)
            try:
                await self.fetch(ledger)
            except ProviderError as error:
                if not retriable(error):
                    raise
                self._tell(str(error))
            pause = min(_LAST_LOOK, pause * _LONGER)

    async def cancel(self) -> None:
        """Have all of it end; what is answered by then is fetched as usual. Raises our errors."""
        for submission in list(self._journal.open.values()):
            _, taker = await self._whom(submission)
            submission = await self._heard(submission, taker.jobs)
            if not submission.job:
                continue
            job = await taker.jobs.look(submission.job)
            if job.state == "running":
                await taker.jobs.cancel(submission.job)
                self._tell(f"{submission.provider}: {submission.job} is being canceled")
            else:
                self._tell(f"{submission.provider}: {_far(job)}")

    async def _fetch(self, submission: Submission, ledger: Ledger) -> None:
        respondent, taker = await self._whom(submission)
        submission = await self._heard(submission, taker.jobs)
        if not submission.job:
            return
        try:
            job = await taker.jobs.look(submission.job)
        except ModelNotFoundError as error:
            error.hint = f"is it of another account's key? Whoever gives it up removes {self._journal.path}"
            raise
        if job.state == "ended":
            await self._take_in(submission, respondent, taker, job, ledger)
        else:
            self._tell_once(submission, _far(job))

    async def _whom(self, submission: Submission) -> tuple[Respondent, JobProvider]:
        respondent = await self._choose(f"{submission.provider}/{submission.model}")
        return respondent, self._taking(respondent.provider)

    async def _heard(self, submission: Submission, jobs: Jobs) -> Submission:
        """Return the submission with its job, which is looked for where nobody has heard of it."""
        if submission.job:
            return submission
        found = await jobs.find(submission.mark, since=submission.at, size=len(submission.lines))
        if found is not None and found.sure:
            await in_thread(self._journal.accept, submission.mark, found.id)
            self._tell_once(submission, f"{found.id} was accepted, though nobody heard of it")
            return self._journal.open[submission.mark]
        if found is not None:
            self._tell_once(submission, f"{found.id} may be what was submitted; once it has ended, --resume finds out")
        elif self._clock() < submission.at + _LISTED_SECONDS:
            self._tell_once(submission, f"{UNHEARD}, in a minute")
        else:
            await in_thread(self._journal.close, submission.mark)
            self._tell_once(submission, "what was submitted was not accepted: it is still to be submitted")
        return submission

    async def _take_in(
        self, submission: Submission, respondent: Respondent, taker: JobProvider, job: Job, ledger: Ledger
    ) -> None:
        """Have all that came of a job in the results."""
        keys = {key(submission.mark, number): line for number, line in enumerate(submission.lines)}
        waiting = {each: line for each, line in keys.items() if not ledger.has(line.id)}
        strange = set[str]()

        async def take(result: Result) -> None:
            if result.key not in keys:
                if len(strange) < _NAMED:
                    strange.add(result.key[:_LONGEST_KEY])
            elif (line := waiting.pop(result.key, None)) is not None:  # the first counts
                ledger.settle(line.number, await self._outcome(line, result, respondent, taker))
                await ledger.write(_AT_ONCE)

        try:
            await _read_all(taker.jobs, job, take)
            for line in waiting.values():
                why = job.why or "the batch has ended without a result for it"
                ledger.settle(line.number, Failed(id=line.id, error=why, kind="missing"))
        finally:
            ledger.flush()
        await in_thread(ledger.sync)  # or a machine that loses its power would have lost what nobody has any more
        await in_thread(self._journal.close, submission.mark)
        self._tell_once(submission, _far(job))
        if strange:
            named = ", ".join(sorted(strange))
            self._tell(f"{submission.provider}: {job.id} has results that nobody asked for, which are left: {named}")

    async def _outcome(self, line: Line, result: Result, respondent: Respondent, taker: JobProvider) -> Outcome:
        """Read an answer as any other is read."""
        if not result.body:
            return Failed(id=line.id, error=result.why, kind=result.kind)
        provider = FetchedProvider(respondent.provider, lambda: taker.http.answered(respondent.model, result.body))
        turn = Turn(provider, Request(model=respondent.model, messages=()), limits=respondent.limits)
        reader = turn.reader()
        turn.start()
        async for _ in reader:
            if reader.at_end and turn.state is not TurnState.STREAMING:
                break
        reader.leave()
        match turn.error:
            case None:
                return outcome(line.id, [turn], self._schema, await misfit_of(turn, self._schema))
            case LlmtermError() as error:
                return Failed(id=line.id, error=str(error), kind=kind_of(error), spent=spent([turn]))
            case bug:
                raise bug

    def _tell_once(self, submission: Submission, what: str) -> None:
        if self._told.get(submission.mark) != what:
            self._told[submission.mark] = what
            self._tell(f"{submission.provider}: {what}")


async def _read_all(jobs: Jobs, job: Job, take: Callable[[Result], Awaitable[None]]) -> None:
    """Have all results taken; some once more where the connection broke in the middle of them."""
    for attempt in range(_ANEW + 1):
        try:
            async with aclosing(jobs.results(job)) as results:
                async for result in results:
                    await take(result)
            return
        except (NetworkError, ServerError, StreamTimeoutError):
            if attempt == _ANEW:
                raise
            await asyncio.sleep(_WAIT_SECONDS * 2**attempt)


def _far(job: Job) -> str:
    """Return how far a job is, in words."""
    state = "has ended" if job.state == "ended" else "is running"
    why = f": {job.why}" if job.why else ""
    failed = f", {job.failed:,} failed" if job.failed else ""
    return f"{job.id} {state}{why}, {job.done:,} of {job.total:,} done{failed}"
