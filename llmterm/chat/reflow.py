"""A prompt that is found again after the window has changed its size.

prompt_toolkit draws anew at once, and goes back to the first row by the rows that it drew. A terminal that lays its
lines out anew has made other rows of them meanwhile; what is not reached would stay as a stale copy above.
"""

from __future__ import annotations

import asyncio
from typing import Any

from prompt_toolkit.application import Application
from prompt_toolkit.data_structures import Size
from prompt_toolkit.layout import Layout
from prompt_toolkit.layout.screen import Char
from prompt_toolkit.renderer import Renderer

from llmterm.chat.window import WindowSize
from llmterm.render.cells import height


class ReflowRenderer(Renderer):
    """Be the renderer of an application that does not ask its terminal where the cursor is.

    `tallest` is how many rows its prompt has had since that was last set.
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

    def render(self, app: Application[Any], layout: Layout, is_done: bool = False) -> None:
        if self.last_rendered_screen is not None:
            if left := self._window.unsteady():
                asyncio.get_running_loop().call_later(left, app.invalidate)
                return
            if self._resized or self.output.get_size() != self._drawn_at:
                self.erase()
        super().render(app, layout, is_done)
        self._drawn_at, self._resized = self.output.get_size(), False
        if self.last_rendered_screen is not None:
            self.tallest = max(self.tallest, self.last_rendered_screen.height)

    def erase(self, leave_alternate_screen: bool = True) -> None:
        if leave_alternate_screen:
            self.output.cursor_up(self._rows_more())
            super().erase()
        else:
            # The size has changed: `render`, which is next, erases once it is certain what was made of the rows.
            self._resized = True

    def request_absolute_cursor_position(self) -> None:
        pass

    def _rows_more(self) -> int:
        """Return how many rows more than were drawn there are above the cursor now; none too many."""
        screen, columns = self.last_rendered_screen, self.output.get_size().columns
        if screen is None or not self._reflows or self._window.unsteady():
            return 0
        cursor = screen.get_cursor_position(self._application.layout.current_window)
        rows = [_text(screen.data_buffer[y], self._drawn_at.columns) for y in range(cursor.y)]
        before = _text(screen.data_buffer[cursor.y], cursor.x)
        return sum(height(row, columns) - 1 for row in [*rows, before])


def _text(row: dict[int, Char], columns: int) -> str:
    """Return what is written of the first columns of a row: prompt_toolkit leaves out blanks at its end."""
    return "".join(row[x].char for x in range(columns) if x in row).rstrip()
