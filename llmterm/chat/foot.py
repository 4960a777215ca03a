"""What stands below the answer, always: the messages that wait, the line that is typed, a menu, and the status line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from llmterm.chat.composer import Composer, Item
from llmterm.chat.decision import Phase
from llmterm.chat.queue import MessageQueue
from llmterm.chat.status import queue_lines
from llmterm.render.cells import chop, shortened, usual_len, wrap
from llmterm.render.ink import Ink
from llmterm.render.sanitize import clean

# How many rows a menu gets, and a status line that says what can be done.
_MENU_ROWS = 8
_STATUS_ROWS = 4
# A window of fewer rows is for what is typed; one of so many has room for a blank row.
_ROOMY = 4
_SPACIOUS = 8
# Said in vi's mode for commands; in the other one keys are letters, as everywhere.
_VI = "vi commands - "
_LEAVING = "Ctrl-C again to leave"
# A status line is one line, and as wide as it is measured.
_ONE_LINE = {ord("\n"): "⏎", ord("\t"): " "}


class Below(NamedTuple):
    """Rows, and the row and column of the cursor in them."""

    rows: list[str]
    cursor: tuple[int, int]


class Foot:
    """Gives the rows below the answer, as they are now."""

    def __init__(self, composer: Composer, queue: MessageQueue, *, ink: Callable[[], Ink]) -> None:
        self._composer = composer
        self._queue = queue
        self._ink = ink
        self._status: Callable[[], str] = str
        self._moving: Callable[[], str] = str

    @contextmanager
    def saying(
        self, status: Callable[[], str], *, moving: Callable[[], str] = str, lasting: bool = False
    ) -> Iterator[None]:
        """Have `status` say what the status line does, inside; if `lasting`, until something else is said.

        `moving` is what stands before it where it is drawn again and again: a sign that it is waited for something.
        """
        before, self._status, self._moving = (self._status, self._moving), status, moving
        self._composer.invalidate()
        try:
            yield
        finally:
            if not lasting:
                self._status, self._moving = before
                self._composer.invalidate()

    @property
    def open(self) -> bool:
        """Whether it is the user's turn."""
        return self._composer.asking

    @property
    def resting(self) -> bool:
        """Whether it is asked what is to become of an answer at rest."""
        return self._composer.phase is Phase.RESTING

    @property
    def warning(self) -> str:
        """What the key that was just pressed has made the next one mean, "" where that is nothing."""
        return _LEAVING if self._composer.leaving else ""

    @property
    def text(self) -> str:
        """What is typed."""
        return self._composer.text

    @property
    def status(self) -> str:
        return self._status()

    def below(self, columns: int, rows: int, *, apart: bool = False) -> Below:
        """Return what a window of that size shows below the answer, if `apart` with a blank row above."""
        ink = self._ink()
        status = self._status_rows(columns, ink) if rows >= _ROOMY else []
        status = status[: max(1, rows // 3)]
        queue = [f"{ink.faint}{row}{ink.plain}" for row in self._queue_rows(columns, rows)]
        draft = self._composer.draft(columns, max(1, rows // 2 - len(status)))
        gap = [""] if apart and rows >= _SPACIOUS else []
        first, *rest = draft.rows
        typed = [f"{ink.strong}{first[:1]}{ink.plain}{first[1:]}" if first[:1] == ">" else first, *rest]
        room = rows - len(status) - len(queue) - len(typed) - 1
        menu = [self._item(item, columns, ink) for item in self._composer.menu(min(_MENU_ROWS, room))]
        above = [*gap, *queue]
        return Below([*above, *typed, *menu, *status], (len(above) + draft.cursor[0], draft.cursor[1]))

    def _queue_rows(self, columns: int, rows: int) -> list[str]:
        place = self._queue.place if self.text.strip() else None  # one that is emptied has none
        return queue_lines(self._queue.waiting, columns, place)[: rows // 4]

    def _status_rows(self, columns: int, ink: Ink) -> list[str]:
        status = self.warning or clean(self._status()).translate(_ONE_LINE)
        if not status:
            return []
        if self.resting:
            broken = _between_parts(status, max(1, columns - 1))[:_STATUS_ROWS]
            return [f"{ink.strong}{row}{ink.plain}" for row in broken]
        vi = _VI if self._composer.vi_commands and self._composer.phase is not Phase.BUSY else ""
        moving = f"{mark} " if (mark := self._moving()) else ""
        return [f"{ink.faint}{shortened(moving + vi + status, max(1, columns - 1))}{ink.plain}"]

    @staticmethod
    def _item(item: Item, columns: int, ink: Ink) -> str:
        mark = "> " if item.chosen and not ink.chosen else "  "
        text = chop(f"{mark}{item.text}", max(1, columns - 1))[0]
        left = columns - 3 - usual_len(text)
        about = f"  {shortened(item.about, left - 2)}" if item.about and left > 8 else ""
        if item.chosen:
            return f"{ink.chosen}{text}{ink.plain}{ink.faint}{about}{ink.plain}"
        return f"{text}{ink.faint}{about}{ink.plain}"


def _between_parts(status: str, columns: int) -> list[str]:
    """Break a status line between what it says, and within that only where it has to be."""
    lines = [""]
    for part in status.split(" - "):
        joined = f"{lines[-1]} - {part}" if lines[-1] else part
        if usual_len(joined) <= columns or not lines[-1]:
            lines[-1] = joined
        else:
            lines.append(part)
    return [row for line in lines for row in wrap(line, columns)]
