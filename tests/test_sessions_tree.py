"""The messages of a session as a tree: asked again beside what was said, gone back, and nothing lost."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from llmterm.errors import SessionError
from llmterm.messages import EndReason, Message, Options, Reply, TextDelta
from llmterm.sessions import AnswerLog, SessionStore
from llmterm.sessions.owner import Owner

DEAD = Owner(pid=0, host="", born="")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SessionStore]:
    with closing(SessionStore(tmp_path, owner=DEAD)) as store:
        yield store


def talk(store: SessionStore, *texts: str) -> tuple[str, list[int]]:
    """Store a session of questions and answers in turn, and return its id and its rows."""
    session_id = store.create(system="be brief")
    rows = [store.add(session_id, message(number, text)) for number, text in enumerate(texts)]
    return session_id, rows


def message(number: int, text: str) -> Message:
    return Message(role="assistant" if number % 2 else "user", text=text)


def question(text: str) -> Message:
    return Message(role="user", text=text)


def begin(store: SessionStore, session_id: str, after: int | None = None) -> AnswerLog:
    return store.begin(session_id, provider="p", model="m", options=Options(), after=after)


def said(text: str) -> Reply:
    return Reply().add(TextDelta(text))


def texts(store: SessionStore, session_id: str) -> list[str]:
    return [message.text for message in store.load(session_id, peek=True).conversation.messages]


def kept(store: SessionStore) -> set[str]:
    """The texts of all messages that are in the file."""
    with closing(sqlite3.connect(store.path)) as connection:
        return {text for (text,) in connection.execute("SELECT text FROM messages")}


def hits(store: SessionStore, words: str) -> list[str]:
    return [hit.id for hit in store.search(words)]


@pytest.mark.parametrize("keep", [0, 1, 2, 3])
def test_a_question_is_asked_beside_others(store: SessionStore, keep: int) -> None:
    """What was there is off the path: not read, counted, searched, copied or shown, and there all the same."""
    session_id, rows = talk(store, "why?", "because", "and?", "so")
    after = rows[keep - 1] if keep else 0

    asked = store.add(session_id, question("how?"), after=after)

    expected = [*["why?", "because", "and?", "so"][:keep], "how?"]
    assert texts(store, session_id) == expected
    assert store.infos()[0].messages == len(expected)
    assert hits(store, "so") == []
    assert hits(store, "how") == [session_id]
    assert texts(store, store.branch(session_id, keep + 1)) == expected
    assert store.forks(session_id) == {after: (rows[keep], asked)}
    assert store.load(session_id).rows == (*rows[:keep], asked)
    switched = store.switch(session_id, rows[keep])
    assert [each.text for each in switched.conversation.messages] == ["why?", "because", "and?", "so"]
    assert (switched.rows, switched.head) == (tuple(rows), rows[-1])
    assert store.load(session_id) == store.load(session_id, peek=True) == switched
    assert (hits(store, "so")[:1], hits(store, "how")[1:]) == ([session_id], [])


def test_an_answer_is_asked_for_once_more(store: SessionStore) -> None:
    """Both are there, and the question only once."""
    session_id, rows = talk(store, "why?", "because")

    log = begin(store, session_id, after=rows[0])
    log.finish(said("just so"))

    assert texts(store, session_id) == ["why?", "just so"]
    assert store.forks(session_id) == {rows[0]: (rows[1], log.message_id)}
    assert kept(store) == {"why?", "because", "just so"}


def test_a_session_that_goes_back_keeps_what_it_leaves(store: SessionStore) -> None:
    """Step by step to the beginning, and on from wherever that was."""
    session_id, rows = talk(store, "why?", "because", "and?", "so")

    store.move(session_id, rows[1])
    there = store.forks(session_id)
    store.move(session_id, 0)

    assert texts(store, session_id) == []
    assert (there, store.forks(session_id)) == ({rows[1]: (rows[2],)}, {0: (rows[0],)})
    assert not store.drop_empty(session_id)
    assert [store.switch(session_id, row).rows for row in (rows[0], rows[2])] == [tuple(rows[:2]), tuple(rows)]


def test_the_path_below_comes_along_as_it_was_used_last(store: SessionStore) -> None:
    """Where it was never gone on with, as it is newest."""
    session_id, rows = talk(store, "why?", "because", "and?", "so")
    first = store.head(session_id)
    second = store.add(session_id, message(1, "thus"), after=rows[2])
    other = store.add(session_id, question("how?"), after=0)

    newest = store.switch(session_id, rows[0]).head
    store.switch(session_id, first)
    store.switch(session_id, other)
    last = store.switch(session_id, rows[0]).head

    assert (newest, last) == (second, first)


def test_several_answers_of_a_session_can_be_open(store: SessionStore) -> None:
    """Each is written to, ends and is found by itself, and none of them may be followed."""
    session_id, rows = talk(store, "why?")
    logs = [begin(store, session_id, after=rows[0]) for _ in range(3)]
    for number, log in enumerate(logs):
        log.journal(said(f"answer {number}"))

    logs[0].pause(said("answer 0"), EndReason.PAUSE)
    logs[1].finish(said("answer 1."))
    with pytest.raises(SessionError, match="is not over"):
        store.add(session_id, question("and?"), after=logs[0].message_id)

    assert store.load(session_id).answer is not None
    assert store.head(session_id) == logs[2].message_id
    logs[2].discard()
    assert texts(store, session_id) == ["why?", "answer 1."]
    opened = store.switch(session_id, logs[0].message_id).answer
    assert opened is not None
    assert opened.message.text == "answer 0"
    store.reopen(opened).finish(said("answer 0."))
    assert kept(store) == {"why?", "answer 0.", "answer 1.", "answer 2"}


def test_an_open_answer_is_not_deleted_under_its_process(store: SessionStore, tmp_path: Path) -> None:
    """Also where the session does not end with it."""
    session_id, rows = talk(store, "why?", "because")
    with closing(SessionStore(tmp_path)) as alive:
        begin(alive, session_id, after=rows[0])
        begin(store, session_id, after=rows[0]).finish(said("so"))

        with pytest.raises(SessionError, match="is being answered in another llmterm"):
            store.delete(session_id)


# What came to nothing


def test_an_answer_that_is_given_up_stays_beside_the_one_before(store: SessionStore) -> None:
    """As far as it came; one that never came is no version."""
    session_id, rows = talk(store, "why?", "because")
    begin(store, session_id, after=rows[0]).discard()
    log = begin(store, session_id, after=rows[0])
    log.journal(said("just"))

    log.discard()

    assert texts(store, session_id) == ["why?", "because"]
    assert store.forks(session_id) == {rows[0]: (rows[1], log.message_id)}
    given_up = store.switch(session_id, log.message_id).conversation.messages[-1]
    assert (given_up.text, given_up.status) == ("just", "interrupted")


def test_an_answer_that_was_given_up_is_not_come_back_to(store: SessionStore) -> None:
    """Giving up another one leads to the question, as before."""
    session_id, rows = talk(store, "why?")
    first = begin(store, session_id, after=rows[0])
    first.pause(said("be"), EndReason.PAUSE)
    first.discard()

    begin(store, session_id, after=rows[0]).discard()

    assert store.head(session_id) == rows[0]


def test_what_was_taken_back_is_not_brought_again_by_giving_up(store: SessionStore) -> None:
    """The session is where it was when the answer was asked for."""
    session_id, rows = talk(store, "why?", "because", "and?", "so")
    store.move(session_id, rows[1])

    begin(store, session_id, after=rows[0]).discard()

    assert store.head(session_id) == rows[1]


def test_an_answer_that_was_cut_before_a_word_came_makes_room_for_the_one_before(store: SessionStore) -> None:
    """Its process was killed; who only looks changes nothing."""
    session_id, rows = talk(store, "why?", "because")
    begin(store, session_id, after=rows[0])

    seen = store.load(session_id, peek=True)
    stored = store.load(session_id)

    assert (seen.answer is None, seen.rows) == (False, (rows[0],))
    assert (stored.answer, stored.rows) == (None, tuple(rows))
    assert store.forks(session_id) == {}
    assert store.infos()[0].state == "complete"


@pytest.mark.parametrize("how", ["a word came", "it is the only one", "it was paused", "its process lives"])
def test_an_answer_that_may_be_gone_on_with_stays(store: SessionStore, tmp_path: Path, how: str) -> None:
    """Of a living process nobody knows what will come, and who has paused an answer has decided."""
    session_id, rows = talk(store, "why?", *(["because"] if how != "it is the only one" else []))
    with closing(SessionStore(tmp_path)) as alive:
        log = begin(alive if how == "its process lives" else store, session_id, after=rows[0])
        if how == "a word came":
            log.journal(said("th"))
        if how == "it was paused":
            log.pause(Reply(), EndReason.PAUSE)

        if how == "its process lives":
            with pytest.raises(SessionError, match="is being answered in another llmterm"):
                store.load(session_id)
        else:
            assert store.load(session_id).answer is not None
        assert store.head(session_id) == log.message_id


# Titles


@pytest.mark.parametrize("more", ["", "\n" + "and why? " * 10_000], ids=["short", "long"])
@pytest.mark.parametrize(("given_title", "then"), [("", "how?"), ("mine", "mine")])
def test_a_title_follows_the_first_question_that_gave_it(
    store: SessionStore, given_title: str, then: str, more: str
) -> None:
    """A title that was given stays, whatever is asked first, and however long it is."""
    session_id = store.create(title=given_title)
    first = store.add(session_id, question("why?" + more))

    second = store.add(session_id, question("how?"), after=0)

    assert store.load(session_id).title == then
    assert store.switch(session_id, first).title == (given_title or "why?")
    assert store.move(session_id, 0) == given_title
    assert store.switch(session_id, second).title == then
    assert store.withdraw(session_id, [second], 0) == given_title


def test_going_back_makes_a_session_the_latest(store: SessionStore) -> None:
    """It is what the user last had to do with."""
    session_id, rows = talk(store, "why?", "because")
    for call in (store.move, store.switch):
        talk(store, "other")

        call(session_id, rows[0])

        assert store.latest() == session_id


# Refused


def test_an_open_answer_is_not_left_behind(store: SessionStore) -> None:
    """It has to be kept or discarded first."""
    session_id, rows = talk(store, "why?", "because", "and?")
    begin(store, session_id).pause(said("so"), EndReason.PAUSE)

    for call in (store.move, store.switch):
        with pytest.raises(SessionError, match="is not over"):
            call(session_id, rows[0])


def test_a_session_does_not_go_back_to_an_open_answer(store: SessionStore) -> None:
    """It would be followed by the next question."""
    session_id, rows = talk(store, "why?")
    log = begin(store, session_id, after=rows[0])
    store.add(session_id, message(1, "because"), after=rows[0])

    with pytest.raises(SessionError, match="is not over"):
        store.move(session_id, log.message_id)


class Tree(RuleBasedStateMachine):
    """Whatever is asked, answered, switched, left and given up: no text is lost, and the head is where it should be."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.store = SessionStore(Path(self.folder.name), owner=DEAD)
        self.session_id = self.store.create()
        self.path: list[tuple[int, str]] = []
        self.texts: set[str] = set()
        self.count = 0

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()

    def next_text(self) -> str:
        self.count += 1
        text = f"text {self.count}"
        self.texts.add(text)
        return text

    @rule(keep=st.integers(0, 3))
    def ask(self, keep: int) -> None:
        self.path = self.path[:keep]
        text = self.next_text()
        row = self.store.add(self.session_id, question(text), after=self.path[-1][0] if self.path else 0)
        self.path.append((row, text))

    @precondition(lambda self: self.path)
    @rule(end=st.sampled_from(["finish", "stop", "die"]))
    def answer(self, end: str) -> None:
        text = self.next_text()
        log = begin(self.store, self.session_id)
        log.journal(said(text))
        if end == "die":
            answer = self.store.load(self.session_id).answer
            assert answer is not None
            log = self.store.reopen(answer)
        if end == "stop":
            log.discard()
            stored = self.store.load(self.session_id)
            # Where it was before: at the question, another answer to it, or the question that it was made of.
            assert stored.rows[: len(self.path) - 1] == tuple(row for row, _ in self.path[:-1])
            self.path = [(row, self.text_of(row)) for row in stored.rows]
        else:
            log.finish(said(text))
            self.path.append((log.message_id, text))

    def text_of(self, row: int) -> str:
        with closing(sqlite3.connect(self.store.path)) as connection:
            (text,) = connection.execute("SELECT text FROM messages WHERE id = ?", (row,)).fetchone()
        return str(text)

    @precondition(lambda self: self.path)
    @rule()
    def nothing_comes(self) -> None:
        log = begin(self.store, self.session_id)
        self.store.withdraw(self.session_id, [log.message_id], self.path[-1][0])

    @rule(keep=st.integers(0, 3))
    def go_back(self, keep: int) -> None:
        self.path = self.path[:keep]
        self.store.move(self.session_id, self.path[-1][0] if self.path else 0)

    @rule(data=st.data())
    def switch(self, data: st.DataObject) -> None:
        beside = [row for rows in self.store.forks(self.session_id).values() for row in rows]
        if not beside:
            return
        row = data.draw(st.sampled_from(beside))
        stored = self.store.switch(self.session_id, row)
        assert row in stored.rows
        self.path = list(zip(stored.rows, (each.text for each in stored.conversation.messages), strict=True))

    @invariant()
    def nothing_is_lost(self) -> None:
        stored = self.store.load(self.session_id)

        assert [each.text for each in stored.conversation.messages] == [text for _, text in self.path]
        assert stored.rows == tuple(row for row, _ in self.path)
        assert kept(self.store) == self.texts
        assert self.store.infos()[0].messages == len(self.path)


TestTree = Tree.TestCase
TestTree.settings = settings(max_examples=15, stateful_step_count=15, deadline=None)
