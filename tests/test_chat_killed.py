"""Killed at any instant: the next start has the answer, up to what was journalled, and can go on with it."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest

from llmterm.messages import EndReason, Message
from llmterm.sessions import OpenAnswer, SessionStore
from llmterm.sessions.schema import MIGRATIONS
from tests.terminal import LLMTERM, READY, Program, environment
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
            assert self._reached.wait_for(lambda: len(self.sent) >= size, 60)


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
                program.wait_for(READY)
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
            program.wait_for(READY)
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
            program.wait_for(READY)
            program.send("go\r")
            program.wait_for(lambda: _journalled(tmp_path / "data") > 0)
            os.kill(program.pid, signal.SIGKILL)
            program.wait_for_end()
    kept = open_answer(tmp_path / "data").message.text

    with WireServer(say("and the rest.")) as server:
        env = environment(tmp_path, OPENAI_BASE_URL=server.base_url, OPENAI_API_KEY="k")
        with Program([*LLMTERM, "chat"], env) as program:
            program.wait_for("“go” has an answer that is not over\n/continue opens it")
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
            program.wait_for(READY)
            program.send("go\r")
            program.wait_for(lambda: _journalled(tmp_path / "data") > 0)
            os.kill(program.pid, signal.SIGKILL)
            program.wait_for_end()
        with Program([*LLMTERM, "chat"], env) as program:
            program.wait_for("/discard drops it")
            program.send("/discard\r")
            program.wait_for(r"dropped\n>(\n(?!.*SPACE pause).*)?$")

    store = SessionStore(tmp_path / "data")
    session = store.load(store.latest() or "")
    store.close()
    assert session.answer is None
    assert [message.text for message in session.conversation.messages] == ["go"]


# A life with versions, and stores of earlier ones

HALF = max(2, KILLS // 2)


def texts_in(folder: Path) -> list[str]:
    """All that is in the file of each message: its row, its pieces and what was journalled of it."""
    with closing(sqlite3.connect(folder / "sessions.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        return [
            "".join(text if isinstance(text, str) else text.decode("utf-8", "surrogatepass") for (text,) in parts)
            for parts in (
                connection.execute(
                    "SELECT text FROM (SELECT 0 AS part, 0 AS seq, text FROM messages WHERE id = :id UNION ALL"
                    " SELECT 1, seq, text FROM pieces WHERE message_id = :id UNION ALL"
                    " SELECT 2, seq, text FROM journal WHERE message_id = :id) ORDER BY part, seq",
                    {"id": row},
                )
                for (row,) in connection.execute("SELECT id FROM messages").fetchall()
            )
        ]


def place_of(word: str) -> tuple[int, int]:
    """Return the number of the answer and of the word in it."""
    _, answer, number = word.split("-")
    return int(answer), int(number)


def to_be_there(lines: list[str], killed: int) -> tuple[set[str], set[tuple[int, int]]]:
    """Return the questions, and the places of words, that have to be there: the last words at pauses and ends, and
    those that had come a quarter of a second and more before the kill.

    What the machine did meanwhile counts for the program: the longest time between two lines is added.
    """
    reports = [(int(at), done, what) for at, done, what in map(str.split, lines)]
    times = [at for at, _, _ in reports] + [killed]
    late = max(then - now for now, then in pairwise(times))
    places = {
        place_of(what)
        for at, done, what in reports
        if done in ("paused", "over") or (done == "came" and at < killed - 250_000_000 - late)
    }
    return {what for _, done, what in reports if done == "asked"}, places


@pytest.mark.timeout(60 + 15 * HALF)
def test_killed_while_streaming_pausing_resuming_and_switching_versions(tmp_path: Path) -> None:
    """Everything older than a quarter of a second is there, and the session can be gone on with."""
    dice = random.Random(20261128)
    for kill in range(HALF):
        folder = tmp_path / str(kill)
        folder.mkdir()
        command = [sys.executable, "-m", "tests.killed", str(folder), str(kill)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            lines = [child.stdout.readline() for _ in range(dice.randrange(1, 1000))]
            child.kill()
            killed = time.monotonic_ns()
            lines += child.stdout.readlines()
        assert child.returncode == -signal.SIGKILL
        questions, places = to_be_there([line for line in lines if line.endswith("\n")], killed)

        texts = texts_in(folder)
        assert questions <= set(texts)
        assert places <= {place_of(word) for text in texts for word in text.split() if "-" in word}
        for text in texts:
            came = [place_of(word) for word in text.split() if "-" in word]
            assert [number for _, number in came] == list(range(len(came))), "no word is missing in between"
            assert len({answer for answer, _ in came}) <= 1
        with closing(SessionStore(folder)) as store:
            for info in store.infos():
                stored = store.load(info.id)
                if stored.answer is not None:
                    store.reopen(stored.answer).discard()
                assert store.add(info.id, Message(role="user", text="and then?"))


@pytest.mark.timeout(60 + 15 * HALF)
def test_killed_while_the_store_is_brought_up_to_date(tmp_path: Path) -> None:
    """It is of the earlier version or of this one, and nothing is missing."""
    dice = random.Random(20261128)
    for kill in range(HALF):
        folder = tmp_path / str(kill)
        folder.mkdir()
        version = dice.randrange(1, len(MIGRATIONS))
        with closing(sqlite3.connect(folder / "sessions.db")) as connection:
            dump = Path(__file__).parent / "stores" / f"version{version}.sql"
            connection.executescript(dump.read_text("utf-8"))
            # So that it takes its time.
            connection.execute(
                "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)"
                " INSERT INTO messages (session_id, role, text, thinking, status, provider_data, created_at)"
                " SELECT (SELECT id FROM sessions LIMIT 1), 'user', 'said ' || i, '', 'complete', '{}', '' FROM n"
            )
            connection.commit()
            before = connection.execute("SELECT id, text FROM messages").fetchall()
        opening = "import sys\nfrom pathlib import Path\nfrom llmterm.sessions import SessionStore\n"
        opening += "store = SessionStore(Path(sys.argv[1]))\nprint(flush=True)\nstore.infos()\nstore.search('said')\n"
        with subprocess.Popen([sys.executable, "-c", opening, str(folder)], stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(dice.uniform(0, 0.2))  # orders nothing: whenever it is killed, all has to be there
            child.kill()

        with closing(SessionStore(folder)) as store:
            opened = {info.title: store.load(info.id, peek=True) for info in store.infos()}
            assert len(store.search("said 4999")) == 0  # on no path
        with closing(sqlite3.connect(folder / "sessions.db")) as connection:
            assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert connection.execute("SELECT id, text FROM messages").fetchall() == before
        cut = opened["cut"].answer
        assert cut is not None
        assert cut.message.text == "one deux trois"
