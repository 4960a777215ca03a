"""Hands the questions of a batch to the providers' own interfaces for batches, at half the price.

A parcel is written down before it is submitted, and again when it is accepted. So nobody submits it a second time who
was killed in between, or never heard of it.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from itertools import islice

from llmterm.batch.engine import Failed
from llmterm.batch.journal import Journal, Submission
from llmterm.batch.ledger import Ledger
from llmterm.batch.outcome import kind_of
from llmterm.batch.parcels import Line, Parcel, Parcels
from llmterm.batch.preparation import prepared, stake
from llmterm.batch.questions import BadLine, Question, digest
from llmterm.errors import ConfigError, LlmtermError
from llmterm.providers import Provider
from llmterm.providers.jobs import SHARE
from llmterm.providers.jobs.api import never_accepted
from llmterm.providers.jobs.taking import JobProvider
from llmterm.respondent import Respondent
from llmterm.threads import in_thread

UNHEARD = "whether it was accepted is not known: --resume finds out, and submits nothing twice"
# Questions that are read, and failures that are written, at a time; numbers of lines that are named.
_AT_ONCE = 100
_TOLD = 10


class Handover:
    """`stopped` says why nothing was submitted, "" if nothing kept it."""

    def __init__(
        self,
        ledger: Ledger,
        journal: Journal,
        choose: Callable[[str], Awaitable[Respondent]],
        taking: Callable[[Provider], JobProvider],
        *,
        tell: Callable[[str], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`choose` gives who answers for "provider/model", or for ""; `taking` raises for one who takes no jobs.

        Made before anything is fetched: it remembers what was under way.
        """
        self.stopped = ""
        self._ledger = ledger
        self._journal = journal
        self._choose = choose
        self._taking = taking
        self._tell = tell
        self._clock = clock
        self._digests = {line.id: line.digest for each in journal.open.values() for line in each.lines}

    async def submit(
        self,
        questions: Iterator[Question | BadLine],
        parcels: Parcels,
        *,
        system: str = "",
        budget: float | None = None,
    ) -> None:
        """Submit all that has no result and is not under way; what cannot be asked has failed.

        Raises UsageError where somebody takes no jobs, our errors, and OSError; what was accepted until then stays so.
        """
        try:
            async for question in self._unasked(questions):
                await self._pack(question, parcels, system, priced=budget is not None)
                await self._ledger.write(_AT_ONCE)
        finally:
            self._ledger.flush()
        stakes = [line.stake or 0.0 for each in self._journal.open.values() for line in each.lines]
        stakes += [line.stake or 0.0 for parcel in parcels.packed for line in parcel.lines]
        cost = self._ledger.cost + sum(stakes)
        if budget is not None and parcels.packed and cost > budget:
            self.stopped = f"about {cost:.4f} might pass the budget of {budget:g}: nothing was submitted"
            return
        for parcel in parcels.packed:
            await self._hand_over(parcel)

    async def _unasked(self, questions: Iterator[Question | BadLine]) -> AsyncIterator[Question]:
        under_way = {line.id for each in self._journal.open.values() for line in each.lines}
        changed = list[int]()
        while some := await in_thread(lambda: list(islice(questions, _AT_ONCE))):
            for each in some:
                if isinstance(each, Question) and self._digests.get(each.id, digest(each)) != digest(each):
                    changed.append(each.line)
                if self._ledger.has(each.id) or each.id in under_way:
                    self._ledger.tally.skipped += 1
                elif isinstance(each, BadLine):
                    self._tell(f"line {each.line}: {each.problem}")
                    self._fail(each, each.problem, "line")
                else:
                    yield each
        if changed:
            named = ", ".join(map(str, changed[:_TOLD]))
            more = f" and {len(changed) - _TOLD:,} more" if len(changed) > _TOLD else ""
            self._tell(f"lines that have changed since they were submitted are answered as they were: {named}{more}")

    async def _pack(self, question: Question, parcels: Parcels, system: str, *, priced: bool) -> None:
        """Pack a question, or have it fail. Raises what goes for all that its provider is asked."""
        try:
            respondent = await self._choose(question.model)
        except ConfigError:
            raise
        except LlmtermError as error:
            self._fail(question, str(error), kind_of(error))
            return
        taker = self._taking(respondent.provider)
        try:
            asked = await prepared(question, respondent, system)
            at_stake = stake(replace(respondent, options=asked.options), asked.conversation) * SHARE if priced else None
            request = asked.conversation.request(model=respondent.model, options=asked.options)
            path, body = await taker.http.alone(request)
            line = Line(question.id, question.line, digest(question), at_stake)
            await parcels.add(taker, respondent.model, line, path, body)
        except ConfigError:
            raise
        except LlmtermError as error:
            self._fail(question, str(error), kind_of(error))

    async def _hand_over(self, parcel: Parcel) -> None:
        taker, mark = parcel.taker, parcel.mark
        delivered = await taker.jobs.deliver(parcel)
        submission = Submission(
            mark=mark, provider=taker.http.name, model=parcel.model, at=self._clock(), lines=parcel.lines
        )
        await in_thread(self._journal.submit, submission)
        try:
            job = await taker.jobs.create(parcel, delivered)
        except LlmtermError as error:
            if never_accepted(error):
                await in_thread(self._journal.close, mark)
            else:
                # Once more, with the time of now: it may be listed a while after it was sent.
                await in_thread(self._journal.submit, replace(submission, at=self._clock()))
                error.hint = UNHEARD
            raise
        await in_thread(self._journal.accept, mark, job)
        self._tell(f"{taker.http.name}: {job} has {len(parcel.lines):,} questions")

    def _fail(self, question: Question | BadLine, why: str, kind: str) -> None:
        self._ledger.settle(question.line, Failed(id=question.id, error=why, kind=kind))
