"""The machine that this program runs on, as a chat uses it; what that takes is imported when it is used."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from llmterm.assembly.launch import Launch
from llmterm.assembly.look import Look, write
from llmterm.assembly.streams import Output
from llmterm.chat.composer import Composer
from llmterm.chat.machine import Beside, Others, Ran
from llmterm.chat.terminal import Signals, Terminal
from llmterm.chat.view import View
from llmterm.keys.terminal import TerminalKeys
from llmterm.messages import Attachment
from llmterm.threads import in_thread

if TYPE_CHECKING:
    from llmterm.assembly.stage import Taken


class Loan:
    """The terminal, lent: inside `with` another program has it; afterwards it is the chat's again, as it was."""

    def __init__(self, *, terminal: Terminal, signals: Signals, view: View, composer: Composer) -> None:
        self._terminal = terminal
        self._signals = signals
        self._view = view
        self._composer = composer

    def __enter__(self) -> None:
        self._let_go()
        self._signals.lend()
        self._terminal.restore()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._terminal.take()
        self._signals.take_back()
        self._composer.retake()

    @contextmanager
    def shared(self) -> Iterator[Callable[[], None]]:
        """Lend it to another part of this program, in the modes of the chat; give what stops the program meanwhile."""
        self._let_go()
        try:
            yield self._stop
        finally:
            self._composer.retake()

    def suspend(self) -> None:
        """Stop the program as Ctrl-Z does, and take the terminal again when it is gone on with."""
        with self.shared() as stop:
            stop()

    def _stop(self) -> None:
        with self._signals.fatal():
            self._terminal.suspend()

    def _let_go(self) -> None:
        self._view.lend()
        self._composer.lend()


class LocalMachine:
    """A `Machine`. Whoever gets the terminal gets it by `loan`."""

    def __init__(self, launch: Launch, look: Look, loan: Loan, source: TerminalKeys) -> None:
        """`source` is where the chat's keys come from."""
        self.folder = Path.cwd()
        self._launch = launch
        self._environ = launch.environ
        self._look = look
        self._loan = loan
        self._source = source

    async def edit(self, text: str) -> str:
        from llmterm.chat.editor import edit

        return await edit(text, self._environ, self._loan)

    async def page(self, text: str) -> None:
        from llmterm.chat.pager import page

        await page(text, self._environ, self._loan)

    async def compare(self, others: Others) -> Beside:
        from llmterm.assembly.comparing import answered_beside
        from llmterm.assembly.stage import Stage

        launch = self._launch
        stage = Stage(
            settings=launch.settings,
            look=self._look,
            secrets=launch.secrets,
            output=Output(sys.stdout, sys.stderr, launch.secrets),
            terminal=self._shared,
        )
        return await answered_beside(others, stage, self._environ)

    @asynccontextmanager
    async def _shared(self) -> AsyncIterator[Taken]:
        """Give the terminal as it is: whoever has it now is this program, too."""
        from llmterm.assembly.stage import Taken

        with self._loan.shared() as suspend:
            async with TerminalKeys(input=self._source.input) as keys:
                yield Taken(keys, self._source, suspend)

    async def copy(self, text: str) -> str:
        from llmterm import clipboard

        ways = await clipboard.copy(text, environ=self._environ, write=None if self._look.plain else write)
        return f"({' and '.join(ways)})"

    async def paste(self) -> str | Attachment | None:
        from llmterm import clipboard

        return await clipboard.read(self._environ)

    async def shell(self, command: str, stop: asyncio.Event) -> Ran:
        from llmterm.chat.shell import run

        return await run(command, self._environ, self.folder, stop)

    async def examine(self) -> list[str]:
        from llmterm.assembly import doctor

        # On a loop of its own: it looks at everything, and nothing of that is to hold up a key.
        looked = doctor.examine(self._launch.settings, self._environ, ask_terminal=False)
        return doctor.lines(await in_thread(asyncio.run, looked))

    def suspend(self) -> None:
        self._loan.suspend()

    def mask(self, text: str) -> str:
        return self._launch.secrets.mask(text)
