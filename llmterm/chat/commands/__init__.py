"""The slash commands: what one is, and the registry from which help and completion come.

A command gets the `Context` of the chat and what is typed behind its name, and returns what it comes to.
"""

from __future__ import annotations

import difflib
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from llmterm.chat.context import Context
from llmterm.chat.outcome import Outcome
from llmterm.chat.suggestion import Choice, Suggestion
from llmterm.errors import UsageError

Values: TypeAlias = Callable[[Context, str], Awaitable[Sequence[Choice]]]


async def _nothing(_context: Context, _typed: str) -> Sequence[Choice]:
    return ()


def choices(*names: str) -> Values:
    """Return what offers always the same values."""

    async def values(_context: Context, _typed: str) -> Sequence[Choice]:
        return [(name, "") for name in names]

    return values


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """`/name argument`: what it does in one line, what runs it, and what the argument may be.

    Of the `values`, which are told what was typed, those are offered that begin like it; of the `matches`, which look
    at it in their own way, all. One that `leaves` would leave an open answer behind, and is refused while there is one;
    one that is run `meanwhile` changes nothing of an answer, and does not wait for the end of one that streams.
    """

    name: str
    summary: str
    run: Callable[[Context, str], Awaitable[Outcome]]
    argument: str = ""
    values: Values = _nothing
    matches: Values = _nothing
    leaves: bool = False
    meanwhile: bool = False


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

    @staticmethod
    def lines(text: str) -> list[str]:
        """Return the commands that `text` holds, one a line."""
        return [line for line in text.splitlines() if line.strip()]

    def waits(self, line: str) -> bool:
        """Tell whether the command in `line` is to wait for the end of an answer that streams."""
        command = self._commands.get(line.strip().removeprefix("/").partition(" ")[0])
        return command is not None and not command.meanwhile

    async def run(self, context: Context, line: str) -> Outcome:
        """Run the command in `line`. Raises UsageError for one that does not exist, or not now."""
        name, _, argument = line.strip().removeprefix("/").partition(" ")
        command = self._commands.get(name)
        if command is None:
            near = difflib.get_close_matches(name, self._commands, n=1)
            raise UsageError(f"there is no /{name}", hint=f"did you mean /{near[0]}?" if near else "/help lists all")
        if command.leaves and context.answer is not None:
            raise UsageError("an answer is still open", hint="Esc ends it")
        if argument.strip() and not command.argument:
            raise UsageError(f"/{name} takes nothing", hint=f"/{name} by itself: {command.summary}")
        return await command.run(context, argument.strip())

    async def complete(self, context: Context, text: str) -> list[Suggestion]:
        """Return what `text`, a command being typed, may become."""
        name, space, argument = text.removeprefix("/").partition(" ")
        if not space:
            named = (command for command in self if command.name.startswith(name))
            return [Suggestion(f"/{command.name}", len(text), command.summary) for command in named]
        command = self._commands.get(name)
        if command is None:
            return []
        found = [each for each in await command.values(context, argument) if each[0].startswith(argument)]
        found += await command.matches(context, argument)
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
