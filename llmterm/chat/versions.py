"""/versions: what was asked or answered otherwise, and the way there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import Protocol

from llmterm.chat.commands import Choice, Command
from llmterm.chat.session import ChatSession
from llmterm.errors import UsageError
from llmterm.render.cells import cell_len, chop
from llmterm.sessions import StoredSession, Version
from llmterm.sessions.versions import Fork, neighbour

_STEPS = {"previous": -1, "next": 1}


class Reopen(Protocol):
    async def __call__(self, stored: StoredSession) -> None:
        """Have the chat go on with a stored session."""
        ...


class Versions:
    """Lists the versions of questions and answers, and goes over to one of them."""

    def __init__(
        self,
        *,
        session: ChatSession,
        say: Callable[[str], None],
        note: Callable[[str], None],
        columns: Callable[[], int],
        reopen: Reopen,
        keys: Mapping[str, str],
    ) -> None:
        """`note` says what stands below the prompt, where nothing does; `keys` are those of `_STEPS`, by name."""
        self._session = session
        self._say = say
        self._note = note
        self._columns = columns
        self._reopen = reopen
        self._keys = keys

    def commands(self) -> list[Command]:
        keys = ", ".join(self._keys[name] for name in _STEPS)
        return [
            Command(
                name="versions",
                argument="[N]",
                summary=f"({keys}) what was asked or answered otherwise",
                run=self._versions,
                values=self._numbers,
            )
        ]

    def shortcuts(self) -> dict[str, str]:
        """Return what the keys stand for at the prompt."""
        return {self._keys[name]: f"/versions {name}" for name in _STEPS}

    @property
    def standing(self) -> str:
        """Which of how many versions the conversation goes through, at the last place where there are several."""
        forks = self._session.forks
        return _standing(forks[0], self._question(forks[0]), self._is_last(forks[0])) if forks else ""

    def _question(self, fork: Fork) -> int:
        """Return the number, from 1, of the question that has versions there, or whose answer has."""
        before = self._session.messages[: fork.at]
        asked = sum(message.role == "user" for message in before)
        return asked + (not before or before[-1].role != "user")

    def _is_last(self, fork: Fork) -> bool:
        """Tell whether it is about the last question or its answer."""
        return not any(message.role == "user" for message in self._session.messages[fork.at + 1 :])

    async def _versions(self, argument: str) -> None:
        self._session.restore()
        forks = self._session.forks
        rows = [row for fork in forks for row in fork.rows]
        if not rows:
            raise UsageError("there are no other versions", hint="/retry and /edit make some")
        if argument in _STEPS:
            row = neighbour(forks, _STEPS[argument])
            if row is None:
                raise UsageError(f"there is no {argument} version", hint="/versions lists them")
        elif not argument:
            self._say("\n".join(await self._listed(forks)))
            return
        elif argument.isdecimal() and 0 < int(argument) <= len(rows):
            row = rows[int(argument) - 1]
        else:
            raise UsageError(f"there is no version {argument!r}", hint=f"there are {len(rows)}: /versions lists them")
        await self._go_over(row)

    async def _go_over(self, row: int) -> None:
        current = [fork.rows[fork.current] for fork in self._session.forks if fork.current is not None]
        if row in current:
            raise UsageError("this is that version")
        await self._reopen(self._session.switch(row))
        if self.standing:
            self._note(self.standing)

    async def _listed(self, forks: Sequence[Fork]) -> list[str]:
        number, lines = 0, []
        for fork in forks:
            lines.append(self._heading(fork))
            for index, version in enumerate(await self._read(fork)):
                number += 1
                mark = "*" if index == fork.current else " "
                line = f"{mark} {number:>2}  {_about(version)}"
                lines.append(line if cell_len(line) < self._columns() else f"{chop(line, self._columns() - 2)[0]}…")
        return lines

    def _heading(self, fork: Fork) -> str:
        before = self._session.messages[: fork.at]
        what = "answer to question" if before and before[-1].role == "user" else "question"
        return f"{what} {self._question(fork)}{', taken back' if fork.current is None else ''}"

    async def _read(self, fork: Fork) -> list[Version]:
        def read() -> list[Version]:
            with closing(self._session.store.another()) as store:
                return store.versions(fork.rows)

        return await asyncio.to_thread(read)

    async def _numbers(self, _typed: str) -> Sequence[Choice]:
        versions = [version for fork in self._session.forks for version in await self._read(fork)]
        return [(str(number), _about(version)) for number, version in enumerate(versions, 1)]


def _standing(fork: Fork, question: int, last: bool) -> str:
    if fork.current is None:
        return "/versions has what was taken back"
    place = "" if last else f" of question {question}"
    return f"version {fork.current + 1} of {len(fork.rows)}{place}"


def _about(version: Version) -> str:
    who = f"{', '.join(version.models)}  " if version.models else ""
    return f"{who}{version.text or '(nothing)'}{'  (not over)' if version.open else ''}"
