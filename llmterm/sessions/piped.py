"""The record of one question, and of its answer once that is there: of a pipe, which has no second chance.

A store that fails while the answer comes is nobody's business: all of it is in hand, and is put on the record as a
whole at the end. Only what could not be written then is reported.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from llmterm.conversation import Conversation
from llmterm.errors import SessionError, StoreError
from llmterm.messages import EndReason, Options, Reply
from llmterm.sessions.answer import AnswerLog
from llmterm.sessions.store import SessionStore
from llmterm.sessions.whole import HeldAnswer, HeldSession

# Seconds that the end of an answer waits for a store that somebody else keeps locked: nobody waits for it any more.
_PATIENCE = 5.0


class PipedRecord:
    """Opened by `begin`, ended by one of `finish`, `rest` and `drop`; `id` is that of the session, once it has one."""

    def __init__(
        self,
        store: SessionStore,
        asked: Conversation,
        *,
        session: str | None,
        head: int,
        provider: str,
        model: str,
        options: Options,
    ) -> None:
        """`asked` ends with the question; `session` is the stored one of what comes before, `head` its last row."""
        *before, question = asked.messages
        self._store = store
        self._log: AnswerLog | None = None
        self._failed: SessionError | None = None
        self._held = HeldSession(
            id=session,
            title="",
            system=asked.system,
            messages=tuple(before),
            stored=len(before) if session else 0,
            head=head,
            asked=question,
            answer=HeldAnswer(provider=provider, model=model, options=options, piped=True),
        )

    @property
    def id(self) -> str | None:
        return self._held.id

    def begin(self) -> None:
        """Put the question on the record. Raises SessionError where no waiting would help."""
        held, answer = self._held, self._held.answer
        assert held.asked is not None
        assert answer is not None
        try:
            session = held.id or self._store.create(system=held.system)
            self._held = replace(held, id=session)
            row = self._store.add(session, held.asked, head=held.head)
            self._held = replace(held, id=session, head=row, asked_row=row)
            self._log = self._store.begin(
                session, provider=answer.provider, model=answer.model, options=answer.options, piped=True
            )
            self._held = replace(self._held, head=self._log.message_id)
        except StoreError as error:
            if error.lasting:
                raise
            self._failed = error

    def journal(self, reply: Reply) -> None:
        self._try(lambda log: log.journal(reply))

    def move(self, *, provider: str, model: str) -> None:
        if self._held.answer is not None:
            self._held = replace(self._held, answer=replace(self._held.answer, provider=provider, model=model))
        self._try(lambda log: log.move(provider=provider, model=model))

    def finish(self, reply: Reply) -> None:
        """Keep the whole answer. Raises SessionError where that is not possible."""
        assert self._held.asked is not None
        messages = (*self._held.messages, self._held.asked, reply.message("complete"))
        self._end(lambda log: log.finish(reply), replace(self._held, messages=messages, asked=None, answer=None))

    def rest(self, reply: Reply, reason: EndReason) -> None:
        """Keep an answer that can be gone on with. Raises SessionError where that is not possible."""
        assert self._held.answer is not None
        answer = replace(self._held.answer, reply=reply, reason=reason)
        self._end(lambda log: log.pause(reply, reason), replace(self._held, answer=answer))

    def drop(self) -> None:
        """Have nothing of the question on the record. Raises SessionError where that is not possible."""
        self._end(None, replace(self._held, asked=None, answer=None))

    def _try(self, write: Callable[[AnswerLog], None]) -> None:
        if self._log is None or self._failed is not None:
            return
        try:
            write(self._log)
        except StoreError as error:
            self._failed = error  # the end has all of it

    def _end(self, write: Callable[[AnswerLog], None] | None, held: HeldSession) -> None:
        with self._store.patient(_PATIENCE):
            if self._log is not None and write is not None and not self._store.moved():
                try:
                    write(self._log)
                except StoreError as error:
                    self._failed = error
                else:
                    return
            if self._store.moved():
                self._store.accept()
                held = replace(held, elsewhere=True)
            put, _ = self._store.put(held)
            self._held = replace(held, id=put.id)
