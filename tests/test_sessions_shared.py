"""Two chats on one store: whatever both do, in whatever order, nothing that was said is lost."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from llmterm.chat.options import Choices
from llmterm.errors import SessionError, UsageError
from llmterm.messages import EndReason, Message, Options, Reply, Segment, Status, TextDelta
from llmterm.sessions import SessionStore, StoredSession
from llmterm.sessions.answer_record import AnswerRecord
from llmterm.sessions.current import CurrentSession
from llmterm.sessions.owner import Owner
from llmterm.sessions.versions import forks_of

CHOICES = Choices(provider="p", model="m", options=Options())
DEAD = Owner(pid=0, host="", born="")
WHILE_OPEN = ("journal", "pause", "resume", "finish", "stop", "nothing", "fail", "leave")
IDLE = (
    *("ask", "ask", "again", "edit", "restore", "take_back", "switch", "switch", "rewrite", "title", "new", "load"),
    *("branch", "go_on", "leave"),
)


@dataclass
class Talking:
    """One chat, as its commands and its loop treat a session."""

    name: str
    folder: Path
    said: set[str]
    session: CurrentSession = field(init=False)
    asked: Message | None = None
    log: AnswerRecord | None = None
    reply: Reply = field(default_factory=Reply)
    count: int = 0

    def __post_init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        self.log = self.asked = None
        self.store = SessionStore(self.folder, timeout=0, owner=DEAD)
        self.session = CurrentSession(self.store, system="")

    def text(self, what: str) -> str:
        self.count += 1
        return f"<{what} {self.name}{self.count}>"

    async def step(self, name: str, number: int) -> None:
        if name in (IDLE if self.log is None else WHILE_OPEN):
            with suppress(SessionError, UsageError):
                await getattr(self, f"_{name}")(number)
            await self.session.settled()

    # While no answer is open

    async def _ask(self, _number: int) -> None:
        await self._asks(Message(role="user", text=self.text("question")))

    async def _again(self, _number: int) -> None:
        try:
            await self._asks(self.session.edit())
        except SessionError:
            await self.session.restore()
            raise

    async def _asks(self, question: Message) -> None:
        self.log = await self.session.ask(question, CHOICES)
        self.asked, self.reply = question, Reply()

    async def _edit(self, _number: int) -> None:
        self.session.edit()

    async def _restore(self, _number: int) -> None:
        await self.session.restore()

    async def _take_back(self, _number: int) -> None:
        await self.session.take_back()

    async def _switch(self, number: int) -> None:
        await self.session.restore()
        rows = [row for fork in self.session.forks for row in fork.rows]
        if rows:
            await self._open(await self.session.switch(rows[number % len(rows)]))

    async def _rewrite(self, _number: int) -> None:
        before = self.session.talk.answered
        await self.session.rewrite(Message(role="assistant", text=before.text + self.text("rewritten")))

    async def _title(self, _number: int) -> None:
        await self.session.set_title(self.text("title"))

    async def _new(self, _number: int) -> None:
        self.session.new()

    async def _load(self, number: int) -> None:
        infos = self.store.infos()
        if infos:
            await self._load_id(infos[number % len(infos)].id)

    async def _load_id(self, session_id: str) -> None:
        await self.session.keeper.require(session_id)
        await self._open(await self.session.read(lambda store: store.load(session_id)))

    async def _branch(self, number: int) -> None:
        await self.session.restore()
        original, keep = self.session.recorded(), number % (len(self.session.talk.messages) + 1)
        await self.session.keeper.require(original)
        await self._load_id(await self.session.read(lambda store: store.branch(original, keep)))

    async def _go_on(self, _number: int) -> None:
        await self.session.restore()
        await self._open(await self.session.open_again(Options()))

    async def _open(self, stored: StoredSession) -> None:
        self.session.open(stored)
        if stored.answer is not None:
            self.log = await self.session.reopen(stored.answer)
            self.asked, self.reply = None, Reply.of(stored.answer.message)

    # While one is

    @property
    def record(self) -> AnswerRecord:
        assert self.log is not None
        return self.log

    async def _journal(self, _number: int) -> None:
        if self.record.held.reason is None:
            self.reply = self.reply.add(TextDelta(self.text("word")))
            self.record.journal(self.reply)

    async def _pause(self, _number: int) -> None:
        self._close(EndReason.PAUSE)
        self.record.pause(self.reply, EndReason.PAUSE)
        self.said |= {self.reply.text} - {""}

    async def _resume(self, _number: int) -> None:
        await self._pause(0)
        self.record.resume(provider="q", model="n", mode="instruct", guidance="go on")

    async def _finish(self, _number: int) -> None:
        self.reply = self.reply.add(TextDelta(self.text("end")))
        await self._end("complete")

    async def _stop(self, _number: int) -> None:
        if self.reply.text:
            await self._end("interrupted")

    async def _end(self, status: Status) -> None:
        self._close(EndReason.STOP if status == "complete" else EndReason.PAUSE)
        message = self.record.finish(self.reply, status)
        self.said |= {message.text, *((self.asked.text,) if self.asked else ())}
        self.session.say(*((self.asked,) if self.asked else ()), message)
        self.log = None

    async def _nothing(self, _number: int) -> None:
        """Stopped before a word came."""
        if self.reply.text:
            return
        self.record.discard()
        self.log = None
        if self.asked is None:
            return
        if self.session.talk.replacing:
            await self.session.withdraw()
        else:
            self.said.add(self.asked.text)
            self.session.say(self.asked)
        await self.session.restore()

    async def _fail(self, _number: int) -> None:
        if self.asked is not None and not self.reply.text:
            self.log = None
            await self.session.withdraw()

    def _close(self, reason: EndReason) -> None:
        start = self.reply.segments[-1].end if self.reply.segments else 0
        if start < len(self.reply.body) and self.record.held.reason is None:
            end = len(self.reply.body)
            self.reply = self.reply.close(
                Segment(provider="p", model="m", mode="fresh", start=start, end=end, end_reason=reason)
            )

    # Any time

    async def _leave(self, _number: int) -> None:
        await self.end()
        self.begin()
        latest = self.store.latest()
        if latest is not None:
            await self._load_id(latest)

    async def end(self) -> None:
        await self.session.keeper.last_chance(0)
        self.store.close()


@dataclass
class Both:
    folder: Path
    said: set[str] = field(default_factory=set)
    lock: sqlite3.Connection | None = None

    def __post_init__(self) -> None:
        self.store = SessionStore(self.folder, timeout=0, owner=DEAD)
        self.store.infos()
        self.chats = [Talking(name, self.folder, self.said) for name in "ab"]

    def turn_lock(self, wanted: bool) -> None:
        if wanted and self.lock is None:
            self.lock = sqlite3.connect(self.store.path, isolation_level=None, timeout=0)
            self.lock.execute("BEGIN IMMEDIATE")
        elif not wanted and self.lock is not None:
            self.lock.close()
            self.lock = None

    def kept(self) -> list[str]:
        """All texts in the file, of messages of whatever session and version."""
        with closing(sqlite3.connect(self.store.path)) as connection:
            return [
                text
                for (text,) in connection.execute(
                    "SELECT text || coalesce((SELECT group_concat(text, '') FROM"
                    " (SELECT text FROM journal WHERE message_id = messages.id ORDER BY seq)), '') FROM messages"
                )
            ]

    async def step(self, who: int, names: Sequence[str], number: int) -> None:
        """Have a chat take that one of the steps which it can take now."""
        chat = self.chats[who]
        for name in names:
            if name in ("lock", "unlock"):
                self.turn_lock(name == "lock")
            elif self.lock is None or name != "leave":
                await chat.step(name, number)

    async def end(self) -> None:
        self.turn_lock(False)
        for chat in self.chats:
            await chat.end()
        kept = self.kept()
        assert {text for text in self.said if not any(text in each for each in kept)} == set()

    def require_same(self, chat: Talking) -> None:
        """The record of a session that nobody else has changed is what is in hand."""
        session = chat.session
        if session.id is None:
            assert session.talk.messages == ()
            return
        stored = self.store.load(session.id, peek=True)
        if chat.log is not None:
            asked = (chat.asked,) if chat.asked is not None else ()
            assert stored.conversation.messages == (*session.talk.messages, *asked)
            assert stored.answer is not None
            assert stored.answer.message.text == chat.reply.text
        else:
            assert stored.conversation.messages == session.talk.messages
            assert (stored.answer, stored.head, stored.title) == (None, session.head, session.talk.title)
            assert forks_of(stored.rows, stored.forks, int) == session.forks


Step = tuple[int, tuple[str, ...], int]
STEPS = st.tuples(
    st.integers(0, 1),
    st.one_of(
        st.sampled_from([("lock",), ("unlock",)]), *[st.tuples(st.sampled_from(IDLE), st.sampled_from(WHILE_OPEN))] * 7
    ),
    st.integers(0, 5),
)


def one(*names: str, who: int = 0) -> list[Step]:
    return [(who, (name,), 0) for name in names]


@settings(max_examples=40, deadline=None)
@given(steps=st.lists(STEPS, max_size=30))
@example(steps=[*one("ask", "journal", "pause"), *one("load", "finish", who=1), *one("finish")])
@example(steps=[*one("ask", "journal", "pause"), *one("load", who=1), *one("lock", "stop", "unlock", "ask")])
@example(steps=[*one("ask", "finish", "again", "pause"), *one("load", "finish", who=1), *one("fail")])
@example(steps=[*one("ask", "journal", "stop"), *one("load", "go_on", "finish", who=1), *one("rewrite")])
@example(steps=[*one("ask", "journal", "stop"), *one("load", "go_on", "finish", who=1), *one("lock", "rewrite")])
def test_nothing_that_was_said_is_lost(steps: list[Step]) -> None:
    """Each of them asks, goes on with, leaves and comes back to what the other one has open."""

    async def talk() -> None:
        with tempfile.TemporaryDirectory() as folder:
            both = Both(Path(folder))
            for step in steps:
                await both.step(*step)
            await both.end()
            both.store.close()

    asyncio.run(talk())


@settings(max_examples=40, deadline=None)
@given(steps=st.lists(STEPS, max_size=30))
@example(steps=one("ask", "finish", "take_back", "lock", "ask", "unlock", "fail"))
@example(steps=one("ask", "pause", "leave", "lock", "finish", "unlock"))
def test_what_is_in_hand_is_what_is_on_the_record(steps: list[Step]) -> None:
    """One chat alone, over sessions, versions, answers that are gone on with, and a store that is locked at times."""

    async def talk() -> None:
        with tempfile.TemporaryDirectory() as folder:
            both = Both(Path(folder))
            for _, names, number in steps:
                await both.step(0, names, number)
            chat = both.chats[0]
            if chat.log is None:
                await chat.session.restore()
            await both.end()
            both.require_same(chat)
            both.store.close()

    asyncio.run(talk())
