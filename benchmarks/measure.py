"""Figures and their table: medians, ratios of pairs, percentiles, and whether a goal is met.

Subjects are measured in alternation, and a ratio is the median of the ratios of neighbours: what else the machine does
at the time then falls on both alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line of a table, as it is printed."""

    what: str
    ours: str
    baseline: str = "-"
    ratio: str = "-"
    goal: str = "-"
    met: str = "-"


_HEADINGS = Row(what="what", ours="ours", baseline="baseline", ratio="ratio", goal="goal", met="met")


def alternate(rounds: int, *subjects: Callable[[], float]) -> list[list[float]]:
    """Measure the subjects in turn, `rounds` times, after once for nothing; return the figures of each."""
    for subject in subjects:
        subject()
    taken = [[subject() for subject in subjects] for _ in range(rounds)]
    return [list(figures) for figures in zip(*taken, strict=True)]


def compared(
    what: str, ours: Sequence[float], baseline: Sequence[float], *, form: str, goal: float | None = None
) -> Row:
    """Return the row of `ours` against `baseline`; `form` prints a figure with its unit, `goal` is a ratio."""
    ratio = median(one / other for one, other in zip(ours, baseline, strict=True))
    return Row(
        what=what,
        ours=form.format(median(ours)),
        baseline=form.format(median(baseline)),
        ratio=f"{ratio:.2f}",
        goal="-" if goal is None else f"<= {goal:g} x",
        met="-" if goal is None else _met(ratio, goal),
    )


def alone(what: str, figure: float, *, form: str, goal: float | None = None, baseline: float | None = None) -> Row:
    """Return the row of a figure that is held to no `baseline`, if there is one; `goal` is of its own unit."""
    return Row(
        what=what,
        ours=form.format(figure),
        baseline="-" if baseline is None else form.format(baseline),
        goal="-" if goal is None else "<= " + form.format(goal),
        met="-" if goal is None else _met(figure, goal),
    )


def percentile(figures: Sequence[float], percent: float) -> float:
    """Return the figure that `percent` of all do not exceed (nearest rank)."""
    ranked = sorted(figures)
    return ranked[max(0, -int(-len(ranked) * percent // 100) - 1)]


def table(rows: Sequence[Row]) -> str:
    lines = [(row.what, row.ours, row.baseline, row.ratio, row.goal, row.met) for row in (_HEADINGS, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join([what.ljust(widths[0]), *map(str.rjust, figures, widths[1:])]) for what, *figures in lines
    )


def _met(figure: float, goal: float) -> str:
    return "met" if figure <= goal else "MISSED"
