"""The slash commands: one registry, from which help and completion come."""

from __future__ import annotations

import difflib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

from llmterm.errors import UsageError


async def _nothing() -> Sequence[str]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """`/name argument`: what it does in one line, what runs it, and what the argument may be."""

    name: str
    argument: str
    summary: str
    run: Callable[[str], Awaitable[None]]
    values: Callable[[], Awaitable[Sequence[str]]] = _nothing


class Commands:
    """Finds and runs commands."""

    def __init__(self, commands: Sequence[Command]) -> None:
        self._commands = {command.name: command for command in commands}

    def __iter__(self) -> Iterator[Command]:
        return iter(self._commands.values())

    @staticmethod
    def is_command(text: str) -> bool:
        """Tell a command from a message that begins with a path: no second slash in the first word."""
        text = text.lstrip()  # a SPACE that came too late to pause an answer is no part of a command
        word = text.split(maxsplit=1)[0] if text else ""
        return text.startswith("/") and "/" not in word[1:] and "\n" not in text.strip()

    async def run(self, text: str) -> None:
        """Run the command that `text` holds. Raises UsageError for one that does not exist."""
        name, _, argument = text.strip().removeprefix("/").partition(" ")
        command = self._commands.get(name)
        if command is None:
            near = difflib.get_close_matches(name, self._commands, n=1)
            raise UsageError(f"there is no /{name}", hint=f"did you mean /{near[0]}?" if near else "/help lists all")
        await command.run(argument.strip())

    async def complete(self, text: str) -> list[tuple[str, str]]:
        """Return what `text`, a command being typed, may become: whole texts, each with a description."""
        name, space, argument = text.removeprefix("/").partition(" ")
        if not space:
            return [(f"/{command.name}", command.summary) for command in self if command.name.startswith(name)]
        command = self._commands.get(name)
        values = await command.values() if command else ()
        return [(f"/{name} {value}", "") for value in values if value.startswith(argument)]

    def help(self) -> list[str]:
        """Return the help, a line each."""
        usages = [f"/{command.name} {command.argument}".rstrip() for command in self]
        width = max(map(len, usages), default=0)
        return [f"{usage:<{width}}  {command.summary}" for usage, command in zip(usages, self, strict=True)]
