"""What a model thinks before it answers, as lines: plain text, all of it for good, or only its end while it lasts.

In short, its last rows are live, below a label, and nothing of it becomes permanent but one line at the end, which
says how long it took and how much it was, in words that do not depend on how the text was cut into chunks. All of it
is between its label and how long it took.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from functools import cache

from llmterm.render.cells import cell_len, chop, wrap
from llmterm.render.flow import Flow

_ROWS = 6
_LABEL = "thinking"
# Where a word begins; each Han character and kana is one.
_HAN = "\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003fffd"


@cache
def _beginning() -> re.Pattern[str]:
    return re.compile(rf"[{_HAN}]|(?<![^\s{_HAN}])[^\s{_HAN}]")


class Thinking:
    """Thinking that grows; `paint` styles a row. Times are in seconds, of any clock."""

    def __init__(self, paint: Callable[[str], str], *, short: bool, began: float) -> None:
        self._paint = paint
        self._began = self._ended = began
        # Whether the label is permanent.
        self._labelled = False
        self._short = short
        self._flow = Flow(str if short else paint)
        self._recent: deque[str] = deque(maxlen=_ROWS)
        self._width = 0
        self._words = 0
        self._last = ""

    def feed(self, text: str, now: float) -> None:
        self._ended = now
        self._flow.feed(text)
        self._words += sum(match.start() >= len(self._last) for match in _beginning().finditer(self._last + text))
        self._last = text[-1:] or self._last

    @property
    def behind(self) -> bool:
        """Whether more has come than `advance` was to take."""
        return self._flow.behind

    def advance(self, width: int, most: int | None = None) -> list[str]:
        """Return the rows that are finished and permanent, of as many as `most` characters that have come."""
        rows = self._flow.advance(width, most)
        changed, self._width = width != self._width, width
        if not self._short:
            return self._below_label(rows)
        if changed:
            self._recent.extend([part for row in list(self._recent) for part in wrap(row, width)])
        self._recent.extend(rows)
        return []

    def live(self, now: float) -> list[str]:
        """Return the rows that are not permanent; `advance` comes first."""
        rows = list(map(self._paint, self._shown())) if self._short else self._flow.live()
        return rows if self._labelled else [self._paint(self._label(now)), *rows]

    def settle(self, count: int) -> None:
        """Take note that the first `count` lines of `live()` are permanent."""
        if count and not self._labelled:
            self._labelled = True
            count -= 1
        if self._short and count:
            kept = self._shown()[count:]
            self._flow.settle(len(self._flow.live()) if not kept else 0)
            self._recent = deque(kept[: len(kept) - len(self._flow.live())], maxlen=_ROWS)
        elif not self._short:
            self._flow.settle(count)

    def close(self, width: int) -> list[str]:
        """Return the rest of the permanent rows; the thought is over."""
        words = f"{self._words:,} word{'s' if self._words != 1 else ''}"
        took = f"{self._ended - self._began:.0f} s" if self._ended - self._began >= 1 else ""
        if not self._short:
            self._width = width
            rows = self._below_label(self._flow.close(width))
            return [*rows, *([self._paint(f"thought for {took}"[:width])] if took else [])]
        said = took or words
        lines = (
            f"thought for {', '.join(filter(None, (took, words)))} - /thinking shows them",
            f"thought for {said}",
            said,
        )
        return [self._paint(next((line for line in lines if cell_len(line) <= width), chop(said, width)[0]))]

    def _below_label(self, rows: list[str]) -> list[str]:
        """Return permanent rows, the first of them below the label."""
        labelled, self._labelled = self._labelled, self._labelled or bool(rows)
        return rows if labelled or not rows else [self._paint(_LABEL[: self._width]), *rows]

    def _label(self, now: float) -> str:
        timed = self._short and now - self._began >= 1
        return (f"{_LABEL}, {now - self._began:.0f} s" if timed else _LABEL)[: self._width]

    def _shown(self) -> list[str]:
        return [*self._recent, *self._flow.live()][-_ROWS:]
