"""What stands below an answer, in windows of any size."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmterm.chat.decision import Phase
from llmterm.chat.queue import MessageQueue
from llmterm.render.cells import cell_len
from tests.parts import ScriptedComposer

PAUSED = "paused after 6 tokens - SPACE resume - type to guide - Esc stop"


def test_pause_line_breaks_between_what_it_says(tmp_path: Path) -> None:
    composer = ScriptedComposer(tmp_path, MessageQueue())
    composer.begin(Phase.RESTING)
    with composer.foot.saying(lambda: PAUSED):
        rows = composer.foot.below(60, 24).rows

    assert rows == ["> ", "paused after 6 tokens - SPACE resume - type to guide", "Esc stop"]


@pytest.mark.parametrize("columns", [1, 2, 5, 12, 24, 60, 120])
@pytest.mark.parametrize("rows", [1, 2, 3, 4, 6, 24])
def test_it_fits_any_window_and_has_the_line_in_it(tmp_path: Path, columns: int, rows: int) -> None:
    """With a long draft, messages that wait, and a status line; the cursor is on a row that is there."""
    queue = MessageQueue()
    for number in range(6):
        queue.add(f"message {number} " * 9)
    composer = ScriptedComposer(tmp_path, queue)
    composer.put("a draft of several words " * 20)
    composer.begin(Phase.RESTING)
    with composer.foot.saying(lambda: PAUSED):
        below = composer.foot.below(columns, rows, apart=True)

    assert len(below.rows) <= max(1, rows)
    assert below.cursor[0] < len(below.rows)
    assert all(cell_len(row.rstrip()) <= max(columns, 3) for row in below.rows)
