"""The session that is open in the chat: what was said in it, and its record in the store.

A question that is to be asked again or edited is only set aside, with its answer: both stay on the record, and in
hand, until another answer is there.
"""

from __future__ import annotations

from dataclasses import replace

from llmterm.chat.choosing import Choices
from llmterm.conversation import Conversation
from llmterm.errors import SessionError, UsageError
from llmterm.messages import Message
from llmterm.sessions import AnswerLog, Replacement, SessionStore, StoredSession
from llmterm.sessions.titles import clean_title, title_of


class ChatSession:
    """One conversation, kept as it happens. It has no record, and no `id`, before its first question.

    `draft` is what the next prompt begins with.
    """

    def __init__(self, store: SessionStore, *, system: str) -> None:
        self.store = store
        self.id: str | None = None
        self.title = ""
        self.draft = ""
        self._whole = Conversation(system=system)
        # How many messages the next question follows, where some are set aside.
        self._keep: int | None = None
        # The question that is being answered: its row, and what it is to replace.
        self._asked = 0
        self._replacement: Replacement | None = None

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
            self._replacement = self.store.replace(self.id, self._keep, question)
            self._asked, self.title = self._replacement.message_id, self._replacement.title
        else:
            self._asked = self.store.add(self.id, question)
            self.title = self.title or title_of(question.text)
        try:
            return self.store.begin(self.id, provider=choices.provider, model=choices.model, options=choices.options)
        except SessionError:
            self.withdraw()
            raise

    def withdraw(self) -> None:
        """Take the question that came to nothing off the record; what it was to replace is still set aside."""
        replacement, self._replacement = self._replacement, None
        if replacement is not None:
            self.title = self.store.restore(self.recorded(), replacement)
            return
        self.store.truncate(self.recorded(), self._asked)
        if not self.messages and self.store.drop_empty(self.recorded()):
            self.id, self.title = None, ""

    def say(self, *messages: Message) -> None:
        """Take note of messages that are on the record. What was set aside is replaced by them."""
        self._whole, self._keep = self.conversation.add(*messages), None

    def settle(self) -> None:
        """Delete from the record what was replaced."""
        replacement, self._replacement = self._replacement, None
        if replacement is not None:
            self.store.settle(replacement)

    def set_aside(self) -> Message:
        """Set the last question aside with what came after it, until another one is answered; return it."""
        self.recorded()
        last = self._last_question()
        question, self._keep = self.messages[last], last
        return question

    def restore(self) -> bool:
        """Take up again what was set aside; return whether there was something."""
        aside, self._keep = self._keep is not None, None
        return aside

    def take_back(self) -> Message:
        """Take the last question and what came after it out of session and record, and return it."""
        self.restore()
        question = self.store.take_back(self.recorded())
        if question is None:
            raise UsageError("nothing was asked yet")
        self._whole = replace(self._whole, messages=self.messages[: self._last_question()])
        if not self.messages and self.title == title_of(question.text):
            self.title = ""
        return question

    def rewrite(self, answer: Message) -> None:
        """Put `answer` in the place of that to the last question, on the record too. Raises UsageError without one."""
        if answer == self.answered:
            return
        self.store.rewrite(self.recorded(), answer)
        self._whole = replace(self._whole, messages=(*self._whole.messages[:-1], answer))

    def set_system(self, text: str) -> None:
        self._whole = replace(self._whole, system=text)
        if self.id is not None:
            self.store.set_system(self.id, text)

    def set_title(self, title: str) -> None:
        self.title = self.store.set_title(self.id, title) if self.id is not None else clean_title(title)

    def open(self, stored: StoredSession) -> None:
        """Go over to a session of the store."""
        self.restore()
        self.id, self.title, self._whole = stored.id, stored.title, stored.conversation

    def new(self) -> None:
        """Begin anew, under the same system prompt."""
        self.restore()
        self.id, self.title = None, ""
        self._whole = Conversation(system=self._whole.system)

    def _last_question(self) -> int:
        """Return where the last question is. Raises UsageError where there is none."""
        for index in range(len(self.messages) - 1, -1, -1):
            if self.messages[index].role == "user":
                return index
        raise UsageError("nothing was asked yet")
