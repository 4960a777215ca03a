"""What of the user's machine a chat uses: editor, pager, clipboard and the rest."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from llmterm.messages import Attachment, Options, StreamLimits
from llmterm.providers.registry import ProviderRegistry
from llmterm.sessions import StoredSession
from llmterm.sessions.current import Asked


class Ran(NamedTuple):
    """What a command has said, on both of its outputs, and its exit code: negative where a signal has ended it.

    `cut` says that there was more of it than is kept.
    """

    output: str
    code: int
    cut: bool = False


class Others(NamedTuple):
    """What others are to answer, and who: models of `provider`, or of another one where that is named."""

    asked: Asked
    models: Sequence[str]
    provider: str
    registry: ProviderRegistry
    options: Options
    limits: StreamLimits


class Beside(NamedTuple):
    """A session once others have answered its last question, and what is to be said of how it goes on."""

    stored: StoredSession
    said: str


class Machine(Protocol):
    """Whatever fails raises one of our errors. Relative paths begin in `folder`."""

    @property
    def folder(self) -> Path: ...

    async def edit(self, text: str) -> str:
        """Return the text as the user's editor leaves it."""
        ...

    async def page(self, text: str) -> None:
        """Show the text in the user's pager."""
        ...

    async def compare(self, others: Others) -> Beside:
        """Have others answer a question, all at once, and one of the answers be kept."""
        ...

    async def copy(self, text: str) -> str:
        """Put the text into the clipboard; return where that is."""
        ...

    async def paste(self) -> str | Attachment | None:
        """Return what the clipboard has, a text or an image."""
        ...

    async def shell(self, command: str, stop: asyncio.Event) -> Ran:
        """Run a command of the user's shell until it is over, or until `stop`."""
        ...

    async def examine(self) -> list[str]:
        """Return the lines of a doctor's report."""
        ...

    def suspend(self) -> None:
        """Stop the program as Ctrl-Z does."""
        ...

    def mask(self, text: str) -> str:
        """Hide the program's secrets in what is given away."""
        ...
