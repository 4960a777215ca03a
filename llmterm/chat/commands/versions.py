"""/versions: what was asked or answered otherwise, and the way there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from llmterm.chat.commands import Command
from llmterm.chat.context import Context
from llmterm.chat.outcome import Open, Outcome, Say
from llmterm.chat.suggestion import Choice
from llmterm.errors import UsageError
from llmterm.render.cells import cell_len, chop
from llmterm.sessions import Version
from llmterm.sessions.titles import one_line
from llmterm.sessions.versions import Fork, neighbour

if TYPE_CHECKING:
    from llmterm.chat.session import Session

_STEPS = {"previous": -1, "next": 1}
# What part of a line the names of models have at most: the rest is what tells the versions apart.
_WHO = 3


def commands(keys: Mapping[str, str]) -> list[Command]:
    """Return it; `keys` are those of `_STEPS`, by their names."""
    both = ", ".join(keys[name].title() for name in _STEPS)
    return [
        Command(
            name="versions",
            argument="[N]",
            summary=f"({both}) what was asked or answered otherwise",
            run=_versions,
            values=_numbers,
            leaves=True,
        )
    ]


def shortcuts(context: Context) -> dict[str, str]:
    """Return what keys stand for at the prompt."""
    keys = {context.settings.keys[name]: f"/versions {name}" for name in _STEPS}
    return keys | ({"escape": "/undo"} if context.session.talk.editing else {})


def standing(session: Session) -> str:
    """Return which of how many versions the conversation goes through, at the last place where there are several."""
    forks = session.forks
    if not forks:
        return ""
    fork = forks[0]
    if fork.current is None:
        return "/versions has what was taken back"
    place = "" if _is_last(session, fork) else f" of question {_question(session, fork)}"
    return f"version {fork.current + 1} of {len(fork.rows)}{place}"


def _question(session: Session, fork: Fork) -> int:
    """Return the number, from 1, of the question that has versions there, or whose answer has."""
    return session.talk.questions(fork.at) + _of_question(session, fork)


def _is_last(session: Session, fork: Fork) -> bool:
    """Tell whether it is about the last question or its answer."""
    return not any(each.message.role == "user" for each in session.talk.kept[fork.at + 1 :])


def _of_question(session: Session, fork: Fork) -> bool:
    """Tell whether it is a question that has versions there, and not an answer."""
    return fork.at == 0 or session.talk.path[fork.at - 1].message.role != "user"


async def _versions(context: Context, argument: str) -> Outcome:
    session = context.session
    await session.restore()
    forks = session.forks
    rows = [row for fork in forks for row in fork.rows]
    if not rows:
        raise UsageError("there are no other versions", hint="/retry and /edit make some")
    if argument in _STEPS:
        row = neighbour(forks, _STEPS[argument])
        if row is None:
            raise UsageError(f"there is no {argument} version", hint="/versions lists them")
    elif not argument:
        return Say("\n".join(await _listed(context, forks)))
    elif argument.isdecimal() and 0 < int(argument) <= len(rows):
        row = rows[int(argument) - 1]
    else:
        raise UsageError(f"there is no version {argument!r}", hint=f"there are {len(rows)}: /versions lists them")
    if row in [fork.rows[fork.current] for fork in forks if fork.current is not None]:
        raise UsageError("this is that version")
    fork = next(fork for fork in forks if row in fork.rows)
    which = f", version {fork.rows.index(row) + 1} of {len(fork.rows)}" if len(fork.rows) > 1 else ""
    return Open(await session.switch(row), since=fork.at, said=f"{_place(session, fork)}{which}")


async def _listed(context: Context, forks: Sequence[Fork]) -> list[str]:
    number, lines, columns = 0, [], context.view.columns
    for fork in forks:
        lines.append(_heading(context.session, fork))
        for index, version in enumerate(await _read(context, fork)):
            number += 1
            mark = "*" if index == fork.current else " "
            lines.append(_clipped(f"{mark} {number:>2}  {_about(version, columns // _WHO)}", columns - 1))
    return lines


def _heading(session: Session, fork: Fork) -> str:
    return f"{_place(session, fork)}{', taken back' if fork.current is None else ''}"


def _place(session: Session, fork: Fork) -> str:
    what = "question" if _of_question(session, fork) else "answer to question"
    return f"{what} {_question(session, fork)}"


async def _read(context: Context, fork: Fork) -> list[Version]:
    return await context.session.read(lambda store: store.versions(fork.rows))


async def _numbers(context: Context, _typed: str) -> Sequence[Choice]:
    versions = [version for fork in context.session.forks for version in await _read(context, fork)]
    columns = context.view.columns
    return [(str(number), _about(version, columns // _WHO)) for number, version in enumerate(versions, 1)]


def _about(version: Version, room: int) -> str:
    """Return who wrote it, in so many cells, and its first line; a question is shown as it was typed."""
    if not version.models:
        return one_line(version.text.strip().partition("\n")[0]) or "(nothing)"
    from llmterm.render.excerpt import first_line

    who = _clipped(", ".join(version.models), room)
    state = "  (not over)" if version.open else ""
    return f"{who}{state}  {one_line(first_line(version.text)) or '(nothing)'}"


def _clipped(line: str, columns: int) -> str:
    return line if cell_len(line) <= columns else f"{chop(line, columns - 1)[0]}…"
