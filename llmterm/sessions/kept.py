"""Where a session that is in hand is on the record: its rows, and how an answer is put there and taken off."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from llmterm.errors import SessionError
from llmterm.sessions import AnswerLog, SessionStore
from llmterm.sessions.whole import HeldAnswer, HeldMessage


class Named(NamedTuple):
    """What a session is called, and its system prompt."""

    title: str
    system: str


@dataclass(slots=True, eq=False)
class Record:
    """Where a session is on the record. Only the writing thread changes it, and only that needs more than one field.

    `id` is None before anything was stored. `answer` is the row of the answer to what is being asked, 0 where there is
    none, `log` how it is written, and `revision` that of one that has no log yet. `obsolete` are rows that are not
    worth keeping, with the revision of those that are answers. `forks` are the rows that stand beside each other, by
    the row they follow.
    """

    id: str | None = None
    head: int = 0
    rows: dict[HeldMessage, int] = field(default_factory=dict)
    forks: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    obsolete: dict[int, int | None] = field(default_factory=dict)
    answer: int = 0
    revision: int = 0
    log: AnswerLog | None = None

    @property
    def known(self) -> str:
        """The id of a session that is on the record."""
        if self.id is None:
            raise SessionError("nothing was stored yet")
        return self.id

    def row(self, message: HeldMessage | None) -> int:
        """Return the row of a message, 0 where it has none."""
        return 0 if message is None else self.rows.get(message, 0)

    def close(self) -> None:
        """Nothing is being asked any more."""
        self.answer, self.log = 0, None

    def give_up(self, row: int) -> None:
        """What the row says is not worth keeping, or is in hand."""
        if row:
            self.obsolete[row] = None

    def give_up_answer(self) -> None:
        """Nothing is being asked any more, and what the record has of the answer is in hand, or was nothing."""
        self.obsolete |= self.answers
        self.close()

    @property
    def answers(self) -> dict[int, int | None]:
        """The row and the revision of the answer, if there is one."""
        revision = self.log.revision if self.log is not None else self.revision
        return {self.answer: revision} if self.answer else {}

    def ask(
        self, store: SessionStore, question: HeldMessage, held: HeldAnswer, path: tuple[HeldMessage, ...], new: Named
    ) -> None:
        """Put the question after the `path`, unless it is there, and begin its answer; in a `new` session if in none.

        Raises SessionError where another process has changed the session; then, and for a store that fails, nothing of
        it is there.
        """
        before, own = (self.id, self.head), not self.row(question)
        try:
            with store.together():
                if self.id is None:
                    self.id = store.create(system=new.system, title=new.title)
                if own:
                    after = self.row(path[-1]) if path else 0
                    self.rows[question] = self.head = store.add(self.id, question.message, after=after, head=self.head)
                log = store.begin(
                    self.id,
                    provider=held.provider,
                    model=held.model,
                    options=held.options,
                    piped=held.piped,
                    after=self.row(question),
                    head=self.head,
                )
        except SessionError:
            self.id, self.head = before
            if own:
                self.rows.pop(question, None)
            raise
        self.log, self.head, self.answer = log, log.message_id, log.message_id

    def take_off(self, store: SessionStore, question: HeldMessage | None, path: tuple[HeldMessage, ...]) -> None:
        """Take off what is being asked, and go back to the end of the path."""
        before = self.row(path[-1]) if path else 0
        rows = tuple(filter(None, (self.row(question), self.answer)))
        store.withdraw(self.known, rows, before, answer=self.log, head=self.head)
        self.head = before
        self.close()
        if question is not None:
            del self.rows[question]
        self.forks = store.forks(self.known)
