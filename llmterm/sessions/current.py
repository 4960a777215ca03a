"""The session that is talked in, by the chat or through a pipe: what was said in it. Its record is the keeper's.

Asking again, and asking otherwise, add to the record beside what was said before; giving up goes back to that. What
another llmterm has made of the record is not written over: it is refused where the record has another head.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime
from typing import Protocol, TypeVar

from llmterm.conversation import Conversation
from llmterm.errors import SessionError, StoreError, UsageError
from llmterm.messages import Message, Options, Reply
from llmterm.sessions import Earlier, OpenAnswer, SessionStore, StoredSession
from llmterm.sessions.answer_record import AnswerRecord, Step
from llmterm.sessions.keeper import Change, Keeper, Record, Write
from llmterm.sessions.record import LAST
from llmterm.sessions.titles import clean_title, followed, title_of
from llmterm.sessions.versions import Fork, forks_of
from llmterm.sessions.whole import HeldAnswer, HeldMessage, HeldSession
from llmterm.threads import in_thread

T = TypeVar("T")

# What is only read may be waited for.
_READING_SECONDS = 5.0


def _nothing() -> None:
    pass


class Answerer(Protocol):
    """Who is asked, and with what options."""

    @property
    def provider(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def options(self) -> Options: ...


class CurrentSession:
    """One conversation, kept as it happens. It has no record, and no `id`, before its first question.

    `asked` is the question that is being answered, `replacing` whether that is in the place of another one, or the same
    once more.
    """

    def __init__(self, store: SessionStore, *, system: str, piped: bool = False) -> None:
        """`piped`: its answers are asked for through a pipe."""
        self.store = store
        self._piped = piped
        self.title = ""
        self.system = system
        self.asked: Message | None = None
        self.replacing = False
        self._path: tuple[HeldMessage, ...] = ()
        # What it was opened without, and whether that is still not read.
        self._earlier: Earlier | None = None
        self._unread = False
        self._reading = asyncio.Lock()
        self._reader: asyncio.Task[None] | None = None
        # Versions that were left, as long as it is not known that they are on the record.
        self._beside: tuple[tuple[HeldMessage, ...], ...] = ()
        # How many messages the next question follows, while the last one is edited, and what is done once it is not.
        self._keep: int | None = None
        self._left: Callable[[], None] = _nothing
        # `asked` in hand, the titles before it and with it, and the record of its answer.
        self._question: HeldMessage | None = None
        self._titles = ("", "")
        self._answer: AnswerRecord | None = None
        # An answer of the record is gone on with. Whether it was dropped, and what came back then, only that knows.
        self._opened = False
        # Where all this is on the record: changed by who writes it.
        self._record = Record()
        self.keeper = Keeper(store.another(), self._record)

    @property
    def id(self) -> str | None:
        return self._record.id

    @property
    def head(self) -> int:
        """The last row of the record as it is known here, 0 for none."""
        return self._record.head

    @property
    def conversation(self) -> Conversation:
        """What the next question follows."""
        return Conversation(system=self.system, messages=self.messages)

    @property
    def messages(self) -> tuple[Message, ...]:
        """What was said, as far as that is read: see `whole`."""
        return tuple(each.message for each in self._path[: self._keep])

    @property
    def size(self) -> int:
        """How many messages it has."""
        unread = self._earlier.messages if self._earlier is not None and self._unread else 0
        return unread + len(self._path[: self._keep])

    @property
    def recent(self) -> tuple[Message, ...]:
        """The last of what was said: all that is not `before`."""
        first = self.before.messages if self.before is not None and not self._unread else 0
        return tuple(each.message for each in self._path[first : self._keep])

    @property
    def before(self) -> Earlier | None:
        """What it was opened without, whether or not that is read by now."""
        earlier = self._earlier
        return earlier if earlier is not None and earlier.messages < self.size else None

    def questions(self, at: int) -> int:
        """Return how many of the first `at` messages are questions."""
        return sum(each.message.role == "user" for each in self._path[:at])

    @property
    def answer(self) -> Message:
        """The last answer there is. Raises UsageError where there is none."""
        for each in reversed(self._path):
            if each.message.role == "assistant":
                return each.message
        raise UsageError("there is no answer yet")

    @property
    def answered(self) -> Message:
        """The answer to the last question. Raises UsageError where there is none."""
        answer = self.answer
        if self._path[-1].message.role != "assistant":
            raise UsageError("the last question has no answer", hint="/retry asks it again")
        return answer

    @property
    def editing(self) -> bool:
        """Whether the next question takes the place of the last one."""
        return self._keep is not None

    @property
    def forks(self) -> list[Fork]:
        """Where the conversation could go otherwise, the last place first; none before it is `whole`."""
        forks = self._record.forks if not self._unread else {}
        return forks_of(list(map(self._record.row, self._path)), forks) if forks else []

    def recorded(self) -> str:
        """Return the id. Raises UsageError before the first question."""
        if self.id is None:
            raise UsageError("nothing was said yet")
        return self.id

    async def whole(self) -> None:
        """Have all of it in hand, which a change needs. Raises SessionError where it is not on the record any more."""
        async with self._reading:
            earlier, session_id, record = self._earlier, self.id, self._record
            if earlier is None or session_id is None or not self._unread:
                return
            rows = await self.read(lambda store: _held(*store.earlier(session_id, earlier)))
            if record is self._record:  # no other one was opened meanwhile
                rows.update(record.rows)
                self._path, self._unread = tuple(rows), False
                self._turn(Record(id=session_id, head=record.head, rows=rows, forks=record.forks))

    async def _read_on(self) -> None:
        with suppress(SessionError):  # who needs it hears of that
            await self.whole()

    async def ready(self) -> None:
        """Have all of it in hand, as it is now, to be asked in."""
        await self._learn()
        await self.whole()

    async def ask(self, question: Message, choices: Answerer) -> AnswerRecord:
        """Put the question on the record, beside the one that it was made of, and open the record of its answer.

        One that is as it was is asked once more: it has another answer then. Raises SessionError where another process
        has changed the session: all is as it was then.
        """
        await self.ready()
        before, again = self._path[: self._keep], self._once_more(question)
        asked = again or HeldMessage(question)
        self._titles = (self.title, self._named(question))
        held = HeldAnswer(provider=choices.provider, model=choices.model, options=choices.options, piped=self._piped)
        self._question, self.title = asked, self._titles[1]
        self.asked, self.replacing = question, self.editing
        answer = self._answer = AnswerRecord(self, held)
        system, title, came_from = self.system, self._titles[0], self._path[-1:]

        def write(store: SessionStore, record: Record) -> None:
            if record.id is None:
                record.id = store.create(system=system, title=title)
            if not record.row(asked):
                after = record.row(before[-1]) if before else 0
                record.rows[asked] = record.head = store.add(record.id, question, after=after, head=record.head)
            try:
                log = store.begin(
                    record.id,
                    provider=held.provider,
                    model=held.model,
                    options=held.options,
                    piped=held.piped,
                    after=record.row(asked),
                    head=record.head,
                )
            except StoreError:
                raise
            except SessionError:
                # Somebody else has changed the session: it is theirs now.
                _take_off(store, record, None if again else asked, came_from)
                raise
            record.log, record.head, record.answer = log, log.message_id, log.message_id

        try:
            await self._attempt(write)
        except SessionError:
            self.title = self._titles[0]
            self._over()
            raise
        return answer

    def _once_more(self, question: Message) -> HeldMessage | None:
        """Return the last question, where it is that one once more."""
        last = self._path[self._keep] if self._keep is not None else None
        return last if last is not None and last.message == question else None

    def _title_before(self) -> str:
        """Return the title as it is without the question that is being answered."""
        before, named = self._titles
        return before if self.title == named else self.title

    def _named(self, question: Message) -> str:
        """Return the title of the session once the question is asked."""
        if self._keep == 0:
            return followed(self.title, self._path[0].message.text, question.text)
        return self.title or title_of(question.text)

    async def reopen(self, answer: OpenAnswer) -> AnswerRecord:
        """Return the record of the answer that this session was opened with."""
        await self.whole()
        held = HeldAnswer(
            provider=answer.provider,
            model=answer.model,
            options=answer.options,
            reply=Reply.of(answer.message),
            reason=answer.reason,
        )
        opened = self._answer = AnswerRecord(self, held)

        def write(store: SessionStore, record: Record) -> None:
            record.log, record.answer = store.reopen(answer), answer.message_id

        def otherwise(record: Record) -> None:
            record.answer, record.revision = answer.message_id, answer.revision

        try:
            await self._attempt(write, otherwise)
        except SessionError:
            self._answer = None
            raise
        return opened

    async def withdraw(self) -> None:
        """Take the question that came to nothing off the record; the one that was edited still is."""
        came_from = self._path[-1:]
        own = self._question if self._question not in self._path else None
        dropped = self._answer is not None and self._answer.dropped
        first = not (self.replacing or self.messages)
        self.title = self._title_before()
        self._over()

        def write(store: SessionStore, record: Record) -> None:
            if dropped:
                record.head, record.log = store.head(record.known), None  # it is over by this program's own word
            _take_off(store, record, own, came_from)
            if first and store.drop_empty(record.known):
                record.id = None

        def otherwise(record: Record) -> None:
            record.give_up(record.row(own))
            record.give_up_answer()

        await self._attempt(write, otherwise)

    def say(self, *messages: Message) -> None:
        """Take note of messages that are on the record, in the place of the last question where that was edited."""
        if self._keep is not None:
            self._leave_beside()
        before, edited = self._path[-1:], self._keep is not None
        path = self._path[: self._keep]
        self._gone_back_to(path)
        answered: HeldMessage | None = None
        for message in messages:
            if message.role == "user":
                path = (*path, self._question or HeldMessage(message))
            else:
                answered = self._said(message)
                path = (*path, answered)
        last = path[-1]
        self._path, self._keep = path, None
        self._over()
        self._left, self._opened = _nothing, False

        def write(store: SessionStore, record: Record) -> None:
            if answered is None:
                record.head = record.row(last)  # its answer was dropped
            else:
                record.rows.setdefault(answered, record.answer)
            record.close()
            if edited or (record.row(before[0]) if before else 0) in record.forks:
                record.forks = store.forks(record.known)

        def otherwise(record: Record) -> None:
            record.give_up_answer()

        self._put(write, otherwise)

    def _said(self, message: Message) -> HeldMessage:
        """Return the answer that is over, if that is what was said."""
        said = self._answer.said if self._answer is not None else None
        return said if said is not None and said.message == message else HeldMessage(message)

    def _over(self) -> None:
        """No question is being answered any more."""
        self.asked = self._answer = self._question = None
        self.replacing = False

    def _gone_back_to(self, path: tuple[HeldMessage, ...]) -> None:
        if self._earlier is not None and len(path) < self._earlier.messages:
            self._earlier = None

    def _leave_beside(self) -> None:
        """Have what is left now be put on the record as well, if it is not there."""
        self._beside = (*self._beside, self._path)

    def edit(self, left: Callable[[], None] = _nothing) -> Message:
        """Have the next question take the place of the last one, and return that. `left` is called if none does."""
        self._require_words()
        self._take_up()
        last = self._last_question()
        self._keep, self._left = last, left
        return self._path[last].message

    async def restore(self) -> bool:
        """Leave the last question as it is; return whether it was to be edited."""
        await self.ready()
        return self._take_up()

    async def take_back(self) -> Message:
        """Go back to before the last question, and return that. It stays on the record, with what came after it."""
        await self.restore()
        self._require_words()
        last = self._last_question()
        path, beside, title = self._path, self._beside, self.title
        question, came_from = path[last].message, path[:last][-1:]
        self._leave_beside()
        self._path = path[:last]
        if not self._path:
            self.title = followed(title, question.text, None)

        def write(store: SessionStore, record: Record) -> None:
            to = record.row(came_from[0]) if came_from else 0
            store.move(record.known, to, head=record.head)
            record.head, record.forks = to, store.forks(record.known)

        try:
            await self._attempt(write)
        except SessionError:
            self._path, self._beside, self.title = path, beside, title
            raise
        self._gone_back_to(path[:last])
        return question

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

    async def rewrite(self, answer: Message) -> None:
        """Put `answer` in the place of that to the last question, on the record too. Raises UsageError without one."""
        await self.whole()
        if answer == self.answered:
            return
        *before, last = path = self._path
        rewritten = HeldMessage(answer)
        self._path = (*before, rewritten)

        def write(store: SessionStore, record: Record) -> None:
            store.rewrite(record.known, answer, before=last.message, head=record.head)
            record.rows[rewritten] = record.rows.pop(last)

        try:
            # Where it is not written now, it is put beside what there is: nobody knows what that is by then.
            await self._attempt(write)
        except SessionError:
            self._path = path
            raise

    async def set_system(self, text: str) -> None:
        await self.whole()

        def write(store: SessionStore, record: Record) -> None:
            if record.id is not None:
                store.set_system(record.id, text)

        before, self.system = self.system, text
        try:
            await self._attempt(write)
        except SessionError:
            self.system = before
            raise

    async def set_title(self, title: str) -> None:
        named = clean_title(title)
        if self.id is not None and not named:
            raise SessionError("a title cannot be empty", hint="give it a word or two")
        await self.whole()

        def write(store: SessionStore, record: Record) -> None:
            if record.id is not None:
                store.set_title(record.id, named)

        before, self.title = self.title, named
        try:
            await self._attempt(write)
        except SessionError:
            self.title = before
            raise

    def open(self, stored: StoredSession) -> None:
        """Go over to a session of the store."""
        self._take_up()
        self._over()
        self.title, self.system = stored.title, stored.conversation.system
        self._opened = stored.answer is not None
        self._take(stored)

    def new(self) -> None:
        """Begin anew, under the same system prompt."""
        self._take_up()
        self._over()
        self.title, self._path, self._opened = "", (), False
        self._earlier, self._unread = None, False
        self._turn(Record())

    async def stored(self) -> StoredSession:
        """Return the session as it is on the record, or would be."""
        self._require_words()
        await self.keeper.settled()
        if self.keeper.owes or self.id is None:
            return self._held().session(datetime.now(UTC))
        return await self.read(lambda store: store.load(self.recorded(), peek=True))

    async def read(self, use: Callable[[SessionStore], T]) -> T:
        """Return what a store has that nothing else waits for: neither a long session nor a lock holds up a write."""

        def run() -> T:
            with closing(self.store.another(timeout=_READING_SECONDS)) as store:
                return use(store)

        return await in_thread(run)

    # The record

    async def settled(self) -> None:
        await self.keeper.settled()

    def untold(self) -> str:
        return self.keeper.untold()

    def write_answer(self, step: Step, *, growing: object = None) -> None:
        """Have a step of the answer written: see `AnswerRecord`."""

        def write(_store: SessionStore, record: Record) -> None:
            if record.log is not None:
                step(record.log)

        self._put(write, instead_of=growing)

    def _put(
        self, write: Write, otherwise: Callable[[Record], None] | None = None, *, instead_of: object = None
    ) -> None:
        self.keeper.put(Change(self._held(), write, otherwise), instead_of=instead_of)

    async def _attempt(self, write: Write, otherwise: Callable[[Record], None] | None = None) -> bool:
        kept = await self.keeper.attempt(Change(self._held(), write, otherwise))
        if kept:
            self._beside = ()
        return kept

    def _turn(self, record: Record) -> None:
        self._beside, self._record = (), record
        self.keeper.turn(record, self._held())

    def _held(self) -> HeldSession:
        """Return the session as it is in hand."""
        path, beside, answer, title = self._path, self._beside, self._answer, self.title
        if answer is not None and answer.dropped and self.replacing:
            title = self._title_before()
        elif self._question is not None:
            if self.replacing:
                beside = (*beside, path)
            path = (*path[: self._keep], self._question)
        if answer is not None and answer.said is not None:
            path = (*path, answer.said)
        return HeldSession(
            id=self.id,
            title=title,
            system=self.system,
            whole=not self._unread,
            path=path,
            beside=beside,
            answer=answer.held if answer is not None and not answer.over else None,
        )

    def _require_words(self) -> None:
        if self.id is None and not self._path:
            raise UsageError("nothing was said yet")

    def _take_up(self) -> bool:
        edited, self._keep = self._keep is not None, None
        left, self._left = self._left, _nothing
        left()
        return edited

    async def _learn(self) -> None:
        """Learn what became of an answer that was gone on with, where nothing was said of that."""
        if not self._opened:
            return
        self._opened = False
        session_id = self.recorded()
        with suppress(SessionError):  # then what is written next tells
            await self.keeper.require(session_id)
            stored = await self.keeper.use(lambda store: store.load(session_id, peek=True, last=LAST))
            self.title, self._answer = stored.title, None
            self._take(stored)

    def _take(self, stored: StoredSession) -> None:
        """Go over to what the record is now."""
        rows = _held(stored.rows, stored.conversation.messages)
        self._path, self._earlier, self._unread = tuple(rows), stored.earlier, stored.earlier is not None
        self._turn(Record(id=stored.id, head=stored.head, rows=rows, forks=stored.forks))
        if self._unread:
            self._reader = asyncio.create_task(self._read_on())

    def _last_question(self) -> int:
        """Return where the last question is. Raises UsageError where there is none."""
        for index in range(len(self._path) - 1, -1, -1):
            if self._path[index].message.role == "user":
                return index
        raise UsageError("nothing was asked yet")


def _held(rows: Sequence[int], messages: Sequence[Message]) -> dict[HeldMessage, int]:
    """Return the messages in hand, with their rows."""
    return dict(zip(map(HeldMessage, messages), rows, strict=True))


def _take_off(
    store: SessionStore, record: Record, question: HeldMessage | None, came_from: tuple[HeldMessage, ...]
) -> None:
    """Take what is being asked off the record, and go back to what was before."""
    before = record.row(came_from[0]) if came_from else 0
    rows = tuple(filter(None, (record.row(question), record.answer)))
    store.withdraw(record.known, rows, before, answer=record.log, head=record.head)
    record.head = before
    record.close()
    if question is not None:
        del record.rows[question]
    record.forks = store.forks(record.known)
