"""The chat in a pseudo-terminal with a scripted server behind it, for tests to talk to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from llmterm.sessions import SessionInfo, SessionStore, export
from tests.terminal import LLMTERM, READY, Program, environment
from tests.wire import Exchange, Script, WireServer

# `opened` for a folder, as tests get it from their fixture.
Open: TypeAlias = Callable[..., Any]


class Conversation:
    """A chat in a terminal with the scripted server behind it, and the record it leaves."""

    def __init__(self, program: Program, server: WireServer, folder: Path) -> None:
        self.program = program
        self.server = server
        self.folder = folder

    def ask(self, question: str) -> None:
        self.program.send(f"{question}\r")

    def sessions(self) -> list[SessionInfo]:
        with closing(SessionStore(self.folder)) as store:
            return store.infos()

    def messages(self) -> list[dict[str, Any]]:
        """The messages of the newest session, as exported."""
        with closing(SessionStore(self.folder)) as store:
            session = store.load(store.latest() or "", peek=True)
        messages: list[dict[str, Any]] = export(session)["messages"]
        return messages


@contextmanager
def opened(
    folder: Path,
    script: Script,
    *arguments: str,
    columns: int = 80,
    rows: int = 24,
    program: Sequence[str] = LLMTERM,
    cwd: Path | str | None = None,
    **more: str,
) -> Iterator[Conversation]:
    """Open a chat with a server that answers by `script`; `arguments` are the program's, `more` its environment."""
    with WireServer(script) as server:
        size = columns, rows
        with opened_at(server, folder, *arguments, size=size, program=program, cwd=cwd, **more) as chat:
            yield chat


@contextmanager
def opened_at(
    server: WireServer,
    folder: Path,
    *arguments: str,
    size: tuple[int, int] = (80, 24),
    program: Sequence[str] = LLMTERM,
    cwd: Path | str | None = None,
    **more: str,
) -> Iterator[Conversation]:
    """Open a chat with a server that runs, in a window of so many columns and rows."""
    env = environment(folder, OPENAI_BASE_URL=server.base_url, OPENAI_API_KEY="sk-test", **more)
    command = [*program, "chat", "--provider", "openai", "--model", "test", *arguments]
    with Program(command, env, columns=size[0], rows=size[1], cwd=cwd) as running:
        running.wait_for(READY)
        yield Conversation(running, server, folder / "data")


def until_hung_up(*texts: str, then: str = "") -> Script:
    """Answer the first request with `texts` and then silence; any later one with `then`, and the end."""
    asked = 0

    async def script(exchange: Exchange) -> None:
        nonlocal asked
        asked += 1
        await exchange.start()
        if asked > 1:
            await exchange.text(then)
            await exchange.end()
            return
        for text in texts:
            await exchange.text(text)
        await exchange.hung_up()

    return script
