"""Styles as words, and the sequences (SGR) for a terminal that begin them.

The words are a part of rich's: attributes, a colour, and "on" and a colour for what is behind. Nothing is imported:
what a user has configured is checked before there is anything to draw, a prompt is drawn before there is an answer.
"""

from __future__ import annotations

import re

_ATTRIBUTES = {"bold": "1", "dim": "2", "italic": "3", "underline": "4", "reverse": "7", "strike": "9"}
_COLORS = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
_NUMBERED = re.compile(r"color\(([0-9]{1,3})\)")
_MIXED = re.compile(r"#([0-9a-fA-F]{2})([0-9a-fA-F]{2})([0-9a-fA-F]{2})")
_BEHIND = "on"


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
