"""What comes next in a chat: the whole table, and each part of the loop made alone with fakes around it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

import pytest

from llmterm.chat.answer import Answer
from llmterm.chat.app import Chat
from llmterm.chat.commands.catalogue import catalogue
from llmterm.chat.decision import Gesture, Leave, Resume, Send, Steer
from llmterm.chat.here import OwnAnswer
from llmterm.chat.loop import AnswerLoop
from llmterm.chat.notifier import Notifier
from llmterm.chat.outcome import (
    Ask,
    Fill,
    New,
    Open,
    Outcome,
    Pick,
    Rewrite,
    Say,
    Step,
    Unseam,
    Word,
    Write,
    with_answer,
    without_answer,
)
from llmterm.conversation import Conversation
from llmterm.errors import UsageError
from llmterm.events import Notice
from llmterm.messages import EndReason, Finished, Message, StreamEvent, TextDelta
from llmterm.recorded import RecordedTurn, Standing
from llmterm.sessions import SessionStore, StoredSession
from llmterm.sessions.owner import Owner
from llmterm.states import AT_REST
from llmterm.turn import Turn, TurnState
from tests.parts import KEYS, FakeView, Parts

DEAD = Owner(pid=0, host="", born="")
QUESTION = Message(role="user", text="why?")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
STORED = StoredSession(id="x", title="", created_at=NOW, updated_at=NOW, conversation=Conversation(), answer=None)
OUTCOMES: list[Outcome] = [
    Word.DONE,
    Say("x"),
    Fill("x"),
    Pick("load", [("x", "y")]),
    Write(Path("x"), "x"),
    Rewrite("x"),
    Unseam(1),
    Word.RESTORE,
    Resume(),
    Word.HOLD,
    Word.SUSPEND,
    Ask(QUESTION),
    Open(STORED),
    New("x"),
    Leave(),
]


def test_without_an_answer_what_is_for_one_comes_to_the_prompt() -> None:
    """All else is done as it is; what would steer an answer is refused."""
    done = {repr(each): without_answer(each) for each in OUTCOMES}
    for_an_answer = [Word.DONE, Rewrite("x"), Unseam(1), Word.RESTORE, Resume(), Word.HOLD, Word.SUSPEND]

    assert done == {repr(each): Word.DONE if each in for_an_answer else each for each in OUTCOMES}
    with pytest.raises(UsageError, match="no answer is open"):
        without_answer(Steer("x"))


@pytest.mark.parametrize(
    ("state", "unread", "rested", "step"),
    [
        (TurnState.READY, False, False, Step.PLAY),
        (TurnState.STREAMING, False, False, Step.PLAY),
        (TurnState.STREAMING, True, True, Step.PLAY),
        (TurnState.PAUSED, False, False, Step.REST),
        (TurnState.PAUSED, True, False, Step.PLAY),
        (TurnState.FAILED, False, False, Step.FAIL),
        (TurnState.FAILED, False, True, Step.REST),
        (TurnState.FAILED, True, True, Step.PLAY),
        (TurnState.DONE, False, True, Step.CLOSE),
        (TurnState.DONE, True, True, Step.PLAY),
        (TurnState.CANCELLED, False, False, Step.CLOSE),
        (TurnState.CANCELLED, True, False, Step.PLAY),
    ],
)
def test_answer_that_nobody_decides_about_takes_its_course(
    state: TurnState, unread: bool, rested: bool, step: Step
) -> None:
    assert with_answer(Word.DONE, state, unread=unread, rested=rested) is step


@pytest.mark.parametrize(("state", "unread"), list(product(TurnState, [False, True])))
def test_what_the_user_wants_of_an_open_answer_comes_first(state: TurnState, unread: bool) -> None:
    """What is at rest resumes or is left; what is over is kept before the program is left."""
    assert with_answer(Word.HOLD, state, unread=unread) is Step.HOLD
    assert with_answer(Word.SUSPEND, state, unread=unread) is Step.SUSPEND
    by_itself = with_answer(Word.DONE, state, unread=unread)
    for wish in (Resume("x", "x"), Leave(interrupted=True)):
        assert with_answer(wish, state, unread=unread) is (wish if state in AT_REST else by_itself)


# The loops, with fakes


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SessionStore]:
    with closing(SessionStore(tmp_path, owner=DEAD)) as store:
        yield store


class Silent:
    """A terminal that does not say whether it has the focus."""

    focused: bool | None = None


def quiet() -> Notifier:
    return Notifier(kind="off", after=0, terminal=Silent(), write=print)


class Playing:
    """An answer that is asked for, and the loop that plays it."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        asked = Conversation(messages=parts.session.talk.messages).add(QUESTION)
        self.turn = Turn(parts.provider, asked.request(model="m"), seam_seconds=0)

        self.recorded = RecordedTurn(self.turn, parts.session, QUESTION)

    async def play(self) -> Leave | None:
        try:
            return await self._play()
        finally:
            await self.parts.session.keeper.last_chance(0)

    async def _play(self) -> Leave | None:
        answer = Answer(OwnAnswer(self.recorded, self.parts.registry))
        async with self.recorded:
            loop = AnswerLoop(
                context=self.parts.context,
                commands=catalogue(KEYS),
                line=self.parts.line,
                live=self.parts.live,
                notifier=quiet(),
                answer=answer,
            )
            return await loop.run(Word.DONE)

    @property
    def message(self) -> Message:
        """The answer as it is part of the session."""
        return self.parts.session.talk.answered

    async def say(self, *events: StreamEvent) -> None:
        await self.parts.provider.opened.wait()
        self.parts.provider.opened.clear()
        self.parts.provider.stream.put(*events)

    def left(self) -> tuple[str, EndReason]:
        """The answer as the next start would find it now."""
        answer = self.parts.session.store.load(self.parts.session.recorded(), peek=True).answer
        assert answer is not None
        return answer.message.text, answer.reason


async def shown(playing: Playing) -> None:
    """Wait until the view has all that the turn has."""
    async for _ in playing.turn.reader():
        if playing.turn.reply.text:
            break
    while playing.parts.view.text != playing.turn.reply.text:  # noqa: ASYNC110 - a view tells nobody
        await asyncio.sleep(0)


async def test_answer_is_paused_changed_guided_and_kept(store: SessionStore) -> None:
    """A key, commands that say what the answer is to become, a word of guidance, and its end."""
    parts = Parts(store, Send("/back\n/tokens"), Send("/retry"), Send("shorter"), edited="mine")
    playing = Playing(parts)
    running = asyncio.create_task(playing.play())
    await playing.say(TextDelta("one\n\ntwo"))
    await shown(playing)
    parts.composer.press(Gesture.PAUSE)
    await playing.say(TextDelta(" three"), Finished(EndReason.STOP))

    assert await running is None
    assert playing.message.text == "one\n\n three"
    assert [segment.guidance for segment in playing.message.segments] == ["", "shorter"]
    assert parts.view.said[0] == "the answer is now 5 characters long"
    assert parts.view.errors == ["an answer is still open (Esc ends it)"]
    assert parts.context.answer is None


async def test_held_answer_is_cut_by_the_command_that_changes_it(store: SessionStore) -> None:
    """Where it was shown; one that only says something leaves it held."""
    parts = Parts(store, Send("/info"), Send("/again"), Gesture.STOP)
    parts.choices.pause_mode = "hold"
    playing = Playing(parts)
    running = asyncio.create_task(playing.play())
    await playing.say(TextDelta("shown"))
    await shown(playing)
    parts.composer.press(Gesture.PAUSE)
    await parts.provider.opened.wait()
    parts.composer.press(Gesture.STOP)

    assert await running is None
    assert playing.turn.state is TurnState.CANCELLED
    assert parts.session.talk.messages == (QUESTION,)
    lines = [line for line in parts.composer.asked if line]
    assert len(lines) == 2
    assert all("SPACE show" in line for line in lines)


async def test_leaving_at_a_pause_leaves_the_answer_to_be_resumed(store: SessionStore) -> None:
    parts = Parts(store, Leave(interrupted=True))
    playing = Playing(parts)
    running = asyncio.create_task(playing.play())
    await playing.say(TextDelta("half"))
    await shown(playing)
    parts.composer.press(Gesture.PAUSE)

    assert await running == Leave(interrupted=True)
    assert playing.recorded.standing is Standing.OPEN
    assert playing.left() == ("half", EndReason.PAUSE)


class Behind(FakeView):
    """A view that has ever more to draw."""

    def frame(self) -> bool:
        return False


async def test_message_right_behind_a_stop_is_for_what_comes_and_not_held(store: SessionStore) -> None:
    """However much of the stopped answer is still to be drawn."""
    parts = Parts(store, view=Behind())
    playing = Playing(parts)
    running = asyncio.create_task(playing.play())
    await playing.say(TextDelta("half"))
    await shown(playing)
    parts.composer.press(Gesture.STOP)
    parts.composer.press(Send("next"))

    assert await running is None
    assert parts.queue.waiting == []
    assert await parts.line.decision() == Send("next")


class Torn(FakeView):
    """A view with a bug, in what it shows or in how it draws."""

    def __init__(self, where: str) -> None:
        super().__init__()
        self.where = where

    def event(self, event: StreamEvent) -> None:
        super().event(event)
        if self.where == "event":
            raise ZeroDivisionError

    def frame(self) -> bool:
        if self.where == "frame" and self.text:
            raise ZeroDivisionError
        return True

    def say(self, line: str, *, error: bool = False) -> None:
        if self.where == "say":
            raise ZeroDivisionError

    def pause(self) -> None:
        if self.where == "pause":
            raise ZeroDivisionError


@pytest.mark.parametrize(("where", "reason"), [("event", EndReason.CRASH), ("frame", EndReason.PAUSE)])
async def test_view_that_raises_pauses_the_turn_and_says_so(store: SessionStore, where: str, reason: EndReason) -> None:
    """Nothing goes on unseen: the stream is closed, what came is on disk, and the bug is raised."""
    parts = Parts(store, view=Torn(where))
    playing = Playing(parts)
    running = asyncio.create_task(playing.play())
    await playing.say(TextDelta("half"))

    with pytest.raises(ZeroDivisionError):
        await running

    assert playing.turn.state is TurnState.PAUSED
    assert parts.provider.stream.closed
    assert playing.left() == ("half", reason)


@pytest.mark.parametrize("where", ["say", "pause"])
async def test_view_that_raises_while_the_screen_is_held_pauses_the_turn_and_says_so(
    store: SessionStore, where: str
) -> None:
    """Also while the answer goes on behind a screen that is held: what came unseen is on disk, too."""
    view = Torn(where)
    parts = Parts(store, Send("/info"), view=view)
    parts.choices.pause_mode = "hold"
    playing = Playing(parts)
    running = asyncio.create_task(playing.play())
    await playing.say(TextDelta("half"))
    await shown(playing)
    parts.composer.press(Gesture.PAUSE)

    with pytest.raises(ZeroDivisionError):
        await running

    assert playing.turn.state is TurnState.PAUSED
    assert parts.provider.stream.closed
    assert playing.left() == ("half", EndReason.CRASH)


async def test_failure_of_the_store_is_shown_with_the_answer(store: SessionStore) -> None:
    """As an event of it, in its place; no part calls another one for that."""
    parts = Parts(store)
    playing = Playing(parts)
    running = asyncio.create_task(playing.play())
    await playing.say(TextDelta("half"))
    await shown(playing)
    playing.turn.note(Notice("not kept yet", failure=True))
    parts.provider.stream.put(Finished(EndReason.STOP))

    await running

    assert parts.view.errors == ["not kept yet"]


async def test_chat_goes_from_prompt_to_answer_to_prompt_until_it_is_left(store: SessionStore) -> None:
    """A message, a command, and the way out."""
    parts = Parts(store, Send("why? "), Send("/title Mine"), Send("/xyz"), Leave())
    chat = Chat(
        context=parts.context,
        commands=catalogue(KEYS),
        line=parts.line,
        live=parts.live,
        notifier=quiet(),
        host=parts.host,
    )
    running = asyncio.create_task(chat.run())
    await parts.provider.opened.wait()
    parts.provider.stream.put(TextDelta("because"), Finished(EndReason.STOP))

    code = await running

    assert code == 0
    assert [message.text for message in store.load(store.latest() or "").conversation.messages] == ["why?", "because"]
    assert parts.view.said[-3:] == ["Mine", "> /xyz", "llmterm chat --continue goes on with it"]
    assert parts.view.errors == ["there is no /xyz (/help lists all)"]
