"""How far a batch is: what was asked, answered and has failed, what it has taken, and what it may still take. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from llmterm.batch.engine import Spent

_MINUTE = 60.0


@dataclass(slots=True, kw_only=True)
class Tally:
    """`total` is None until all questions were counted; `began` is when, in seconds of any clock."""

    began: float
    total: int | None = None
    skipped: int = 0
    answered: int = 0
    failed: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float | None = None
    running: int = 0
    rested: float = 0.0
    """Seconds in which nothing was asked, as it was paused."""

    @property
    def over(self) -> int:
        """How many questions it was decided of in this run."""
        return self.answered + self.failed

    def add(self, spent: Spent) -> None:
        self.input_tokens += spent.input_tokens
        self.output_tokens += spent.output_tokens
        if spent.cost is not None:
            self.cost = (self.cost or 0.0) + spent.cost

    def per_minute(self, now: float) -> float:
        """Return how many questions it is decided of in a minute."""
        seconds = now - self.began - self.rested
        return self.over * _MINUTE / seconds if seconds > 0 else 0.0

    def left(self, now: float) -> float | None:
        """Return about how many seconds it still takes; None where that cannot be told."""
        rate = self.per_minute(now)
        if self.total is None or not rate:
            return None
        return max(0, self.total - self.skipped - self.over) * _MINUTE / rate

    def total_words(self) -> str:
        """Return in a line what has come, without the time that it took."""
        failed = f"{self.failed:,} failed" if self.failed else ""
        return " - ".join(filter(None, [f"{self.answered:,} answered", failed, *self._taken()]))

    def _taken(self) -> list[str]:
        return [
            f"{self.input_tokens:,} tokens in, {self.output_tokens:,} out",
            f"cost {self.cost:.4f}" if self.cost is not None else "",
        ]

    def words(self, now: float) -> str:
        """Return it in a line."""
        done = f"{self.skipped + self.over:,}" + (f" of {self.total:,}" if self.total is not None else "")
        left = self.left(now)
        parts = [
            done,
            f"{self.failed:,} failed" if self.failed else "",
            f"{self.per_minute(now):,.0f} a minute",
            *self._taken(),
            f"{timedelta(seconds=round(left))} left"
            if left is not None and self.total != self.skipped + self.over
            else "",
        ]
        return " - ".join(filter(None, parts))
