"""Hands a batch to its providers, fetches what has come of it, waits for it, or has it end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

from llmterm.assembly.chooser import Chooser
from llmterm.assembly.plan import Plan
from llmterm.assembly.streams import notice
from llmterm.batch.handover import Handover
from llmterm.batch.journal import Journal, journal_of
from llmterm.batch.ledger import Ledger
from llmterm.batch.parcels import Parcels
from llmterm.batch.pickup import Pickup
from llmterm.batch.questions import BadLine, Question
from llmterm.batch.results import Results, failures_of
from llmterm.errors import UsageError
from llmterm.providers.jobs.taking import taking
from llmterm.schema import Schema
from llmterm.threads import in_thread

_FAILED = 3


async def handed_over(
    plan: Plan,
    questions: Callable[[], Iterator[Question | BadLine]],
    chooser: Chooser,
    schema: Schema | None,
    system: str,
) -> int:
    """Do what the plan says; return the exit code. Raises our errors, and OSError."""
    with ExitStack() as stack:
        journal = stack.enter_context(await in_thread(Journal, journal_of(plan.output)))
        goes_on = plan.resume or plan.retry_failed or plan.wait or plan.cancel
        if journal.open and not goes_on:
            raise UsageError(f"{plan.output} is under way", hint="--resume fetches what has come, --cancel ends it")
        if not journal.open and (plan.cancel or (plan.wait and not plan.via_provider)):
            raise UsageError(f"nothing is under way for {plan.output}", hint="--via provider hands it over")
        pickup = Pickup(journal, chooser.choose, taking, schema=schema, tell=notice)
        if plan.cancel:
            await pickup.cancel()
            if not plan.wait:
                _say_open(journal)
                return 0
        results = await in_thread(Results, plan.output, resume=goes_on, retry_failed=plan.retry_failed)
        ledger = Ledger(stack.enter_context(results))
        handover = Handover(ledger, journal, chooser.choose, taking, tell=notice)
        try:
            await pickup.fetch(ledger)
            if not plan.cancel:
                parcels = Parcels(plan.output.parent)
                stack.callback(parcels.close)
                await handover.submit(questions(), parcels, system=system, budget=plan.budget)
            if plan.wait:
                await pickup.wait(ledger)
        finally:
            if ledger.tally.over:
                notice(ledger.tally.total_words())
            _say_open(journal)
        if handover.stopped:
            notice(handover.stopped)
        if ledger.tally.failed:
            again = "--retry-failed --via provider submits them again"
            notice(f"{failures_of(plan.output)} says why {ledger.tally.failed:,} failed; {again}")
        return _FAILED if ledger.tally.failed or handover.stopped else 0


def _say_open(journal: Journal) -> None:
    if journal.open:
        number = sum(len(each.lines) for each in journal.open.values())
        notice(f"{number:,} are under way: --resume fetches them, --resume --wait waits for them, --cancel ends them")
