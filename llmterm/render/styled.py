"""Styled text before it is a line: runs of text, each in one style, that can be cut anywhere and then painted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from rich.style import Style

from llmterm.render.cells import breaks
from llmterm.render.link import linked

Runs: TypeAlias = list[tuple[str, Style]]


def plain(runs: Runs) -> str:
    return "".join(text for text, _ in runs)


def cut(runs: Runs, ends: Iterable[int]) -> list[Runs]:
    """Cut `runs` into rows that end at the offsets `ends`, and the rest."""
    rows: list[Runs] = [[]]
    at = 0
    ahead = iter(ends)
    end = next(ahead, None)
    for text, style in runs:
        while end is not None and at + len(text) >= end:
            rows[-1].append((text[: end - at], style))
            rows.append([])
            text, at, end = text[end - at :], end, next(ahead, None)
        rows[-1].append((text, style))
        at += len(text)
    return rows


def wrap(runs: Runs, width: int) -> list[Runs]:
    """Cut `runs` at line ends, and where words must go to the next row."""
    ends: list[int] = []
    start = 0
    text = plain(runs)
    if len(text) <= width and text.isascii() and "\n" not in text:
        return [runs]
    for line in text.split("\n"):
        ends += [start + end for end in breaks(line, width)]
        start += len(line) + 1
        ends.append(start)
    return cut(runs, ends[:-1])


def strip(row: Runs) -> Runs:
    """Return `row` without white space at its end."""
    if row and row[-1][0][-1:].strip():
        return row
    return cut(row, [len(plain(row).rstrip())])[0]


def paint(row: Runs, *, color: bool = True) -> str:
    """Return `row` as a line: no white space at its end, and no style or link beyond it."""
    parts: list[str] = []
    last, last_style = "", Style.null()
    for text, style in strip(row):
        if style is last_style:
            last += text
        else:
            parts.append(_painted(last, last_style, color))
            last, last_style = text, style
    return "".join([*parts, _painted(last, last_style, color)])


def _painted(text: str, style: Style, color: bool) -> str:
    if style.link is None or not text:
        return style.render(text) if color else text
    return linked(style.update_link(None).render(text) if color else text, style.link)
