"""The machine that this program runs on, as a chat uses it; what that takes is imported when it is used."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import TracebackType

from llmterm.assembly.launch import Launch
from llmterm.assembly.look import Look, write
from llmterm.chat.composer import Composer
from llmterm.chat.machine import Beside, Others, Ran
from llmterm.chat.terminal import Signals, Terminal
from llmterm.chat.view import View
from llmterm.messages import Attachment
from llmterm.threads import in_thread


class Loan:
    """The terminal, lent: inside `with` another program has it; afterwards it is the chat's again, as it was."""

    def __init__(self, *, terminal: Terminal, signals: Signals, view: View, composer: Composer) -> None:
        self._terminal = terminal
        self.signals = signals
        self._view = view
        self._composer = composer

    def __enter__(self) -> None:
        self._let_go()
        self.signals.lend()
        self._terminal.restore()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._terminal.take()
        self.signals.take_back()
        self._composer.retake()

    def suspend(self) -> None:
        """Stop the program as Ctrl-Z does, and take the terminal again when it is gone on with."""
        self._let_go()
        with self.signals.fatal():
            self._terminal.suspend()
        self._composer.retake()

    def _let_go(self) -> None:
        self._view.lend()
        self._composer.lend()


class LocalMachine:
    """A `Machine`. Whoever gets the terminal gets it by `loan`."""

    def __init__(self, launch: Launch, look: Look, loan: Loan) -> None:
        self.folder = Path.cwd()
        self._launch = launch
        self._environ = launch.environ
        self._look = look
        self._loan = loan

    async def edit(self, text: str) -> str:
        from llmterm.chat.editor import edit

        return await edit(text, self._environ, self._loan)

    async def page(self, text: str) -> None:
        from llmterm.chat.pager import page

        await page(text, self._environ, self._loan)

    async def compare(self, others: Others) -> Beside:
        from llmterm.assembly.comparing import answered_beside

        with self._loan:
            return await answered_beside(
                others,
                self._launch.settings,
                self._environ,
                self._look,
                self._launch.secrets,
                self._loan.signals,
            )

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
