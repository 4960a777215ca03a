"""The slash commands: what one is, and the registry from which help and completion come.

A command gets the `Context` of the chat and what is typed behind its name, and returns what it comes to.
"""

from __future__ import annotations

import difflib
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from llmterm.chat.context import Context
from llmterm.chat.fuzzy import ranked
from llmterm.chat.outcome import Outcome, Pick, Say
from llmterm.chat.suggestion import Choice, Found, Suggestion
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

    The `values` are told what was typed, and may leave out what that cannot mean. One that `picks` has all of its
    values shown, to pick one of them with a few letters, when it is sent without an argument. One that `leaves` would
    leave an open answer behind, and is refused while there is one; one that is run `meanwhile` changes nothing of an
    answer, and does not wait for the end of one that streams.
    """

    name: str
    summary: str
    run: Callable[[Context, str], Awaitable[Outcome]]
    argument: str = ""
    values: Values = _nothing
    picks: bool = False
    leaves: bool = False
    meanwhile: bool = False


class Commands:
    """Finds and runs commands."""

    def __init__(self, sections: Mapping[str, Sequence[Command]], *, refused: Collection[str] = ()) -> None:
        """`sections` are the commands under the headings that they have in the help.

        Those that are `refused` are none where the session is a service's.
        """
        self._refused = frozenset(refused)
        sections = {
            heading: [each for each in section if each.name not in self._refused]
            for heading, section in sections.items()
        }
        self._sections = sections
        self._commands = {command.name: command for section in sections.values() for command in section}
        # What was listed with numbers last.
        self._listed: tuple[str, Sequence[Choice]] = ("", ())

    def __iter__(self) -> Iterator[Command]:
        return iter(self._commands.values())

    @staticmethod
    def is_command(text: str) -> bool:
        """Tell commands, one a line, from a message that begins with a path: no second slash in the first word."""
        # A SPACE that came too late to pause an answer is no part of a command.
        words = [line.split(maxsplit=1)[0] for line in text.splitlines() if line.strip()]
        return bool(words) and all(word.startswith("/") and "/" not in word[1:] for word in words)

    @staticmethod
    def of_shell(text: str) -> str:
        """Return the command of the user's shell in `text`, "" where it is none: `!` alone is a text."""
        return text[1:].strip() if text.startswith("!") else ""

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
        if name in self._refused:
            raise UsageError(f"/{name} is not for a session of a service", hint="llmterm chat without --attach has it")
        if command is None:
            near = difflib.get_close_matches(name, self._commands, n=1)
            raise UsageError(f"there is no /{name}", hint=f"did you mean /{near[0]}?" if near else "/help lists all")
        if command.leaves and context.answer is not None:
            raise UsageError("an answer is still open", hint="Esc ends it")
        if argument.strip() and not command.argument:
            raise UsageError(f"/{name} takes nothing", hint=f"/{name} by itself: {command.summary}")
        argument, plain = argument.strip(), context.settings.plain
        if command.picks and plain:
            offered = [] if argument else [each for each in await command.values(context, "") if each[0]]
            if offered:
                return self._numbered(name, offered)
            argument = self._by_number(name, argument)
        match await command.run(context, argument):
            case Pick(named, values) if plain:
                return self._numbered(named, values)
            case outcome:
                return outcome

    def _numbered(self, name: str, values: Sequence[Choice]) -> Say:
        """Return what can be picked, with numbers."""
        self._listed = name, values
        lines = [f"{number:>3}  {value}  {about}".rstrip() for number, (value, about) in enumerate(values, 1)]
        return Say("\n".join([*lines, f"/{name} NUMBER takes one"]))

    def _by_number(self, name: str, argument: str) -> str:
        """Return what has the number that was given, of what was listed for that command last."""
        listed, values = self._listed
        if listed != name or not argument.isdecimal() or not 0 < int(argument) <= len(values):
            return argument
        return values[int(argument) - 1][0]

    def get(self, name: str) -> Command | None:
        return self._commands.get(name)

    def named(self, typed: str) -> Found:
        """Return the commands that `typed`, a slash and the letters behind it, may mean."""
        name = typed.removeprefix("/")
        return Found(
            [
                Suggestion(
                    f"/{each.name} " if each.argument else f"/{each.name}",
                    len(typed),
                    each.summary,
                    all=not each.argument,
                    typed=each.name == name and not each.picks,
                )
                for each in ranked(name, self, lambda command: command.name)
            ],
            offered=bool(name),
        )

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
