"""The styles of the program's own lines as sequences for a terminal (SGR), without the library that paints answers.

A prompt is drawn before there is any answer, and soon. The words of a style are a part of rich's: attributes, a colour,
and "on" and a colour for what is behind.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from llmterm.render.theme import Theme

_ATTRIBUTES = {"bold": "1", "dim": "2", "italic": "3", "underline": "4", "reverse": "7", "strike": "9"}
_COLORS = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
_NUMBERED = re.compile(r"color\(([0-9]{1,3})\)")
_MIXED = re.compile(r"#([0-9a-fA-F]{2})([0-9a-fA-F]{2})([0-9a-fA-F]{2})")
_BEHIND = "on"


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


def sgr(style: str) -> str:
    """Return the sequence that begins `style`, "" without words. Raises ValueError, which names the wrong word."""
    codes: list[str] = []
    behind = False
    for word in style.split():
        if word == _BEHIND and not behind:
            behind = True
            continue
        codes.append(_ATTRIBUTES[word] if word in _ATTRIBUTES and not behind else _color(word, behind=behind))
        behind = False
    if behind:
        raise ValueError(f"no colour stands behind {_BEHIND!r}")
    return f"\x1b[{';'.join(codes)}m" if codes else ""


def _color(word: str, *, behind: bool) -> str:
    base = 40 if behind else 30
    if word in _COLORS:
        return str(base + _COLORS.index(word))
    if word.removeprefix("bright_") in _COLORS:
        return str(base + 60 + _COLORS.index(word.removeprefix("bright_")))
    if (numbered := _NUMBERED.fullmatch(word)) and int(numbered[1]) < 256:
        return f"{base + 8};5;{numbered[1]}"
    if mixed := _MIXED.fullmatch(word):
        return f"{base + 8};2;{';'.join(str(int(part, 16)) for part in mixed.groups())}"
    raise ValueError(f"{word!r} is no colour and no attribute")
