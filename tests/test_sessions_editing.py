"""What is done to a session afterwards: a title, a branch, an answer rewritten."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmterm.errors import SessionError
from llmterm.messages import EndReason, Message, Options, Reply, Rope, Segment, TextDelta
from llmterm.sessions import AnswerLog, SessionStore
from llmterm.sessions.owner import Owner
from llmterm.sessions.titles import TITLE_LENGTH
from tests.values import MESSAGE, TEXT

DEAD = Owner(pid=0, host="", born="")


class Ticks:
    """A clock that goes on by a second each time it is read."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 2, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SessionStore]:
    with closing(SessionStore(tmp_path, clock=Ticks(), owner=DEAD)) as store:
        yield store


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SessionStore]:
    """One store for all examples of a property."""
    with closing(SessionStore(tmp_path_factory.mktemp("shared"))) as store:
        yield store


def talk(store: SessionStore, *texts: str) -> str:
    """Store a session of questions and answers in turn, and return its id."""
    session_id = store.create(system="be brief")
    for number, text in enumerate(texts):
        store.add(session_id, Message(role="assistant" if number % 2 else "user", text=text))
    return session_id


def texts(store: SessionStore, session_id: str) -> list[str]:
    return [message.text for message in store.load(session_id, peek=True).conversation.messages]


def begin(store: SessionStore, session_id: str, *, piped: bool = False) -> AnswerLog:
    return store.begin(session_id, provider="p", model="m", options=Options(), piped=piped)


# Titles


@pytest.mark.parametrize(
    ("given_title", "kept"),
    [
        ("The moon", "The moon"),
        ("  two\n lines\t", "two lines"),
        ("x" * 61, "x" * 59 + "…"),
        ("ring \x1b]0;x\x07", "ring \N{REPLACEMENT CHARACTER}]0;x\N{REPLACEMENT CHARACTER}"),
        ("\udc80", "\N{REPLACEMENT CHARACTER}"),
    ],
)
def test_a_title_is_a_line_that_a_list_has_room_for(store: SessionStore, given_title: str, kept: str) -> None:
    """One line, at most 60 characters, nothing a terminal obeys; said back as it is kept."""
    session_id = talk(store, "how far is the moon?")

    answered = store.set_title(session_id, given_title)

    assert answered == store.load(session_id).title == kept


def test_a_title_given_at_the_beginning_is_a_line_as_well(store: SessionStore) -> None:
    """However it gets there, a list has room for it."""
    session_id = store.create(title="two\nlines " * 30)

    assert store.load(session_id).title == ("two lines " * 30)[: TITLE_LENGTH - 1].rstrip() + "…"


def test_a_new_title_does_not_make_a_session_the_latest(store: SessionStore) -> None:
    """To tidy up old sessions is not to go on with them, and later questions leave the title alone."""
    old, new = talk(store, "one"), talk(store, "two")

    store.set_title(old, "tidy")

    assert store.latest() == new
    store.add(old, Message(role="user", text="another"))
    assert store.load(old).title == "tidy"


@pytest.mark.parametrize("nothing", ["", " \n\t"])
def test_an_empty_title_is_refused(store: SessionStore, nothing: str) -> None:
    """A session that has a title keeps it."""
    session_id = talk(store, "one")

    with pytest.raises(SessionError, match="cannot be empty"):
        store.set_title(session_id, nothing)

    assert store.load(session_id).title == "one"


def test_the_list_can_be_cut(store: SessionStore) -> None:
    """The newest of the sessions are enough where there is no room for more."""
    ids = [talk(store, str(number)) for number in range(4)]

    listed = [[info.id for info in store.infos(limit)] for limit in (0, 2, 9, None, -1)]

    assert listed == [[], [ids[3], ids[2]], ids[::-1], ids[::-1], []]


def test_the_list_can_have_open_answers_only(store: SessionStore) -> None:
    """With the newest first as well."""
    talk(store, "why?", "because")
    opened = [talk(store, "how?"), talk(store, "when?")]
    for session_id in opened:
        begin(store, session_id).pause(Reply(), EndReason.PAUSE)
    talk(store, "and?")

    listed = store.infos(opened=True)

    assert [info.id for info in listed] == opened[::-1]
    assert [(info.state, info.messages) for info in listed] == [("paused", 2)] * 2
    assert [info.id for info in store.infos(1, opened=True)] == [opened[1]]


# Branches


@given(messages=st.lists(MESSAGE, max_size=4), system=TEXT, title=TEXT, data=st.data())
def test_a_branch_begins_as_its_session_did(
    shared: SessionStore, messages: list[Message], system: str, title: str, data: st.DataObject
) -> None:
    """Everything of the messages is in it: segments, attachments, thinking, opaque data. The original is as it was."""
    keep = data.draw(st.integers(0, len(messages)))
    session_id = shared.create(system=system, title=title)
    for message in messages:
        shared.add(session_id, message)
    before = shared.load(session_id)

    branch_id = shared.branch(session_id, keep)

    branch = shared.load(branch_id)
    assert branch.conversation.messages == tuple(messages[:keep])
    assert branch.conversation.system == system
    assert len(branch.title) <= max(TITLE_LENGTH, len(title))
    assert shared.load(session_id) == before


def test_a_branch_and_its_session_go_their_own_ways(store: SessionStore) -> None:
    """What is added to one is not in the other, and either can be deleted."""
    session_id = talk(store, "why?", "because", "and?", "so")
    branch_id = store.branch(session_id, 2)
    store.add(branch_id, Message(role="user", text="or?"))

    store.delete(session_id)

    assert texts(store, branch_id) == ["why?", "because", "or?"]
    assert store.latest() == branch_id


def test_a_branch_has_all_of_a_long_answer(store: SessionStore) -> None:
    """An answer that is stored in pieces is copied whole."""
    session_id = talk(store, "count")
    long = Reply()
    for number in range(40_000):
        long = long.add(TextDelta(f"{number} "))
    begin(store, session_id).finish(long)

    branch_id = store.branch(session_id, 2)

    assert len(long.body) > 2 * Rope.LARGEST
    assert texts(store, branch_id) == ["count", long.text]


def test_branches_have_titles_of_their_own(store: SessionStore) -> None:
    """They are numbered, those of a branch too, and a long title makes room for the number."""
    session_id, long = talk(store, "The moon"), talk(store, "x" * 60)

    branches = [store.branch(session_id, 1)]
    branches += [
        store.branch(branches[0], 1),
        store.branch(session_id, 1),
        store.branch(long, 1),
        store.branch(long, 0),
    ]

    assert [store.load(each).title for each in branches] == [
        "The moon (branch)",
        "The moon (branch 2)",
        "The moon (branch 3)",
        "x" * 50 + "… (branch)",
        "x" * 48 + "… (branch 2)",
    ]


def test_a_branch_of_an_untitled_session_is_named_by_its_first_question(store: SessionStore) -> None:
    """There is nothing to make a title of yet."""
    branch_id = store.branch(talk(store), 0)

    store.add(branch_id, Message(role="user", text="why?"))

    assert store.load(branch_id).title == "why?"


def test_an_open_answer_is_not_copied(store: SessionStore) -> None:
    """It stays where it is, paused; the branch ends with the question."""
    session_id = talk(store, "why?")
    begin(store, session_id).pause(Reply().add(TextDelta("bec")), EndReason.PAUSE)

    branch_id = store.branch(session_id, 1)

    assert texts(store, branch_id) == ["why?"]
    assert [info.state for info in store.infos()] == ["complete", "paused"]
    with pytest.raises(SessionError, match="has 1 messages to branch after, not 2"):
        store.branch(session_id, 2)


@pytest.mark.parametrize("keep", [-1, 3, 2**70])
def test_a_branch_after_a_message_that_is_not_there_is_refused(store: SessionStore, keep: int) -> None:
    """Nothing is made."""
    session_id = talk(store, "why?", "because")

    with pytest.raises(SessionError, match="has 2 messages"):
        store.branch(session_id, keep)

    assert len(store.infos()) == 1


# Changes of somebody else


def test_a_change_is_refused_once_somebody_else_has_made_one(store: SessionStore) -> None:
    """What the other one said stays; with the last message as it is now the same change is made."""
    session_id = talk(store, "why?", "because")
    head = store.load(session_id).head
    store.add(session_id, Message(role="user", text="and?"), head=head)
    store.add(session_id, Message(role="assistant", text="so"))
    how = Message(role="user", text="how?")
    calls: list[Callable[[int], object]] = [
        lambda head: store.rewrite(session_id, Message(role="assistant", text="thus"), head=head),
        lambda head: store.add(session_id, how, head=head),
        lambda head: store.add(session_id, how, after=0, head=head),
        lambda head: store.move(session_id, head, head=head),
        lambda head: store.switch(session_id, head, head=head),
        lambda head: store.begin(session_id, provider="p", model="m", options=Options(), head=head),
        lambda head: store.withdraw(session_id, [], 0, head=head),
    ]

    for call in calls:
        with pytest.raises(SessionError, match="changed by another llmterm") as caught:
            call(head)
        assert caught.value.hint == f"/load {session_id} opens it as it is now"

    assert texts(store, session_id) == ["why?", "because", "and?", "so"]
    for call in calls:
        call(store.load(session_id, peek=True).head)


def test_an_empty_session_is_known_to_be_empty(store: SessionStore) -> None:
    """Nothing is a state as well."""
    session_id = store.create()
    head = store.load(session_id).head
    store.add(session_id, Message(role="user", text="why?"), head=head)

    with pytest.raises(SessionError, match="changed by another llmterm"):
        store.add(session_id, Message(role="user", text="how?"), head=head)

    assert texts(store, session_id) == ["why?"]


# Rewriting


def test_the_last_answer_is_rewritten(store: SessionStore) -> None:
    """In its place, with nothing left of what it was."""
    session_id = talk(store, "why?", "because")

    store.rewrite(session_id, Message(role="assistant", text="just so"))

    assert texts(store, session_id) == ["why?", "just so"]


@pytest.mark.parametrize("said", [[], ["why?"], ["why?", "because", "and?"]])
def test_a_question_without_answer_is_not_rewritten(store: SessionStore, said: list[str]) -> None:
    """What the user wrote stays as it is."""
    session_id = talk(store, *said)

    with pytest.raises(SessionError, match="no answer at its end"):
        store.rewrite(session_id, Message(role="assistant", text="just so"))

    assert texts(store, session_id) == said


# Opening again


def test_an_answer_that_is_opened_again_has_the_options_it_is_given(store: SessionStore) -> None:
    """The record of an answer does not keep what it was asked for with."""
    session_id = talk(store, "why?")
    log = begin(store, session_id)
    part = Segment(provider="p", model="m", mode="fresh", start=0, end=3, end_reason=EndReason.CANCEL)
    log.finish(Reply().add(TextDelta("bec")).close(part), "interrupted")
    options = Options(temperature=0.5, max_tokens=7, seed=3)

    opened = store.open_again(session_id, options)

    assert opened.answer is not None
    assert opened.answer.options == options


# Finding by title


@pytest.mark.parametrize("typed", ["ban", "BREAD banana", " recipe ", "nana"])
def test_sessions_are_found_by_words_of_their_titles(store: SessionStore, typed: str) -> None:
    """All the words, in any order and case."""
    bread = store.create(title="Banana bread recipe")
    store.create(title="Bananas")

    found = [session_id for session_id, _ in store.matching(typed)]

    assert bread in found
    assert found == [bread] or typed in ("ban", "nana")


def test_sessions_are_found_by_the_beginning_of_their_ids(store: SessionStore) -> None:
    """However many are newer."""
    oldest = talk(store, "why?")
    for _ in range(30):
        talk(store, "why not?")

    assert (oldest, "why?") in store.matching(oldest[:7].upper(), limit=20)
    assert len(store.matching("", limit=20)) == 20
    assert store.matching("why", limit=1) == [(store.latest(), "why not?")]


@given(st.text(max_size=30))
def test_whatever_is_typed_finds_only_sessions_that_are_there(shared: SessionStore, typed: str) -> None:
    """No character has a meaning."""
    session_id = shared.create(title=typed)

    found = dict(shared.matching(typed))

    assert session_id in found
    shared.delete(session_id)


def test_an_unknown_name_is_answered_with_the_nearest_title(store: SessionStore) -> None:
    """Where a word of a title is nearer than any id can be."""
    bread = store.create(title="Banana bread recipe")
    for _ in range(9):
        store.create(title="Owls")

    with pytest.raises(SessionError, match="no session 'bananna'") as caught:
        store.find("bananna")

    assert f"the nearest is {bread}, 'Banana bread recipe'" in caught.value.hint


# Unknown sessions


@pytest.mark.parametrize("given_id", ["", "\udc80", "a\0b", "%", "nope"])
def test_an_impossible_id_is_unknown(store: SessionStore, given_id: str) -> None:
    """Whatever is passed as an id, the answer is that there is no such session."""
    talk(store, "why?")
    calls: list[Callable[[], object]] = [
        lambda: store.set_title(given_id, "x"),
        lambda: store.move(given_id, 0),
        lambda: store.switch(given_id, 1),
        lambda: store.branch(given_id, 0),
        lambda: store.rewrite(given_id, Message(role="assistant", text="x")),
        lambda: store.open_again(given_id, Options()),
    ]

    for call in calls:
        with pytest.raises(SessionError, match="no session"):
            call()


# Pipes


def test_an_answer_asked_for_through_a_pipe_is_known_until_somebody_goes_on_with_it(store: SessionStore) -> None:
    """Its pauses and its end by a crash do not make it one that a user at a terminal had left."""
    session_id = talk(store, "why?")
    log = begin(store, session_id, piped=True)

    marks = [store.infos()[0].piped]
    log.pause(Reply().add(TextDelta("bec")), EndReason.NETWORK)
    marks.append(store.infos()[0].piped)
    log.resume(provider="p", model="m")
    marks.append(store.infos()[0].piped)
    log.finish(Reply().add(TextDelta("because")))
    marks.append(store.infos()[0].piped)

    assert marks == [True, True, False, False]
