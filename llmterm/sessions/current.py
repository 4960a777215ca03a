"""The session that is talked in, by the chat or through a pipe: what is in hand of it, and its record.

Asking again, and asking otherwise, add to the record beside what was said before; giving up goes back to that. What
another llmterm has made of the record is not written over: it is refused where the record has another head.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

from llmterm.conversation import Conversation
from llmterm.errors import SessionError, UsageError
from llmterm.lane import Driver
from llmterm.loading import loading
from llmterm.messages import Message, Options
from llmterm.sessions import OpenAnswer, SessionStore, StoredSession
from llmterm.sessions.answer_record import AnswerRecord, Step
from llmterm.sessions.keeper import Change, Keeper, Write
from llmterm.sessions.kept import Named, Record
from llmterm.sessions.record import LAST
from llmterm.sessions.talk import Path, Talk
from llmterm.sessions.titles import clean_title
from llmterm.sessions.versions import Fork, forks_of
from llmterm.sessions.whole import HeldAnswer, HeldMessage
from llmterm.threads import in_thread, in_thread_if

if TYPE_CHECKING:
    from llmterm.sessions.unkept import Unkept

T = TypeVar("T")

# What is only read may be waited for.
_READING_SECONDS = 5.0
# So many messages are gathered in a tenth of a millisecond, which is what a thread takes to begin.
_AT_ONCE = 1_000


class Answerer(Protocol):
    """Who is asked, and with what options."""

    @property
    def provider(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def options(self) -> Options: ...


class Writer(NamedTuple):
    """What writes many sessions: a thread, and a store that is used in it alone."""

    driver: Driver
    store: SessionStore


class Asked(NamedTuple):
    """The last question of a session, at `row` of its record, for others to answer: the `conversation` ends with it.

    `answer` is the row of the answer that it has, 0 for none, and `size` how many messages there are with one.
    """

    session_id: str
    row: int
    question: Message
    conversation: Conversation
    answer: int
    size: int


class CurrentSession:
    """One `talk`, kept as it happens. It has no record, and no `id`, before its first question."""

    def __init__(
        self,
        store: SessionStore,
        *,
        system: str,
        piped: bool = False,
        kept: bool = True,
        shared: Writer | None = None,
    ) -> None:
        """`piped`: its answers are asked for through a pipe. One that is not `kept` is read from the store alone.

        It is written by a thread and a connection of its own, or by `shared` ones.
        """
        self.store = store
        self.talk = Talk(system)
        self._piped = piped
        # An answer of the record is gone on with. Whether it was dropped, and what came back then, only that knows.
        self._opened = False
        # What is before the last messages of a long session is read by one at a time.
        self._reading = asyncio.Lock()
        self._reader: asyncio.Task[None] | None = None
        # Where all this is on the record: changed by who writes it.
        self._record = Record()
        self.keeper: Keeper | Unkept = _keeper(store, self._record, shared) if kept else _unkept()

    @property
    def id(self) -> str | None:
        return self._record.id

    @property
    def head(self) -> int:
        """The last row of the record as it is known here, 0 for none."""
        return self._record.head

    @property
    def forks(self) -> list[Fork]:
        """Where the conversation could go otherwise, the last place first; none before it is `whole`."""
        forks = self._record.forks if not self.talk.unread else {}
        return forks_of(self.talk.path, forks, self._record.row) if forks else []

    def recorded(self) -> str:
        """Return the id. Raises UsageError before the first question."""
        if self.id is None:
            raise UsageError("nothing was said yet")
        return self.id

    # Opening

    def open(self, stored: StoredSession) -> None:
        """Go over to a session of the store."""
        self.talk.leave()
        self.talk = Talk(stored.conversation.system)
        self._opened = stored.answer is not None
        self._take(stored)

    def new(self) -> None:
        """Begin anew, under the same system prompt."""
        self.talk.leave()
        self.talk = Talk(self.talk.system)
        self._opened = False
        self._turn(Record())

    async def whole(self) -> None:
        """Have all of it in hand, which a change needs. Raises SessionError where it is not on the record any more."""
        async with self._reading:
            talk, session_id, record = self.talk, self.id, self._record
            earlier = talk.earlier
            if earlier is None or session_id is None or not talk.unread:
                return
            rows = await self.read(lambda store: _held(*store.earlier(session_id, earlier)))
            if record is self._record:  # no other one was opened meanwhile
                rows.update(record.rows)
                talk.path, talk.unread = tuple(rows), False
                self._turn(Record(id=session_id, head=record.head, rows=rows, forks=record.forks))
                await in_thread(talk.questions, earlier.messages)  # from then on the later ones alone are counted

    async def conversation(self, *more: Message) -> Conversation:
        """Return what the next question follows, as it goes along with that, and `more`; the whole session is ready."""
        path = self.talk.kept
        return await in_thread_if(len(path) > _AT_ONCE, _conversation, self.talk.system, path, more)

    async def ready(self) -> None:
        """Have all of it in hand, as it is now, to be asked in."""
        await self._learn()
        await self.whole()

    async def _read_on(self) -> None:
        with suppress(SessionError):  # who needs it hears of that
            await self.whole()

    async def _learn(self) -> None:
        """Learn what became of an answer that was gone on with, where nothing was said of that."""
        if not self._opened:
            return
        self._opened = False
        session_id = self.recorded()
        with suppress(SessionError):  # then what is written next tells
            await self.keeper.require(session_id)
            stored = await self.keeper.use(lambda store: store.load(session_id, peek=True, last=LAST))
            self.talk.answering = None
            self._take(stored)

    def _take(self, stored: StoredSession) -> None:
        """Go over to what the record is now."""
        talk, rows = self.talk, _held(stored.rows, stored.conversation.messages)
        talk.title, talk.path = stored.title, tuple(rows)
        talk.earlier, talk.unread = stored.earlier, stored.earlier is not None
        self._turn(Record(id=stored.id, head=stored.head, rows=rows, forks=stored.forks))
        if talk.unread:
            self._reader = asyncio.create_task(self._read_on())

    def _turn(self, record: Record) -> None:
        self.talk.beside, self._record = (), record
        self.keeper.turn(record, self.talk.held(record.id))

    # Questions and answers

    @property
    def key(self) -> str:
        """What its requests have in common and no other has, "" where no other request is expected to follow."""
        return "" if self._piped and not self.talk.kept else self.id or ""

    @property
    def replacing(self) -> bool:
        """Whether what is being asked is in the place of an earlier question, or the same once more."""
        return self.talk.replacing

    @property
    def again(self) -> bool:
        """Whether it is the same once more: its earlier answer is there."""
        return self.talk.asked is not None and self.talk.own is None

    async def ask(self, question: Message, who: Answerer) -> AnswerRecord:
        """Put the question on the record, beside the one that it was made of, and open the record of its answer.

        One that is as it was is asked once more: it has another answer then. Raises SessionError where another process
        has changed the session: all is as it was then. Through a pipe also for a store that can never be used: nobody
        is there to hear of it later.
        """
        await self.ready()
        talk, mark = self.talk, self.talk.mark()
        held = HeldAnswer(provider=who.provider, model=who.model, options=who.options, piped=self._piped)
        asked, answer = talk.ask(question), AnswerRecord(self, held)
        talk.answering = answer
        title, system, path, _ = mark
        path = path[: len(talk.kept)]

        def write(store: SessionStore, record: Record) -> None:
            record.ask(store, asked, held, path, Named(title, system))

        try:
            await self._attempt(write)
        except SessionError:
            talk.back_to(mark)
            talk.over()
            raise
        if self._piped:
            self.keeper.require_usable()
        return answer

    async def reopen(self, answer: OpenAnswer) -> AnswerRecord:
        """Return the record of the answer that this session was opened with."""
        await self.whole()
        held = HeldAnswer(
            provider=answer.provider,
            model=answer.model,
            options=answer.options,
            reply=answer.reply,
            reason=answer.reason,
        )
        opened = self.talk.answering = AnswerRecord(self, held)

        def write(store: SessionStore, record: Record) -> None:
            record.log, record.answer = store.reopen(answer), answer.message_id

        def otherwise(record: Record) -> None:
            record.answer, record.revision = answer.message_id, answer.revision

        try:
            await self._attempt(write, otherwise)
        except SessionError:
            self.talk.answering = None
            raise
        return opened

    async def withdraw(self) -> None:
        """Take the question that came to nothing off the record; the one that was edited still is."""
        talk = self.talk
        path, own = talk.path, talk.own
        dropped = talk.answering is not None and talk.answering.dropped
        first = not (talk.replacing or talk.kept)
        talk.withdraw()

        def write(store: SessionStore, record: Record) -> None:
            if dropped:
                record.head, record.log = store.head(record.known), None  # it is over by this program's own word
            record.take_off(store, own, path)
            if first and store.drop_empty(record.known):
                record.id = None

        def otherwise(record: Record) -> None:
            record.give_up(record.row(own))
            record.give_up_answer()

        await self._attempt(write, otherwise)

    def say(self, *messages: Message) -> None:
        """Take note of messages that are on the record, in the place of the last question where that was edited."""
        talk = self.talk
        before, edited = talk.path[-1:], talk.editing
        answered = talk.say(*messages)
        last = talk.path[-1]
        self._opened = False

        def write(store: SessionStore, record: Record) -> None:
            if answered is None:
                record.head = record.row(last)  # its answer was dropped
            else:
                record.rows.setdefault(answered, record.answer)
            record.close()
            if edited or (record.row(before[0]) if before else 0) in record.forks:
                record.forks = store.forks(record.known)

        self._put(write, Record.give_up_answer)

    def write_answer(self, step: Step, *, growing: object = None) -> None:
        """Have a step of the answer written: see `AnswerRecord`."""

        def write(_store: SessionStore, record: Record) -> None:
            if record.log is not None:
                step(record.log)

        self._put(write, instead_of=growing)

    # Changes

    def edit(self, left: Callable[[], None] | None = None) -> Message:
        """Have the next question take the place of the last one, and return that. `left` is called if none does."""
        self._require_words()
        return self.talk.edit(left)

    async def restore(self) -> bool:
        """Leave the last question as it is; return whether it was to be edited."""
        await self.ready()
        return self.talk.leave()

    async def take_back(self) -> Message:
        """Go back to before the last question, and return that. It stays on the record, with what came after it."""
        await self.restore()
        self._require_words()
        mark = self.talk.mark()
        question = self.talk.take_back()
        last = self.talk.path[-1] if self.talk.path else None

        def write(store: SessionStore, record: Record) -> None:
            to = record.row(last)
            store.move(record.known, to, head=record.head)
            record.head, record.forks = to, store.forks(record.known)

        try:
            await self._attempt(write)
        except SessionError:
            self.talk.back_to(mark)
            raise
        return question

    async def asked(self) -> Asked:
        """Return the last question. Raises UsageError where there is none, SessionError where it is not kept yet."""
        await self.ready()
        session_id = self.recorded()
        await self.keeper.require(session_id)
        path = self.talk.kept
        at = next((at for at in reversed(range(len(path))) if path[at].message.role == "user"), None)
        if at is None:
            raise UsageError("nothing was asked yet")
        question = path[at].message
        return Asked(
            session_id=session_id,
            row=self._record.row(path[at]),
            question=question,
            conversation=await in_thread(_conversation, self.talk.system, path[:at], (question,)),
            answer=self._record.row(path[at + 1]) if at + 1 < len(path) else 0,
            size=at + 2,
        )

    async def rewrite(self, answer: Message) -> None:
        """Put `answer` in the place of that to the last question, on the record too. Raises UsageError without one."""
        await self.whole()
        if answer == self.talk.answered:
            return
        mark, last = self.talk.mark(), self.talk.path[-1]
        rewritten = self.talk.rewrite(answer)

        def write(store: SessionStore, record: Record) -> None:
            store.rewrite(record.known, answer, before=last.message, head=record.head)
            record.rows[rewritten] = record.rows.pop(last)

        try:
            # Where it is not written now, it is put beside what there is: nobody knows what that is by then.
            await self._attempt(write)
        except SessionError:
            self.talk.back_to(mark)
            raise

    async def set_system(self, text: str) -> None:
        await self.whole()

        def write(store: SessionStore, record: Record) -> None:
            if record.id is not None:
                store.set_system(record.id, text)

        before, self.talk.system = self.talk.system, text
        try:
            await self._attempt(write)
        except SessionError:
            self.talk.system = before
            raise

    async def set_title(self, title: str) -> None:
        named = clean_title(title)
        if self.id is not None and not named:
            raise SessionError("a title cannot be empty", hint="give it a word or two")
        await self.whole()

        def write(store: SessionStore, record: Record) -> None:
            if record.id is not None:
                store.set_title(record.id, named)

        before, self.talk.title = self.talk.title, named
        try:
            await self._attempt(write)
        except SessionError:
            self.talk.title = before
            raise

    async def switch(self, row: int) -> StoredSession:
        """Have the record go over to the version that goes through that message; return it, to be opened."""
        session_id, record = self.recorded(), self._record
        await self.keeper.require(session_id)
        return await self.keeper.use(lambda store: store.switch(session_id, row, head=record.head, last=LAST))

    async def open_again(self, options: Options) -> StoredSession:
        """Have the last answer, which was stopped, rest under `options`; return it, to be opened and gone on with."""
        session_id = self.recorded()
        await self.keeper.require(session_id)
        return await self.keeper.use(lambda store: store.open_again(session_id, options, last=LAST))

    # The record

    async def stored(self) -> StoredSession:
        """Return the session as it is on the record, or would be."""
        self._require_words()
        await self.keeper.settled()
        if self.keeper.owes or self.id is None:
            return self.talk.held(self.id).session(datetime.now(UTC))
        return await self.read(lambda store: store.load(self.recorded(), peek=True))

    async def read(self, use: Callable[[SessionStore], T]) -> T:
        """Return what a store has that nothing else waits for: neither a long session nor a lock holds up a write."""

        def run() -> T:
            with closing(self.store.another(timeout=_READING_SECONDS)) as store:
                return use(store)

        return await in_thread(run)

    def news(self) -> list[tuple[str, bool]]:
        """Return what there is to say about the record that no open answer has told, and whether it is a failure."""
        trouble = self.keeper.untold()
        return [*([(trouble, True)] if trouble else []), *((line, False) for line in self.keeper.news())]

    async def settled(self) -> None:
        await self.keeper.settled()

    def untold(self) -> str:
        return self.keeper.untold()

    def _put(
        self, write: Write, otherwise: Callable[[Record], None] | None = None, *, instead_of: object = None
    ) -> None:
        self.keeper.put(Change(self.talk.held(self.id), write, otherwise), instead_of=instead_of)

    async def _attempt(self, write: Write, otherwise: Callable[[Record], None] | None = None) -> None:
        if await self.keeper.attempt(Change(self.talk.held(self.id), write, otherwise)):
            self.talk.beside = ()

    def _require_words(self) -> None:
        if self.id is None and not self.talk.path:
            raise UsageError("nothing was said yet")


def _keeper(store: SessionStore, record: Record, shared: Writer | None) -> Keeper:
    return Keeper(store.another(), record) if shared is None else Keeper(shared.store, record, shared.driver)


def _unkept() -> Unkept:
    from llmterm.sessions.unkept import Unkept  # hardly any session

    return Unkept()


def _conversation(system: str, path: Path, more: Sequence[Message]) -> Conversation:
    return Conversation(system=system, messages=(*(each.plain for each in path), *more))


def _held(rows: Sequence[int], messages: Sequence[Message]) -> dict[HeldMessage, int]:
    """Return the messages in hand, with their rows."""
    with loading():
        return dict(zip(map(HeldMessage, messages), rows, strict=True))
