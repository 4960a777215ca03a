"""The answer being streamed: nothing that was journalled is ever lost, and no two processes mix their texts."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from llmterm.errors import SessionError
from llmterm.messages import (
    EndReason,
    Message,
    Options,
    Reply,
    Rope,
    Segment,
    Status,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
    Timing,
    Usage,
)
from llmterm.sessions import AnswerLog, OpenAnswer, SessionStore
from llmterm.sessions.owner import Owner

DEAD = Owner(pid=0, host="", born="")
OPTIONS = Options(temperature=0.5, stop=("\n\n",))


class Ticks:
    """A clock that goes on by a quarter of a second each time it is read."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 2, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=250)
        return self.now


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SessionStore]:
    with closing(SessionStore(tmp_path)) as store:
        yield store


@pytest.fixture
def doomed(tmp_path: Path) -> Iterator[SessionStore]:
    """A store of a process that is dead to all others."""
    with closing(SessionStore(tmp_path, clock=Ticks(), owner=DEAD)) as store:
        yield store


def begin(store: SessionStore) -> tuple[str, AnswerLog]:
    session_id = store.create(system="be brief")
    store.add(session_id, Message(role="user", text="why?"))
    return session_id, store.begin(session_id, provider="openai", model="gpt", options=OPTIONS)


def reply_of(*events: StreamEvent | str) -> Reply:
    reply = Reply()
    for event in events:
        reply = reply.add(TextDelta(event) if isinstance(event, str) else event)
    return reply


def segment(reply: Reply, reason: EndReason = EndReason.PAUSE) -> Segment:
    start = reply.segments[-1].end if reply.segments else 0
    return Segment(provider="openai", model="gpt", mode="fresh", start=start, end=len(reply.body), end_reason=reason)


def open_answer(store: SessionStore, session_id: str, *, peek: bool = False) -> OpenAnswer:
    answer = store.load(session_id, peek=peek).answer
    assert answer is not None
    return answer


def rows(store: SessionStore, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(store.path)) as database:
        return database.execute(sql).fetchall()


# Journalling


def test_journalling_writes_each_character_once(store: SessionStore) -> None:
    """The cost is linear: what all the appends wrote is the text itself, however many there were."""
    _, log = begin(store)
    reply = Reply()
    for number in range(300):
        reply = reply.add(TextDelta(f"{number} ")).add(ThinkingDelta(f"<{number}>"))
        if number % 3 == 0:
            log.journal(reply)
    log.journal(reply)

    written = rows(store, "SELECT text, thinking FROM journal ORDER BY seq")

    assert len(written) == 101
    assert "".join(str(text) for text, _ in written) == reply.text
    assert "".join(str(thinking) for _, thinking in written) == reply.thinking
    assert rows(store, "SELECT text, thinking FROM messages WHERE role = 'assistant'") == [("", "")]


def test_journalling_nothing_new_writes_nothing(store: SessionStore) -> None:
    """A stalled stream costs no commits, nor does a reply that got shorter before its pause."""
    _, log = begin(store)
    reply = reply_of("some text")
    log.journal(reply)

    log.journal(reply)
    log.journal(reply.cut(4))

    assert len(rows(store, "SELECT * FROM journal")) == 1


def test_an_answer_takes_no_more_memory_once_it_is_stored(store: SessionStore) -> None:
    """In whatever script: Python leaves beside a text what SQLite was given of it in UTF-8, twice its own size here."""
    _, log = begin(store)
    reply = reply_of("wé" * 50_000, "é" * 30_000)
    before = sum(map(sys.getsizeof, reply.body.parts))

    log.journal(reply)
    log.pause(reply, EndReason.PAUSE)
    log.finish(reply)

    assert sum(map(sys.getsizeof, reply.body.parts)) == before


def test_a_pause_moves_the_journal_into_the_message(store: SessionStore) -> None:
    """After a pause the row has everything, also what was never journalled."""
    session_id, log = begin(store)
    log.journal(reply_of("one "))
    reply = reply_of("one ", "two", ThinkingDelta("hm"))

    log.pause(reply, EndReason.PAUSE)

    assert rows(store, "SELECT * FROM journal") == []
    assert open_answer(store, session_id).message == reply.message("interrupted")


def test_a_paused_answer_is_not_journalled(store: SessionStore) -> None:
    """What the disk says is paused stays as it was at the pause, until `resume`."""
    session_id, log = begin(store)
    log.pause(reply_of("one "), EndReason.PAUSE)

    with pytest.raises(SessionError, match="paused"):
        log.journal(reply_of("one ", "two"))

    assert open_answer(store, session_id).message.text == "one "


@pytest.mark.parametrize(
    "change",
    [
        lambda log: log.pause(reply_of("one"), EndReason.PAUSE),
        lambda log: log.resume(provider="openai", model="gpt"),
        lambda log: log.finish(reply_of("one")),
        lambda log: log.discard(),
    ],
    ids=["pause", "resume", "finish", "discard"],
)
def test_every_change_of_an_answer_makes_its_session_the_latest(
    doomed: SessionStore, change: Callable[[AnswerLog], None]
) -> None:
    """What the user last had to do with comes first in the list."""
    session_id, log = begin(doomed)
    doomed.create()

    change(log)

    assert doomed.latest() == session_id


def test_a_pause_may_take_text_back(store: SessionStore) -> None:
    """A marker's beginning that had been journalled is gone after the pause, and the answer goes on from there."""
    session_id, log = begin(store)
    reply = reply_of("one !!CAN")
    log.journal(reply)
    log.pause(reply.cut(5), EndReason.MARKER)
    log.resume(provider="openai", model="gpt")

    log.journal(reply_of("one ", "two"))

    answer = open_answer(store, session_id, peek=True)
    assert answer.message.text == "one two"


# Pausing, going on, ending


def test_an_answer_is_paused_and_gone_on_with_many_times(store: SessionStore) -> None:
    """One message grows over all its segments, and each pause says why it was made."""
    session_id, log = begin(store)
    reply = Reply()
    for number, reason in enumerate([EndReason.PAUSE, EndReason.NETWORK, EndReason.LENGTH]):
        reply = reply.add(TextDelta(f"part {number}. "))
        log.journal(reply)
        reply = reply.close(segment(reply, reason))
        log.pause(reply, reason)
        assert open_answer(store, session_id).reason is reason
        log.resume(provider="openai", model="gpt")

    log.finish(reply)

    session = store.load(session_id)
    assert session.answer is None
    assert session.conversation.messages[-1] == reply.message("complete")
    assert store.infos()[0].state == "complete"


def test_an_open_answer_remembers_who_went_on_with_it(store: SessionStore) -> None:
    """After a change of model the answer is resumed with the new one, and asked for with the same options."""
    session_id, log = begin(store)
    log.pause(reply_of("one "), EndReason.PAUSE)

    log.resume(provider="ollama", model="llama")
    log.pause(reply_of("one ", "two"), EndReason.PAUSE)

    answer = open_answer(store, session_id)
    assert (answer.provider, answer.model, answer.options) == ("ollama", "llama", OPTIONS)


def test_an_interrupted_answer_can_be_kept(store: SessionStore) -> None:
    """Kept for good, it is a message like any other, and the next question follows it."""
    session_id, log = begin(store)
    partial = reply_of("half an ans")

    log.finish(partial, "interrupted")

    store.add(session_id, Message(role="user", text="go on to something else"))
    session = store.load(session_id)
    assert session.answer is None
    assert session.conversation.messages[1] == partial.message("interrupted")
    assert len(session.conversation.messages) == 3


def test_a_discarded_answer_leaves_the_question(store: SessionStore) -> None:
    """What came of it stays beside it, journal and all, and the question can be asked anew."""
    session_id, log = begin(store)
    reply = reply_of("nonsense")
    log.pause(reply.close(segment(reply)), EndReason.PAUSE)
    log.resume(provider="openai", model="gpt")
    log.journal(reply_of("nonsense", " more"))

    log.discard()

    assert [message.text for message in store.load(session_id).conversation.messages] == ["why?"]
    assert [rows(store, f"SELECT * FROM {table}") for table in ("journal", "open_answers")] == [[], []]
    assert rows(store, "SELECT text, status FROM messages")[1:] == [("nonsense more", "interrupted")]
    store.begin(session_id, provider="openai", model="gpt", options=OPTIONS).finish(Reply())
    assert len(store.load(session_id).conversation.messages) == 2


def test_nothing_can_follow_an_answer_that_is_not_over(store: SessionStore) -> None:
    """What it will say is not known yet."""
    session_id, log = begin(store)
    log.pause(reply_of("one"), EndReason.PAUSE)

    with pytest.raises(SessionError, match="is not over"):
        store.add(session_id, Message(role="user", text="next"))
    with pytest.raises(SessionError, match="is not over"):
        store.begin(session_id, provider="openai", model="gpt", options=OPTIONS)

    assert open_answer(store, session_id).message.text == "one"


def test_an_answer_that_is_over_is_not_written_any_more(store: SessionStore) -> None:
    """A late call of any kind is refused and changes nothing."""
    session_id, log = begin(store)
    final = reply_of("done")
    log.finish(final)
    late = reply_of("done", " and more")
    calls: list[Callable[[], None]] = [
        lambda: log.journal(late),
        lambda: log.pause(late, EndReason.PAUSE),
        lambda: log.resume(provider="openai", model="gpt"),
        lambda: log.finish(late),
        log.discard,
    ]

    for call in calls:
        with pytest.raises(SessionError, match="paused, over"):
            call()

    assert store.load(session_id).conversation.messages[-1] == final.message("complete")


# Two processes


def test_a_session_being_answered_is_refused_to_others_but_can_be_looked_at(store: SessionStore) -> None:
    """While its process lives nobody else goes on with an answer; showing it works, with what is there so far."""
    session_id, log = begin(store)
    log.journal(reply_of("so far"))

    with pytest.raises(SessionError, match=r"being answered in another llmterm \(pid \d+\)"):
        store.load(session_id)
    with pytest.raises(SessionError, match="being answered"):
        store.delete(session_id)

    assert store.infos()[0].state == "streaming"
    assert open_answer(store, session_id, peek=True).message.text == "so far"


def test_only_one_process_goes_on_with_a_paused_answer(store: SessionStore) -> None:
    """The second to go on with it is refused, so that it cannot put its own text in the place of the first's."""
    session_id, mine = begin(store)
    mine.pause(reply_of("one "), EndReason.PAUSE)
    theirs = store.reopen(open_answer(store, session_id))
    theirs.resume(provider="ollama", model="llama")
    theirs.journal(reply_of("one ", "two"))
    theirs.pause(reply_of("one ", "two"), EndReason.PAUSE)

    with pytest.raises(SessionError, match="another llmterm"):
        mine.resume(provider="openai", model="gpt")
    with pytest.raises(SessionError, match="another llmterm"):
        mine.pause(reply_of("one ", "uno"), EndReason.PAUSE)

    assert open_answer(store, session_id).message.text == "one two"


def test_an_answer_that_changed_since_it_was_read_is_not_reopened(store: SessionStore) -> None:
    """What another process wrote meanwhile is read first."""
    session_id, log = begin(store)
    log.pause(reply_of("one "), EndReason.PAUSE)
    stale = open_answer(store, session_id)
    log.resume(provider="openai", model="gpt")
    log.pause(reply_of("one ", "two"), EndReason.PAUSE)

    with pytest.raises(SessionError, match="changed"):
        store.reopen(stale)

    assert store.reopen(open_answer(store, session_id)).message_id == log.message_id


def test_an_answer_that_streams_is_not_reopened(store: SessionStore) -> None:
    """Having looked at it does not give the right to go on with it."""
    session_id, log = begin(store)
    log.journal(reply_of("one "))

    with pytest.raises(SessionError, match="changed"):
        store.reopen(open_answer(store, session_id, peek=True))

    log.pause(reply_of("one "), EndReason.PAUSE)
    assert open_answer(store, session_id).message.text == "one "


# After a crash


def test_a_cut_answer_is_offered_with_all_its_journal(doomed: SessionStore) -> None:
    """Its last part gets the record that its process could not write: who wrote it, and for how long."""
    session_id, log = begin(doomed)
    first = reply_of("one ")
    first = first.close(segment(first))
    log.pause(first, EndReason.PAUSE)
    log.resume(provider="ollama", model="llama", mode="prefill", guidance="in French")
    reply = first
    for word in ("deux ", "trois"):
        reply = reply.add(TextDelta(word))
        log.journal(reply)

    answer = open_answer(doomed, session_id)

    cut = Segment(
        provider="ollama",
        model="llama",
        mode="prefill",
        start=4,
        end=14,
        end_reason=EndReason.CRASH,
        usage=Usage(output_tokens=2, estimated=True),
        timing=Timing(duration_ms=500),
        guidance="in French",
    )
    assert answer.reason is EndReason.CRASH
    assert answer.message == replace(reply.message("interrupted"), segments=(*first.segments, cut))
    assert doomed.infos()[0].state == "cut"


def test_an_answer_cut_before_its_first_word_is_offered_empty(doomed: SessionStore) -> None:
    """No word, no segment; but the question and how it was asked are there."""
    session_id, _ = begin(doomed)

    answer = open_answer(doomed, session_id)

    assert answer.message == Message(role="assistant", status="interrupted")
    assert (answer.reason, answer.options) == (EndReason.CRASH, OPTIONS)


def test_a_cut_answer_can_be_gone_on_with_and_cut_again(doomed: SessionStore) -> None:
    """Reopened, it is paused and whole; what comes then is appended to what there was."""
    session_id, log = begin(doomed)
    log.journal(reply_of("one "))
    log = doomed.reopen(open_answer(doomed, session_id))
    paused = doomed.infos()[0].state

    reply = Reply.of(open_answer(doomed, session_id).message)
    log.resume(provider="openai", model="gpt")
    log.journal(reply.add(TextDelta("two")))

    answer = open_answer(doomed, session_id)
    assert paused == "paused"
    assert answer.message.text == "one two"
    assert [(each.start, each.end, each.end_reason) for each in answer.message.segments] == [
        (0, 4, EndReason.CRASH),
        (4, 7, EndReason.CRASH),
    ]


@pytest.mark.parametrize("reports", [1, 2, 7, 30, 111])
def test_a_killed_process_loses_nothing_it_had_journalled(tmp_path: Path, reports: int) -> None:
    """Killed at any moment: found is the beginning of what was sent, up to the last journalled word at least."""
    script = (
        "import itertools, sys\n"
        "from pathlib import Path\n"
        "from llmterm.messages import *\n"
        "from llmterm.sessions import SessionStore\n"
        "store = SessionStore(Path(sys.argv[1]))\n"
        "session = store.create()\n"
        "store.add(session, Message(role='user', text='count'))\n"
        "log = store.begin(session, provider='p', model='m', options=Options())\n"
        "reply = Reply()\n"
        "print(session, flush=True)\n"
        "for n in itertools.count():\n"
        "    reply = reply.add(TextDelta(f'{n} '))\n"
        "    log.journal(reply)\n"
        "    print(len(reply.body), flush=True)\n"
        "    if n % 10 == 9:\n"
        "        log.pause(reply, EndReason.PAUSE)\n"
        "        log.resume(provider='p', model='m')\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        session_id = child.stdout.readline().strip()
        reported = [child.stdout.readline() for _ in range(reports)]
        child.kill()
        reported += child.stdout.readlines()

    with closing(SessionStore(tmp_path)) as store:
        found = store.load(session_id).answer

    assert found is not None
    # Of the last line, only what the kill left whole.
    journalled = max(int(line) for line in reported if line.endswith("\n"))
    sent = "".join(f"{n} " for n in range(len(found.message.text) + 1))
    assert sent.startswith(found.message.text)
    assert len(found.message.text) >= journalled
    assert found.message.segments[-1:] == () or found.message.segments[-1].end == len(found.message.text)


# All of it, in any order

TEXT = st.text(st.characters(exclude_categories=()), min_size=1, max_size=8)


class AnswerMachine(RuleBasedStateMachine):
    """A store whose process dies at will, beside a model that remembers what has to be there."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.store = SessionStore(Path(self.folder.name), owner=DEAD)
        self.session_id = self.store.create()
        self.messages: list[Message] = []
        self.log: AnswerLog | None = None
        self.streaming = False
        self.reply = Reply()
        self.stored = Reply()

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()

    def live(self) -> AnswerLog:
        assert self.log is not None
        return self.log

    @precondition(lambda self: self.log is None)
    @rule(text=TEXT)
    def ask(self, text: str) -> None:
        message = Message(role="user", text=text)
        self.store.add(self.session_id, message)
        self.messages.append(message)

    @precondition(lambda self: self.log is None)
    @rule()
    def begin(self) -> None:
        self.log = self.store.begin(self.session_id, provider="p", model="m", options=OPTIONS)
        self.reply = self.stored = Reply()
        self.streaming = True

    @precondition(lambda self: self.streaming)
    @rule(text=TEXT, thinking=st.booleans())
    def receive(self, text: str, thinking: bool) -> None:
        self.reply = self.reply.add(ThinkingDelta(text) if thinking else TextDelta(text))

    @precondition(lambda self: self.streaming)
    @rule(text=TEXT.filter(bool), thinking=st.booleans())
    def receive_more_than_a_piece(self, text: str, thinking: bool) -> None:
        self.receive(text * (Rope.LARGEST // len(text) + 1), thinking)

    @precondition(lambda self: self.streaming)
    @rule()
    def journal(self) -> None:
        self.live().journal(self.reply)
        self.stored = self.reply

    @precondition(lambda self: self.log is not None)
    @rule(reason=st.sampled_from(EndReason), cut=st.integers(0, 5))
    def pause(self, reason: EndReason, cut: int) -> None:
        self.reply = self.reply.close(segment(self.reply, reason)).cut(min(cut, len(self.reply.body)))
        self.live().pause(self.reply, reason)
        self.stored = self.reply
        self.streaming = False

    @precondition(lambda self: self.log is not None and not self.streaming)
    @rule()
    def resume(self) -> None:
        self.live().resume(provider="p", model="m")
        self.streaming = True

    @precondition(lambda self: self.log is not None)
    @rule(status=st.sampled_from(["complete", "interrupted"]))
    def finish(self, status: Status) -> None:
        self.live().finish(self.reply, status)
        self.messages.append(self.reply.message(status))
        self.log, self.streaming = None, False

    @precondition(lambda self: self.log is not None)
    @rule()
    def discard(self) -> None:
        self.live().discard()
        self.log, self.streaming = None, False

    @precondition(lambda self: self.log is not None)
    @rule()
    def die(self) -> None:
        self.store.close()
        self.store = SessionStore(Path(self.folder.name), owner=DEAD)
        answer = open_answer(self.store, self.session_id)
        self.log = self.store.reopen(answer)
        self.reply = self.stored = Reply.of(answer.message)
        self.streaming = False

    @invariant()
    def what_was_stored_is_there(self) -> None:
        session = self.store.load(self.session_id)

        assert list(session.conversation.messages) == self.messages
        assert (session.answer is None) == (self.log is None)
        if session.answer is not None:
            message = session.answer.message
            assert (message.text, message.thinking) == (self.stored.text, self.stored.thinking)
            assert message.segments[: len(self.stored.segments)] == self.stored.segments
            assert (session.answer.reason is EndReason.CRASH) or not self.streaming


TestAnswerMachine = AnswerMachine.TestCase
TestAnswerMachine.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
