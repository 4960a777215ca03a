"""The session that is open in the chat: what was said in it, and its record in the store."""

from __future__ import annotations

from dataclasses import replace

from llmterm.chat.choosing import Choices
from llmterm.conversation import Conversation
from llmterm.errors import UsageError
from llmterm.messages import Message
from llmterm.sessions import AnswerLog, SessionStore, StoredSession
from llmterm.sessions.titles import title_of


class ChatSession:
    """One conversation, kept as it happens. It has no record, and no `id`, before its first question.

    `draft` is what the next prompt begins with.
    """

    def __init__(self, store: SessionStore, *, system: str) -> None:
        self.store = store
        self.id: str | None = None
        self.title = ""
        self.conversation = Conversation(system=system)
        self.draft = ""

    @property
    def messages(self) -> tuple[Message, ...]:
        return self.conversation.messages

    @property
    def answer(self) -> Message:
        """The last answer. Raises UsageError where there is none."""
        for message in reversed(self.messages):
            if message.role == "assistant":
                return message
        raise UsageError("there is no answer yet")

    def recorded(self) -> str:
        """Return the id. Raises UsageError before the first question."""
        if self.id is None:
            raise UsageError("nothing was said yet")
        return self.id

    def add(self, question: Message) -> int:
        """Put the question on the record, and return its id there."""
        if self.id is None:
            self.id = self.store.create(system=self.conversation.system, title=self.title)
        message_id = self.store.add(self.id, question)
        self.title = self.title or title_of(question.text)
        return message_id

    def begin(self, choices: Choices) -> AnswerLog:
        """Open the record of the answer to the last question."""
        return self.store.begin(
            self.recorded(), provider=choices.provider, model=choices.model, options=choices.options
        )

    def say(self, *messages: Message) -> None:
        """Take note of messages that are on the record."""
        self.conversation = self.conversation.add(*messages)

    def take_back(self) -> Message:
        """Take the last question and what came after it out of session and record, and return it."""
        question = self.store.take_back(self.recorded())
        if question is None:
            raise UsageError("nothing was asked yet")
        last = max(index for index, message in enumerate(self.messages) if message.role == "user")
        self.conversation = replace(self.conversation, messages=self.messages[:last])
        return question

    def rewrite(self, answer: Message) -> None:
        """Put `answer` in the place of the last message, on the record too."""
        self.store.rewrite(self.recorded(), answer)
        self.conversation = replace(self.conversation, messages=(*self.messages[:-1], answer))

    def set_system(self, text: str) -> None:
        self.conversation = replace(self.conversation, system=text)
        if self.id is not None:
            self.store.set_system(self.id, text)

    def set_title(self, title: str) -> None:
        self.title = self.store.set_title(self.id, title) if self.id is not None else title

    def open(self, stored: StoredSession) -> None:
        """Go over to a session of the store."""
        self.id, self.title, self.conversation = stored.id, stored.title, stored.conversation

    def new(self) -> None:
        """Begin anew, under the same system prompt."""
        self.id, self.title = None, ""
        self.conversation = Conversation(system=self.conversation.system)
