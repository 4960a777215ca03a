"""Figures of answers as they stand in tables. "-" is none; what begins with "~" was estimated in part."""

from __future__ import annotations

_NONE = "-"


def tokens(count: int, *, estimated: bool) -> str:
    return f"{_mark(estimated)}{count:,}"


def wait(ms: int | None) -> str:
    if ms is None:
        return _NONE
    return f"{ms} ms" if ms < 1000 else f"{ms / 1000:,.1f} s"


def speed(per_second: float | None, *, estimated: bool) -> str:
    return _NONE if per_second is None else f"{_mark(estimated)}{per_second:,.1f}"


def cost(value: float | None, *, estimated: bool) -> str:
    return _NONE if value is None else f"{_mark(estimated)}{value:,.4f}"


def resumed(resumes: int, asked: int, price: float | None, saved: float | None) -> str:
    """Return what it took to go on after pauses, and what the providers' caches have saved; "" where neither is known.

    `asked` are the tokens that were asked again, and `price` is what they cost.
    """
    found = []
    if resumes:
        paid = f", for {price:,.4f}" if price is not None else ""
        found.append(f"{resumes:,} {'resume' if resumes == 1 else 'resumes'} asked {asked:,} tokens again{paid}")
    if saved:
        found.append(f"caches saved {saved:,.4f}" if saved > 0 else f"writing to caches took {-saved:,.4f} more")
    return "; ".join(found)


def _mark(estimated: bool) -> str:
    return "~" if estimated else ""
