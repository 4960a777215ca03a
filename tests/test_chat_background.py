"""The chat in the mode `hold`, at a provider that goes on with an answer: left, killed, gone on with, and ended."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from llmterm.sessions import SessionStore
from tests.background import BackgroundServer, Kept, told, words
from tests.terminal import LLMTERM, READY, Program, environment
from tests.wire import WireServer

CONFIG = """
[chat]
pause_mode = "hold"

[providers.openai]
api = "responses"
continuation = "cursor"
"""
ANSWER = words("one two three four five six")
# So many events have come with the second word.
IN_ANSWER = 7


def tell(kept: Kept) -> Iterator[dict[str, Any]]:
    return told(kept, [], ANSWER)


def made(server: WireServer, upto: int | None) -> None:
    async def make() -> None:
        assert isinstance(server.script, BackgroundServer)
        server.script.make(upto)

    server.run(make())


def paths(server: WireServer) -> list[str]:
    return [f"{each.method} {each.path}" for each in server.exchanges]


def place_in(folder: Path) -> int | None:
    """Return behind which event the answer is read on, as the disk has it right now."""
    if not (folder / "sessions.db").exists():
        return None
    with closing(SessionStore(folder)) as store:
        latest = store.latest()
        answer = store.load(latest, peek=True).answer if latest else None
        return None if answer is None or answer.cursor is None else answer.cursor.place["after"]


def test_answer_that_is_held_goes_on_at_its_provider(tmp_path: Path) -> None:
    """The line says so, and that it is billed; it is read on after a pause, after a kill, and ended by Esc."""
    config = tmp_path / "config.toml"
    config.write_text(CONFIG)
    with WireServer(BackgroundServer(tell)) as server:
        env = environment(
            tmp_path, OPENAI_BASE_URL=server.base_url, OPENAI_API_KEY="sk-test-12345", LLMTERM_CONFIG=str(config)
        )
        command = [*LLMTERM, "chat", "--provider", "openai", "-m", "gpt-6.1-terra"]
        made(server, IN_ANSWER)
        with Program(command, env, columns=120) as program:
            program.wait_for(READY)
            program.send("count\r")
            program.wait_for("one two")
            program.send(" ")
            program.wait_for("paused after 2 tokens, goes on at openai and is billed - SPACE reads on - type to guide")
            server.wait(lambda: server.open_connections == 0)
            assert place_in(tmp_path / "data") == IN_ANSWER - 1
            made(server, IN_ANSWER + 1)
            program.send(" ")
            program.wait_for("one two three")
            program.wait_for(lambda: place_in(tmp_path / "data") == IN_ANSWER)
            os.kill(program.pid, signal.SIGKILL)
            assert program.exit_code == -signal.SIGKILL

        made(server, None)
        with Program([*command, "--continue"], env, columns=120) as program:
            program.wait_for("paused by the end of llmterm after .*, goes on at openai")
            program.send(" ")
            program.wait_for("one two three four five six\n")
            assert paths(server) == [
                "POST /v1/responses",
                *(f"GET /v1/responses/resp_1?stream=true&starting_after={IN_ANSWER + n}" for n in (-1, 0)),
            ]

            made(server, IN_ANSWER)
            program.send("again\r")
            program.wait_for("again\n(.*\n)*.*one two\n")
            program.send(" ")
            program.wait_for("goes on at openai")
            program.send("\x1b")
            program.wait_for("stopped")
            server.wait(lambda: paths(server)[-1] == "POST /v1/responses/resp_2/cancel")
