"""What was said in a session, as it is in hand: its conversation, what is being asked, and what was left for that.

Knows nothing of a store. What is done here counts at once; whether the record has it is the `CurrentSession`'s.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from llmterm.errors import UsageError
from llmterm.messages import Message
from llmterm.sessions.answer_record import AnswerRecord
from llmterm.sessions.record import Earlier
from llmterm.sessions.titles import followed, title_of
from llmterm.sessions.whole import HeldMessage, HeldSession

Path: TypeAlias = tuple[HeldMessage, ...]
# Title, system prompt, path, and the versions that were left.
Mark: TypeAlias = tuple[str, str, Path, tuple[Path, ...]]


def _nothing() -> None:
    pass


class _Counted(NamedTuple):
    """How many `questions` there are up to, and with, the `last` of so many messages."""

    at: int
    last: Path
    questions: int


_NOTHING_COUNTED = _Counted(0, (), 0)


class Talk:
    """One conversation. `asked` is the question that is being answered, `replacing` whether that is in the place of
    another one, or the same once more, and `answering` the record of its answer.
    """

    def __init__(self, system: str) -> None:
        self.title = ""
        self.system = system
        self.path: Path = ()
        # Versions that were left, as long as it is not known that they are on the record.
        self.beside: tuple[Path, ...] = ()
        self.asked: Message | None = None
        self.replacing = False
        self.answering: AnswerRecord | None = None
        # What it was opened without, and whether that is still not read.
        self.earlier: Earlier | None = None
        self.unread = False
        # How many messages the next question follows, while the last one is edited, and what is done once it is not.
        self._keep: int | None = None
        self._left: Callable[[], None] = _nothing
        # `asked` in hand, and the titles before it and with it.
        self._question: HeldMessage | None = None
        self._titles = ("", "")
        # A figure that every prompt asks for, of a conversation that may be long.
        self._counted = _NOTHING_COUNTED

    @property
    def messages(self) -> tuple[Message, ...]:
        """What was said, as far as that is read: see `CurrentSession.whole`."""
        return tuple([each.message for each in self.kept])

    @property
    def kept(self) -> Path:
        return self.path[: self._keep]

    @property
    def stopped(self) -> bool:
        """Whether the last answer was stopped: there may be more of it."""
        last = self.kept[-1].message if self.kept else None
        return last is not None and last.role == "assistant" and last.status == "interrupted"

    @property
    def size(self) -> int:
        """How many messages it has."""
        unread = self.earlier.messages if self.earlier is not None and self.unread else 0
        return unread + len(self.kept)

    @property
    def recent(self) -> tuple[Message, ...]:
        """The last of what was said: all that is not `before`."""
        first = self.before.messages if self.before is not None and not self.unread else 0
        return tuple(each.message for each in self.path[first : self._keep])

    @property
    def before(self) -> Earlier | None:
        """What it was opened without, whether or not that is read by now."""
        earlier = self.earlier
        return earlier if earlier is not None and earlier.messages < self.size else None

    def questions(self, at: int) -> int:
        """Return how many of the first `at` messages are questions."""
        known = self._counted
        if known.at > at or self.path[known.at - 1 : known.at] != known.last:
            known = _NOTHING_COUNTED
        more = sum(each.message.role == "user" for each in self.path[known.at : at])
        self._counted = _Counted(at, self.path[:at][-1:], known.questions + more)
        return self._counted.questions

    @property
    def answer(self) -> Message:
        """The last answer there is. Raises UsageError where there is none."""
        for each in reversed(self.path):
            if each.message.role == "assistant":
                return each.message
        raise UsageError("there is no answer yet")

    @property
    def answered(self) -> Message:
        """The answer to the last question. Raises UsageError where there is none."""
        answer = self.answer
        if self.path[-1].message.role != "assistant":
            raise UsageError("the last question has no answer", hint="/retry asks it again")
        return answer

    @property
    def editing(self) -> bool:
        """Whether the next question takes the place of the last one."""
        return self._keep is not None

    @property
    def own(self) -> HeldMessage | None:
        """The question that is being answered, unless it is one of the conversation, once more."""
        again = self.path[self._keep : self._keep + 1] if self._keep is not None else ()
        return self._question if self._question not in again else None

    def ask(self, question: Message) -> HeldMessage:
        """Have the question be answered, and return it as it is in hand: the one of the path where it is as it was."""
        again = self.path[self._keep] if self._keep is not None else None
        asked = again if again is not None and again.message == question else HeldMessage(question)
        self._titles = (self.title, self._named(question))
        self._question, self.title = asked, self._titles[1]
        self.asked, self.replacing = question, self.editing
        return asked

    def _named(self, question: Message) -> str:
        """Return the title of the session once the question is asked."""
        if self._keep == 0:
            return followed(self.title, self.path[0].message.text, question.text)
        return self.title or title_of(question.text)

    def _title_before(self) -> str:
        """Return the title as it is without the question that is being answered."""
        before, named = self._titles
        return before if self.title == named else self.title

    def withdraw(self) -> None:
        """The question came to nothing; the one that was edited still is."""
        self.title = self._title_before()
        self.over()

    def over(self) -> None:
        """No question is being answered any more."""
        self.asked = self.answering = self._question = None
        self.replacing = False

    def say(self, *messages: Message) -> HeldMessage | None:
        """Take in what was said, in the place of the last question where that was edited; return its answer if it has
        one.
        """
        if self.editing:
            self.beside = (*self.beside, self.path)
        said: list[HeldMessage] = []
        answered = None
        self._gone_back_to(self.kept)
        for message in messages:
            if message.role == "user":
                said.append(self._question or HeldMessage(message))
            else:
                answered = self._said(message)
                said.append(answered)
        self.path, self._keep, self._left = (*self.kept, *said), None, _nothing
        self.over()
        return answered

    def _said(self, message: Message) -> HeldMessage:
        """Return the answer that is over, if that is what was said."""
        said = self.answering.said if self.answering is not None else None
        return said if said is not None and said.message == message else HeldMessage(message)

    def edit(self, left: Callable[[], None] | None = None) -> Message:
        """Have the next question take the place of the last one, and return that. `left` is called if none does."""
        self.leave()
        last = self._last_question()
        self._keep, self._left = last, left or _nothing
        return self.path[last].message

    def leave(self) -> bool:
        """Leave the last question as it is; return whether it was to be edited."""
        edited, self._keep = self.editing, None
        left, self._left = self._left, _nothing
        left()
        return edited

    def take_back(self) -> Message:
        """Go back to before the last question, and return that: what was there is beside it now."""
        last, path = self._last_question(), self.path
        self.beside, self.path = (*self.beside, path), path[:last]
        question = path[last].message
        if not self.path:
            self.title = followed(self.title, question.text, None)
        self._gone_back_to(self.path)
        return question

    def rewrite(self, answer: Message) -> HeldMessage:
        """Put `answer` in the place of the last message, and return it as it is in hand."""
        rewritten = HeldMessage(answer)
        self.path = (*self.path[:-1], rewritten)
        return rewritten

    def _gone_back_to(self, path: Path) -> None:
        if self.earlier is not None and not self.unread and len(path) < self.earlier.messages:
            self.earlier = None

    def _last_question(self) -> int:
        """Return where the last question is. Raises UsageError where there is none."""
        for index in range(len(self.path) - 1, -1, -1):
            if self.path[index].message.role == "user":
                return index
        raise UsageError("nothing was asked yet")

    def mark(self) -> Mark:
        return self.title, self.system, self.path, self.beside

    def back_to(self, mark: Mark) -> None:
        """All is as it was: the record has refused what was done since."""
        self.title, self.system, self.path, self.beside = mark

    def held(self, session_id: str | None) -> HeldSession:
        """Return all of it, with the question and the answer that are under way."""
        path, beside, answer, title = self.path, self.beside, self.answering, self.title
        more: Path = ()
        if answer is not None and answer.dropped and self.replacing:
            title = self._title_before()
        elif self._question is not None:
            if self.replacing:
                beside = (*beside, path)
            path, more = self.kept, (self._question,)
        if answer is not None and answer.said is not None:
            more = (*more, answer.said)
        return HeldSession(
            id=session_id,
            title=title,
            system=self.system,
            whole=not self.unread,
            path=(*path, *more) if more else path,
            beside=beside,
            answer=answer.held if answer is not None and not answer.over else None,
        )
