"""The session that is open in the chat: what was said in it, and its record in the store.

A question that is to be asked again or edited is only set aside, with its answer: both stay on the record, and in
hand, until another answer is there. What another llmterm has made of the record is not written over: see `_head`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

from llmterm.chat.keeper import Keeper
from llmterm.chat.record import AnswerRecord
from llmterm.conversation import Conversation
from llmterm.errors import SessionError, StoreError, UsageError
from llmterm.messages import Message, Options, Reply
from llmterm.sessions import AnswerLog, OpenAnswer, Replacement, SessionStore, StoredSession
from llmterm.sessions.titles import clean_title, title_of
from llmterm.sessions.whole import HeldAnswer, HeldSession, Put


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


class ChatSession:
    """One conversation, kept as it happens. It has no record, and no `id`, before its first question.

    `asked` is the question that is being answered, `replacing` whether that is to replace another one.
    """

    def __init__(self, store: SessionStore, *, system: str, piped: bool = False) -> None:
        """`piped`: its answers are asked for through a pipe."""
        self.store = store
        self._piped = piped
        self.id: str | None = None
        self.title = ""
        self.asked: Message | None = None
        self.replacing = False
        self._whole = Conversation(system=system)
        # How many messages the next question follows, where some are set aside, and what is done once none are.
        self._keep: int | None = None
        self._left: Callable[[], None] = _nothing
        # The row of `asked`, what it is to replace, the titles before it and with it, and the record of its answer.
        self._asked = 0
        self._replacement: Replacement | None = None
        self._titles = ("", "")
        self._answer: AnswerRecord | None = None
        # The last row of the record as it is known here, 0 for none: where it is another one, the store refuses.
        self._head = 0
        # An answer of the record is gone on with. Whether it was dropped, and what came back then, only that knows.
        self._opened = False
        # How many messages are on the record.
        self._stored = 0
        self.keeper = Keeper(self)

    @property
    def head(self) -> int:
        """The last row of the record as it is known here, 0 for none."""
        return self._head

    @property
    def conversation(self) -> Conversation:
        """What the next question follows."""
        return replace(self._whole, messages=self.messages)

    @property
    def messages(self) -> tuple[Message, ...]:
        return self._whole.messages[: self._keep]

    @property
    def answer(self) -> Message:
        """The last answer there is, also one that is set aside. Raises UsageError where there is none."""
        for message in reversed(self._whole.messages):
            if message.role == "assistant":
                return message
        raise UsageError("there is no answer yet")

    @property
    def answered(self) -> Message:
        """The answer to the last question. Raises UsageError where there is none."""
        answer = self.answer
        if self._whole.messages[-1].role != "assistant":
            raise UsageError("the last question has no answer", hint="/retry asks it again")
        return answer

    @property
    def editing(self) -> bool:
        """Whether the next question takes the place of what is set aside."""
        return self._keep is not None

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
        """Put the question on the record, in the place of what was set aside, and open the record of its answer."""
        self._learn()
        log: AnswerLog | None = None

        def write() -> None:
            nonlocal log
            log = self._ask(question, choices)

        kept = self.keeper.attempt(write)
        self._titles = (self.title, self._named(question))
        self.title = self._titles[1]
        self.asked, self.replacing = question, self.editing
        held = HeldAnswer(provider=choices.provider, model=choices.model, options=choices.options, piped=self._piped)
        self._answer = AnswerRecord(self.keeper, held, log if kept else None)
        return self._answer

    def _ask(self, question: Message, choices: Answerer) -> AnswerLog:
        if self.id is None:
            self.id = self.store.create(system=self._whole.system, title=self.title)
        self._replacement = None
        if self._keep is not None:
            self._replacement = self.store.replace(self.id, self._keep, question, head=self._head)
            self._asked = self._replacement.message_id
        else:
            self._asked = self.store.add(self.id, question, head=self._head)
        self._head = self._asked
        try:
            log = self.store.begin(
                self.id,
                provider=choices.provider,
                model=choices.model,
                options=choices.options,
                piped=self._piped,
                head=self._head,
            )
        except StoreError:
            raise
        except SessionError:
            self._take_off()  # somebody else has changed the session: it is theirs now
            raise
        self._head = log.message_id
        return log

    def _take_off(self) -> None:
        """Take the question that is being answered off the record."""
        if self._replacement is not None:
            self.store.restore(self.recorded(), self._replacement)
        else:
            self.store.truncate(self.recorded(), self._asked, head=self._head)
        self._head = self.store.head(self.recorded())

    def _named(self, question: Message) -> str:
        """Return the title of the session once the question is asked."""
        first = self._whole.messages[0] if self._keep == 0 else None
        if first is not None:
            return title_of(question.text) if self.title == title_of(first.text) else self.title
        return self.title or title_of(question.text)

    def reopen(self, answer: OpenAnswer) -> AnswerRecord:
        """Return the record of the answer that this session was opened with."""
        log: AnswerLog | None = None

        def write() -> None:
            nonlocal log
            log = self.store.reopen(answer)

        kept = self.keeper.attempt(write)
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
        """Take the question that came to nothing off the record; what it was to replace is still set aside."""

        def write() -> None:
            self._take_off()
            if not (self.replacing or self.messages) and self.store.drop_empty(self.recorded()):
                self.id = None

        self.keeper.attempt(write)
        before, asked = self._titles
        if self.title == asked and (self.replacing or not self.messages):
            self.title = before
        self._over()

    def say(self, *messages: Message) -> None:
        """Take note of messages that are on the record. What was set aside is replaced by them."""
        before = len(self.messages)
        self._whole, self._keep = self.conversation.add(*messages), None
        self._stored = min(self._stored, before) if self.keeper.behind else len(self._whole.messages)
        if messages[-1].role == "user" and not self.keeper.behind:
            self._head = self._asked  # its answer was dropped
        self._over()
        self._left, self._opened = _nothing, False

    def _over(self) -> None:
        """No question is being answered any more."""
        self.asked = self._answer = self._replacement = None
        self.replacing = False

    def set_aside(self, left: Callable[[], None] = _nothing) -> Message:
        """Set the last question aside with what came after it, until another one is answered; return it.

        `left` is called if it is taken up again instead.
        """
        self._require_words()
        last = self._last_question()
        question, self._keep = self.messages[last], last
        self._left = left
        return question

    def restore(self) -> bool:
        """Take up again what was set aside; return whether there was something."""
        self._learn()
        return self._take_up()

    def take_back(self) -> Message:
        """Take the last question and what came after it out of session and record, and return it."""
        self.restore()
        self._require_words()
        last = self._last_question()
        question = self.messages[last]

        def write() -> None:
            self.store.take_back(self.recorded(), head=self._head)
            self._head = self.store.head(self.recorded())

        self.keeper.attempt(write)
        self._shorten(last)
        if not self.messages and self.title == title_of(question.text):
            self.title = ""
        return question

    def rewrite(self, answer: Message) -> None:
        """Put `answer` in the place of that to the last question, on the record too. Raises UsageError without one."""
        if answer == self.answered:
            return
        self.keeper.attempt(lambda: self.store.rewrite(self.recorded(), answer, head=self._head))
        stored = self._stored
        before = self._whole.messages[:-1]
        self._whole = replace(self._whole, messages=(*before, answer))
        self._stored = min(stored, len(before)) if self.keeper.behind else stored

    def set_system(self, text: str) -> None:
        def write() -> None:
            if self.id is not None:
                self.store.set_system(self.id, text)

        self.keeper.attempt(write)
        self._whole = replace(self._whole, system=text)

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
        self.id, self.title, self._whole = stored.id, stored.title, stored.conversation
        self._head, self._opened = stored.head, stored.answer is not None
        self._stored = len(self._whole.messages)

    def new(self) -> None:
        """Begin anew, under the same system prompt."""
        self._leave()
        self.id, self.title = None, ""
        self._whole = Conversation(system=self._whole.system)
        self._head = self._stored = 0
        self._opened = False

    def stored(self) -> StoredSession:
        """Return the session as it is on the record, or would be."""
        self._require_words()
        if self.keeper.catch_up():
            return self.store.load(self.recorded(), peek=True)
        return self.held().session(datetime.now(UTC))

    # What the keeper asks

    def settle(self, put: Put, log: AnswerLog | None) -> None:
        """Take note of where the session is on the record."""
        self.id, self._head, self._asked, self._replacement = put.id, put.head, put.asked_row, put.replacement
        if self._answer is not None:
            self._answer.log = log
        self._stored = len(self._whole.messages)

    def held(self, *, elsewhere: bool = False) -> HeldSession:
        """Return the session as it is in hand."""
        messages, stored, asked, answer = self._whole.messages, self._stored, self.asked, self._answer
        if answer is not None and answer.over is not None:
            question = (asked,) if asked is not None else ()
            stored = min(stored, len(self.messages))
            messages = (*self.messages, *question, answer.held.reply.message(answer.over))
            asked = None
        elif answer is not None and answer.dropped and self.replacing:
            asked = None
        in_place = asked is not None and self.replacing  # it names the session by itself
        going_on = answer is not None and answer.over is None and not answer.dropped
        return HeldSession(
            id=self.id,
            title=self._titles[0] if in_place and self.title == self._titles[1] else self.title,
            system=self._whole.system,
            messages=messages,
            stored=stored,
            head=self._head,
            asked=asked,
            asked_row=self._asked,
            keep=self._keep if self.replacing else None,
            answer=answer.row if answer is not None and going_on else None,
            elsewhere=elsewhere,
        )

    def _leave(self) -> None:
        """Leave this session for another one."""
        self._take_up()
        self.keeper.leave()
        self._over()
        self._asked = 0

    def _shorten(self, size: int) -> None:
        """Forget all but the first `size` messages."""
        self._whole = replace(self._whole, messages=self._whole.messages[:size])
        self._stored = min(self._stored, size)

    def _require_words(self) -> None:
        if self.id is None and not self._whole.messages:
            raise UsageError("nothing was said yet")

    def _take_up(self) -> bool:
        aside, self._keep = self._keep is not None, None
        left, self._left = self._left, _nothing
        left()
        return aside

    def _learn(self) -> None:
        """Learn what became of an answer that was gone on with, where nothing was said of that."""
        if self._opened:
            self.keeper.attempt(self._read)
            self._opened = False

    def _read(self) -> None:
        """Take title and messages from the record."""
        stored = self.store.load(self.recorded(), peek=True)
        self.title, self._head = stored.title, stored.head
        self._whole = replace(self._whole, messages=stored.conversation.messages)
        self._stored = len(stored.conversation.messages)
        self._answer = None

    def _last_question(self) -> int:
        """Return where the last question is. Raises UsageError where there is none."""
        for index in range(len(self.messages) - 1, -1, -1):
            if self.messages[index].role == "user":
                return index
        raise UsageError("nothing was asked yet")
