"""Stores as every earlier version has left them are opened, with all that is in them.

`stores/versionN.sql` is what the code of that time wrote (its pieces cut short), as SQLite's own dump of it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from llmterm.messages import EndReason, Message, Options, Reply, TextDelta
from llmterm.sessions import SessionStore, StoredSession, export, markdown
from llmterm.sessions.owner import Owner
from llmterm.sessions.schema import MIGRATIONS
from tests.disks import read_only

FOLDER = Path(__file__).parent / "stores"
EVERY = range(1, len(MIGRATIONS))
DEAD = Owner(pid=0, host="", born="")


def opened(folder: Path, version: int) -> SessionStore:
    with closing(sqlite3.connect(folder / "sessions.db")) as connection:
        connection.executescript((FOLDER / f"version{version}.sql").read_text("utf-8"))
    return SessionStore(folder, owner=DEAD)


@pytest.fixture(params=EVERY)
def version(request: pytest.FixtureRequest) -> int:
    number: int = request.param
    return number


@pytest.fixture
def store(tmp_path: Path, version: int) -> Iterator[SessionStore]:
    with closing(opened(tmp_path, version)) as store:
        yield store


def titled(store: SessionStore, title: str, *, peek: bool = True) -> StoredSession:
    (found,) = [info.id for info in store.infos() if info.title == title]
    return store.load(found, peek=peek)


def texts(session: StoredSession) -> list[str]:
    return [message.text for message in session.conversation.messages]


def test_a_store_of_every_version_is_opened(store: SessionStore, version: int) -> None:
    """Complete, paused, cut and stopped answers, and texts that SQLite keeps as bytes."""
    moon = titled(store, "How far is the moon?")
    paused, cut = titled(store, "paused").answer, titled(store, "cut").answer

    assert texts(moon) == ["How far is the moon?", "384,400 km", "and the sun? ß é 東京", "149.6 million km"]
    answer = moon.conversation.messages[1]
    assert (answer.thinking, answer.segments[0].end, moon.conversation.system) == ("hm, 384,400 km", 10, "be brief")
    assert paused is not None
    assert cut is not None
    assert (paused.message.text, paused.reason) == ("one two", EndReason.PAUSE)
    assert (cut.message.text, cut.reason) == ("one deux trois", EndReason.CRASH)
    assert [(part.mode, part.guidance) for part in cut.message.segments] == [("fresh", ""), ("instruct", "in French")]
    assert cut.options == Options(temperature=0.5, max_tokens=100, stop=("END",))
    assert titled(store, "stopped").conversation.messages[-1].status == "interrupted"
    assert texts(titled(store, "odd")) == ["lone \udc80 surrogate \0 and zero"]
    assert [info.messages for info in store.infos()] == [
        len(session.conversation.messages) + (session.answer is not None)
        for session in (store.load(info.id, peek=True) for info in store.infos())
    ]
    if version >= 2:
        assert texts(titled(store, "long"))[1] == "".join(f"word{number} " for number in range(40))
    if version >= 4:
        assert store.answers().get("key") is not None
    if version >= 6:
        for title in ("with files", "with files (branch)"):
            (attachment,) = titled(store, title).conversation.messages[0].attachments
            assert (attachment.name, attachment.data) == ("a.png", b"\x89PNG\0")


def test_everything_in_a_store_of_every_version_can_be_gone_on_with(store: SessionStore) -> None:
    """Open answers are finished, questions added, listed, exported, searched, branched and deleted."""
    for info in store.infos():
        session = store.load(info.id)
        if session.answer is not None:
            log = store.reopen(session.answer)
            log.resume(provider="p", model="m")
            log.finish(Reply.of(session.answer.message).add(TextDelta(" and so on")))
        if session.title == "taken back":
            store.switch(info.id, session.forks[0][0])
        added = store.add(info.id, Message(role="user", text="and then?"))
        export(store.load(info.id))
        markdown(store.load(info.id))

        assert store.load(info.id).rows[-1] == added
        assert store.branch(info.id, 1)

    assert "and then?" in [hit.snippet for hit in store.search("then")]
    for info in store.infos():
        store.delete(info.id)
    assert store.figures() == []


@pytest.mark.parametrize("version", [7, 8], indirect=True)
def test_what_was_to_be_replaced_is_a_version(store: SessionStore) -> None:
    """Answered half, not at all, cut before a word or at rest: nothing is lost, and what nothing came of is left."""
    found = {}
    for title in ("how?", "asked again", "not a word", "at rest"):
        session = titled(store, title, peek=False)
        found[title] = (texts(session), session.answer.message.text if session.answer else None)
        ((_, beside),) = session.forks.items()
        assert len(beside) == 2

    assert found == {
        "how?": (["how?"], "thu"),
        "asked again": (["why not?"], None),
        "not a word": (["when?", "now"], None),
        "at rest": (["whom?"], "m"),
    }
    asked_again = titled(store, "asked again")
    older = min(asked_again.forks[0])
    assert texts(store.switch(asked_again.id, older)) == ["why not?", "no reason"]


@pytest.mark.parametrize("version", range(9, len(MIGRATIONS)), indirect=True)
def test_versions_are_there(store: SessionStore) -> None:
    """Of questions and answers, also what was taken back."""
    how, again, back = (titled(store, title) for title in ("how?", "asked again", "taken back"))
    first = store.switch(again.id, again.forks[again.rows[0]][0])

    assert (texts(how), how.answer and how.answer.message.text) == (["how?"], "thu")
    assert (texts(again), texts(first)) == (["why not?", "some reason"], ["why not?", "no reason"])
    assert (texts(back), texts(store.switch(back.id, back.forks[0][0]))) == ([], ["when?", "now"])


@pytest.mark.parametrize("version", EVERY)
def test_a_store_of_every_version_can_be_read_where_it_cannot_be_written(tmp_path: Path, version: int) -> None:
    """It is brought up to date in memory."""
    store = opened(tmp_path, version)
    with read_only(tmp_path), closing(store):
        assert texts(titled(store, "How far is the moon?"))[1] == "384,400 km"
        assert [hit.title for hit in store.search("moon")] == ["How far is the moon?"]
