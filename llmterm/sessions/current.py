"""The session that is talked in, by the chat or through a pipe: what was said in it, and its record in the store.

Asking again, and asking otherwise, add to the record beside what was said before; giving up goes back to that. What
another llmterm has made of the record is not written over: see `_head`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

from llmterm.conversation import Conversation
from llmterm.errors import SessionError, StoreError, UsageError
from llmterm.messages import Message, Options, Reply
from llmterm.sessions import AnswerLog, OpenAnswer, SessionStore, StoredSession
from llmterm.sessions.answer_record import AnswerRecord
from llmterm.sessions.keeper import Keeper
from llmterm.sessions.titles import clean_title, followed, title_of
from llmterm.sessions.versions import Fork, forks_of
from llmterm.sessions.whole import HeldAnswer, HeldMessage, HeldSession, Put


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
        self.id: str | None = None
        self.title = ""
        self.system = system
        self.asked: Message | None = None
        self.replacing = False
        self._path: tuple[HeldMessage, ...] = ()
        # Versions that were left before they were on the record.
        self._beside: tuple[tuple[HeldMessage, ...], ...] = ()
        # How many messages the next question follows, while the last one is edited, and what is done once it is not.
        self._keep: int | None = None
        self._left: Callable[[], None] = _nothing
        # `asked` in hand, the titles before it and with it, the record of its answer, and the row of that.
        self._question: HeldMessage | None = None
        self._titles = ("", "")
        self._answer: AnswerRecord | None = None
        self._answer_row = 0
        # The last row of the record as it is known here, 0 for none: where it is another one, the store refuses.
        self._head = 0
        # Rows that are to be taken off the record where that could not be done at once.
        self._obsolete: tuple[int, ...] = ()
        # The rows of messages that stand beside each other, by the row they follow.
        self._forks: Mapping[int, tuple[int, ...]] = {}
        # An answer of the record is gone on with. Whether it was dropped, and what came back then, only that knows.
        self._opened = False
        self.keeper = Keeper(self)

    @property
    def head(self) -> int:
        """The last row of the record as it is known here, 0 for none."""
        return self._head

    @property
    def conversation(self) -> Conversation:
        """What the next question follows."""
        return Conversation(system=self.system, messages=self.messages)

    @property
    def messages(self) -> tuple[Message, ...]:
        return tuple(each.message for each in self._path[: self._keep])

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
        """Where the conversation could go otherwise, the last place first."""
        return forks_of([each.row for each in self._path], self._forks) if self._forks else []

    @property
    def streaming(self) -> bool:
        """Whether an answer is on its way."""
        answer = self._answer
        return answer is not None and answer.over is None and not answer.dropped and answer.held.reason is None

    def recorded(self) -> str:
        """Return the id. Raises UsageError before the first question."""
        if self.id is None:
            raise UsageError("nothing was said yet")
        return self.id

    def ask(self, question: Message, choices: Answerer) -> AnswerRecord:
        """Put the question on the record, beside the one that it was made of, and open the record of its answer.

        One that is as it was is asked once more: it has another answer then.
        """
        self._learn()
        log: AnswerLog | None = None

        def write() -> None:
            nonlocal log
            log = self._ask(question, choices)

        kept = self.keeper.attempt(write)
        if self._question is None:
            self._question = self._once_more(question) or HeldMessage(question)
        self._titles = (self.title, self._named(question))
        self.title = self._titles[1]
        self.asked, self.replacing = question, self.editing
        held = HeldAnswer(provider=choices.provider, model=choices.model, options=choices.options, piped=self._piped)
        self._answer = AnswerRecord(self.keeper, held, log if kept else None)
        return self._answer

    def _ask(self, question: Message, choices: Answerer) -> AnswerLog:
        if self.id is None:
            self.id = self.store.create(system=self.system, title=self.title)
        before = self._path[: self._keep]
        asked = self._once_more(question)
        if asked is None:
            row = self.store.add(self.id, question, after=before[-1].row if before else 0, head=self._head)
            asked, self._head = HeldMessage(question, row), row
        self._question = asked
        try:
            log = self.store.begin(
                self.id,
                provider=choices.provider,
                model=choices.model,
                options=choices.options,
                piped=self._piped,
                after=asked.row,
                head=self._head,
            )
        except StoreError:
            raise
        except SessionError:
            self._take_off()  # somebody else has changed the session: it is theirs now
            self._question = None
            raise
        self._head = self._answer_row = log.message_id
        return log

    def _once_more(self, question: Message) -> HeldMessage | None:
        """Return the last question, where it is that one once more."""
        last = self._path[self._keep] if self._keep is not None else None
        return last if last is not None and last.message == question else None

    def _take_off(self) -> None:
        """Take what is being asked off the record, and go back to what was before."""
        if self._answer is not None and self._answer.dropped:
            self._head = self.store.head(self.recorded())
        before = self._path[-1].row if self._path else 0
        self.store.withdraw(self.recorded(), self._asked_rows(), before, head=self._head)
        self._head = before

    def _asked_rows(self) -> tuple[int, ...]:
        """Return the rows that the question and its answer have of their own."""
        question = self._question
        new = question is not None and question not in self._path
        return tuple(filter(None, (question.row if new and question else 0, self._answer_row)))

    def _title_before(self) -> str:
        """Return the title as it is without the question that is being answered."""
        before, named = self._titles
        return before if self.title == named else self.title

    def _named(self, question: Message) -> str:
        """Return the title of the session once the question is asked."""
        if self._keep == 0:
            return followed(self.title, self._path[0].message.text, question.text)
        return self.title or title_of(question.text)

    def reopen(self, answer: OpenAnswer) -> AnswerRecord:
        """Return the record of the answer that this session was opened with."""
        log: AnswerLog | None = None

        def write() -> None:
            nonlocal log
            log = self.store.reopen(answer)

        kept = self.keeper.attempt(write)
        self._answer_row = answer.message_id
        held = HeldAnswer(
            provider=answer.provider,
            model=answer.model,
            options=answer.options,
            reply=Reply.of(answer.message),
            reason=answer.reason,
        )
        self._answer = AnswerRecord(self.keeper, held, log if kept else None)
        return self._answer

    def withdraw(self) -> None:
        """Take the question that came to nothing off the record; the one that was edited still is."""

        def write() -> None:
            self._take_off()
            if not (self.replacing or self.messages) and self.store.drop_empty(self.recorded()):
                self.id = None

        if not self.keeper.attempt(write):
            self._obsolete += self._asked_rows()
        self.title = self._title_before()
        self._over()

    def say(self, *messages: Message) -> None:
        """Take note of messages that are on the record, in the place of the last question where that was edited."""
        behind = self.keeper.behind
        if self._keep is not None:
            self._leave_beside()
        path = self._path[: self._keep]
        for message in messages:
            if message.role == "user":
                path = (*path, self._question or HeldMessage(message))
            else:
                path = (*path, HeldMessage(message, 0 if behind else self._answer_row))
        if behind:
            self._obsolete += tuple(filter(None, (self._answer_row,)))
        elif messages[-1].role == "user":
            self._head = path[-1].row  # its answer was dropped
        beside_others = self._keep is not None or (self._path[-1].row if self._path else 0) in self._forks
        self._path, self._keep = path, None
        self._over()
        self._left, self._opened = _nothing, False
        if beside_others:
            self._learn_forks()

    def _learn_forks(self) -> None:
        def read() -> None:
            self._forks = self.store.forks(self.recorded())

        self.keeper.attempt(read)

    def _over(self) -> None:
        """No question is being answered any more."""
        self.asked = self._answer = self._question = None
        self.replacing = False
        self._answer_row = 0

    def _leave_beside(self) -> None:
        """Have what is left now be put on the record as well, if it is not there."""
        if any(not each.row for each in self._path):
            self._beside = (*self._beside, self._path)

    def edit(self, left: Callable[[], None] = _nothing) -> Message:
        """Have the next question take the place of the last one, and return that. `left` is called if none does."""
        self._require_words()
        self._take_up()
        last = self._last_question()
        self._keep, self._left = last, left
        return self._path[last].message

    def restore(self) -> bool:
        """Leave the last question as it is; return whether it was to be edited."""
        self._learn()
        return self._take_up()

    def take_back(self) -> Message:
        """Go back to before the last question, and return that. It stays on the record, with what came after it."""
        self.restore()
        self._require_words()
        last = self._last_question()
        question = self._path[last].message

        def write() -> None:
            to = self._path[last - 1].row if last else 0
            self.store.move(self.recorded(), to, head=self._head)
            self._head = to

        if not self.keeper.attempt(write):
            self._leave_beside()
        self._path = self._path[:last]
        self._learn_forks()
        if not self._path:
            self.title = followed(self.title, question.text, None)
        return question

    def switch(self, row: int) -> StoredSession:
        """Have the record go over to the version that goes through that message; return it, to be opened."""
        session_id = self.recorded()
        self.keeper.require(session_id)
        return self.store.switch(session_id, row, head=self._head)

    def rewrite(self, answer: Message) -> None:
        """Put `answer` in the place of that to the last question, on the record too. Raises UsageError without one."""
        if answer == self.answered:
            return
        kept = self.keeper.attempt(lambda: self.store.rewrite(self.recorded(), answer, head=self._head))
        *before, last = self._path
        if not kept:
            self._obsolete += tuple(filter(None, (last.row,)))
        self._path = (*before, HeldMessage(answer, last.row if kept else 0))

    def set_system(self, text: str) -> None:
        def write() -> None:
            if self.id is not None:
                self.store.set_system(self.id, text)

        self.keeper.attempt(write)
        self.system = text

    def set_title(self, title: str) -> None:
        named = clean_title(title)
        if self.id is not None and not named:
            raise SessionError("a title cannot be empty", hint="give it a word or two")

        def write() -> None:
            if self.id is not None:
                self.store.set_title(self.id, named)

        self.keeper.attempt(write)
        self.title = named

    def open(self, stored: StoredSession) -> None:
        """Go over to a session of the store."""
        self._leave()
        self.id, self.title, self.system = stored.id, stored.title, stored.conversation.system
        self._take(stored)
        self._opened = stored.answer is not None

    def _take(self, stored: StoredSession) -> None:
        self._path = tuple(map(HeldMessage, stored.conversation.messages, stored.rows))
        self._head, self._forks = stored.head, stored.forks

    def new(self) -> None:
        """Begin anew, under the same system prompt."""
        self._leave()
        self.id, self.title = None, ""
        self._path, self._head, self._opened, self._forks = (), 0, False, {}

    def stored(self) -> StoredSession:
        """Return the session as it is on the record, or would be."""
        self._require_words()
        if self.keeper.catch_up():
            return self.store.load(self.recorded(), peek=True)
        return self.held().session(datetime.now(UTC))

    # What the keeper asks

    def settle(self, put: Put, log: AnswerLog | None) -> None:
        """Take note of where the session is on the record."""
        self.id, self._head = put.id, put.head
        # A question that is asked once more is the one on the path.
        known = {each: replace(each, row=put.rows.get(each, each.row)) for each in self._path}
        if self._question is not None:
            question = self._question
            self._question = known.get(question) or replace(question, row=put.rows.get(question, question.row))
        self._path = tuple(known.values())
        self._beside, self._obsolete = (), ()
        self._forks = self.store.forks(put.id) if put.id is not None else {}
        self._answer_row = put.answer
        if self._answer is not None:
            self._answer.log = log
            if self._answer.over is not None:
                self._answer_row = put.head

    def held(self, *, elsewhere: bool = False) -> HeldSession:
        """Return the session as it is in hand."""
        path, beside, obsolete, answer = self._path, self._beside, self._obsolete, self._answer
        title = self.title
        if answer is not None and answer.dropped and self.replacing:
            title = self._title_before()
        elif self._question is not None:
            if self.replacing:
                beside = (*beside, path)
            path = (*path[: self._keep], self._question)
        if answer is not None and (answer.dropped or answer.over is not None):
            obsolete += tuple(filter(None, (self._answer_row,)))
        if answer is not None and answer.over is not None:
            path = (*path, HeldMessage(answer.held.reply.message(answer.over)))
        going_on = answer is not None and answer.over is None and not answer.dropped
        return HeldSession(
            id=self.id,
            title=title,
            system=self.system,
            path=path,
            beside=beside,
            head=self._head,
            obsolete=obsolete,
            answer=answer.row if answer is not None and going_on else None,
            elsewhere=elsewhere,
        )

    def _leave(self) -> None:
        """Leave this session for another one."""
        self._take_up()
        self.keeper.leave()
        self._over()
        self._beside, self._obsolete = (), ()

    def _require_words(self) -> None:
        if self.id is None and not self._path:
            raise UsageError("nothing was said yet")

    def _take_up(self) -> bool:
        edited, self._keep = self._keep is not None, None
        left, self._left = self._left, _nothing
        left()
        return edited

    def _learn(self) -> None:
        """Learn what became of an answer that was gone on with, where nothing was said of that."""
        if self._opened:
            self.keeper.attempt(self._read)
            self._opened = False

    def _read(self) -> None:
        """Take title and messages from the record."""
        stored = self.store.load(self.recorded(), peek=True)
        self.title = stored.title
        self._take(stored)
        self._answer = None

    def _last_question(self) -> int:
        """Return where the last question is. Raises UsageError where there is none."""
        for index in range(len(self._path) - 1, -1, -1):
            if self._path[index].message.role == "user":
                return index
        raise UsageError("nothing was asked yet")
