"""The store: what goes in comes out, in a private file, or a SessionError says why not."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from llmterm.errors import SessionError
from llmterm.messages import EndReason, Message, Options, Reply, Segment, TextDelta, Usage
from llmterm.sessions import SessionStore
from llmterm.sessions.database import Database, translated
from llmterm.sessions.owner import Owner, birth
from llmterm.sessions.schema import MIGRATIONS
from llmterm.sessions.titles import clean_title
from tests.values import MESSAGE, OPTIONS, TEXT


class Ticks:
    """A clock that says when it is told to go on, in steps of a second."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def tick(self, seconds: float = 1) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Ticks:
    return Ticks()


@pytest.fixture
def store(tmp_path: Path, clock: Ticks) -> Iterator[SessionStore]:
    with closing(SessionStore(tmp_path, clock=clock)) as store:
        yield store


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SessionStore]:
    """One store for all examples of a property."""
    with closing(SessionStore(tmp_path_factory.mktemp("shared"))) as store:
        yield store


def ask(store: SessionStore, text: str = "why?") -> str:
    session_id = store.create()
    store.add(session_id, Message(role="user", text=text))
    return session_id


def raw(path: Path) -> closing[sqlite3.Connection]:
    return closing(sqlite3.connect(path, isolation_level=None))


# What goes in comes out


@given(system=TEXT, title=TEXT, messages=st.lists(MESSAGE, max_size=3))
@example(system="\0", title="a\0b", messages=[Message(role="user", text="\0 \ud83d\ude00 \udc80 \U0001f600")])
@example(system="", title="", messages=[Message(role="assistant", provider_data={"\ud83d\ude00": "\ud83d\ude00"})])
def test_everything_stored_comes_back_exactly(
    shared: SessionStore, system: str, title: str, messages: list[Message]
) -> None:
    """Any text at all survives: NUL, lone surrogates, pairs of them; so do figures, opaque data and any bytes."""
    session_id = shared.create(system=system, title=f"a {title}")

    for message in messages:
        shared.add(session_id, message)

    session = shared.load(session_id)
    assert session.title == clean_title(f"a {title}")
    assert session.conversation.system == system
    assert session.conversation.messages == tuple(messages)
    assert session.answer is None


@given(provider=TEXT, model=TEXT, options=OPTIONS, text=TEXT, guidance=TEXT, reason=st.sampled_from(EndReason))
def test_a_paused_answer_comes_back_exactly(
    shared: SessionStore, provider: str, model: str, options: Options, text: str, guidance: str, reason: EndReason
) -> None:
    """What is needed to go on with an answer is all there after a pause."""
    session_id = ask(shared)
    segment = Segment(
        provider=provider, model=model, mode="fresh", start=0, end=len(text), end_reason=reason, guidance=guidance
    )
    reply = Reply().add(TextDelta(text)).close(segment)

    shared.begin(session_id, provider=provider, model=model, options=options).pause(reply, reason)

    answer = shared.load(session_id).answer
    assert answer is not None
    assert (answer.provider, answer.model, answer.options, answer.reason) == (provider, model, options, reason)
    assert answer.message == reply.message("interrupted")


def test_an_absurd_figure_does_not_keep_an_answer_from_being_stored(store: SessionStore) -> None:
    """A provider that reports more tokens than fit in 64 bits costs its figure, not the text."""
    usage = Usage(output_tokens=2**80)
    segment = Segment(provider="p", model="m", mode="fresh", start=0, end=4, end_reason=EndReason.STOP, usage=usage)
    session_id = ask(store)

    store.add(session_id, Message(role="assistant", text="well", segments=(segment,)))

    _, answer = store.load(session_id).conversation.messages
    assert answer.text == "well"
    assert answer.segments[0].usage.output_tokens == 2**63 - 1


def test_another_process_sees_what_was_stored(tmp_path: Path) -> None:
    """Nothing waits in memory: a second store on the file has it while the first is still open."""
    with closing(SessionStore(tmp_path)) as one, closing(SessionStore(tmp_path)) as other:
        session_id = ask(one, "is it there?")

        seen = other.load(session_id)

    assert [message.text for message in seen.conversation.messages] == ["is it there?"]


def test_a_new_system_prompt_replaces_the_old_one(store: SessionStore) -> None:
    """`set_system` holds from the next load on."""
    session_id = store.create(system="be brief")

    store.set_system(session_id, "be long")

    assert store.load(session_id).conversation.system == "be long"


def test_a_store_can_be_used_again_after_close(store: SessionStore) -> None:
    """`close` lets go of the file, and a later call opens it again."""
    session_id = ask(store)
    store.close()

    messages = store.load(session_id).conversation.messages

    assert len(messages) == 1


# Titles, ids and lists


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("How far is the moon?", "How far is the moon?"),
        ("\n \n  two\t words \nsecond line", "two words"),
        ("x" * 60, "x" * 60),
        ("x" * 61, "x" * 59 + "…"),
        ("ring \x07 the \x1b[31mbell", "ring \N{REPLACEMENT CHARACTER} the \N{REPLACEMENT CHARACTER}[31mbell"),
    ],
)
def test_the_first_question_gives_the_title(store: SessionStore, text: str, title: str) -> None:
    """The title is the first line that says something, at most 60 characters, with nothing a terminal obeys."""
    session_id = ask(store, text)

    store.add(session_id, Message(role="user", text="a later question"))

    assert store.load(session_id).title == title


def test_a_title_that_was_given_stays(store: SessionStore) -> None:
    """The first question names only a session without a name."""
    session_id = store.create(title="mine")

    store.add(session_id, Message(role="user", text="a question"))

    assert store.load(session_id).title == "mine"


def test_sessions_are_listed_the_last_changed_first(store: SessionStore, clock: Ticks) -> None:
    """The list is ordered by the last change, and `latest` is its first line."""
    begun = clock.now
    first = ask(store, "one")
    clock.tick()
    second = ask(store, "two")
    clock.tick()
    store.add(first, Message(role="assistant", text="1"))

    infos = store.infos()

    assert [info.id for info in infos] == [first, second]
    assert [info.messages for info in infos] == [2, 1]
    assert [info.state for info in infos] == ["complete", "complete"]
    assert (infos[0].created_at, infos[0].updated_at) == (begun, clock.now)
    assert store.latest() == first


def test_of_sessions_changed_at_the_same_moment_the_newer_comes_first(store: SessionStore) -> None:
    """A clock too coarse to tell them apart does not shuffle the list."""
    ids = [store.create() for _ in range(5)]

    listed = [info.id for info in store.infos()]

    assert listed == ids[::-1]
    assert store.latest() == ids[-1]


def test_an_empty_store_has_no_latest_session(store: SessionStore) -> None:
    """Nothing is an answer too."""
    latest = store.latest()

    assert latest is None
    assert store.infos() == []


def test_a_session_is_found_by_the_beginning_of_its_id(store: SessionStore) -> None:
    """A unique prefix will do, in capitals too, as will the letters people misread."""
    session_id = ask(store)
    spoken = session_id.upper().replace("0", "O").replace("1", "L")

    found = {store.find(session_id), store.find(session_id[:3]), store.load(spoken).id}

    assert found == {session_id}


def test_an_unknown_id_is_answered_with_the_nearest(store: SessionStore) -> None:
    """A slip of the finger is answered with what was probably meant, and its title."""
    session_id = ask(store, "how far is the moon?")
    ask(store, "another")
    slip = session_id[:-1] + ("0" if session_id[-1] != "0" else "1")

    with pytest.raises(SessionError, match="no session") as caught:
        store.load(slip)

    assert session_id in caught.value.hint
    assert "how far is the moon?" in caught.value.hint


def test_an_ambiguous_id_is_answered_with_how_many_match(store: SessionStore) -> None:
    """With more sessions than first characters, some first character stands for several."""
    ids = [store.create() for _ in range(33)]
    first = next(char for char in (each[0] for each in ids) if sum(each[0] == char for each in ids) > 1)
    count = sum(each[0] == first for each in ids)

    with pytest.raises(SessionError, match=f"{count} sessions begin with") as caught:
        store.load(first)

    assert sum(each in caught.value.hint for each in ids) == min(count, 5)


@pytest.mark.parametrize("given_id", ["", "\udc80", "a\0b", "%", "' OR 1=1 --"])
def test_an_impossible_id_is_unknown(store: SessionStore, given_id: str) -> None:
    """Whatever a shell passes as an id, the answer is that there is no such session."""
    ask(store)
    calls: list[Callable[[], object]] = [
        lambda: store.load(given_id),
        lambda: store.delete(given_id),
        lambda: store.set_system(given_id, "x"),
        lambda: store.add(given_id, Message(role="user", text="x")),
        lambda: store.begin(given_id, provider="p", model="m", options=Options()),
    ]

    for call in calls:
        with pytest.raises(SessionError, match="no session"):
            call()


# Taking away


def test_what_came_to_nothing_is_taken_out(store: SessionStore) -> None:
    """The question and its answer are gone, and the next one follows what was before."""
    session_id = ask(store, "kept")
    before = store.head(session_id)
    failed = store.add(session_id, Message(role="user", text="failed"))
    log = store.begin(session_id, provider="p", model="m", options=Options())

    store.withdraw(session_id, [failed, log.message_id], before)

    store.add(session_id, Message(role="user", text="next"))
    assert [message.text for message in store.load(session_id).conversation.messages] == ["kept", "next"]
    assert store.infos()[0].messages == 2
    assert store.forks(session_id) == {}


def test_the_only_question_leaves_an_empty_session(store: SessionStore) -> None:
    """The head may go back to nothing."""
    session_id = store.create()
    only = store.add(session_id, Message(role="user", text="?"))

    store.withdraw(session_id, [only], 0)

    assert store.load(session_id).conversation.messages == ()
    assert store.drop_empty(session_id)


def test_a_message_of_another_session_is_out_of_reach(store: SessionStore) -> None:
    """An id out of place moves and takes out nothing."""
    mine, other = store.create(), store.create()
    message_id = store.add(other, Message(role="user", text="theirs"))

    for call in (store.move, store.switch):
        with pytest.raises(SessionError, match=f"no message {message_id}"):
            call(mine, message_id)
    store.withdraw(mine, [message_id], 0)

    assert len(store.load(other).conversation.messages) == 1


def test_a_deleted_session_leaves_no_trace_in_the_files(store: SessionStore, tmp_path: Path) -> None:
    """Not a word of it is left in the database or its log, while the other sessions stay."""
    kept = ask(store, "stays here")
    gone = ask(store, "xyzzy-secret " * 2000)
    store.begin(gone, provider="p", model="m", options=Options()).pause(
        Reply().add(TextDelta("plugh-secret " * 2000)), EndReason.PAUSE
    )

    store.delete(gone[:7])

    content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"xyzzy-secret" not in content
    assert b"plugh-secret" not in content
    assert b"stays here" in content
    assert [info.id for info in store.infos()] == [kept]


def test_a_very_long_session_can_be_read_and_deleted(store: SessionStore) -> None:
    """Longer than SQLite's limit of 1000 nested deletions."""
    session_id = store.create()
    ids = [store.add(session_id, Message(role="user", text=str(n))) for n in range(1100)]

    loaded = store.load(session_id).conversation.messages
    store.move(session_id, ids[9])
    rest = store.load(session_id).conversation.messages
    store.delete(session_id)

    assert [message.text for message in loaded] == [str(n) for n in range(1100)]
    assert rest == loaded[:10]
    assert store.infos() == []


# The file


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes; the folder is the user's own")
def test_the_files_are_private_whatever_the_umask(tmp_path: Path) -> None:
    """Folder 0700, and 0600 for the database, its log and its index."""
    folder = tmp_path / "new" / "data"
    before = os.umask(0)
    try:
        with closing(SessionStore(folder)) as store:
            ask(store)
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    finally:
        os.umask(before)

    assert modes == {"sessions.db": 0o600, "sessions.db-wal": 0o600, "sessions.db-shm": 0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_making_a_store_touches_nothing(tmp_path: Path) -> None:
    """A command that needs no session leaves no file behind."""
    store = SessionStore(tmp_path / "data")

    store.close()

    assert list(tmp_path.iterdir()) == []


def test_processes_that_begin_at_once_share_one_store(tmp_path: Path) -> None:
    """Four processes that all find no file end up with one store and lose nothing."""
    script = (
        "import sys; from pathlib import Path; from llmterm.sessions import SessionStore\n"
        "store = SessionStore(Path(sys.argv[1])); print('ready', flush=True); sys.stdin.readline()\n"
        "for n in range(5): store.create(title=f'{sys.argv[2]}-{n}')\n"
        "store.close()"
    )
    children = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path / "data"), str(n)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for n in range(4)
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"

    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()

    errors = [child.communicate()[1] for child in children]
    assert errors == ["", "", "", ""]
    with closing(SessionStore(tmp_path / "data")) as store:
        assert {info.title for info in store.infos()} == {f"{n}-{m}" for n in range(4) for m in range(5)}


# Versions


def test_a_store_of_a_newer_version_is_refused_and_left_alone(store: SessionStore) -> None:
    """An old program never writes tables it does not know, and says what to do."""
    ask(store)
    store.close()
    with raw(store.path) as database:
        database.execute("PRAGMA user_version = 99")
    before = store.path.read_bytes()

    with pytest.raises(SessionError, match="newer llmterm") as caught:
        store.infos()

    assert "upgrade llmterm" in caught.value.hint
    assert store.path.read_bytes() == before


def test_a_migration_brings_an_older_store_up_to_date(tmp_path: Path) -> None:
    """Each missing migration runs once, in order, over the data that is there."""
    path = tmp_path / "sessions.db"
    later = (*MIGRATIONS, ("ALTER TABLE sessions ADD COLUMN colour TEXT",), ("UPDATE sessions SET colour = 'red'",))
    with closing(SessionStore(tmp_path)) as store:
        ask(store)

    for _ in range(2):
        with closing(Database(path, migrations=later)) as database, database.reading() as tx:
            found = tx.rows("SELECT title, colour FROM sessions")

    assert found == [("why?", "red")]
    with raw(path) as database_now:
        assert database_now.execute("PRAGMA user_version").fetchone() == (len(later),)


def test_a_store_of_the_first_version_is_read_as_it_was(tmp_path: Path) -> None:
    """What the first tables hold comes back whole, and goes on in today's."""
    first = MIGRATIONS[:1]
    path = tmp_path / "sessions.db"
    with closing(Database(path, migrations=first)) as database, database.writing() as tx:
        tx.change("INSERT INTO sessions VALUES ('abcd0123', 'why?', 'be brief', 1, '2026-01-01', '2026-01-01')")
        tx.change(
            "INSERT INTO messages VALUES (1, 'abcd0123', NULL, 'user', 'why?', '', 'complete', '{}', '2026-01-01')"
        )

    with closing(SessionStore(tmp_path)) as store:
        store.begin("abcd0123", provider="p", model="m", options=Options()).finish(Reply().add(TextDelta("because")))
        conversation = store.load("abcd0123").conversation

    assert conversation.system == "be brief"
    assert [message.text for message in conversation.messages] == ["why?", "because"]


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    """All of an upgrade happens, or none of it, and the store goes on with the program it had."""
    broken = (*MIGRATIONS, ("ALTER TABLE sessions ADD COLUMN colour TEXT", "UPDATE nowhere SET colour = 'red'"))
    with closing(SessionStore(tmp_path)) as store:
        session_id = ask(store)

        with pytest.raises(SessionError, match="nowhere"), Database(store.path, migrations=broken).reading():
            pass

        assert store.load(session_id).title == "why?"


# What goes wrong


@pytest.mark.parametrize("content", [b"not a database at all\n" * 100, b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_file_that_is_no_database_is_refused_and_not_overwritten(tmp_path: Path, content: bytes) -> None:
    """A damaged store is the user's to rescue: not one byte of it changes."""
    (tmp_path / "sessions.db").write_bytes(content)
    store = SessionStore(tmp_path)

    with pytest.raises(SessionError) as caught:
        store.create()

    assert str(tmp_path / "sessions.db") in caught.value.message
    assert "move" in caught.value.hint
    assert (tmp_path / "sessions.db").read_bytes() == content


def test_a_database_of_another_program_is_refused(tmp_path: Path) -> None:
    """Nothing is added to a file that somebody else keeps."""
    with raw(tmp_path / "sessions.db") as database:
        database.execute("CREATE TABLE recipes (name)")

    with pytest.raises(SessionError, match="another program"):
        SessionStore(tmp_path).infos()

    with raw(tmp_path / "sessions.db") as database:
        assert database.execute("SELECT name FROM sqlite_master").fetchall() == [("recipes",)]


def test_a_value_edited_to_nonsense_is_reported(store: SessionStore) -> None:
    """A row that cannot be read is an error of the store, with the reason, not a traceback."""
    session_id = ask(store)
    with raw(store.path) as database:
        database.execute("UPDATE messages SET provider_data = '{'")

    with pytest.raises(SessionError, match="unreadable"):
        store.load(session_id)


def test_a_folder_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    """The hint names the variable that moves the store."""
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(SessionError) as caught:
        SessionStore(tmp_path / "file").infos()

    assert "LLMTERM_DATA_DIR" in caught.value.hint


def test_a_locked_store_is_reported_once_the_wait_is_over(tmp_path: Path) -> None:
    """Another program's lock is waited for, then named as the cause."""
    with closing(SessionStore(tmp_path, timeout=0)) as store:
        session_id = ask(store)
        with raw(store.path) as other:
            other.execute("BEGIN IMMEDIATE")

            with pytest.raises(SessionError, match="locked"):
                store.add(session_id, Message(role="user", text="me too"))

        store.add(session_id, Message(role="user", text="now"))
        assert store.infos()[0].messages == 2


def fill(folder: Path) -> None:
    with raw(folder / "full.db") as database:
        database.execute("CREATE TABLE t (x)")
        database.execute("PRAGMA max_page_count = 2")
        database.execute("INSERT INTO t VALUES (zeroblob(100000))")


def open_a_folder(folder: Path) -> None:
    sqlite3.connect(folder)


def write_read_only(folder: Path) -> None:
    with raw(folder / "t.db") as database:
        database.execute("CREATE TABLE t (x)")
    with closing(sqlite3.connect(f"{(folder / 't.db').as_uri()}?mode=ro", uri=True)) as database:
        database.execute("INSERT INTO t VALUES (1)")


def open_nowhere(folder: Path) -> None:
    (folder / "nowhere" / "file").read_bytes()


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (fill, "disk is full"),
        (open_a_folder, "cannot be opened"),
        (write_read_only, "cannot be written"),
        (open_nowhere, "No such file"),
    ],
)
def test_every_failure_of_the_disk_becomes_a_session_error(
    tmp_path: Path, failure: Callable[[Path], None], message: str
) -> None:
    """Real failures of SQLite and the system come out with the path, what happened, and what to do."""
    with pytest.raises(SessionError, match=message) as caught, translated(tmp_path):
        failure(tmp_path)

    assert str(tmp_path) in caught.value.message
    assert caught.value.hint
    assert caught.value.exit_code == 4


# Owners


def test_this_process_is_alive() -> None:
    """The owner that a store gives its answers is seen to live."""
    owner = Owner.current()

    alive = owner.alive()

    assert alive


def test_a_process_that_has_ended_is_not_alive() -> None:
    """A child is gone once it has been waited for."""
    child = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    current = Owner.current()

    alive = Owner(pid=int(child.stdout), host=current.host, born=current.born).alive()

    assert not alive


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells when a process began")
def test_a_process_id_used_again_is_not_the_owner() -> None:
    """After a restart the same number may be another process, even this one."""
    current = Owner.current()

    alive = Owner(pid=current.pid, host=current.host, born="1").alive()

    assert not alive


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells a zombie")
def test_a_process_that_nobody_has_waited_for_is_not_alive() -> None:
    """A killed process has ended, even while its parent has not taken notice."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        owner = Owner(pid=child.pid, host=Owner.current().host, born=birth(child.pid))
        before = owner.alive()
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)

        after = owner.alive()

    assert (before, after) == (True, False)


@pytest.mark.parametrize("pid", [0, -1, 2**40])
def test_a_number_that_is_no_process_is_not_alive(pid: int) -> None:
    """Zero and below would mean groups of processes to the system."""
    current = Owner.current()

    alive = Owner(pid=pid, host=current.host, born="").alive()

    assert not alive
