"""The session that is open in a chat: asked again and otherwise, gone back, and kept beside what was there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from llmterm.chat.commands.catalogue import catalogue
from llmterm.chat.options import Choices
from llmterm.chat.outcome import Open, Outcome, Say
from llmterm.errors import SessionError, UsageError
from llmterm.messages import EndReason, Message, Options, Reply, Segment, TextDelta
from llmterm.sessions import AnswerLog, SessionStore
from llmterm.sessions.current import CurrentSession
from llmterm.sessions.owner import Owner
from tests.parts import KEYS, Parts

CHOICES = Choices(provider="p", model="m", options=Options())


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SessionStore]:
    with closing(SessionStore(tmp_path)) as store:
        yield store


@pytest.fixture
def session(store: SessionStore) -> CurrentSession:
    return CurrentSession(store, system="be brief")


def question(text: str) -> Message:
    return Message(role="user", text=text)


def say(session: CurrentSession, asked: str, answer: str) -> None:
    reply = Reply().add(TextDelta(answer))
    session.ask(question(asked), CHOICES).finish(reply, "complete")
    session.say(question(asked), reply.message("complete"))


def said(session: CurrentSession) -> list[str]:
    return [message.text for message in session.messages]


def stored(session: CurrentSession) -> list[str]:
    return [message.text for message in session.store.load(session.recorded()).conversation.messages]


def test_the_last_question_is_edited_without_touching_the_record(session: CurrentSession) -> None:
    """The next question does not see it; the record and the commands about the last answer do."""
    say(session, "why?", "because")
    say(session, "and?", "so")

    asked = session.edit()

    assert asked == session.edit() == question("and?")
    assert (said(session), stored(session)) == (["why?", "because"], ["why?", "because", "and?", "so"])
    assert session.answer.text == session.answered.text == "so"
    assert session.restore()
    assert said(session) == stored(session)
    assert not session.restore()


def test_an_edited_question_is_asked_beside_the_one_it_was(session: CurrentSession, store: SessionStore) -> None:
    """In hand and on the record it is the new one, and so is the title that came from it; the old one is a version."""
    say(session, "why?", "because")
    session.edit()

    say(session, "how?", "thus")

    assert said(session) == stored(session) == ["how?", "thus"]
    assert session.title == store.load(session.recorded()).title == "how?"
    assert store.infos()[0].messages == 2
    assert not session.restore()
    ((first, _),) = store.forks(session.recorded()).values()
    session.open(store.switch(session.recorded(), first, head=session.head))
    assert (said(session), session.title) == (["why?", "because"], "why?")


def test_a_question_that_is_asked_as_it_was_has_another_answer(session: CurrentSession, store: SessionStore) -> None:
    """It is the same question, once."""
    say(session, "why?", "because")
    session.edit()

    say(session, "why?", "just so")

    assert said(session) == stored(session) == ["why?", "just so"]
    question_row = store.load(session.recorded()).rows[0]
    assert list(store.forks(session.recorded())) == [question_row]


@pytest.mark.parametrize("asked", ["how?", "why?"])
def test_a_question_that_came_to_nothing_leaves_all_as_it_was(
    session: CurrentSession, store: SessionStore, asked: str
) -> None:
    """It is no version, the last question is as it was and still edited."""
    say(session, "why?", "because")
    session.edit()

    session.ask(question(asked), CHOICES)
    replacing = session.replacing
    session.withdraw()

    assert (replacing, session.replacing) == (True, False)
    assert (said(session), stored(session)) == ([], ["why?", "because"])
    assert store.forks(session.recorded()) == {}
    assert session.title == store.load(session.recorded()).title == "why?"
    say(session, "how?", "thus")
    assert said(session) == stored(session) == ["how?", "thus"]


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
def test_a_question_that_another_llmterm_has_come_before_is_not_asked(
    session: CurrentSession, tmp_path: Path, *, aside: bool
) -> None:
    """It is off the record again, and what was there is there."""
    say(session, "why?", "because")
    if aside:
        session.edit()
    with closing(Taken(tmp_path)) as session.store:
        with pytest.raises(SessionError, match="changed by another"):
            session.ask(question("how?"), CHOICES)

        assert stored(session) == ["why?", "because"]
        assert not session.replacing


def test_another_session_is_not_cut_where_the_last_one_was(session: CurrentSession, store: SessionStore) -> None:
    """Opening and beginning one forget what was set aside."""
    say(session, "why?", "because")
    first = session.recorded()
    session.edit()

    session.new()
    say(session, "how?", "thus")
    session.edit()
    session.open(store.load(first))

    assert said(session) == ["why?", "because"]
    assert [info.messages for info in store.infos()] == [2, 2]


def test_taking_back_goes_back_question_by_question(session: CurrentSession, store: SessionStore) -> None:
    """With the only one goes the title that came from it; all of it is still a version."""
    say(session, "why?", "because")
    say(session, "and?", "so")
    session.edit()

    first, second = session.take_back(), session.take_back()

    assert (first.text, second.text, said(session), stored(session)) == ("and?", "why?", [], [])
    assert session.title == ""
    with pytest.raises(UsageError, match="nothing was asked yet"):
        session.take_back()
    (row,) = store.forks(session.recorded())[0]
    session.open(store.switch(session.recorded(), row, head=session.head))
    assert (said(session), session.title) == (["why?", "because"], "why?")


def test_only_the_answer_to_the_last_question_is_rewritten(session: CurrentSession) -> None:
    """The user's own words stay, in hand and on the record."""
    say(session, "why?", "because")
    session.ask(question("and?"), CHOICES).discard()
    session.say(question("and?"))

    with pytest.raises(UsageError, match="the last question has no answer"):
        session.rewrite(Message(role="assistant", text="just so"))

    assert said(session) == stored(session) == ["why?", "because", "and?"]
    assert session.answer.text == "because"


def test_the_answer_to_a_question_that_is_edited_can_be_rewritten(session: CurrentSession) -> None:
    """It is still the last one."""
    say(session, "why?", "because")
    session.edit()

    session.rewrite(Message(role="assistant", text="just so"))

    assert stored(session) == ["why?", "just so"]
    session.restore()
    assert said(session) == ["why?", "just so"]


def test_a_title_is_clean_before_there_is_a_record(session: CurrentSession, store: SessionStore) -> None:
    """It is shown, and stored with the first question, as it will be listed."""
    session.set_title("two\nlines \x1b[31m " * 30)

    shown = session.title
    say(session, "why?", "because")

    assert shown == session.title == store.load(session.recorded()).title
    assert (len(shown), shown.isprintable()) == (60, True)


@pytest.mark.parametrize(("given_title", "asked_again"), [("My project", "My project"), ("", "how?")])
def test_a_title_that_was_given_outlives_a_first_question_that_came_to_nothing(
    session: CurrentSession, store: SessionStore, given_title: str, asked_again: str
) -> None:
    """Only one that came from the question goes with it."""
    if given_title:
        session.set_title(given_title)
    session.ask(question("why?"), CHOICES)

    session.withdraw()

    assert (session.id, session.title) == (None, given_title)
    say(session, "how?", "thus")
    assert session.title == store.load(session.recorded()).title == asked_again


def test_a_session_that_another_llmterm_goes_on_with_is_not_written_over(
    session: CurrentSession, store: SessionStore
) -> None:
    """What is said there stays, whatever is tried here, until the session is opened as it is now."""
    say(session, "why?", "because")
    other = CurrentSession(store, system="")
    other.open(store.load(session.recorded()))
    say(other, "and?", "so")

    for change in (
        session.take_back,
        lambda: session.rewrite(Message(role="assistant", text="just so")),
        lambda: session.ask(question("how?"), CHOICES),
        lambda: (session.edit(), session.ask(question("how?"), CHOICES)),
    ):
        with pytest.raises(SessionError, match="changed by another llmterm"):
            change()

    assert stored(session) == ["why?", "because", "and?", "so"]
    session.open(store.load(session.recorded()))
    assert session.take_back().text == "and?"
    say(session, "how?", "thus")
    assert said(session) == stored(session) == ["why?", "because", "how?", "thus"]


def test_a_session_knows_what_it_has_done_itself(session: CurrentSession) -> None:
    """Whatever became of questions and answers, the next change is made."""
    say(session, "why?", "because")
    session.ask(question("lost"), CHOICES)
    session.withdraw()
    session.ask(question("and?"), CHOICES).discard()
    session.say(question("and?"))
    session.edit()
    session.ask(question("and?"), CHOICES).discard()
    session.withdraw()
    say(session, "so?", "so")
    session.rewrite(Message(role="assistant", text="just so"))
    session.take_back()
    session.take_back()

    say(session, "how?", "thus")

    assert said(session) == stored(session) == ["how?", "thus"]


@pytest.mark.parametrize("aside", [False, True])
def test_an_answer_that_is_gone_on_with_and_dropped_gives_its_place_back(
    session: CurrentSession, store: SessionStore, *, aside: bool
) -> None:
    """To what its question was to replace, where there is that; the next question follows what is there."""
    say(session, "why?", "because")
    if aside:
        session.edit()
    session.ask(question("how?"), CHOICES).pause(Reply(), EndReason.PAUSE)
    session.open(store.load(session.recorded()))
    answer = store.load(session.recorded()).answer
    assert answer is not None
    store.reopen(answer).discard()

    say(session, "and?", "so")

    assert said(session) == stored(session) == ["why?", "because", *([] if aside else ["how?"]), "and?", "so"]


def test_what_is_taken_up_again_is_told_once(session: CurrentSession, store: SessionStore) -> None:
    """By /undo, another session or a new one; not where the question was answered."""
    left: list[str] = []
    say(session, "why?", "because")
    leave: list[Callable[[], object]] = [
        session.restore,
        lambda: session.open(store.load(session.recorded())),
        session.take_back,
    ]
    for number, each in enumerate(leave):
        session.edit(left=partial(left.append, str(number)))
        each()
        session.restore()
    say(session, "why?", "because")
    session.edit(left=partial(left.append, "answered"))
    say(session, "how?", "thus")
    session.restore()
    session.edit(left=partial(left.append, "new"))

    session.new()

    assert left == ["0", "1", "2", "new"]


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
        return [each.text for each in await self.commands.complete(self.parts.context, text)]


@pytest.fixture
def browser(store: SessionStore) -> Browser:
    return Browser(store)


async def test_sessions_are_completed_by_their_ids_and_titles(browser: Browser, store: SessionStore) -> None:
    """However many are newer, and of as many as are found the newest twenty."""
    bread = store.create(title="banana bread recipe")
    for number in range(30):
        store.create(title=f"owls {number}")

    assert await browser.complete(f"/load {bread[:7]}") == [bread]
    assert await browser.complete("/load ban") == [bread]
    assert await browser.complete("/load RECIPE banana") == [bread]
    assert await browser.complete("/load walrus") == []
    assert len(await browser.complete("/load ow")) == len(await browser.complete("/load ")) == 20


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
    session = browser.session
    say(session, "why?", "because")
    session.edit()
    with closing(SessionStore(tmp_path, owner=Owner(pid=0, host="", born=""))) as session.store:
        log = session.ask(question("how?"), CHOICES)
        if not killed:
            log.pause(Reply(), EndReason.PAUSE)
    session.store = store

    dropped = await browser.run(f"/discard {session.id}")

    assert dropped == Say("dropped")
    assert stored(session) == ["why?", "because"]
    with pytest.raises(UsageError, match="the answer of that session is over"):
        await browser.run(f"/discard {session.id}")


async def test_a_stopped_answer_is_gone_on_with_under_the_options_of_the_chat(browser: Browser) -> None:
    """What it was asked for with is not known any more."""
    session, choices = browser.session, browser.parts.choices
    part = Segment(provider="p", model="m", mode="fresh", start=0, end=3, end_reason=EndReason.CANCEL)
    reply = Reply().add(TextDelta("bec")).close(part)
    session.ask(question("why?"), CHOICES).finish(reply, "interrupted")
    session.say(question("why?"), reply.message("interrupted"))
    choices.options = Options(temperature=0.5, max_tokens=7, seed=3)

    opened = await browser.run("/continue")

    assert isinstance(opened, Open)
    assert opened.at_once
    assert opened.stored.answer is not None
    assert opened.stored.answer.options == choices.options
