"""The progress of a download as one line of text. Pure: figures in, a line out that is never wider than asked for.

What does not fit is left out: first the bar, then the speed, the time left and the amount; the label is cut last.
Plain ASCII, but for the label, so that every terminal can show it.
"""

from __future__ import annotations

from llmterm.render.cells import cell_len
from llmterm.render.sanitize import clean

_LEAST_LABEL = 16
_LEAST_BAR = 10
_MOST_BAR = 40
_GAP = "  "
# Beyond any file, and small enough for a float.
_MOST_BYTES = 10**18
_LONGEST_WAIT = 100 * 3600
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB")


def bar(label: str, done: int, total: int | None, seconds: float, width: int, *, start: int = 0) -> str:
    """Return the line for `done` of `total` bytes (`None` or 0: unknown) after `seconds`.

    `start` is how many bytes were there before the clock ran: a download that goes on is not fast because of them.
    """
    if width < 1:
        return ""
    done = _bytes(done)
    total = max(done, _bytes(total)) if total and total > 0 else 0
    rate = _rate(done - _bytes(start), seconds)
    share = f"{100 * done // total:3d}%" if total else ""
    # In the order of their worth.
    figures = [figure for figure in (share, _amount(done, total), _left(total - done, rate), _speed(rate)) if figure]
    label = " ".join(clean(label[: 4 * width]).split())
    least = min(cell_len(label), _LEAST_LABEL)
    while figures and least + _taken(figures) > width:
        figures.pop()
    label = _cut(label, width - _taken(figures))
    room = width - cell_len(label) - _taken(figures) - len(_GAP) - 2
    if total and room >= _LEAST_BAR:
        figures.insert(1, f"[{_drawn(done, total, min(room, _MOST_BAR))}]")
    return _GAP.join(filter(None, [label, *figures]))


def _bytes(value: int | None) -> int:
    return min(max(value or 0, 0), _MOST_BYTES)


def _taken(figures: list[str]) -> int:
    return sum(len(_GAP) + len(figure) for figure in figures)


def _cut(label: str, room: int) -> str:
    if cell_len(label) <= room:
        return label
    while label and cell_len(label) > room - 1:
        label = label[:-1]
    return f"{label}…" if room > 0 else ""


def _drawn(done: int, total: int, length: int) -> str:
    filled = length * done // total
    head = ">" if 0 < filled < length else ""
    return ("=" * (filled - len(head)) + head).ljust(length)


def _amount(done: int, total: int) -> str:
    return f"{_size(done)} of {_size(total)}" if total else _size(done)


def _size(value: float) -> str:
    """Return an amount of bytes with three digits: "999 B", "1.20 MB"."""
    unit, *larger = _UNITS
    for each in larger:
        if value < 999.5:
            break
        value, unit = value / 1000, each
    digits = 0 if unit == "B" or value >= 99.95 else 1 if value >= 9.995 else 2
    return f"{value:.{digits}f} {unit}"


def _rate(fetched: int, seconds: float) -> float:
    """Return the bytes per second; 0 while nothing can be said."""
    return fetched / seconds if fetched > 0 and 0.001 < seconds < 1e9 else 0.0


def _speed(rate: float) -> str:
    return f"{_size(rate)}/s" if rate else ""


def _left(missing: int, rate: float) -> str:
    """Return how long it still takes, as minutes and seconds."""
    if missing <= 0 or not rate or missing / rate >= _LONGEST_WAIT:
        return ""
    minutes, seconds = divmod(round(missing / rate), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02} left" if hours else f"{minutes}:{seconds:02} left"
