"""What a chat looks like, on the rows of the terminal that it runs in."""

from __future__ import annotations

from pathlib import Path

from tests.chatting import opened
from tests.wire import say


def test_question_is_a_block_and_an_answer_has_a_margin_where_there_is_room(tmp_path: Path) -> None:
    """What was asked is found again by its bar, which a command has not; both break between words."""
    answer = "Several words of an answer that goes on for a while, longer than the window is wide."
    with opened(tmp_path, say(answer), columns=50) as chat:
        chat.ask("why does a question that is long break between its words?")
        chat.program.wait_for(r"wide\.\n\n>\nopenai/")
        chat.ask("/pause-mode")
        chat.program.wait_for("pause mode: cut")
        shown = chat.program.lines
        chat.program.resize(39, 24)
        chat.ask("and now?")
        chat.program.wait_for(r"(?s)> and now\?.*wide\.\n\n>\n")

        assert [line for line in shown if line.startswith("▌")] == [
            "▌ why does a question that is long break between",
            "▌ its words?",
        ]
        assert "  Several words of an answer that goes on for a" in shown
        assert "  while, longer than the window is wide." in shown
        assert "> /pause-mode" in shown
        assert "Several words of an answer that goes on" in chat.program.lines
