"""A session of very many messages: opened with the last of them, while the others are read."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import FrameType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmterm.assembly.roster import registry
from llmterm.chat.commands.catalogue import catalogue
from llmterm.chat.options import Choices
from llmterm.chat.status import bar
from llmterm.config import Settings
from llmterm.errors import SessionError, UsageError
from llmterm.messages import EndReason, Message, Options, Reply, Segment, StreamLimits, TextDelta
from llmterm.recorded import RecordedTurn
from llmterm.respondent import Respondent
from llmterm.sessions import SessionStore
from llmterm.sessions.current import CurrentSession
from llmterm.sessions.record import LAST
from llmterm.sessions.whole import HeldMessage, HeldSession
from tests.parts import KEYS, Parts
from tests.wire import WireServer, say

CHOICES = Choices(provider="p", model="m", options=Options())
PACKAGE = str(Path(sys.modules["llmterm"].__file__ or "").parent)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SessionStore]:
    with closing(SessionStore(tmp_path)) as store:
        yield store


def message(number: int) -> Message:
    if number % 2 == 0:
        return Message(role="user", text=f"question {number}")
    text = f"answer {number}"
    part = Segment(
        provider="p", model="m", mode="fresh", start=0, end=len(text), end_reason=EndReason.STOP, cost=number / 4
    )
    return Message(role="assistant", text=text, segments=(part,))


def long(store: SessionStore, messages: int = 2 * LAST) -> str:
    path = tuple(HeldMessage(message(number)) for number in range(messages))
    put, _ = store.put(HeldSession(id=None, title="long", system="be brief", path=path))
    assert put.id is not None
    return put.id


def open_last(store: SessionStore, session_id: str) -> CurrentSession:
    session = CurrentSession(store, system="")
    session.open(store.load(session_id, last=LAST))
    return session


async def answer(session: CurrentSession, question: Message, text: str) -> None:
    record = await session.ask(question, CHOICES)
    session.say(question, record.finish(Reply().add(TextDelta(text)), "complete"))
    await session.settled()


@settings(max_examples=25, deadline=None)
@given(
    parents=st.lists(st.integers(0, 30), max_size=30),
    head=st.integers(0, 30),
    last=st.integers(0, 12),
)
def test_the_last_messages_and_those_before_are_all(
    tmp_path_factory: pytest.TempPathFactory, parents: list[int], head: int, last: int
) -> None:
    """On any path of any tree: the same rows and messages, how many, and what they cost."""
    with closing(SessionStore(tmp_path_factory.mktemp("store"))) as store:
        session_id, rows = store.create(), [0]
        for number, parent in enumerate(parents):
            rows.append(store.add(session_id, message(number), after=rows[parent % len(rows)]))
        store.move(session_id, rows[head % len(rows)])
        whole, opened = store.load(session_id), store.load(session_id, last=last)
        before: tuple[list[int], list[Message]] = ([], [])
        if opened.earlier is not None:
            before = store.earlier(session_id, opened.earlier)
            assert opened.earlier.messages == len(before[0])
            assert opened.earlier.cost == (sum(s.cost or 0 for m in before[1] for s in m.segments) or None)

        assert len(opened.rows) == min(last, len(whole.rows))
        if last:
            assert (*before[0], *opened.rows) == whole.rows
            assert (*before[1], *opened.conversation.messages) == whole.conversation.messages
        assert (opened.forks, opened.head, opened.title) == (whole.forks, whole.head, whole.title)


async def test_a_question_takes_along_what_was_not_read_yet(store: SessionStore) -> None:
    """It is asked at once after opening, and is on the record after all that was said."""
    session_id = long(store)
    session = open_last(store, session_id)
    assert (len(session.talk.messages), session.talk.size) == (LAST, 2 * LAST)

    await answer(session, Message(role="user", text="and now?"), "done")

    assert session.talk.messages == store.load(session_id).conversation.messages
    assert [each.text for each in session.talk.messages[::LAST]] == ["question 0", f"question {LAST}", "and now?"]
    assert session.forks == []


async def test_the_line_below_the_prompt_says_the_same_before_and_after_all_is_read(store: SessionStore) -> None:
    """What the conversation costs, without going over all of it; also after some of it was taken back."""
    session = open_last(store, long(store))

    def line() -> str:
        spent = session.talk.before.cost if session.talk.before is not None else None
        return bar(label="p/m", messages=session.talk.recent, title="", spent=spent)

    at_once = line()
    await session.whole()

    assert at_once == line() == bar(label="p/m", messages=session.talk.messages, title="")
    assert len(session.talk.recent) == LAST
    for taken_back in range(1, LAST):
        await session.take_back()
        if taken_back in (1, LAST // 2, LAST // 2 + 1, LAST - 1):
            assert line() == bar(label="p/m", messages=session.talk.messages, title="")
    for _ in range(LAST):
        await answer(session, Message(role="user", text="again?"), "again")
    assert line() == bar(label="p/m", messages=session.talk.messages, title="")


@contextmanager
def calls_on_the_loop() -> Iterator[list[int]]:
    """Count the calls of our functions in this thread."""
    count = [0]

    def hear(frame: FrameType, event: str, _argument: object) -> None:
        # What a dataclass makes has no file.
        if event == "call" and frame.f_code.co_filename.startswith((PACKAGE, "<string>")):
            count[0] += 1

    before = sys.getprofile()
    sys.setprofile(hear)
    try:
        yield count
    finally:
        sys.setprofile(before)


async def test_nothing_is_made_of_the_messages_on_the_loop(store: SessionStore) -> None:
    """Neither when the session is opened nor when the rest of it is there."""
    session_id = long(store, 20 * LAST)
    stored = store.load(session_id, last=LAST)
    session = CurrentSession(store, system="")

    with calls_on_the_loop() as calls:
        session.open(stored)
        await session.whole()

    assert session.talk.size == 20 * LAST == len(session.talk.messages)
    assert calls[0] < 5 * LAST


async def test_what_is_gone_before_it_was_read_refuses_a_question(store: SessionStore) -> None:
    """Somebody has deleted the session in between: nothing is written, and another one can be opened."""
    deleted, other = long(store), long(store)
    stored = store.load(deleted, last=LAST)
    store.delete(deleted)
    session = CurrentSession(store, system="")
    session.open(stored)

    with pytest.raises(SessionError, match=f"session {deleted}"):
        await session.ask(Message(role="user", text="and now?"), CHOICES)
    assert [info.id for info in store.infos()] == [other]
    session.open(store.load(other, last=LAST))
    await answer(session, Message(role="user", text="and now?"), "done")
    assert store.load(other).conversation.messages == session.talk.messages


async def test_half_a_session_is_never_written_into_another_file(store: SessionStore) -> None:
    """The file is deleted before all of the session was read: what is not whole is not put into the new one."""
    stored = store.load(long(store), last=LAST)
    store.close()
    session = CurrentSession(store, system="")
    for path in store.path.parent.glob("sessions.db*"):
        path.unlink()
    session.open(stored)

    with pytest.raises(SessionError):
        await session.set_title("another")
    await session.keeper.last_chance(0)
    assert store.infos() == []


async def test_another_session_is_opened_while_one_is_read(store: SessionStore) -> None:
    """What was read of the first does not come into the second."""
    first, second = long(store), long(store, LAST // 2)
    session = open_last(store, first)
    session.open(store.load(second, last=LAST))

    await session.whole()
    await session.settled()

    assert session.talk.messages == store.load(second).conversation.messages


def test_a_session_that_is_short_is_read_at_once(store: SessionStore) -> None:
    session_id = long(store, LAST)

    assert store.load(session_id, last=LAST) == store.load(session_id)


@pytest.mark.parametrize("line", ["/tokens", "/branch 500", "/branch", "/pager all", "/continue"])
async def test_no_command_goes_over_all_messages_on_the_loop(store: SessionStore, line: str) -> None:
    parts = Parts(store)
    parts.session.open(store.load(long(store, 20 * LAST), last=LAST))
    await parts.session.whole()

    with calls_on_the_loop() as calls, suppress(UsageError):
        await catalogue(KEYS).run(parts.context, line)

    assert calls[0] < 5 * LAST


async def test_no_turn_of_the_loop_goes_over_all_messages_that_a_question_follows(store: SessionStore) -> None:
    """The request, what of it cannot be sent, about how many tokens it takes, its payload and its body."""
    session = open_last(store, long(store, 40 * LAST))
    question = Message(role="user", text="and now?")
    most = [0]

    async def watch(calls: list[int]) -> None:
        while True:
            before = calls[0]
            await asyncio.sleep(0)
            most[0] = max(most[0], calls[0] - before)

    with WireServer(say("done.")) as server:
        providers = registry(Settings(), {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "sk-test"})
        provider = providers.get("openai")
        respondent = Respondent(provider=provider, model="m", options=Options(), limits=StreamLimits())
        await session.ready()
        with calls_on_the_loop() as calls:
            watching = asyncio.create_task(watch(calls))
            turn = await respondent.turn(await session.conversation(question))
            async with RecordedTurn(turn, session, question):
                async for _ in turn.events():
                    pass
            watching.cancel()
        await providers.aclose()
    await session.keeper.last_chance(0)

    assert turn.reply.text == "done."
    assert len(server.exchanges[0].body["messages"]) == 40 * LAST + 2
    assert 0 < most[0] < 20 * LAST
