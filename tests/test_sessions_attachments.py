"""What is attached to messages: kept once however often it is attached, and gone with the last that has it."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from llmterm.errors import SessionError
from llmterm.messages import Attachment, EndReason, Message, Options, Reply, TextDelta
from llmterm.sessions import SessionStore
from llmterm.sessions.database import Database
from llmterm.sessions.schema import MIGRATIONS

# Longer than a page of the file, and found in it by any of its parts.
PICTURE = Attachment(name="moon.png", media_type="image/png", data=b"xyzzy-picture" * 2000)
PAGES = Attachment(name="moon.pdf", media_type="application/pdf", data=b"%PDF \xff\x00\xfe")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SessionStore]:
    with closing(SessionStore(tmp_path)) as store:
        yield store


def ask(store: SessionStore, *attachments: Attachment, session_id: str = "") -> str:
    session_id = session_id or store.create()
    store.add(session_id, Message(role="user", text="what is it?", attachments=attachments))
    return session_id


def kept(store: SessionStore) -> list[bytes]:
    """Return the contents in the database."""
    with closing(sqlite3.connect(store.path)) as database:
        return [data for (data,) in database.execute("SELECT data FROM blobs ORDER BY data")]


def test_the_same_bytes_are_kept_once(store: SessionStore) -> None:
    """Whatever the name, in one message, in two, in two sessions; and each of them gets its own back."""
    other_name = replace(PICTURE, name="luna.png")
    first = ask(store, PICTURE, other_name, PAGES)
    second = ask(store, PICTURE)

    loaded = [store.load(each).conversation.messages[0].attachments for each in (first, second)]

    assert loaded == [(PICTURE, other_name, PAGES), (PICTURE,)]
    assert kept(store) == [PAGES.data, PICTURE.data]


def test_an_open_answer_comes_with_the_attachments_of_its_question(store: SessionStore) -> None:
    """A paused answer can be asked for again with all it was asked for with."""
    session_id = ask(store, PICTURE)
    log = store.begin(session_id, provider="p", model="m", options=Options())

    log.pause(Reply().add(TextDelta("the moo")), EndReason.PAUSE)

    session = store.load(session_id)
    assert session.answer is not None
    assert session.conversation.messages[0].attachments == (PICTURE,)


def withdraw(store: SessionStore, session_id: str) -> None:
    first = store.head(session_id)
    again = store.add(session_id, Message(role="user", text="again", attachments=(PAGES,)))
    store.withdraw(session_id, [first, again], 0)


def rewrite(store: SessionStore, session_id: str) -> None:
    withdraw(store, session_id)
    store.add(session_id, Message(role="assistant", text="here it is", attachments=(PICTURE,)))
    store.rewrite(session_id, Message(role="assistant", text="there it was"))


@pytest.mark.parametrize("remove", [SessionStore.delete, withdraw, rewrite])
def test_bytes_that_no_message_has_any_more_are_gone(
    store: SessionStore, remove: Callable[[SessionStore, str], object]
) -> None:
    """Taken away as long as another message has them they stay; with the last one they go."""
    first, second = ask(store, PICTURE), ask(store, PICTURE)

    remove(store, first)
    between = kept(store)
    remove(store, second)

    assert between == [PICTURE.data]
    assert kept(store) == []


def test_a_deleted_attachment_leaves_no_trace_in_the_files(store: SessionStore, tmp_path: Path) -> None:
    """Neither its bytes nor its name nor the sum over them."""
    session_id = ask(store, PICTURE)

    store.delete(session_id)

    content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    for trace in (b"xyzzy-picture", b"moon.png", hashlib.sha256(PICTURE.data).hexdigest().encode()):
        assert trace not in content


def test_a_rewritten_message_has_the_attachments_it_was_given(store: SessionStore) -> None:
    """What is put in the place of a message is all there is."""
    session_id = ask(store, PICTURE)
    store.add(session_id, Message(role="assistant", text="here it is", attachments=(PICTURE,)))

    store.rewrite(session_id, Message(role="assistant", text="and there", attachments=(PAGES, PICTURE)))

    assert store.load(session_id).conversation.messages[-1].attachments == (PAGES, PICTURE)


def test_a_message_that_is_refused_leaves_no_bytes(store: SessionStore) -> None:
    """All of a message is stored, or nothing of it."""
    session_id = ask(store)
    store.begin(session_id, provider="p", model="m", options=Options())

    with pytest.raises(SessionError, match="is not over"):
        ask(store, PICTURE, session_id=session_id)

    assert kept(store) == []


def test_a_store_without_attachments_gets_them(tmp_path: Path) -> None:
    """A file of the version before is brought up to date, and what it holds has none."""
    with closing(Database(tmp_path / "sessions.db", migrations=MIGRATIONS[:5])) as database, database.writing() as tx:
        tx.change("INSERT INTO sessions VALUES ('abcd0123', 'why?', '', 1, '2026-01-01', '2026-01-01')")
        tx.change(
            "INSERT INTO messages VALUES (1, 'abcd0123', NULL, 'user', 'why?', '', 'complete', '{}', '2026-01-01')"
        )

    with closing(SessionStore(tmp_path)) as store:
        ask(store, PICTURE, session_id="abcd0123")
        old, new = store.load("abcd0123").conversation.messages

    assert (old.attachments, new.attachments) == ((), (PICTURE,))
