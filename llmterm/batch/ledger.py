"""Keeps count of what becomes of the questions of a batch that was handed over, and writes it down."""

from __future__ import annotations

from typing import Any, assert_never

from llmterm.batch.engine import Answered, Failed, Outcome
from llmterm.batch.results import Results
from llmterm.batch.tally import Tally
from llmterm.threads import in_thread

# Lines that are written at a time.
_AT_ONCE = 100


class Ledger:
    """`tally` counts what was settled in this run."""

    def __init__(self, results: Results) -> None:
        self.tally = Tally(began=0.0)
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

    async def write(self) -> None:
        """Write what has come, where it is worth it. Raises OSError."""
        if len(self._answers) + len(self._failures) >= _AT_ONCE:
            await in_thread(self.flush)

    def flush(self) -> None:
        """Write all that has come. Raises OSError."""
        answers, self._answers = self._answers, []
        failures, self._failures = self._failures, []
        self._results.add(answers, failures)

    def sync(self) -> None:
        """Have all that was written on the disk."""
        self._results.sync()
