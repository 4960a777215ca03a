"""The session that is open in the chat: what was said in it, and its record in the store.

A question that is to be asked again or edited is only set aside, with its answer: both stay on the record, and in
hand, until another answer is there. What another llmterm has made of the record is not written over: see `_head`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from llmterm.chat.choosing import Choices
from llmterm.conversation import Conversation
from llmterm.errors import SessionError, UsageError
from llmterm.messages import Message
from llmterm.sessions import AnswerLog, Replacement, SessionStore, StoredSession
from llmterm.sessions.titles import clean_title, title_of


def _nothing() -> None:
    pass


class ChatSession:
    """One conversation, kept as it happens. It has no record, and no `id`, before its first question.

    `asked` is the question that is being answered.
    """

    def __init__(self, store: SessionStore, *, system: str) -> None:
        self.store = store
        self.id: str | None = None
        self.title = ""
        self.asked: Message | None = None
        self._whole = Conversation(system=system)
        # How many messages the next question follows, where some are set aside, and what is done once none are.
        self._keep: int | None = None
        self._left: Callable[[], None] = _nothing
        # The row of `asked`, what it is to replace, and the last row before it.
        self._asked = 0
        self._replacement: Replacement | None = None
        self._before = 0
        # The last row of the record as it is known here, 0 for none: where it is another one, the store refuses.
        self._head = 0
        # An answer of the record is gone on with. Whether it was dropped, and what came back then, only that knows.
        self._opened = False

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
    def replacing(self) -> bool:
        """Whether the question that is being answered is to replace another one."""
        return self._replacement is not None

    @property
    def editing(self) -> bool:
        """Whether the next question takes the place of what is set aside."""
        return self._keep is not None

    def recorded(self) -> str:
        """Return the id. Raises UsageError before the first question."""
        if self.id is None:
            raise UsageError("nothing was said yet")
        return self.id

    def ask(self, question: Message, choices: Choices) -> AnswerLog:
        """Put the question on the record, in the place of what was set aside, and open the record of its answer."""
        if self.id is None:
            self.id = self.store.create(system=self._whole.system, title=self.title)
        if self._keep is not None:
            self._replacement = self.store.replace(self.id, self._keep, question, head=self._head)
            self._asked, self.title = self._replacement.message_id, self._replacement.title
        else:
            self._catch_up()
            self._asked = self.store.add(self.id, question, head=self._head)
            self.title = self.title or title_of(question.text)
        self.asked, self._before, self._head = question, self._head, self._asked
        try:
            log = self.store.begin(
                self.id,
                provider=choices.provider,
                model=choices.model,
                options=choices.options,
                head=self._head,
            )
        except SessionError:
            self.withdraw()
            raise
        self._head = log.message_id
        return log

    def withdraw(self) -> None:
        """Take the question that came to nothing off the record; what it was to replace is still set aside."""
        replacement, self._replacement = self._replacement, None
        asked, self.asked = self.asked, None
        if replacement is not None:
            self.title = self.store.restore(self.recorded(), replacement)
        else:
            self.store.truncate(self.recorded(), self._asked, head=self._head)
        self._head = self._before
        if replacement is None and not self.messages and self.store.drop_empty(self.recorded()):
            self.id = None
            if asked is not None and self.title == title_of(asked.text):
                self.title = ""

    def say(self, *messages: Message) -> None:
        """Take note of messages that are on the record. What was set aside is replaced by them."""
        self._whole, self._keep = self.conversation.add(*messages), None
        if messages[-1].role == "user":
            self._head = self._asked  # its answer was dropped
        self.asked = self._replacement = None
        self._left, self._opened = _nothing, False

    def set_aside(self, left: Callable[[], None] = _nothing) -> Message:
        """Set the last question aside with what came after it, until another one is answered; return it.

        `left` is called if it is taken up again instead.
        """
        self.recorded()
        last = self._last_question()
        question, self._keep = self.messages[last], last
        self._left = left
        return question

    def restore(self) -> bool:
        """Take up again what was set aside; return whether there was something."""
        self._catch_up()
        return self._take_up()

    def take_back(self) -> Message:
        """Take the last question and what came after it out of session and record, and return it."""
        self.restore()
        question = self.store.take_back(self.recorded(), head=self._head)
        if question is None:
            raise UsageError("nothing was asked yet")
        self._read()
        return question

    def rewrite(self, answer: Message) -> None:
        """Put `answer` in the place of that to the last question, on the record too. Raises UsageError without one."""
        if answer == self.answered:
            return
        self.store.rewrite(self.recorded(), answer, head=self._head)
        self._whole = replace(self._whole, messages=(*self._whole.messages[:-1], answer))

    def set_system(self, text: str) -> None:
        self._whole = replace(self._whole, system=text)
        if self.id is not None:
            self.store.set_system(self.id, text)

    def set_title(self, title: str) -> None:
        self.title = self.store.set_title(self.id, title) if self.id is not None else clean_title(title)

    def open(self, stored: StoredSession) -> None:
        """Go over to a session of the store."""
        self._take_up()
        self.id, self.title, self._whole = stored.id, stored.title, stored.conversation
        self._head, self._opened = stored.head, stored.answer is not None
        self.asked = self._replacement = None

    def new(self) -> None:
        """Begin anew, under the same system prompt."""
        self._take_up()
        self.id, self.title = None, ""
        self._whole = Conversation(system=self._whole.system)
        self._head, self._opened = 0, False
        self.asked = self._replacement = None

    def _take_up(self) -> bool:
        aside, self._keep = self._keep is not None, None
        left, self._left = self._left, _nothing
        left()
        return aside

    def _catch_up(self) -> None:
        """Learn what became of an answer that was gone on with, where nothing was said of that."""
        if self._opened:
            self._read()
            self._opened = False

    def _read(self) -> None:
        """Take title and messages from the record."""
        stored = self.store.load(self.recorded(), peek=True)
        self.title, self._head = stored.title, stored.head
        self._whole = replace(self._whole, messages=stored.conversation.messages)

    def _last_question(self) -> int:
        """Return where the last question is. Raises UsageError where there is none."""
        for index in range(len(self.messages) - 1, -1, -1):
            if self.messages[index].role == "user":
                return index
        raise UsageError("nothing was asked yet")
