"""What the segments of all stored answers add up to, for each model of each provider.

An answer in several parts counts once for every model that wrote a part of it. What streams right now is not counted
before its first pause or its end, and what a branch has copied counts for that session only. Days are those of this
machine's time zone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from llmterm.messages import EndReason
from llmterm.sessions.database import Transaction
from llmterm.sessions.rows import read_time, time_column

_BY_PROVIDER = {EndReason.STOP, EndReason.LENGTH, EndReason.STOP_SEQUENCE, EndReason.REFUSAL, EndReason.OTHER}
_FAILED = {EndReason.NETWORK, EndReason.TIMEOUT, EndReason.ERROR}
# An answer that came all at once says nothing of how fast it was written.
_LEAST_MS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What some segments add up to, and how fast they were.

    `pauses`: segments that ended otherwise than by the provider; `failures`: those of them that were cut by one. An
    answer that has failed before its first word is on no record, and so among no figures. `first_token_ms` and
    `tokens_per_second` are medians over the segments that have them, `cost` is the sum of those that have one; None
    where none has. `estimated`: some of the tokens were not counted by the provider.
    `cached_tokens` of the input were read from providers' caches, `cache_write_tokens` written to them, and `saved` is
    how much more all would have cost without. `resumes`: segments that go on with what was there; what they were asked
    with took `resumed_tokens`, and `resume_cost` of the cost.
    """

    answers: int
    segments: int
    pauses: int
    failures: int
    input_tokens: int
    output_tokens: int
    estimated: bool
    first_token_ms: int | None
    tokens_per_second: float | None
    retries: int
    cost: float | None
    cached_tokens: int
    cache_write_tokens: int
    saved: float | None
    resumes: int
    resumed_tokens: int
    resume_cost: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Day(Tally):
    """What one model did on one day."""

    date: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures(Tally):
    """What one model did. `days`: oldest first, none without an answer."""

    provider: str
    model: str
    days: tuple[Day, ...]


@dataclass(frozen=True, slots=True)
class _Part:
    """A segment, as far as figures go."""

    message_id: int
    date: date
    end_reason: EndReason
    input_tokens: int
    output_tokens: int
    estimated: bool
    first_token_ms: int | None
    duration_ms: int
    retries: int
    cost: float | None
    cached_tokens: int
    cache_write_tokens: int
    input_cost: float | None
    saved: float | None
    resumes: bool

    @property
    def wait(self) -> int | None:
        """Milliseconds to the first token; None where nothing was generated, as in an answer from the cache."""
        return self.first_token_ms if self.output_tokens > 0 else None

    @property
    def speed(self) -> float | None:
        """Tokens per second after the first token."""
        if self.wait is None or self.duration_ms - self.wait < _LEAST_MS:
            return None
        return self.output_tokens * 1000 / (self.duration_ms - self.wait)


def read_figures(tx: Transaction, session_id: str | None, since: date | None = None) -> list[Figures]:
    """Return the figures of one session or of all, from that day on, most output tokens first."""
    parts: dict[tuple[str, str], list[_Part]] = {}
    wanted: list[tuple[str, str]] = [("session_id = ?", session_id)] if session_id else []
    if since is not None:
        wanted.append(("created_at >= ?", time_column(datetime.combine(since, time.min).astimezone())))
    where = " AND ".join([*(condition for condition, _ in wanted), *([] if session_id else ["NOT copied"])])
    for provider, model, message_id, created_at, end_reason, *figures in tx.rows(
        "SELECT provider, model, message_id, created_at, end_reason,"
        " input_tokens, output_tokens, estimated, first_token_ms, duration_ms, retries, cost,"
        " cached_tokens, cache_write_tokens, input_cost, saved, mode != 'fresh'"
        f" FROM segments JOIN messages ON id = message_id WHERE {where}",
        *(value for _, value in wanted),
    ):
        day = read_time(created_at).astimezone().date()
        part = _Part(message_id, day, EndReason(end_reason), *figures)
        parts.setdefault((provider, model), []).append(part)
    found = [
        Figures(provider=provider, model=model, days=_days(each), **_sums(each))
        for (provider, model), each in sorted(parts.items())
    ]
    return sorted(found, key=lambda each: each.output_tokens, reverse=True)


def values(tally: Tally) -> dict[str, Any]:
    """Return what is told of some segments as JSON has it."""
    speed = tally.tokens_per_second
    return {
        "answers": tally.answers,
        "segments": tally.segments,
        "pauses": tally.pauses,
        "failures": tally.failures,
        "input_tokens": tally.input_tokens,
        "output_tokens": tally.output_tokens,
        "estimated": tally.estimated,
        "first_token_ms": tally.first_token_ms,
        "tokens_per_second": None if speed is None else round(speed, 2),
        "retries": tally.retries,
        "cost": tally.cost,
        "cached_tokens": tally.cached_tokens,
        "cache_write_tokens": tally.cache_write_tokens,
        "saved": tally.saved,
        "resumes": tally.resumes,
        "resumed_tokens": tally.resumed_tokens,
        "resume_cost": tally.resume_cost,
    }


def _sums(parts: Sequence[_Part]) -> dict[str, Any]:
    """Return the fields of a Tally."""
    wait = median([part.wait for part in parts if part.wait is not None])
    resumes = [part for part in parts if part.resumes]
    return {
        "answers": len({part.message_id for part in parts}),
        "segments": len(parts),
        "pauses": sum(part.end_reason not in _BY_PROVIDER for part in parts),
        "failures": sum(part.end_reason in _FAILED for part in parts),
        "input_tokens": sum(part.input_tokens for part in parts),
        "output_tokens": sum(part.output_tokens for part in parts),
        "estimated": any(part.estimated for part in parts),
        "first_token_ms": None if wait is None else round(wait),
        "tokens_per_second": median([part.speed for part in parts if part.speed is not None]),
        "retries": sum(part.retries for part in parts),
        "cost": _sum(part.cost for part in parts),
        "cached_tokens": sum(part.cached_tokens for part in parts),
        "cache_write_tokens": sum(part.cache_write_tokens for part in parts),
        "saved": _sum(part.saved for part in parts),
        "resumes": len(resumes),
        "resumed_tokens": sum(part.input_tokens for part in resumes),
        "resume_cost": _sum(part.input_cost for part in resumes),
    }


def _sum(values: Iterable[float | None]) -> float | None:
    """Return the sum of those that are known, None where none is."""
    known = [value for value in values if value is not None]
    return math.fsum(known) if known else None


def _days(parts: Sequence[_Part]) -> tuple[Day, ...]:
    by_date: dict[date, list[_Part]] = {}
    for part in parts:
        by_date.setdefault(part.date, []).append(part)
    return tuple(Day(date=day, **_sums(by_date[day])) for day in sorted(by_date))


def median(values: Sequence[float]) -> float | None:
    """Return the middle of the values, None where there are none."""
    import statistics  # only here: it brings decimal, fractions and random along

    return statistics.median(values) if values else None
