"""Keeps count of what becomes of the questions of a batch, and writes it down."""

from __future__ import annotations

from typing import Any, assert_never

from llmterm.batch.engine import Answered, Failed, Outcome
from llmterm.batch.results import Results
from llmterm.batch.tally import Tally
from llmterm.threads import in_thread


class Ledger:
    """`tally` counts what was settled in this run."""

    def __init__(self, results: Results, *, began: float = 0.0) -> None:
        """`began` is when the run did, in seconds of any clock."""
        self.tally = Tally(began=began)
        self._results = results
        self._known: set[str] = set()
        self._answers: list[dict[str, Any]] = []
        self._failures: list[dict[str, Any]] = []

    @property
    def cost(self) -> float:
        """What all of it has cost, with the answers of earlier runs."""
        return self._results.cost + (self.tally.cost or 0.0)

    def has(self, key: str) -> bool:
        """Tell whether it is known what has become of a question."""
        return key in self._known or self._results.has(key)

    def settle(self, number: int, outcome: Outcome) -> None:
        """Take in what came of the question in line `number`."""
        self.tally.add(outcome.spent)
        self._known.add(outcome.id)
        match outcome:
            case Failed(id=key, error=error, kind=kind, spent=spent):
                self.tally.failed += 1
                paid = {} if spent.cost is None else {"cost": spent.cost}
                self._failures.append({"id": key, "line": number, "error": error, "kind": kind, **paid})
            case Answered(id=key, record=record):
                self.tally.answered += 1
                self._answers.append({"id": key, "line": number, **record})
            case _:
                assert_never(outcome)

    @property
    def unwritten(self) -> int:
        """How much has come that is not written yet."""
        return len(self._answers) + len(self._failures)

    async def write(self, enough: int = 1) -> None:
        """Write what has come, if it is so much, in a thread. Raises OSError."""
        if self.unwritten >= enough:
            await in_thread(self._results.add, *self._taken())

    def flush(self) -> None:
        """Write what has come, at once: for who is cancelled, and could not wait. Raises OSError."""
        self._results.add(*self._taken())

    def _taken(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Return the answers and the failures that are to be written, which are nobody else's then."""
        answers, self._answers = self._answers, []
        failures, self._failures = self._failures, []
        return answers, failures

    def sync(self) -> None:
        """Have all that was written on the disk."""
        self._results.sync()
