"""Where several answers are shown: side by side in a terminal, as text there or in a pipe, or not before their end."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import NamedTuple

from llmterm.assembly.look import Look, size, write
from llmterm.assembly.question import Wanted
from llmterm.assembly.streams import Output
from llmterm.chat.terminal import Signals, Terminal
from llmterm.compare.comparison import View
from llmterm.compare.sidebyside import SideBySide
from llmterm.compare.text import Text, Unseen
from llmterm.config import Settings
from llmterm.keys import KeySource
from llmterm.keys.replies import ASK_ATTRIBUTES, ASK_BACKGROUND, ASK_NAME
from llmterm.keys.terminal import TerminalKeys
from llmterm.redaction import Secrets


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is asked of whom, and how the answers are to be shown."""

    asked: Wanted
    models: Sequence[str]
    rounds: int = 1
    first: bool = False
    interleaved: bool = False
    as_json: bool = False

    @property
    def alone(self) -> bool:
        """Whether only one answer comes in a pipe."""
        return self.first and self.rounds == 1 and not self.interleaved


class Shown(NamedTuple):
    """Where the answers are seen, and the keys that are pressed there, if any can be."""

    view: View
    keys: KeySource | None


class Taken(NamedTuple):
    """A terminal: its keys, what it has said of itself, and what stops the program until it is gone on with."""

    keys: TerminalKeys
    said: TerminalKeys
    suspend: Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What there is to show answers on; `terminal` takes that."""

    settings: Settings
    look: Look
    secrets: Secrets
    output: Output
    terminal: Callable[[], AbstractAsyncContextManager[Taken]]

    @asynccontextmanager
    async def shown(self, plan: Plan) -> AsyncIterator[Shown]:
        """Give where the answers are seen: inside, the terminal is taken, if there is one."""
        if plan.as_json:
            yield Shown(Unseen(), None)
        elif not sys.stdout.isatty():
            yield Shown(Text(self.output, interleaved=plan.interleaved, alone=plan.alone), None)
        elif self.look.plain or plan.interleaved:
            async with self.terminal() as taken:
                yield Shown(Text(self.output, interleaved=plan.interleaved, suspend=taken.suspend), taken.keys)
                await self.output.drained()
        else:
            async with self.terminal() as taken:
                yield Shown(self._side_by_side(taken), taken.keys)

    def _side_by_side(self, taken: Taken) -> SideBySide:
        theme = self.look.colors(self.settings, self.settings.chat, taken.said)
        return SideBySide(
            screen=self.look.screen(lambda: taken.said.name),
            size=size,
            renderer=self.look.renderer(theme),
            ink=self.look.ink(theme),
            redact=self.secrets.redact,
            suspend=taken.suspend,
        )


@asynccontextmanager
async def own_terminal(look: Look, settings: Settings, signals: Signals) -> AsyncIterator[Taken]:
    """Take the terminal of this program."""
    keys = TerminalKeys()
    background = ASK_BACKGROUND if look.color and settings.chat.theme == "auto" else ""
    with Terminal(
        sys.stdin.fileno() if sys.stdin.isatty() else sys.stdout.fileno(),
        write,
        modes=look.modes,
        drawing=not look.plain,
        question=ASK_NAME + background + ASK_ATTRIBUTES if look.asks else "",
        settle=keys.settle,
    ) as terminal:

        def suspend() -> None:
            with signals.fatal():
                terminal.suspend()

        async with keys:
            yield Taken(keys, keys, suspend)
