"""A prompt that is found again after the window has changed its size.

prompt_toolkit draws anew at once, and goes back to the first row by the rows that it drew. A terminal that lays its
lines out anew has made other rows of them meanwhile; what is not reached would stay as a stale copy above.
"""

from __future__ import annotations

import asyncio
from typing import Any

from prompt_toolkit.application import Application
from prompt_toolkit.data_structures import Point, Size
from prompt_toolkit.layout import Layout
from prompt_toolkit.layout.screen import Char, Screen
from prompt_toolkit.renderer import Renderer

from llmterm.chat.window import WindowSize


class ReflowRenderer(Renderer):
    """Be the renderer of an application that does not ask its terminal where the cursor is.

    `tallest` is how many rows its prompt has had since `begin`.
    """

    def __init__(self, application: Application[Any], *, window: WindowSize, reflows: bool) -> None:
        """`reflows` says that the terminal lays out its lines anew when its width changes."""
        super().__init__(application.renderer.style, application.output)
        self.tallest = 0
        self._application = application
        self._window = window
        self._reflows = reflows
        self._drawn_at = Size(rows=0, columns=0)
        self._resized = False
        self._waiting: asyncio.TimerHandle | None = None
        # What was drawn, and the cursor in it, of a prompt that was over before it could be erased.
        self._left: tuple[Screen, Point] | None = None

    def begin(self) -> None:
        """Another prompt begins."""
        self.tallest = 0

    def render(self, app: Application[Any], layout: Layout, is_done: bool = False) -> None:
        if self.last_rendered_screen is not None:
            if left := self._window.unsteady():
                self._wait(left)
                return
            if self._resized or self.output.get_size() != self._drawn_at:
                self.erase()
        # Looked at before: it may change while the prompt is drawn, and its rows are made for what it was.
        size = self.output.get_size()
        super().render(app, layout, is_done)
        self._drawn_at, self._resized = size, False
        if self.last_rendered_screen is not None:
            self.tallest = max(self.tallest, self.last_rendered_screen.height)

    def erase(self, leave_alternate_screen: bool = True) -> None:
        if not leave_alternate_screen:
            # The size has changed: `render`, which is next, erases once it is certain what was made of the rows.
            self._resized = True
        elif (screen := self.last_rendered_screen) is None or not self._window.unsteady():
            self.output.cursor_up(self._rows_more(screen) if screen is not None else 0)
            super().erase()
        else:
            self._left = screen, self._cursor(screen)
            self.reset()

    async def gone(self) -> None:
        """Erase the prompt that was over while its window was changing its size, if it was."""
        if self._left is None:
            return
        await self._window.steady()
        (screen, cursor), self._left = self._left, None
        self.output.cursor_up(cursor.y + self._rows_more(screen))
        self.output.write_raw("\r")
        self.output.erase_down()
        self.output.flush()

    def request_absolute_cursor_position(self) -> None:
        pass

    def _wait(self, seconds: float) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
        self._waiting = asyncio.get_running_loop().call_later(seconds, self._application.invalidate)

    def _cursor(self, screen: Screen) -> Point:
        return screen.get_cursor_position(self._application.layout.current_window)

    def _rows_more(self, screen: Screen) -> int:
        """Return how many rows more than were drawn there are above the cursor now; none too many."""
        columns = self.output.get_size().columns
        if not self._reflows or columns >= self._drawn_at.columns:
            return 0
        cursor = self._cursor(screen)
        widths = [_width(screen.data_buffer[y], self._drawn_at.columns) for y in range(cursor.y)]
        widths.append(_width(screen.data_buffer[cursor.y], cursor.x))
        return sum(max(0, -(-width // columns) - 1) for width in widths)


def _width(row: dict[int, Char], columns: int) -> int:
    """Return how wide is what was written of a row's first columns: prompt_toolkit leaves out blanks at its end."""
    return max((x + cell.width for x, cell in row.items() if x < columns and cell.char.strip()), default=0)
