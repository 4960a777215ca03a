"""The styles of the program's own lines as sequences for a terminal (SGR), without the library that paints answers.

A prompt is drawn before there is any answer, and soon.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from llmterm.render.theme import Theme
from llmterm.style import sgr


class Ink(NamedTuple):
    """What a line begins with, by what it is; `plain` ends each. Without colours all are empty."""

    strong: str = ""
    faint: str = ""
    error: str = ""
    question: str = ""
    chosen: str = ""
    plain: str = ""


@cache
def ink(theme: Theme) -> Ink:
    return Ink(
        strong=sgr(theme.strong),
        faint=sgr(theme.faint),
        error=sgr(theme.error),
        question=sgr(theme.question),
        chosen=sgr(theme.chosen),
        plain="\x1b[0m",
    )
