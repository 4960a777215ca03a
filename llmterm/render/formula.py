"""Where formulas are in a text, so that markdown leaves their underscores, asterisks and backslashes alone.

Models write `$..$`, `$$..$$`, `\\(..\\)` and `\\[..\\]` within text, and `$$` or `\\[` alone on a line above a
formula of several lines. Amounts of dollars are no formulas.
"""

from __future__ import annotations

import re

_DOLLARS = re.compile(
    r"""\$\$(?:[^$\\]|\\.)+\$\$
    |\$(?![\s$])(?:
        (?:[^$\\\s]|\\\S)+\$(?!\d)       # "the $n$th", but not "$5-$10"
        |(?:[^$\\]|\\.)+(?<!\s)\$(?!\w)  # not "*$HOME* and $PATH"
    )""",
    re.VERBOSE | re.DOTALL,
)
_CLOSERS = {"$$": "$$", "\\[": "\\]", "\\(": "\\)"}


def formula_end(text: str, start: int) -> int:
    """Return where the formula ends that begins at `start`; -1 if none does."""
    if text.startswith("$", start):
        match = _DOLLARS.match(text, start)
        return match.end() if match else -1
    closer = _CLOSERS.get(text[start : start + 2])
    end = text.find(closer, start + 2) if closer else -1
    return end + 2 if end > start + 2 else -1


def formula_closer(line: str) -> str | None:
    """Return what the last line of a formula ends with of which `line` is the first."""
    return _CLOSERS.get(line) if line != "\\(" else None
