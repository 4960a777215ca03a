"""The store's file in bad company: disks that cannot be written, files that go away, rows that somebody has edited."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from llmterm.errors import SessionError, StoreError
from llmterm.messages import EndReason, Message, Options, Reply, TextDelta
from llmterm.sessions import SessionStore, markdown
from llmterm.sessions.database import Database
from llmterm.sessions.owner import Owner, birth
from llmterm.sessions.schema import MIGRATIONS
from tests.disks import fill, read_only, small_disk
from tests.starter import run_text
from tests.terminal import LLMTERM, environment

OPTIONS = Options()


def ask(store: SessionStore, text: str = "why?", answer: str = "because") -> str:
    session_id = store.create()
    store.add(session_id, Message(role="user", text=text))
    log = store.begin(session_id, provider="p", model="m", options=OPTIONS)
    log.finish(Reply().add(TextDelta(answer)))
    return session_id


@contextmanager
def raw(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


def edit(path: Path, *statements: str) -> None:
    with raw(path) as database:
        for statement in statements:
            database.execute(statement)


def llmterm(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run_text([*LLMTERM, *arguments], environment(home))


# A disk that can only be read


def closed(folder: Path) -> None:
    with closing(SessionStore(folder)) as store:
        ask(store)


def killed(folder: Path) -> None:
    """As after a crash, or a copy of a folder in use: what was said is in the log beside the file only."""
    with closing(SessionStore(folder / "live")) as store:
        ask(store)
        for end in ("", "-wal"):
            shutil.copyfile(f"{store.path}{end}", folder / f"sessions.db{end}")
    shutil.rmtree(folder / "live")


def old(folder: Path) -> None:
    path = folder / "sessions.db"
    with closing(Database(path, migrations=MIGRATIONS[:1])) as database, database.writing() as tx:
        tx.change("INSERT INTO sessions VALUES ('abcd0123', 'why?', '', 2, '2026-01-01', '2026-01-01')")
        for message_id, parent, role, text in ((1, None, "user", "why?"), (2, 1, "assistant", "because")):
            tx.change(
                "INSERT INTO messages VALUES (?, 'abcd0123', ?, ?, ?, '', 'complete', '{}', '2026-01-01')",
                *(message_id, parent, role, text),
            )


def old_and_killed(folder: Path) -> None:
    (folder / "whole").mkdir()
    old(folder / "whole")
    with closing(Database(folder / "whole" / "sessions.db", migrations=MIGRATIONS[:1])) as database:
        with database.writing() as tx:
            tx.change("UPDATE sessions SET title = 'why?'")
        for end in ("", "-wal"):
            shutil.copyfile(f"{database.path}{end}", folder / f"sessions.db{end}")
    shutil.rmtree(folder / "whole")


@pytest.mark.parametrize("left", [closed, killed, old, old_and_killed])
def test_a_store_on_a_read_only_disk_can_be_read(tmp_path: Path, left: object) -> None:
    """However it was left, and of whatever version; writing says what is the matter and what to do."""
    assert callable(left)
    left(tmp_path)

    with read_only(tmp_path), closing(SessionStore(tmp_path)) as store:
        [info] = store.infos()
        session = store.load(info.id)
        hits = store.search("because")
        with pytest.raises(StoreError, match="can only be read") as caught:
            store.set_title(info.id, "other")
        again = store.latest()

    assert [message.text for message in session.conversation.messages] == ["why?", "because"]
    assert [hit.id for hit in hits] == [info.id] == [again]
    assert "LLMTERM_DATA_DIR" in caught.value.hint


def test_a_store_in_use_elsewhere_can_be_read_through_a_read_only_mount(tmp_path: Path) -> None:
    """What is said there meanwhile is seen."""
    live, seen = tmp_path / "live", tmp_path / "seen"
    live.mkdir()
    seen.symlink_to(live)
    with closing(SessionStore(live)) as writer:
        ask(writer)
        with read_only(live), closing(SessionStore(seen)) as reader:
            infos = reader.infos()

    assert [info.title for info in infos] == ["why?"]


def test_an_empty_folder_that_cannot_be_written_has_no_sessions(tmp_path: Path) -> None:
    """Nothing is there to be read, which is no failure."""
    with read_only(tmp_path), closing(SessionStore(tmp_path)) as store:
        infos = store.infos()
        with pytest.raises(StoreError, match="can only be read"):
            store.create()

    assert infos == []


def test_a_full_disk_can_be_read(tmp_path: Path) -> None:
    """Even where SQLite has no room for its own files."""
    with small_disk(tmp_path / "disk") as folder:
        closed(folder)
        fill(folder)
        with closing(SessionStore(folder)) as store:
            infos = store.infos()

    assert [info.messages for info in infos] == [2]


def test_commands_read_a_read_only_disk(tmp_path: Path) -> None:
    """List, show, search and export work; rename says why not, without a word of owners, exit code 4."""
    folder = tmp_path / "data"
    folder.mkdir()
    closed(folder)

    with read_only(folder), closing(SessionStore(folder)) as store:
        session = store.latest() or ""
        read = [
            llmterm(tmp_path, "sessions", *arguments)
            for arguments in (["list"], ["show", session], ["search", "because"], ["export", session])
        ]
        written = llmterm(tmp_path, "sessions", "rename", session, "other")

    assert [(done.returncode, done.stderr) for done in read] == [(0, "")] * 4
    assert all("why?" in done.stdout for done in read)
    assert (written.returncode, written.stderr.count("\n")) == (4, 1)
    assert "the disk can only be read" in written.stderr


# A file that goes away


@pytest.mark.parametrize("replaced", [False, True])
def test_nothing_is_written_where_the_file_was_until_that_is_accepted(tmp_path: Path, *, replaced: bool) -> None:
    """The rows that were known are not those of the file that is there now."""
    other = tmp_path / "other"
    with closing(SessionStore(other)) as elsewhere:
        ask(elsewhere, "theirs")
    with closing(SessionStore(tmp_path)) as store:
        session_id = ask(store)
        log = store.begin(session_id, provider="p", model="m", options=OPTIONS)
        for path in tmp_path.glob("sessions.db*"):
            path.unlink()
        if replaced:
            shutil.move(other / "sessions.db", store.path)

        for _ in range(2):
            with pytest.raises(StoreError, match="another file was put in its place"):
                log.journal(Reply().add(TextDelta("lost?")))
        moved = store.moved()
        store.accept()
        fresh = ask(store, "mine")

        assert moved
        assert [info.title for info in store.infos()] == ["mine", *(["theirs"] if replaced else [])]
        assert store.latest() == fresh


def test_a_store_at_rest_is_one_file_and_is_not_taken_for_a_copy_over_it(tmp_path: Path) -> None:
    """Changes by another llmterm are none; an earlier copy, and a store of somebody else, are known by their ids."""
    backup = tmp_path / "backup"
    with closing(SessionStore(tmp_path / "data")) as store, closing(SessionStore(tmp_path / "other")) as other:
        session_id = ask(store)
        store.rest()
        files = [path.name for path in store.path.parent.iterdir()]
        shutil.copyfile(store.path, backup)
        with closing(store.another()) as second:
            added = second.add(session_id, Message(role="user", text="more"))
            ask(second, "another")
        seen = 0

        def moved() -> bool:
            nonlocal seen
            answer = store.moved(session_id, added, since=seen)
            seen = store.touches
            return answer

        found = [moved()]
        for source in (backup, other.path):
            ask(other, "theirs")
            other.close()
            shutil.copyfile(source, store.path)
            found.append(moved())
            store.rest()
            found.append(moved())

    assert files == ["sessions.db"]
    assert found == [False, True, False, True, False]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
def test_a_link_that_leads_nowhere_yet_makes_a_private_file(tmp_path: Path) -> None:
    """The file, its log and its index, where the link leads."""
    there = tmp_path / "there"
    there.mkdir()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "sessions.db").symlink_to(there / "real.db")
    before = os.umask(0o022)
    try:
        with closing(SessionStore(tmp_path / "data")) as store:
            ask(store)
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in there.iterdir()}
    finally:
        os.umask(before)

    assert modes == {"real.db": 0o600, "real.db-wal": 0o600, "real.db-shm": 0o600}


# Rows that somebody has edited


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "broken",
    [
        "UPDATE messages SET parent_id = id",
        "UPDATE messages SET parent_id = (SELECT max(id) FROM messages)",
        "UPDATE messages SET parent_id = (SELECT max(id) FROM messages) WHERE parent_id IS NULL",
        "UPDATE messages SET parent_id = 12345 WHERE parent_id IS NULL",
        "UPDATE messages SET parent_id = 12345",
        "UPDATE sessions SET head_id = 12345",
        "UPDATE sessions SET head_id = NULL",
    ],
)
def test_a_tree_that_is_none_ends(tmp_path: Path, broken: str) -> None:
    """Circles, parents and heads that are not there: all that reads ends, and the session can be gone on with."""
    with closing(SessionStore(tmp_path)) as store:
        session_id = ask(store)
        ask_again = store.add(session_id, Message(role="user", text="and?"))
        store.close()
        edit(store.path, "PRAGMA foreign_keys = OFF", broken)

        store.infos()
        store.search("because")
        store.search("nowhere")
        store.figures()
        markdown(store.load(store.latest() or ""))
        store.branch(session_id, 0)
        store.switch(session_id, ask_again)
        store.move(session_id, ask_again)
        store.withdraw(session_id, [ask_again], 0)
        store.add(session_id, Message(role="user", text="more"))
        assert store.load(session_id).conversation.messages[-1].text == "more"
        store.delete(session_id)
        assert session_id not in [info.id for info in store.infos()]


@pytest.mark.parametrize(
    "time",
    ["'yesterday'", "''", "0", "1e308", "x'ff00'", "'99999-01-01'", "'9999-12-31T23:59:59'", "'0001-01-01T00:00:00'"],
)
def test_a_bad_time_is_no_bug(tmp_path: Path, time: str) -> None:
    """In any of the columns: the rest is shown as it is."""
    with closing(SessionStore(tmp_path, owner=Owner(pid=0, host="", born=""))) as store:
        ask(store, "one")
        session_id = ask(store, "two")
        log = store.begin(session_id, provider="p", model="m", options=OPTIONS)
        log.journal(Reply().add(TextDelta("half")))
        store.close()
        edit(
            store.path,
            f"UPDATE sessions SET created_at = {time}, updated_at = {time}",
            f"UPDATE messages SET created_at = {time}",
            f"UPDATE open_answers SET began_at = {time}",
            f"UPDATE journal SET written_at = {time}",
        )

        listed = [f"{info.updated_at.astimezone():%Y-%m-%d %H:%M} {info.title}" for info in store.infos()]
        hits = store.search("because")
        text = markdown(store.load(session_id))
        store.figures()

    assert len(listed) == len(hits) == 2
    assert "half" in text


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("messages", "provider_data", "'[]'"),
        ("messages", "provider_data", "5"),
        ("messages", "status", "x'ff'"),
        ("messages", "role", "'tool'"),
        ("open_answers", "options", "'{}'"),
        ("open_answers", "options", "'[1]'"),
        ("open_answers", "reason", "'whim'"),
        ("open_answers", "owner_pid", "'me'"),
        ("segments", "end_reason", "'whim'"),
        ("segments", "duration_ms", "'long'"),
    ],
)
def test_a_value_that_makes_no_sense_is_an_error_of_the_store(
    tmp_path: Path, table: str, column: str, value: str
) -> None:
    """Or none at all; a bug it never is."""
    with closing(SessionStore(tmp_path)) as store:
        session_id = ask(store)
        log = store.begin(session_id, provider="p", model="m", options=OPTIONS)
        log.pause(Reply().add(TextDelta("half")), EndReason.PAUSE)
        store.close()
        edit(store.path, "PRAGMA ignore_check_constraints = ON", f"UPDATE {table} SET {column} = {value}")

        for read in (
            store.infos,
            lambda: markdown(store.load(session_id)),
            lambda: store.search("half"),
            store.figures,
        ):
            with suppress(SessionError):
                read()


def test_commands_get_along_with_what_was_edited(tmp_path: Path) -> None:
    """Bad times and a circle: list, search, show and `--continue` end, with exit code 0."""
    with closing(SessionStore(tmp_path / "data")) as store:
        session_id = ask(store)
    edit(
        store.path,
        "PRAGMA foreign_keys = OFF",
        "UPDATE messages SET parent_id = (SELECT max(id) FROM messages), created_at = 'x'",
        "UPDATE sessions SET created_at = 'x', updated_at = '9999-12-31T23:59:59.999999+00:00'",
    )

    ran = [
        llmterm(tmp_path, "sessions", *arguments)
        for arguments in (["list"], ["list", "--json"], ["search", "because"], ["show", session_id])
    ]

    assert [(done.returncode, done.stderr) for done in ran] == [(0, "")] * 4
    assert all("why?" in done.stdout for done in ran)


# The order of use


def test_a_clock_that_is_set_back_does_not_change_what_was_used_last(tmp_path: Path) -> None:
    """The last session used is the newest, whatever the clock says."""
    now = datetime(2026, 6, 1, tzinfo=UTC)
    with closing(SessionStore(tmp_path, clock=lambda: now)) as store:
        first = ask(store, "first")
        second = ask(store, "second")
        now -= timedelta(days=400)
        third = ask(store, "third")
        newest = store.latest()
        now -= timedelta(days=1)
        store.add(first, Message(role="user", text="again"))

        assert newest == third
        assert [info.id for info in store.infos()] == [first, third, second]
        assert [hit.id for hit in store.search("because")] == [first, third, second]
        assert [each for each, _ in store.matching("")] == [first, third, second]


@pytest.mark.parametrize("version", range(1, 8))
def test_sessions_of_every_earlier_version_keep_their_order(tmp_path: Path, version: int) -> None:
    """By their times, until one of them is changed; the eighth is the first that knows the order."""
    path = tmp_path / "sessions.db"
    with closing(Database(path, migrations=MIGRATIONS[:version])) as database, database.writing() as tx:
        for name, day in (("b", 2), ("c", 3), ("a", 1)):
            tx.change(
                "INSERT INTO sessions (id, title, system, created_at, updated_at) VALUES (?, ?, '', ?, ?)",
                *(name, name, f"2026-01-0{day}", f"2026-01-0{day}"),
            )

    with closing(SessionStore(tmp_path)) as store:
        before = [info.id for info in store.infos()]
        store.add("a", Message(role="user", text="?"))
        after = [info.id for info in store.infos()]

    assert (before, after) == (["c", "b", "a"], ["a", "c", "b"])


# Somebody else's answer


@pytest.mark.parametrize("reopened", [False, True])
def test_a_session_that_rests_in_a_living_chat_is_not_deleted(tmp_path: Path, *, reopened: bool) -> None:
    """Until that chat has ended; it does not matter who has begun the answer."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as chat:
        living = Owner(pid=chat.pid, host=Owner.current().host, born=birth(chat.pid))
        began = Owner(pid=0, host="", born="") if reopened else living
        with closing(SessionStore(tmp_path, owner=began)) as theirs:
            session_id = ask(theirs)
            theirs.add(session_id, Message(role="user", text="and?"))
            log = theirs.begin(session_id, provider="p", model="m", options=OPTIONS)
            log.pause(Reply().add(TextDelta("half")), EndReason.PAUSE)
        if reopened:
            with closing(SessionStore(tmp_path, owner=living)) as theirs:
                answer = theirs.load(session_id).answer
                assert answer is not None
                theirs.reopen(answer)

        with closing(SessionStore(tmp_path)) as store:
            with pytest.raises(SessionError, match=f"in another llmterm \\(pid {chat.pid}\\)"):
                store.delete(session_id)
            chat.kill()
            chat.wait()
            store.delete(session_id)

            assert store.infos() == []
