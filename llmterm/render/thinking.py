"""What a model thinks before it answers, as lines: plain text, all of it for good, or only its end while it lasts.

In short, its last rows are live and nothing of it becomes permanent but one line at the end, which says how much it
was: in words, as nothing here has a clock, and that do not depend on how the text was cut into chunks.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from functools import cache

from llmterm.render.cells import cell_len, chop, wrap
from llmterm.render.flow import Flow

_ROWS = 6
# Where a word begins; each Han character and kana is one.
_HAN = "\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003fffd"


@cache
def _beginning() -> re.Pattern[str]:
    return re.compile(rf"[{_HAN}]|(?<![^\s{_HAN}])[^\s{_HAN}]")


class Thinking:
    """Thinking that grows; `paint` styles a row."""

    def __init__(self, paint: Callable[[str], str], *, short: bool) -> None:
        self._paint = paint
        self._short = short
        self._flow = Flow(str if short else paint)
        self._recent: deque[str] = deque(maxlen=_ROWS)
        self._width = 0
        self._words = 0
        self._last = ""

    def feed(self, text: str) -> None:
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
        if not self._short:
            return rows
        if width != self._width:
            self._recent.extend([part for row in list(self._recent) for part in wrap(row, width)])
            self._width = width
        self._recent.extend(rows)
        return []

    def live(self) -> list[str]:
        """Return the rows that are not permanent; `advance` comes first."""
        return list(map(self._paint, self._shown())) if self._short else self._flow.live()

    def settle(self, count: int) -> None:
        """Take note that the first `count` lines of `live()` are permanent."""
        if self._short and count:
            kept = self._shown()[count:]
            self._flow.settle(len(self._flow.live()) if not kept else 0)
            self._recent = deque(kept[: len(kept) - len(self._flow.live())], maxlen=_ROWS)
        elif not self._short:
            self._flow.settle(count)

    def close(self, width: int) -> list[str]:
        """Return the rest of the permanent rows; the thought is over."""
        if not self._short:
            return self._flow.close(width)
        said = f"{self._words:,} word{'s' if self._words != 1 else ''}"
        lines = (f"thought for {said} - /thinking shows them", f"thought for {said}", said)
        return [self._paint(next((line for line in lines if cell_len(line) <= width), chop(said, width)[0]))]

    def _shown(self) -> list[str]:
        return [*self._recent, *self._flow.live()][-_ROWS:]
