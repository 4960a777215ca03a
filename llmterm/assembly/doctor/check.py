"""A finding, what a person reads of many of them, and what they come to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from llmterm.errors import ConfigError, ProviderError, SessionError
from llmterm.render.sanitize import clean

State: TypeAlias = Literal["ok", "note", "warning", "problem"]

_MARKS: dict[State, str] = {"ok": "✓", "note": "·", "warning": "!", "problem": "✗"}
_COLORS: dict[State, str] = {"ok": "32", "note": "2", "warning": "33", "problem": "31"}
# What a chat cannot do without, by the name of its check, and the exit code of a chat that tried.
_NEEDED = {
    "configuration": ConfigError.exit_code,
    "set up": ConfigError.exit_code,
    "answers": ProviderError.exit_code,
    "data folder": SessionError.exit_code,
    "sessions": SessionError.exit_code,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at. A "note" is neither good nor bad; `hint` says what to do, if anything is."""

    name: str
    state: State
    value: str
    hint: str = ""


def exit_code(checks: Sequence[Check]) -> int:
    """Return what a chat started now would end with: 0, or the code of the first thing it cannot do without."""
    failed = (_NEEDED[check.name] for check in checks if check.state == "problem" and check.name in _NEEDED)
    return next(failed, 0)


def lines(checks: Sequence[Check], *, color: bool = False) -> list[str]:
    """Return the findings, a line each, and under them what to do. Nothing in them can act on a terminal."""
    width = max((len(check.name) for check in checks), default=0)
    found = [f"{_word(check.state, color)}  {clean(check.name):<{width}}  {_one_line(check.value)}" for check in checks]
    todo = list(_todo(checks))
    verdict = "A chat can work." if exit_code(checks) == 0 else "A chat cannot work yet."
    return [*found, "", verdict, *(["", "What to do:", *todo] if todo else [])]


def _todo(checks: Sequence[Check]) -> Iterator[str]:
    """Yield what to do, the problems first; the same advice is given once."""
    hints: dict[str, str] = {}
    for state in ("problem", "warning"):
        for check in checks:
            if check.state == state and check.hint:
                hints.setdefault(check.hint, check.name)
    for number, (hint, name) in enumerate(hints.items(), 1):
        yield f"{number}. {clean(name)}: {_one_line(hint)}"


def _word(state: State, color: bool) -> str:
    text = f"{_MARKS[state]} {state:<7}"
    return f"\x1b[{_COLORS[state]}m{text}\x1b[0m" if color else text


def _one_line(text: str) -> str:
    return " ".join(clean(text).split())
