"""The session that is open in a chat: asked again and otherwise, gone back, and kept beside what was there."""

from __future__ import annotations

import asyncio
import tempfile
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing
from functools import partial
from pathlib import Path
from typing import Self

import pytest

from llmterm.chat.commands.catalogue import catalogue
from llmterm.chat.completion import Completion
from llmterm.chat.options import Choices
from llmterm.chat.outcome import Open, Outcome, Say
from llmterm.chat.suggestion import Found
from llmterm.errors import SessionError, UsageError
from llmterm.messages import EndReason, Message, Options, Reply, Segment, TextDelta
from llmterm.sessions import AnswerLog, SessionStore
from llmterm.sessions.current import CurrentSession
from llmterm.sessions.owner import Owner
from llmterm.sessions.versions import neighbour
from tests.clock import instant
from tests.parts import KEYS, Parts

CHOICES = Choices(provider="p", model="m", options=Options())


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SessionStore]:
    with closing(SessionStore(tmp_path)) as store:
        yield store


@asynccontextmanager
async def chatting(store: SessionStore) -> AsyncIterator[CurrentSession]:
    session = CurrentSession(store, system="be brief")
    yield session
    await session.keeper.last_chance(0)


@pytest.fixture
async def session(store: SessionStore) -> AsyncIterator[CurrentSession]:
    async with chatting(store) as session:
        yield session


def question(text: str) -> Message:
    return Message(role="user", text=text)


async def say(session: CurrentSession, asked: str, answer: str) -> None:
    reply = Reply().add(TextDelta(answer))
    message = (await session.ask(question(asked), CHOICES)).finish(reply, "complete")
    session.say(question(asked), message)
    await session.settled()


def said(session: CurrentSession) -> list[str]:
    return [message.text for message in session.talk.messages]


async def stored(session: CurrentSession) -> list[str]:
    await session.settled()
    with closing(session.store.another()) as store:
        return [message.text for message in store.load(session.recorded()).conversation.messages]


async def test_the_last_question_is_edited_without_touching_the_record(session: CurrentSession) -> None:
    """The next question does not see it; the record and the commands about the last answer do."""
    await say(session, "why?", "because")
    await say(session, "and?", "so")

    asked = session.edit()

    assert asked == session.edit() == question("and?")
    assert (said(session), await stored(session)) == (["why?", "because"], ["why?", "because", "and?", "so"])
    assert session.talk.answer.text == session.talk.answered.text == "so"
    assert await session.restore()
    assert said(session) == await stored(session)
    assert not await session.restore()


async def test_an_edited_question_is_asked_beside_the_one_it_was(session: CurrentSession, store: SessionStore) -> None:
    """In hand and on the record it is the new one, and so is the title that came from it; the old one is a version."""
    await say(session, "why?", "because")
    session.edit()

    await say(session, "how?", "thus")

    assert said(session) == await stored(session) == ["how?", "thus"]
    assert session.talk.title == store.load(session.recorded()).title == "how?"
    assert store.infos()[0].messages == 2
    assert not await session.restore()
    ((first, _),) = store.forks(session.recorded()).values()
    session.open(store.switch(session.recorded(), first, head=session.head))
    assert (said(session), session.talk.title) == (["why?", "because"], "why?")


async def test_a_question_that_is_asked_as_it_was_has_another_answer(
    session: CurrentSession, store: SessionStore
) -> None:
    """It is the same question, once."""
    await say(session, "why?", "because")
    session.edit()

    await say(session, "why?", "just so")

    assert said(session) == await stored(session) == ["why?", "just so"]
    question_row = store.load(session.recorded()).rows[0]
    assert list(store.forks(session.recorded())) == [question_row]


@pytest.mark.parametrize("asked", ["how?", "why?"])
async def test_a_question_that_came_to_nothing_leaves_all_as_it_was(
    session: CurrentSession, store: SessionStore, asked: str
) -> None:
    """It is no version, the last question is as it was and still edited."""
    await say(session, "why?", "because")
    session.edit()

    await session.ask(question(asked), CHOICES)
    replacing = session.talk.replacing
    await session.withdraw()

    assert (replacing, session.talk.replacing) == (True, False)
    assert (said(session), await stored(session)) == ([], ["why?", "because"])
    assert store.forks(session.recorded()) == {}
    assert session.talk.title == store.load(session.recorded()).title == "why?"
    await say(session, "how?", "thus")
    assert said(session) == await stored(session) == ["how?", "thus"]


class Taken(SessionStore):
    """A store in which somebody else was quicker."""

    def begin(
        self,
        session_id: str,
        *,
        provider: str,
        model: str,
        options: Options,
        piped: bool = False,
        after: int | None = None,
        head: int | None = None,
    ) -> AnswerLog:
        raise SessionError("changed by another llmterm")


@pytest.mark.parametrize("aside", [False, True])
async def test_a_question_that_another_llmterm_has_come_before_is_not_asked(
    session: CurrentSession, tmp_path: Path, *, aside: bool
) -> None:
    """It is off the record again, and what was there is there."""
    await say(session, "why?", "because")
    async with chatting(Taken(tmp_path)) as late:
        late.open(session.store.load(session.recorded()))
        if aside:
            late.edit()
        with pytest.raises(SessionError, match="changed by another"):
            await late.ask(question("how?"), CHOICES)

        assert await stored(session) == ["why?", "because"]
        assert (late.talk.replacing, late.talk.title) == (False, "why?")


async def test_another_session_is_not_cut_where_the_last_one_was(session: CurrentSession, store: SessionStore) -> None:
    """Opening and beginning one forget what was set aside."""
    await say(session, "why?", "because")
    first = session.recorded()
    session.edit()

    session.new()
    await say(session, "how?", "thus")
    session.edit()
    session.open(store.load(first))

    assert said(session) == ["why?", "because"]
    assert [info.messages for info in store.infos()] == [2, 2]


async def test_taking_back_goes_back_question_by_question(session: CurrentSession, store: SessionStore) -> None:
    """With the only one goes the title that came from it; all of it is still a version."""
    await say(session, "why?", "because")
    await say(session, "and?", "so")
    session.edit()

    first, second = await session.take_back(), await session.take_back()

    assert (first.text, second.text, said(session), await stored(session)) == ("and?", "why?", [], [])
    assert session.talk.title == ""
    with pytest.raises(UsageError, match="nothing was asked yet"):
        await session.take_back()
    (row,) = store.forks(session.recorded())[0]
    session.open(store.switch(session.recorded(), row, head=session.head))
    assert (said(session), session.talk.title) == (["why?", "because"], "why?")


async def test_after_taking_back_the_next_version_is_the_one_that_was_left(
    session: CurrentSession, store: SessionStore
) -> None:
    """Not the newest one; and so after the session was opened again, and with more versions since."""
    await say(session, "why?", "because")
    for text in ("how?", "when?"):
        session.edit()
        await say(session, text, "thus")
    ((why, how, _),) = store.forks(session.recorded()).values()

    for row, text in ((why, "why?"), (how, "how?"), (why, "why?")):
        session.open(await session.switch(row))
        await session.take_back()
        left = neighbour(session.forks, 1)
        session.open(store.load(session.recorded()))

        assert (left, neighbour(session.forks, 1), said(session)) == (row, row, [])
        session.open(await session.switch(row))
        assert said(session)[0] == text
    assert [fork.rows for fork in session.forks] == [tuple(sorted(session.forks[0].rows))]
    await session.take_back()
    await say(session, "where?", "there")
    await session.take_back()
    session.open(await session.switch(neighbour(session.forks, 1) or 0))
    assert said(session) == ["where?", "there"]


async def test_only_the_answer_to_the_last_question_is_rewritten(session: CurrentSession) -> None:
    """The user's own words stay, in hand and on the record."""
    await say(session, "why?", "because")
    (await session.ask(question("and?"), CHOICES)).discard()
    session.say(question("and?"))

    with pytest.raises(UsageError, match="the last question has no answer"):
        await session.rewrite(Message(role="assistant", text="just so"))

    assert said(session) == await stored(session) == ["why?", "because", "and?"]
    assert session.talk.answer.text == "because"


async def test_the_answer_to_a_question_that_is_edited_can_be_rewritten(session: CurrentSession) -> None:
    """It is still the last one."""
    await say(session, "why?", "because")
    session.edit()

    await session.rewrite(Message(role="assistant", text="just so"))

    assert await stored(session) == ["why?", "just so"]
    await session.restore()
    assert said(session) == ["why?", "just so"]


async def test_a_title_is_clean_before_there_is_a_record(session: CurrentSession, store: SessionStore) -> None:
    """It is shown, and stored with the first question, as it will be listed."""
    await session.set_title("two\nlines \x1b[31m " * 30)

    shown = session.talk.title
    await say(session, "why?", "because")

    assert shown == session.talk.title == store.load(session.recorded()).title
    assert (len(shown), shown.isprintable()) == (60, True)


@pytest.mark.parametrize(("given_title", "asked_again"), [("My project", "My project"), ("", "how?")])
async def test_a_title_that_was_given_outlives_a_first_question_that_came_to_nothing(
    session: CurrentSession, store: SessionStore, given_title: str, asked_again: str
) -> None:
    """Only one that came from the question goes with it."""
    if given_title:
        await session.set_title(given_title)
    await session.ask(question("why?"), CHOICES)

    await session.withdraw()

    assert (session.id, session.talk.title) == (None, given_title)
    await say(session, "how?", "thus")
    assert session.talk.title == store.load(session.recorded()).title == asked_again


async def test_a_session_that_another_llmterm_goes_on_with_is_not_written_over(
    session: CurrentSession, store: SessionStore
) -> None:
    """What is said there stays, whatever is tried here, until the session is opened as it is now."""
    await say(session, "why?", "because")
    async with chatting(store) as other:
        other.open(store.load(session.recorded()))
        await say(other, "and?", "so")

    changes: list[Callable[[], Awaitable[object]]] = [
        session.take_back,
        lambda: session.rewrite(Message(role="assistant", text="just so")),
        lambda: session.ask(question("how?"), CHOICES),
    ]
    for change in changes:
        with pytest.raises(SessionError, match="changed by another llmterm"):
            await change()
        assert (said(session), session.talk.title) == (["why?", "because"], "why?")
    session.edit()
    with pytest.raises(SessionError, match="changed by another llmterm"):
        await changes[-1]()

    assert await stored(session) == ["why?", "because", "and?", "so"]
    session.open(store.load(session.recorded()))
    assert (await session.take_back()).text == "and?"
    await say(session, "how?", "thus")
    assert said(session) == await stored(session) == ["why?", "because", "how?", "thus"]


async def test_a_session_knows_what_it_has_done_itself(session: CurrentSession) -> None:
    """Whatever became of questions and answers, the next change is made."""
    await say(session, "why?", "because")
    await session.ask(question("lost"), CHOICES)
    await session.withdraw()
    (await session.ask(question("and?"), CHOICES)).discard()
    session.say(question("and?"))
    session.edit()
    (await session.ask(question("and?"), CHOICES)).discard()
    await session.withdraw()
    await say(session, "so?", "so")
    await session.rewrite(Message(role="assistant", text="just so"))
    await session.take_back()
    await session.take_back()

    await say(session, "how?", "thus")

    assert said(session) == await stored(session) == ["how?", "thus"]


@pytest.mark.parametrize("aside", [False, True])
async def test_an_answer_that_is_gone_on_with_and_dropped_gives_its_place_back(
    session: CurrentSession, store: SessionStore, *, aside: bool
) -> None:
    """To what its question was to replace, where there is that; the next question follows what is there."""
    await say(session, "why?", "because")
    if aside:
        session.edit()
    (await session.ask(question("how?"), CHOICES)).pause(Reply(), EndReason.PAUSE)
    await session.settled()
    session.open(store.load(session.recorded()))
    answer = store.load(session.recorded()).answer
    assert answer is not None
    store.reopen(answer).discard()

    await say(session, "and?", "so")

    assert said(session) == await stored(session) == ["why?", "because", *([] if aside else ["how?"]), "and?", "so"]


async def test_what_is_taken_up_again_is_told_once(session: CurrentSession, store: SessionStore) -> None:
    """By /undo, another session or a new one; not where the question was answered."""
    left: list[str] = []
    await say(session, "why?", "because")

    async def load() -> None:
        session.open(store.load(session.recorded()))

    for number, leave in enumerate((session.restore, load, session.take_back)):
        session.edit(left=partial(left.append, str(number)))
        await leave()
        await session.restore()
    await say(session, "why?", "because")
    session.edit(left=partial(left.append, "answered"))
    await say(session, "how?", "thus")
    await session.restore()
    session.edit(left=partial(left.append, "new"))

    session.new()

    assert left == ["0", "1", "2", "new"]


class Hanging(SessionStore):
    """A store whose disk does not answer until it is told to."""

    disk: threading.Event

    def another(self, *, timeout: float | None = None) -> Self:
        store = super().another(timeout=timeout)
        store.disk = self.disk
        return store

    def moved(self, session_id: str | None = None, head: int = 0, *, since: int = 0) -> bool:
        self.disk.wait(60)
        return super().moved(session_id, head, since=since)


@instant
async def test_a_disk_that_does_not_answer_holds_up_nothing_and_nothing_is_lost() -> None:
    """It is said once; what was asked and answered meanwhile is on the record when it answers."""
    with tempfile.TemporaryDirectory() as folder:
        store = Hanging(Path(folder))
        store.disk = threading.Event()
        session = CurrentSession(store, system="")
        await say(session, "why?", "because")
        await say(session, "and?", "so")
        told = [session.untold() for _ in range(4)]

        assert [told[0].count("the store does not answer"), *told[1:]] == [1, "", "", ""]
        assert said(session) == ["why?", "because", "and?", "so"]
        with pytest.raises(SessionError, match="could not be kept: the store does not answer"):
            await session.keeper.last_chance(0)
        store.disk.set()
        with closing(SessionStore(Path(folder))) as other:
            while not (other.latest() and on_record(other) == said(session)):  # noqa: ASYNC110 - a thread tells nobody
                await asyncio.sleep(1)


def on_record(store: SessionStore) -> list[str]:
    return [message.text for message in store.load(store.latest() or "", peek=True).conversation.messages]


# The commands about sessions


class Browser:
    """The commands about sessions, and what they came to."""

    def __init__(self, store: SessionStore) -> None:
        self.parts = Parts(store)
        self.session = self.parts.session
        self.commands = catalogue(KEYS)

    async def run(self, line: str) -> Outcome:
        return await self.commands.run(self.parts.context, line)

    async def complete(self, text: str) -> list[str]:
        found = Completion(self.parts.context, self.commands).find(text)
        return [each.text for each in (found if isinstance(found, Found) else await found()).suggestions]


@pytest.fixture
async def browser(store: SessionStore) -> AsyncIterator[Browser]:
    browser = Browser(store)
    yield browser
    await browser.session.keeper.last_chance(0)


async def test_sessions_are_completed_by_their_ids_and_titles(browser: Browser, store: SessionStore) -> None:
    """However many are newer."""
    bread = store.create(title="banana bread recipe")
    for number in range(30):
        store.create(title=f"owls {number}")

    assert await browser.complete(f"/load {bread[:7]}") == [bread]
    assert await browser.complete("/load banana") == [bread]
    assert await browser.complete("/load RECIPE banana") == [bread]
    assert await browser.complete("/load walrus") == []
    assert len(await browser.complete("/load owls")) == 30
    assert len(await browser.complete("/load ")) == 31


@pytest.mark.parametrize("command", ["continue", "discard"])
async def test_only_sessions_with_an_open_answer_are_completed(
    browser: Browser, store: SessionStore, command: str
) -> None:
    """By their titles as well."""
    found = {}
    for title in ("owls and larks", "owls"):
        found[title] = store.create(title=title)
        store.add(found[title], question("why?"))
    store.begin(found["owls"], provider="p", model="m", options=Options()).pause(Reply(), EndReason.PAUSE)

    assert await browser.complete(f"/{command} owl") == [found["owls"]]
    assert await browser.complete(f"/{command} lark") == []


async def test_a_session_is_opened_by_words_that_only_its_title_has(browser: Browser, store: SessionStore) -> None:
    """Words of several titles are answered with these."""
    bread = store.create(title="banana bread recipe")
    for number in range(7):
        store.create(title=f"owls {number}")

    opened = await browser.run("/load Banana recipe")
    with pytest.raises(UsageError, match=r"which one is 'owls'\? \(\w+ owls 6; .*; \w+ owls 2; \.\.\.\)"):
        await browser.run("/load owls")
    with pytest.raises(SessionError, match="no session 'bananna recipe'"):
        await browser.run("/load bananna recipe")

    assert isinstance(opened, Open)
    assert opened.stored.id == bread


@pytest.mark.parametrize("killed", [False, True])
async def test_a_dropped_answer_gives_its_place_back(
    browser: Browser, store: SessionStore, tmp_path: Path, *, killed: bool
) -> None:
    """Whether it was left at a rest, or its process ended."""
    with closing(SessionStore(tmp_path, owner=Owner(pid=0, host="", born=""))) as dead:
        async with chatting(dead) as session:
            await say(session, "why?", "because")
            session.edit()
            log = await session.ask(question("how?"), CHOICES)
            if not killed:
                log.pause(Reply(), EndReason.PAUSE)

    dropped = await browser.run(f"/discard {session.id}")

    assert dropped == Say("dropped")
    assert await stored(session) == ["why?", "because"]
    with pytest.raises(UsageError, match="the answer of that session is over"):
        await browser.run(f"/discard {session.id}")


async def test_a_stopped_answer_is_gone_on_with_under_the_options_of_the_chat(browser: Browser) -> None:
    """What it was asked for with is not known any more."""
    session, choices = browser.session, browser.parts.choices
    part = Segment(provider="p", model="m", mode="fresh", start=0, end=3, end_reason=EndReason.CANCEL)
    reply = Reply().add(TextDelta("bec")).close(part)
    (await session.ask(question("why?"), CHOICES)).finish(reply, "interrupted")
    session.say(question("why?"), reply.message("interrupted"))
    choices.options = Options(temperature=0.5, max_tokens=7, seed=3)

    opened = await browser.run("/continue")

    assert isinstance(opened, Open)
    assert opened.at_once
    assert opened.stored.answer is not None
    assert opened.stored.answer.options == choices.options
