"""A chat whose store fails: all goes on in hand, and is on the record as soon as that can be written."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from collections.abc import Awaitable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from llmterm.chat.options import Choices
from llmterm.errors import StoreError, UsageError
from llmterm.messages import Attachment, EndReason, Message, Options, Reply, Segment, Status, TextDelta, ThinkingDelta
from llmterm.sessions import SessionStore, StoredSession
from llmterm.sessions.answer_record import AnswerRecord
from llmterm.sessions.current import CurrentSession

CHOICES = Choices(provider="p", model="m", options=Options(temperature=0.5))


def question(text: str) -> Message:
    return Message(role="user", text=text, attachments=(Attachment(name="a", media_type="image/png", data=b"a"),))


def segment(reply: Reply, reason: EndReason = EndReason.PAUSE) -> Segment:
    start = reply.segments[-1].end if reply.segments else 0
    return Segment(provider="p", model="m", mode="fresh", start=start, end=len(reply.body), end_reason=reason)


@dataclass
class Chatting:
    """What a chat does with its session, step by step, and a lock on the store that comes and goes."""

    store: SessionStore
    waits: bool
    session: CurrentSession = field(init=False)
    log: AnswerRecord | None = None
    reply: Reply = field(default_factory=Reply)
    lock: sqlite3.Connection | None = None
    count: int = 0

    def __post_init__(self) -> None:
        self.session = CurrentSession(self.store, system="be brief")

    async def tell(self, written: Awaitable[object]) -> None:
        with suppress(StoreError, UsageError):
            await written

    async def step(self, name: str) -> None:
        self.count += 1
        open_now = name in ("journal", "pause", "resume", "finish", "stop", "drop", "fail", "move")
        if name not in ("lock_", "unlock", "delete") and open_now != (self.log is not None):
            return
        await self.tell(getattr(self, name)())
        if self.waits:
            await self.session.settled()

    # The steps

    async def lock_(self) -> None:
        if self.lock is None:
            self.store.infos()  # so that there is a file
            self.lock = sqlite3.connect(self.store.path, isolation_level=None)
            self.lock.execute("BEGIN IMMEDIATE")

    async def unlock(self) -> None:
        if self.lock is not None:
            self.lock.close()
            self.lock = None

    async def delete(self) -> None:
        if self.lock is None:
            for path in self.store.path.parent.glob("sessions.db*"):
                path.unlink()

    async def ask(self) -> None:
        self.log = await self.session.ask(question(f"question {self.count}"), CHOICES)
        self.asked = question(f"question {self.count}")
        self.reply = Reply()

    async def journal(self) -> None:
        assert self.log is not None
        self.reply = self.reply.add(ThinkingDelta("hm")).add(TextDelta(f"word {self.count} "))
        self.log.journal(self.reply)

    async def pause(self) -> None:
        assert self.log is not None
        self.reply = self.reply.close(segment(self.reply))
        self.log.pause(self.reply, EndReason.PAUSE)

    async def resume(self) -> None:
        assert self.log is not None
        self.log.pause(self.reply, EndReason.PAUSE)
        self.log.resume(provider="q", model="n", mode="prefill", guidance="go on")

    async def move(self) -> None:
        assert self.log is not None
        self.log.move(provider="q", model="n", mode="instruct")

    async def finish(self) -> None:
        await self.end("complete")

    async def stop(self) -> None:
        await self.end("interrupted")

    async def end(self, status: Status) -> None:
        log, self.log = self.log, None
        assert log is not None
        self.reply = self.reply.add(TextDelta(f"end {self.count}"))
        self.reply = self.reply.close(segment(self.reply, EndReason.STOP))
        self.session.say(self.asked, log.finish(self.reply, status))

    async def drop(self) -> None:
        log, self.log = self.log, None
        assert log is not None
        log.discard()
        if self.session.talk.replacing:
            await self.session.withdraw()
        else:
            self.session.say(self.asked)

    async def fail(self) -> None:
        self.log = None
        await self.session.withdraw()

    async def aside(self) -> None:
        self.session.edit()

    async def restore(self) -> None:
        await self.session.restore()

    async def take_back(self) -> None:
        await self.session.take_back()

    async def rewrite(self) -> None:
        await self.session.rewrite(Message(role="assistant", text=f"rewritten {self.count}"))

    async def title(self) -> None:
        await self.session.set_title(f"title {self.count}")

    async def system(self) -> None:
        await self.session.set_system(f"system {self.count}")


STEPS = [
    *("lock_", "unlock", "delete", "ask", "ask", "journal", "pause", "resume", "move", "finish", "finish", "stop"),
    *("drop", "fail", "aside", "restore", "take_back", "rewrite", "title", "system"),
]


def on_record(store: SessionStore, session_id: str) -> StoredSession:
    return store.load(session_id, peek=True)


@settings(max_examples=150)
@given(steps=st.lists(st.sampled_from(STEPS), max_size=30), waits=st.booleans())
@example(steps=["ask", "journal", "lock_", "finish", "unlock", "ask", "finish"], waits=True)
@example(steps=["lock_", "ask", "journal", "pause", "unlock", "resume", "journal", "finish"], waits=True)
@example(steps=["ask", "finish", "aside", "ask", "journal", "lock_", "finish", "unlock"], waits=True)
@example(steps=["ask", "finish", "aside", "ask", "lock_", "fail", "unlock"], waits=True)
@example(steps=["ask", "finish", "aside", "lock_", "ask", "journal", "unlock", "drop"], waits=True)
@example(steps=["ask", "finish", "lock_", "take_back", "ask", "finish", "unlock"], waits=True)
@example(steps=["ask", "finish", "lock_", "rewrite", "title", "system", "unlock"], waits=True)
@example(steps=["ask", "finish", "delete", "ask", "journal", "delete", "pause", "delete", "finish"], waits=True)
@example(steps=["ask", "journal", "lock_", "pause", "resume", "journal", "unlock", "journal"], waits=True)
def test_the_record_is_what_is_in_hand_once_it_can_be(steps: list[str], waits: bool) -> None:
    """Whatever was done while somebody else kept the store locked, or before or after it was deleted.

    Also where nobody waits for a step to be written before the next one is taken.
    """
    asyncio.run(chat_through(steps, waits=waits))


async def chat_through(steps: list[str], *, waits: bool) -> None:
    with tempfile.TemporaryDirectory() as folder, closing(SessionStore(Path(folder), timeout=0)) as store:
        chat = Chatting(store, waits)
        for name in steps:
            await chat.step(name)
        await chat.unlock()
        session = chat.session
        await session.keeper.last_chance(0)

        assert not session.keeper.owes
        if session.id is None:
            assert session.talk.messages == ()
            return
        stored = on_record(store, session.id)
        assert stored.title == session.talk.title
        assert stored.conversation.system == session.talk.system
        asked = (chat.asked,) if chat.log is not None else ()
        if session.talk.editing and not session.talk.replacing:
            await session.restore()
        assert stored.conversation.messages == (*session.talk.messages, *asked)
        assert (stored.answer is not None) == (chat.log is not None)
        if stored.answer is not None:
            assert stored.answer.message.text == chat.reply.text
            assert stored.answer.message.thinking == chat.reply.thinking
        assert [info.id for info in store.infos()] == [session.id]
