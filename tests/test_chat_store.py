"""The program when its store fails: what was said is kept at the next chance, and what is not kept is said."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO

from llmterm.messages import Message
from llmterm.sessions import SessionStore
from tests.chatting import Conversation, opened
from tests.disks import fill, read_only, small_disk
from tests.terminal import LLMTERM, environment
from tests.wire import Exchange, Gate, Script, WireServer, say

PROMPT = r"\n>(\n(?!.*SPACE pause).*)?$"
HALF = " ".join(f"word{number}" for number in range(30)) + " "
REST = " ".join(f"word{number}" for number in range(30, 60))


@contextmanager
def locked(folder: Path, how: str = "BEGIN IMMEDIATE") -> Iterator[None]:
    """Have another process hold the store's lock."""
    hold = f"import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute({how!r}); print('held'); input()"
    with subprocess.Popen(
        [sys.executable, "-uc", hold, str(folder / "sessions.db")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        yield
        holder.kill()


def in_halves(gate: Gate) -> Script:
    """Answer every question in two halves, the second once the gate is open."""

    async def script(exchange: Exchange) -> None:
        await exchange.start()
        await exchange.text(HALF)
        await gate.wait()
        await exchange.text(REST)
        await exchange.end()

    return script


def answers(chat: Conversation) -> list[str]:
    return [message["text"] for message in chat.messages()]


def test_an_answer_that_ends_while_the_store_is_locked_is_kept_later(tmp_path: Path) -> None:
    """And the chat goes on: what it said then, and the question asked meanwhile, are on the record once that can be."""
    gate = Gate()
    with opened(tmp_path, in_halves(gate), rows=50) as chat:
        chat.ask("one")
        chat.program.wait_for("word29")
        with locked(chat.folder):
            gate.open()
            chat.program.wait_for(r"(?s)(?=.*word59)(?=.*not kept yet:.*locked).*\n>(\n(?!.*SPACE pause).*)?$")
            chat.ask("two")
            chat.program.wait_for(r"(?s)two.*word59.*\n>(\n(?!.*SPACE pause).*)?$")
            assert "being answered" not in chat.program.text
            chat.program.send("/title Mine\r")
            chat.program.wait_for(r"\nMine")
            assert chat.program.text.count("not kept yet") == 1
        chat.program.wait_for(lambda: answers(chat)[-1:] == [HALF + REST])
        chat.ask("three")
        chat.program.wait_for(r"(?s)three.*word59.*kept now.*\n>(\n(?!.*SPACE pause).*)?$")
        with locked(chat.folder):
            chat.ask("four")
            chat.program.wait_for(r"(?s)four.*word59.*" + PROMPT)
        chat.program.send("\x04")  # right after the lock is gone
        assert chat.program.exit_code == 0

        assert answers(chat) == [each for asked in ("one", "two", "three", "four") for each in (asked, HALF + REST)]
        assert [info.title for info in chat.sessions()] == ["Mine"]


def test_keys_are_answered_while_the_store_is_locked(tmp_path: Path) -> None:
    """Every way of locking it: typing, pausing and going on do not wait, and a pause says that it is not on disk."""
    gate = Gate()
    with opened(tmp_path, in_halves(gate), rows=50) as chat:
        chat.ask("one")
        chat.program.wait_for("word29")
        with locked(chat.folder, "BEGIN EXCLUSIVE"):
            chat.program.send("typed ahead")
            chat.program.wait_for("typed ahead")
            chat.program.send("\x15 ")
            chat.program.wait_for(r"(?s)not kept.*paused after")
            chat.program.send(" ")
            gate.open()
            chat.program.wait_for(r"(?s)word59.*" + PROMPT)
        chat.program.send("/sessions\r")
        chat.program.wait_for(r"\(this one\)")
        chat.program.wait_for(lambda: answers(chat)[-1:] == [HALF + REST])


def test_a_chat_on_a_full_disk_goes_on(tmp_path: Path) -> None:
    """Said once; nothing is refused, and once there is room all of it is kept, an older session left on the way too."""
    with small_disk(tmp_path / "data") as folder, opened(tmp_path, say("fine."), rows=50) as chat:
        chat.ask("zero")
        chat.program.wait_for(r"fine\.\n" + PROMPT)
        filler = fill(folder)
        for number in range(3):
            chat.ask(f"question {number} " + "long " * 100)
            chat.program.wait_for(rf"(?s)question {number}.*fine\..*{PROMPT}")
        chat.program.send("/new\r")
        chat.program.wait_for("a new session")
        chat.ask("another")
        chat.program.wait_for(r"(?s)another.*fine\.\n" + PROMPT)
        assert len([line for line in chat.program.lines if "not kept yet" in line]) == 1
        filler.unlink()
        chat.program.wait_for(lambda: answers(chat)[:1] == ["another"])
        messages = [info.messages for info in chat.sessions()]
        chat.program.send("\x04")
        chat.program.wait_for_end()

    assert messages == [2, 8]


def test_a_chat_in_a_folder_that_cannot_be_written_goes_on(tmp_path: Path) -> None:
    """With a store in it that is gone on with, and without one. What is lost at the exit is said."""
    folder = tmp_path / "data"
    folder.mkdir()
    with read_only(folder), opened(tmp_path, say("fine."), rows=40) as chat:
        chat.ask("one")
        chat.program.wait_for(r"(?s)not kept.*only\s+be\s+read.*fine\.\n" + PROMPT)
        chat.ask("two")
        chat.program.wait_for(r"(?s)two.*fine\.\n" + PROMPT)
        chat.program.send("\x04")
        assert chat.program.exit_code == 0
        assert chat.program.text.count("not kept yet") == 1
        assert chat.program.text.count("could not be kept") == 1
    with closing(SessionStore(folder)) as store:
        kept = store.create()
        store.add(kept, Message(role="user", text="kept"))
        store.add(kept, Message(role="assistant", text="fine."))
    with read_only(folder), opened(tmp_path, say("fine."), "--continue", rows=40) as chat:
        chat.program.wait_for("kept")
        chat.ask("and?")
        chat.program.wait_for(r"(?s)not kept.*fine\.\n" + PROMPT)
        assert len(chat.server.exchanges[0].body["messages"]) == 4


def test_a_store_that_goes_away_is_noticed_and_nothing_is_lost(tmp_path: Path) -> None:
    """While an answer streams and while nothing happens: all that the chat has is in the file that is there then."""
    gate = Gate()
    with opened(tmp_path, in_halves(gate), rows=50) as chat:
        chat.ask("one")
        chat.program.wait_for("word29")
        remove(chat.folder)
        gate.open()
        chat.program.wait_for(r"(?s)word59.*was\s+deleted, or.*kept now.*" + PROMPT)
        assert answers(chat) == ["one", HALF + REST]
        remove(chat.folder)
        chat.program.wait_for(lambda: (chat.folder / "sessions.db").exists() and bool(chat.sessions()))
        assert answers(chat) == ["one", HALF + REST]
        chat.ask("two")
        chat.program.wait_for(r"(?s)two.*word59.*" + PROMPT)
        os.kill(chat.program.pid, signal.SIGKILL)

        assert answers(chat) == ["one", HALF + REST, "two", HALF + REST]


def test_a_file_put_in_the_place_of_the_store_is_whole_and_has_the_session_too(tmp_path: Path) -> None:
    """As people do it, with what SQLite has beside it left there: moved while an answer streams, copied at rest."""
    theirs = tmp_path / "theirs.db"
    with closing(SessionStore(tmp_path / "other")) as store:
        for number in range(50):
            store.add(store.create(), Message(role="user", text=f"theirs {number} " + "long " * 100))
        store.close()
        shutil.copyfile(store.path, theirs)
    gate = Gate()
    with opened(tmp_path, in_halves(gate), rows=50) as chat:
        chat.ask("one")
        chat.program.wait_for("word29")
        shutil.move(chat.folder / "sessions.db", tmp_path / "moved.db")
        shutil.move(theirs, chat.folder / "sessions.db")
        gate.open()
        chat.program.wait_for(r"(?s)word59.*was\s+deleted, or.*kept now.*" + PROMPT)
        after_moving = whole(chat.folder / "sessions.db")
        shutil.copyfile(tmp_path / "other" / "sessions.db", chat.folder / "sessions.db")
        listed = subprocess.run([*LLMTERM, "sessions", "list"], env=environment(tmp_path), capture_output=True)
        chat.ask("two")
        chat.program.wait_for(r"(?s)two.*word59.*" + PROMPT)
        shutil.copyfile(tmp_path / "moved.db", chat.folder / "sessions.db")
        chat.ask("three")
        chat.program.wait_for(r"(?s)three.*word59.*" + PROMPT)
        chat.program.send("\x04")
        assert chat.program.exit_code == 0

    assert listed.stdout.count(b"theirs") == 50
    assert after_moving == 52
    assert whole(tmp_path / "moved.db") == 2
    assert whole(chat.folder / "sessions.db") == 8
    assert answers(chat) == [each for asked in ("one", "two", "three") for each in (asked, HALF + REST)]


def whole(path: Path) -> int:
    """Return how many messages are in the file, of which nothing is damaged."""
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        (count,) = database.execute("SELECT count(*) FROM messages").fetchone()
        return int(count)


def remove(folder: Path) -> None:
    for path in folder.glob("sessions.db*"):
        path.unlink()


# A pipe


def run(
    home: Path, server: WireServer, question: str, *, output: int | IO[bytes] = subprocess.PIPE
) -> subprocess.CompletedProcess[bytes]:
    env = environment(home, OPENAI_BASE_URL=server.base_url, OPENAI_API_KEY="sk-test")
    command = [*LLMTERM, "--provider", "openai", "--model", "m"]
    return subprocess.run(command, input=question.encode(), env=env, stdout=output, stderr=subprocess.PIPE, timeout=60)


def test_a_pipe_whose_disk_is_full_has_done_its_job(tmp_path: Path) -> None:
    """The answer whole, one line on standard error, exit code 0; full before it began, or while the answer came."""
    long = "long " * 20_000
    filled = False

    async def script(exchange: Exchange) -> None:
        nonlocal filled
        await exchange.start()
        await exchange.text("half ")
        if not filled:
            fill(tmp_path / "data")
            filled = True
        await exchange.text(long)
        await exchange.end()

    with small_disk(tmp_path / "data", "256k"), WireServer(script) as server:
        for _ in range(2):
            done = run(tmp_path, server, "hi")

            assert (done.returncode, done.stdout.decode().rstrip("\n")) == (0, f"half {long}".rstrip("\n"))
            assert done.stderr.count(b"\n") == 1
            assert b"not kept" in done.stderr


def test_a_pipe_in_a_folder_that_cannot_be_written_has_done_its_job(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with read_only(tmp_path / "data"), WireServer(say("fine.")) as server:
        done = run(tmp_path, server, "hi")

    assert (done.returncode, done.stdout.strip(), done.stderr.count(b"\n")) == (0, b"fine.", 1)
    assert b"can only be read" in done.stderr


def test_a_pipe_that_could_not_keep_its_answer_points_nobody_to_the_session(tmp_path: Path) -> None:
    """Where the provider cuts it short, and where its output is full: neither line says that it is kept somewhere."""

    async def cut_short(exchange: Exchange) -> None:
        await exchange.start()
        await exchange.text("half ")
        fill(tmp_path / "data")
        await exchange.text("long " * 20_000)
        await exchange.end("length")

    with small_disk(tmp_path / "data", "256k"), WireServer(cut_short) as server:
        cut = run(tmp_path, server, "hi")
        with open("/dev/full", "wb") as full:
            unwritten = run(tmp_path, server, "hi", output=full)

    for done, code, said in ((cut, 3, rb"cut short"), (unwritten, 2, rb"cannot be written: No space left on device\n")):
        kept, ended = done.stderr.splitlines(keepends=True)
        assert done.returncode == code
        assert b"not kept" in kept
        assert re.search(said, ended)
        assert b"session" not in ended


def test_a_pipe_whose_store_is_deleted_keeps_its_answer(tmp_path: Path) -> None:
    """In the middle of the answer: the file that is there then has all of it."""

    async def script(exchange: Exchange) -> None:
        await exchange.start()
        await exchange.text("half ")
        remove(tmp_path / "data")
        await exchange.text("whole.")
        await exchange.end()

    with WireServer(script) as server:
        done = run(tmp_path, server, "hi")

    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, b"half whole.", b"")
    with closing(sqlite3.connect(tmp_path / "data" / "sessions.db")) as database:
        assert database.execute("SELECT text FROM messages ORDER BY id").fetchall() == [("hi",), ("half whole.",)]
