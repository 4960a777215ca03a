"""Draws docs/pause.svg: the real program, with the embedded model, paused in the middle of an answer.

    uv run python -m scripts.picture

The program runs in a pseudo-terminal; what is drawn is the screen that it has written, cell by cell.
"""

from __future__ import annotations

import io
import re
import tempfile
from pathlib import Path

import pyte
from rich.console import Console
from rich.text import Text

from tests.terminal import LLMTERM, Program, environment

TARGET = Path(__file__).parent.parent / "docs" / "pause.svg"
COLUMNS, ROWS = 86, 22


def line(screen: pyte.Screen, row: int) -> Text:
    """Return a row of the screen, with its colours."""
    text = Text()
    for column in range(screen.columns):
        cell = screen.buffer[row][column]
        styles = [name for name in ("bold", "italics", "underscore", "reverse") if getattr(cell, name)]
        words = {"italics": "italic", "underscore": "underline"}
        color = cell.fg if cell.fg == "default" else cell.fg.replace("brown", "yellow")
        if re.fullmatch(r"[0-9a-f]{6}", color):
            color = f"#{color}"
        text.append(cell.data, " ".join([*(words.get(style, style) for style in styles), color]))
    text.rstrip()
    return text


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        command = [*LLMTERM, "chat", "--temperature", "0", "--max-tokens", "200"]
        with Program(command, environment(Path(home)), columns=COLUMNS, rows=ROWS) as program:
            program.wait_for(r"(?m)^>")
            program.send("Give me four steps to learn a language, as a list with bold titles.\r")
            program.wait_for(r"3\. \w+ \w+ \w+")
            program.send(" ")
            program.wait_for("paused after")
            program.send("be brief, please")
            program.wait_for("> be brief, please")
            console = Console(record=True, width=COLUMNS, file=io.StringIO(), color_system="truecolor")
            last = max(row for row in range(ROWS) if program.screen.display[row].strip())
            for row in range(last + 1):
                console.print(line(program.screen, row), no_wrap=True, crop=True)
    svg = console.export_svg(title="llmterm chat")
    # A picture is no reason to load a font from somewhere.
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(svg, "utf-8")


if __name__ == "__main__":
    main()
