"""What a session is called: one line that a list has room for, with nothing in it that a terminal obeys.

Pure. A title comes from the first question, from the user, or from the session that another one branches off.
"""

from __future__ import annotations

import re
from collections.abc import Container
from itertools import count

TITLE_LENGTH = 60

_BRANCH = re.compile(r" \(branch(?: [0-9]+)?\)$")


# What emoji and several scripts are written with: it cannot be printed by itself, and nothing can be hidden by it.
_JOINERS = "\u200c\u200d"


def one_line(text: str) -> str:
    """Return the text in one line; what cannot be printed is shown as U+FFFD."""
    return "".join(
        char if char.isprintable() or char in _JOINERS else "\N{REPLACEMENT CHARACTER}"
        for char in " ".join(text.split())
    )


def clean_title(text: str) -> str:
    """Return the text as a title, which is empty where the text says nothing."""
    return _shortened(one_line(text), TITLE_LENGTH)


def title_of(question: str) -> str:
    """Return the first line that says something as a title."""
    return next(filter(None, map(clean_title, question.splitlines())), "")


def followed(title: str, before: str | None, after: str | None) -> str:
    """Return what a session of that title is called once its first question is `after` and no longer `before`.

    A title that came from the question goes with it; one that was given stays.
    """
    came_from_it = not title or (before is not None and title == title_of(before))
    return (title_of(after) if after is not None else "") if came_from_it else title


def title_of_branch(original: str, taken: Container[str]) -> str:
    """Return the first title of a branch that is not taken; a session without a title has branches without."""
    if not original:
        return ""
    stem = _BRANCH.sub("", original)
    marks = (f" (branch {number})" if number > 1 else " (branch)" for number in count(1))
    return next(made for mark in marks if (made := _shortened(stem, TITLE_LENGTH - len(mark)) + mark) not in taken)


def _shortened(line: str, length: int) -> str:
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"
