"""Killed at any instant: the next start has the answer, up to what was journalled, and can go on with it."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import threading
from pathlib import Path

import pytest

from llmterm.messages import EndReason
from llmterm.sessions import OpenAnswer, SessionStore
from tests.terminal import LLMTERM, Program, environment
from tests.wire import Exchange, WireServer, say

# LLMTERM_TEST_KILLS asks for more.
KILLS = int(os.environ.get("LLMTERM_TEST_KILLS", "8"))


class Metronome:
    """A script that sends numbered words at a steady pace, and tells how far it is."""

    def __init__(self) -> None:
        self.sent = ""
        self._reached = threading.Condition()

    async def __call__(self, exchange: Exchange) -> None:
        await exchange.start()
        for number in range(100_000):
            word = f"word{number} "
            self.sent += word
            await exchange.text(word)
            with self._reached:
                self._reached.notify_all()
            await asyncio.sleep(0.001)  # the pace of a model; nothing waits for it

    def wait_for(self, size: int) -> None:
        with self._reached:
            assert self._reached.wait_for(lambda: len(self.sent) >= size, 30)


def open_answer(folder: Path) -> OpenAnswer:
    """Open the store as the next start would."""
    store = SessionStore(folder)
    try:
        latest = store.latest()
        assert latest is not None
        answer = store.load(latest).answer
        assert answer is not None
        return answer
    finally:
        store.close()


@pytest.mark.timeout(60 + 15 * KILLS)
def test_killed_while_streaming_keeps_what_was_journalled(tmp_path: Path) -> None:
    """Never a broken store, never a wrong character, and nothing that was once on disk is missing."""
    dice = random.Random(20261121)
    for kill in range(KILLS):
        home = tmp_path / str(kill)
        home.mkdir()
        metronome = Metronome()
        with WireServer(metronome) as server:
            env = environment(home, OPENAI_BASE_URL=server.base_url, OPENAI_API_KEY="k")
            with Program([*LLMTERM, "chat", "-m", "test"], env) as program:
                program.wait_for(r"(?m)^>")
                program.send("go\r")
                # Journalling goes on without any pause: the store grows while the answer streams.
                program.wait_for(lambda home=home: _journalled(home / "data") > 0)  # type: ignore[misc]
                before = _journalled(home / "data")
                metronome.wait_for(len(metronome.sent) + dice.randrange(1500))
                os.kill(program.pid, signal.SIGKILL)
                assert program.exit_code == -signal.SIGKILL

        answer = open_answer(home / "data")

        assert answer.reason is EndReason.CRASH
        assert metronome.sent.startswith(answer.message.text)
        assert len(answer.message.text) >= before > 0
        assert answer.message.segments[-1].end == len(answer.message.text)


def test_killed_while_the_rest_is_drawn_keeps_all(tmp_path: Path) -> None:
    """What came faster than it can be drawn is journalled although its stream is over."""
    text = "|a|\n|-|\n" + "|b|\n" * 40_000
    with WireServer(say(text)) as server:
        env = environment(tmp_path, OPENAI_BASE_URL=server.base_url, OPENAI_API_KEY="k")
        with Program([*LLMTERM, "chat", "-m", "test"], env) as program:
            program.wait_for(r"(?m)^>")
            program.send("go\r")
            program.wait_for(lambda: "being drawn" in program.text)
            program.wait_for(lambda: _journalled(tmp_path / "data") == len(text))
            os.kill(program.pid, signal.SIGKILL)
            assert program.exit_code == -signal.SIGKILL

    assert open_answer(tmp_path / "data").message.text == text


def _journalled(folder: Path) -> int:
    """Return how much of the answer is on disk right now, looking from another process."""
    if not (folder / "sessions.db").exists():
        return 0
    store = SessionStore(folder)
    try:
        latest = store.latest()
        answer = store.load(latest, peek=True).answer if latest else None
        return len(answer.message.text) if answer else 0
    finally:
        store.close()


def test_killed_answer_is_gone_on_with(tmp_path: Path) -> None:
    """The next chat says that an answer was cut; `--continue` shows it at rest, and SPACE goes on."""
    metronome = Metronome()
    with WireServer(metronome) as server:
        env = environment(tmp_path, OPENAI_BASE_URL=server.base_url, OPENAI_API_KEY="k")
        with Program([*LLMTERM, "chat", "-m", "test"], env) as program:
            program.wait_for(r"(?m)^>")
            program.send("go\r")
            program.wait_for(lambda: _journalled(tmp_path / "data") > 0)
            os.kill(program.pid, signal.SIGKILL)
            program.wait_for_end()
    kept = open_answer(tmp_path / "data").message.text

    with WireServer(say("and the rest.")) as server:
        env = environment(tmp_path, OPENAI_BASE_URL=server.base_url, OPENAI_API_KEY="k")
        with Program([*LLMTERM, "chat"], env) as program:
            program.wait_for("“go” has an answer that is not over\n/continue .{8} goes on with it")
            program.send("/continue\r")
            program.wait_for("paused by the end of llmterm after")
            program.send(" ")
            program.wait_for(lambda: "and the rest. >" in program.words)
            program.send("\x04")
            assert program.exit_code == 0

    store = SessionStore(tmp_path / "data")
    session = store.load(store.latest() or "")
    store.close()
    assert [message.text for message in session.conversation.messages] == ["go", kept + "and the rest."]
    assert server.exchanges[0].body["messages"][-2]["content"] == kept


def test_killed_answer_can_be_dropped(tmp_path: Path) -> None:
    """The next chat offers that too; the question stays."""
    metronome = Metronome()
    with WireServer(metronome) as server:
        env = environment(tmp_path, OPENAI_BASE_URL=server.base_url, OPENAI_API_KEY="k")
        with Program([*LLMTERM, "chat", "-m", "test"], env) as program:
            program.wait_for(r"(?m)^>")
            program.send("go\r")
            program.wait_for(lambda: _journalled(tmp_path / "data") > 0)
            os.kill(program.pid, signal.SIGKILL)
            program.wait_for_end()
        with Program([*LLMTERM, "chat"], env) as program:
            program.wait_for("/discard .{8} drops it")
            program.send("/discard\r")
            program.wait_for(r"dropped\n>(\n.*)?$")

    store = SessionStore(tmp_path / "data")
    session = store.load(store.latest() or "")
    store.close()
    assert session.answer is None
    assert [message.text for message in session.conversation.messages] == ["go"]
