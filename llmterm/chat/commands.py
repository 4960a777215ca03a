"""The slash commands: one registry, from which help and completion come."""

from __future__ import annotations

import difflib
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from llmterm.errors import UsageError

# A value that an argument may have, and a few words about it.
Choice: TypeAlias = tuple[str, str]


async def _nothing(_typed: str) -> Sequence[Choice]:
    return ()


def choices(*names: str) -> Callable[[str], Awaitable[Sequence[Choice]]]:
    """Return what offers always the same values."""

    async def values(_typed: str) -> Sequence[Choice]:
        return [(name, "") for name in names]

    return values


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """`/name argument`: what it does in one line, what runs it, and what the argument may be.

    Of the `values`, which are told what was typed, those are offered that begin like it; of the `matches`, which look
    at it in their own way, all.
    """

    name: str
    argument: str
    summary: str
    run: Callable[[str], Awaitable[None]]
    values: Callable[[str], Awaitable[Sequence[Choice]]] = _nothing
    matches: Callable[[str], Awaitable[Sequence[Choice]]] = _nothing


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What a text may become: `text` in the place of its last `replaced` characters, and a few words about it."""

    text: str
    replaced: int
    about: str = ""


class Commands:
    """Finds and runs commands."""

    def __init__(self, sections: Mapping[str, Sequence[Command]]) -> None:
        """`sections` are the commands under the headings that they have in the help."""
        self._sections = sections
        self._commands = {command.name: command for section in sections.values() for command in section}

    def __iter__(self) -> Iterator[Command]:
        return iter(self._commands.values())

    @staticmethod
    def is_command(text: str) -> bool:
        """Tell commands, one a line, from a message that begins with a path: no second slash in the first word."""
        # A SPACE that came too late to pause an answer is no part of a command.
        words = [line.split(maxsplit=1)[0] for line in text.splitlines() if line.strip()]
        return bool(words) and all(word.startswith("/") and "/" not in word[1:] for word in words)

    @classmethod
    def replaces(cls, line: str, text: str) -> bool:
        """Tell whether `text`, a command, was typed in the place of a `line` that is a message."""
        return bool(line.strip()) and cls.is_command(text) and not cls.is_command(line)

    async def run(self, text: str) -> None:
        """Run the commands that `text` holds, one a line. Raises UsageError for one that does not exist."""
        for line in text.splitlines():
            if line.strip():
                await self._run(line)

    async def _run(self, text: str) -> None:
        name, _, argument = text.strip().removeprefix("/").partition(" ")
        command = self._commands.get(name)
        if command is None:
            near = difflib.get_close_matches(name, self._commands, n=1)
            raise UsageError(f"there is no /{name}", hint=f"did you mean /{near[0]}?" if near else "/help lists all")
        if argument.strip() and not command.argument:
            raise UsageError(f"/{name} takes nothing", hint=f"/{name} by itself: {command.summary}")
        await command.run(argument.strip())

    async def complete(self, text: str) -> list[Suggestion]:
        """Return what `text`, a command being typed, may become."""
        name, space, argument = text.removeprefix("/").partition(" ")
        if not space:
            named = (command for command in self if command.name.startswith(name))
            return [Suggestion(f"/{command.name}", len(text), command.summary) for command in named]
        command = self._commands.get(name)
        if command is None:
            return []
        found = [each for each in await command.values(argument) if each[0].startswith(argument)]
        found += await command.matches(argument)
        return [Suggestion(value, len(argument), about) for value, about in found]

    def help(self) -> list[str]:
        """Return the help, a line each."""
        width = max((len(_usage(command)) for command in self), default=0)
        lines: list[str] = []
        for heading, section in self._sections.items():
            lines += ["", heading] if lines else [heading]
            lines += [f"  {_usage(command):<{width}}  {command.summary}" for command in section]
        return lines


def _usage(command: Command) -> str:
    return f"/{command.name} {command.argument}".rstrip()
