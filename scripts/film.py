"""A moving picture of a terminal: an SVG that loops, of what a program has drawn, row by row. No script is in it.

A row is drawn once for as long as it looks the same, and SMIL shows it for that time. Where nothing moves, the
last frame is what is seen.
"""

from __future__ import annotations

import re
import time
from functools import partial
from html import escape
from itertools import groupby
from typing import NamedTuple

import pyte
from rich.terminal_theme import TerminalTheme

from tests.terminal import Program

_WIDE, _HIGH, _SIZE = 8.4, 18, 14  # pixels of a cell, and of the letters
_EDGE, _BAR = 14, 30
# Seconds that a frame is seen: a machine that was busy while it was filmed is not seen to have been.
_LEAST, _MOST = 0.05, 0.2
_NAMES = ("black", "red", "green", "brown", "blue", "magenta", "cyan", "white")


class _Frame(NamedTuple):
    rows: tuple[str, ...]
    seconds: float


class Film:
    """Films a program while things are waited for."""

    def __init__(self, program: Program, theme: TerminalTheme) -> None:
        self._program = program
        self._theme = theme
        self._frames: list[_Frame] = []
        self._taken = time.monotonic()

    def wait_for(self, wanted: str) -> None:
        """Take a frame of whatever is drawn until `wanted` is seen."""

        def seen() -> bool:
            self._take()
            return re.search(wanted, self._program.text) is not None

        self._program.wait_for(seen)

    def type(self, text: str) -> None:
        for each in text:
            written = len(self._program.written)
            self._program.send(each)
            self._program.wait_for(partial(self._drawn_since, written))
            self._take()

    def _drawn_since(self, written: int) -> bool:
        return len(self._program.written) > written

    def hold(self, seconds: float) -> None:
        """Have what is on the screen stay there for a while."""
        self._take()
        self._frames[-1] = self._frames[-1]._replace(seconds=seconds)

    def svg(self, title: str) -> str:
        columns, lines = self._program.screen.columns, self._program.screen.lines
        width, height = columns * _WIDE + 2 * _EDGE, lines * _HIGH + _BAR + _EDGE
        whole = sum(frame.seconds for frame in self._frames)
        drawn = [row for at in range(lines) for row in self._row(at, whole)]
        background = self._theme.background_color.hex
        dots = "".join(
            f'<circle cx="{20 + 18 * at}" cy="17" r="5.5" fill="{color}"/>'
            for at, color in enumerate(("#ff5f57", "#febc2e", "#28c840"))
        )
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height}" '
            f'width="{width:g}" height="{height}">\n'
            f"<title>{escape(title)}</title>\n"
            f"<style>text{{font:{_SIZE}px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;"
            f"white-space:pre;fill:{self._theme.foreground_color.hex}}}.b{{font-weight:bold}}.i{{font-style:italic}}"
            ".u{text-decoration:underline}</style>\n"
            f'<rect width="100%" height="100%" rx="8" fill="{background}" stroke="#8886"/>{dots}\n'
            + "\n".join(drawn)
            + "\n</svg>\n"
        )

    def _take(self) -> None:
        screen = self._program.screen
        rows = tuple(self._cells(screen, row) for row in range(screen.lines))
        now = time.monotonic()
        if self._frames:
            last = self._frames[-1]
            if last.rows == rows:
                return
            if last.seconds == 0:
                self._frames[-1] = last._replace(seconds=min(_MOST, max(_LEAST, now - self._taken)))
        self._taken = now
        self._frames.append(_Frame(rows, 0))

    def _row(self, at: int, whole: float) -> list[str]:
        """Return what is drawn in a row over the time: each look of it, with when it is seen."""
        looks: dict[str, list[tuple[float, float]]] = {}
        begin = 0.0
        for look, frames in groupby(self._frames, key=lambda frame: frame.rows[at]):
            end = begin + sum(frame.seconds for frame in frames)
            looks.setdefault(look, []).append((begin / whole, end / whole))
            begin = end
        drawn = []
        for look, spans in looks.items():
            if not look:
                continue
            last = look == self._frames[-1].rows[at]
            shown = f'<g transform="translate({_EDGE} {_BAR + at * _HIGH})"' + ("" if last else ' visibility="hidden"')
            drawn.append(f"{shown}>{look}{_seen(spans, whole)}</g>")
        return drawn

    def _cells(self, screen: pyte.Screen, row: int) -> str:
        """Return a row as SVG: a run of letters for each look, and the cursor."""
        line = screen.buffer[row]
        cells = [line[column] for column in range(screen.columns)]
        drawn = []
        column = 0
        for _, group in groupby(cells, key=lambda cell: cell._replace(data="")):
            run = list(group)
            drawn.append(self._run(column, run))
            column += len(run)
        if screen.cursor.y == row and not screen.cursor.hidden:
            x = screen.cursor.x * _WIDE
            drawn.append(f'<rect x="{x:g}" y="1" width="{_WIDE}" height="{_HIGH - 2}" fill="#ccc9"/>')
        return "".join(drawn)

    def _run(self, column: int, run: list[pyte.screens.Char]) -> str:
        cell, text = run[0], "".join(each.data for each in run)
        ink, ground = self._color(cell.fg), self._color(cell.bg)
        if cell.reverse:
            ink, ground = ground or self._theme.background_color.hex, ink or self._theme.foreground_color.hex
        drawn = ""
        if ground:
            drawn = f'<rect x="{column * _WIDE:g}" width="{len(run) * _WIDE:g}" height="{_HIGH}" fill="{ground}"/>'
        if not text.strip():
            return drawn
        skipped = len(text) - len(text.lstrip())
        text = text.strip()
        looks = "".join(name for name, has in (("b", cell.bold), ("i", cell.italics), ("u", cell.underscore)) if has)
        attributes = (f' class="{" ".join(looks)}"' if looks else "") + (f' style="fill:{ink}"' if ink else "")
        # The letters take the place that a terminal gives them, whatever font there is.
        length = f' textLength="{len(text) * _WIDE:g}"' if len(text) > 1 else ""
        x = (column + skipped) * _WIDE
        return f'{drawn}<text x="{x:g}" y="{_SIZE}"{length}{attributes}>{escape(text)}</text>'

    def _color(self, name: str) -> str:
        if name == "default":
            return ""
        if re.fullmatch(r"[0-9a-f]{6}", name):
            return f"#{name}"
        plain = name.removeprefix("bright")
        at = _NAMES.index(plain if plain in _NAMES else "brown") + (8 if name != plain else 0)
        red, green, blue = self._theme.ansi_colors[at]
        return f"#{red:02x}{green:02x}{blue:02x}"


def _seen(spans: list[tuple[float, float]], whole: float) -> str:
    """Return what shows a row in those parts of the time, of which 1 is all."""
    if spans == [(0.0, 1.0)]:
        return ""
    times: list[tuple[float, str]] = [(0.0, "hidden")]
    for begin, end in spans:
        times += [(begin, "visible"), (end, "hidden")]
    # Of two at the same time the later one counts; what ends with the film need not be hidden.
    kept = dict(times)
    kept = {at: state for at, state in sorted(kept.items()) if at < 0.99999}
    values, keys = ";".join(kept.values()), ";".join(f"{at:.4g}" for at in kept)
    return (
        f'<animate attributeName="visibility" calcMode="discrete" dur="{whole:.2f}s" repeatCount="indefinite" '
        f'values="{values}" keyTimes="{keys}"/>'
    )
