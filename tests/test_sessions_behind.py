"""A chat whose store fails: all goes on in hand, and is on the record as soon as that can be written."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from llmterm.chat.options import Choices
from llmterm.errors import StoreError, UsageError
from llmterm.messages import Attachment, EndReason, Message, Options, Reply, Segment, TextDelta, ThinkingDelta
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
    session: CurrentSession = field(init=False)
    log: AnswerRecord | None = None
    reply: Reply = field(default_factory=Reply)
    lock: sqlite3.Connection | None = None
    count: int = 0

    def __post_init__(self) -> None:
        self.session = CurrentSession(self.store, system="be brief")

    def tell(self, write: Callable[[], object]) -> None:
        with suppress(StoreError, UsageError):
            write()

    def step(self, name: str) -> None:
        self.count += 1
        open_now = name in ("journal", "pause", "resume", "finish", "stop", "drop", "fail", "move")
        if name not in ("lock_", "unlock", "delete") and open_now != (self.log is not None):
            return
        self.tell(getattr(self, name))

    # The steps

    def lock_(self) -> None:
        if self.lock is None:
            self.store.infos()  # so that there is a file
            self.lock = sqlite3.connect(self.store.path, isolation_level=None)
            self.lock.execute("BEGIN IMMEDIATE")

    def unlock(self) -> None:
        if self.lock is not None:
            self.lock.close()
            self.lock = None

    def delete(self) -> None:
        if self.lock is None:
            for path in self.store.path.parent.glob("sessions.db*"):
                path.unlink()

    def ask(self) -> None:
        self.log = self.session.ask(question(f"question {self.count}"), CHOICES)
        self.asked = question(f"question {self.count}")
        self.reply = Reply()

    def journal(self) -> None:
        assert self.log is not None
        self.reply = self.reply.add(ThinkingDelta("hm")).add(TextDelta(f"word {self.count} "))
        self.log.journal(self.reply)

    def pause(self) -> None:
        assert self.log is not None
        self.reply = self.reply.close(segment(self.reply))
        self.log.pause(self.reply, EndReason.PAUSE)

    def resume(self) -> None:
        assert self.log is not None
        self.log.pause(self.reply, EndReason.PAUSE)
        self.log.resume(provider="q", model="n", mode="prefill", guidance="go on")

    def move(self) -> None:
        assert self.log is not None
        self.log.move(provider="q", model="n", mode="instruct")

    def finish(self) -> None:
        self.end("complete")

    def stop(self) -> None:
        self.end("interrupted")

    def end(self, status: str) -> None:
        log, self.log = self.log, None
        assert log is not None
        self.reply = self.reply.add(TextDelta(f"end {self.count}"))
        self.reply = self.reply.close(segment(self.reply, EndReason.STOP))
        self.tell(lambda: log.finish(self.reply, "complete" if status == "complete" else "interrupted"))
        self.session.say(self.asked, self.reply.message("complete" if status == "complete" else "interrupted"))

    def drop(self) -> None:
        log, self.log = self.log, None
        assert log is not None
        self.tell(log.discard)
        if self.session.replacing:
            self.session.withdraw()
        else:
            self.session.say(self.asked)

    def fail(self) -> None:
        self.log = None
        self.session.withdraw()

    def aside(self) -> None:
        self.session.edit()

    def restore(self) -> None:
        self.session.restore()

    def take_back(self) -> None:
        self.session.take_back()

    def rewrite(self) -> None:
        self.session.rewrite(Message(role="assistant", text=f"rewritten {self.count}"))

    def title(self) -> None:
        self.session.set_title(f"title {self.count}")

    def system(self) -> None:
        self.session.set_system(f"system {self.count}")


STEPS = [
    *("lock_", "unlock", "delete", "ask", "ask", "journal", "pause", "resume", "move", "finish", "finish", "stop"),
    *("drop", "fail", "aside", "restore", "take_back", "rewrite", "title", "system"),
]


def on_record(store: SessionStore, session_id: str) -> StoredSession:
    return store.load(session_id, peek=True)


@settings(max_examples=150)
@given(steps=st.lists(st.sampled_from(STEPS), max_size=30))
@example(steps=["ask", "journal", "lock_", "finish", "unlock", "ask", "finish"])
@example(steps=["lock_", "ask", "journal", "pause", "unlock", "resume", "journal", "finish"])
@example(steps=["ask", "finish", "aside", "ask", "journal", "lock_", "finish", "unlock"])
@example(steps=["ask", "finish", "aside", "ask", "lock_", "fail", "unlock"])
@example(steps=["ask", "finish", "aside", "lock_", "ask", "journal", "unlock", "drop"])
@example(steps=["ask", "finish", "lock_", "take_back", "ask", "finish", "unlock"])
@example(steps=["ask", "finish", "lock_", "rewrite", "title", "system", "unlock"])
@example(steps=["ask", "finish", "delete", "ask", "journal", "delete", "pause", "delete", "finish"])
@example(steps=["ask", "journal", "lock_", "pause", "resume", "journal", "unlock", "journal"])
def test_the_record_is_what_is_in_hand_once_it_can_be(steps: list[str]) -> None:
    """Whatever was done while somebody else kept the store locked, or before or after it was deleted."""
    with tempfile.TemporaryDirectory() as folder, closing(SessionStore(Path(folder), timeout=0)) as store:
        chat = Chatting(store)
        for name in steps:
            chat.step(name)
        chat.unlock()
        caught_up = chat.session.keeper.catch_up()
        session = chat.session

        assert caught_up
        assert not session.keeper.owes
        if session.id is None:
            assert session.messages == ()
            return
        stored = on_record(store, session.id)
        assert stored.title == session.title
        assert stored.conversation.system == session.conversation.system
        asked = (chat.asked,) if chat.log is not None else ()
        if session.editing and not session.replacing:
            session.restore()
        assert stored.conversation.messages == (*session.messages, *asked)
        assert (stored.answer is not None) == (chat.log is not None)
        if stored.answer is not None:
            assert stored.answer.message.text == chat.reply.text
            assert stored.answer.message.thinking == chat.reply.thinking
        assert [info.id for info in store.infos()] == [session.id]
