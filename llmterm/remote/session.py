"""A session of a service, as the chat talks in it: what is in hand of it, and what is asked of its record there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TypeVar

from llmterm.errors import LlmtermError, SessionError, UsageError
from llmterm.messages import Message, Options
from llmterm.remote.record import load
from llmterm.remote.service import Service
from llmterm.remote.shelf import RemoteShelf
from llmterm.sessions import StoredSession
from llmterm.sessions.current import Asked
from llmterm.sessions.talk import Talk
from llmterm.sessions.titles import clean_title
from llmterm.sessions.versions import Fork, forks_of
from llmterm.sessions.whole import HeldMessage
from llmterm.threads import in_thread

T = TypeVar("T")


class Kept:
    """The service keeps all of it: nothing waits to be written here."""

    lost = False

    async def rest(self) -> None:
        pass

    async def require(self, session_id: str) -> None:
        pass

    async def last_chance(self, seconds: float) -> None:
        pass


class RemoteSession:
    """It has no `id` before its first question."""

    def __init__(self, service: Service, *, system: str) -> None:
        self.id: str | None = None
        self.talk = Talk(system)
        self.keeper = Kept()
        self._system = system
        self._service = service
        self._rows: Mapping[HeldMessage, int] = {}
        self._forks: Mapping[int, tuple[int, ...]] = {}
        # Turns whose questions came to nothing: the service takes them off its record with the next one.
        self._nothing: set[str] = set()

    # Opening

    def open(self, stored: StoredSession) -> None:
        """Go over to a session of the service."""
        self.talk.leave()
        self.talk = Talk(stored.conversation.system)
        self._take(stored)

    def new(self) -> None:
        """Begin anew, under the same system prompt."""
        self.talk.leave()
        self.talk = Talk(self._system)
        self.id, self._rows, self._forks = None, {}, {}

    async def whole(self) -> None:
        """All of it is in hand."""

    def differs(self, stored: StoredSession) -> bool:
        """Tell whether somebody else has gone on with it."""
        answer = stored.answer
        if answer is not None:
            return f"{stored.id}.{answer.message_id}" not in self._nothing
        self.talk.title = stored.title
        return stored.rows != tuple(map(self._row, self.talk.path))

    def _take(self, stored: StoredSession) -> None:
        held = [HeldMessage(each) for each in stored.conversation.messages]
        self.talk.title, self.talk.path = stored.title, tuple(held)
        self.id, self._forks = stored.id, stored.forks
        self._rows = dict(zip(held, stored.rows, strict=True))

    # Answers

    def asked_in(self, session_id: str, question: Message) -> None:
        """A question was asked, which has begun it where it had none yet."""
        self.id = session_id
        self.talk.ask(question)

    async def said(self, question: Message | None, answer: Message | None) -> None:
        """Take note that a question was answered; of what there is the service has the last word."""
        self.talk.say(*filter(None, (question, answer)))
        try:
            stored = await load(self._service, self.recorded())
        except LlmtermError:
            return  # it is in hand
        if stored.answer is None:
            self._take(stored)

    def withdrawn(self, turn_id: str) -> None:
        """The question came to nothing."""
        self._nothing.add(turn_id)
        self.talk.withdraw()
        if not self.talk.path:
            self.id = None  # there is nothing in it

    def left(self) -> None:
        """Its answer goes on, or rests, without the chat."""
        self.talk.over()

    # Changes

    def recorded(self) -> str:
        """Return the id. Raises UsageError before the first question."""
        if self.id is None:
            raise UsageError("nothing was said yet")
        return self.id

    @property
    def forks(self) -> list[Fork]:
        return forks_of(self.talk.path, self._forks, self._row) if self._forks else []

    def edit(self, left: Callable[[], None] | None = None) -> Message:
        return self.talk.edit(left)

    async def restore(self) -> bool:
        return self.talk.leave()

    async def take_back(self) -> Message:
        await self.restore()
        question = self.talk.edit()
        self.talk.leave()
        session_id = self.recorded()
        await self._service.post(f"/v1/sessions/{session_id}/undo")
        self._take(await load(self._service, session_id))
        return question

    async def set_title(self, title: str) -> None:
        named = clean_title(title)
        if self.id is not None:
            if not named:
                raise SessionError("a title cannot be empty", hint="give it a word or two")
            await self._service.patch(f"/v1/sessions/{self.id}", {"title": named})
        self.talk.title = named

    async def set_system(self, text: str) -> None:
        if self.id is not None:
            raise UsageError("a session of the service keeps its system prompt", hint="/new begins another")
        self._system = self.talk.system = text

    async def switch(self, row: int) -> StoredSession:
        session_id = self.recorded()
        await self._service.post(f"/v1/sessions/{session_id}/switch", {"row": row})
        return await load(self._service, session_id)

    async def open_again(self, options: Options) -> StoredSession:
        session_id = self.recorded()
        await self._service.post(f"/v1/sessions/{session_id}/continue")
        return await load(self._service, session_id)

    async def asked(self) -> Asked:
        raise UsageError("others cannot be asked in a session of the service")

    async def rewrite(self, answer: Message) -> None:
        raise UsageError("an answer of the service that is over cannot be changed")

    # The record

    async def stored(self) -> StoredSession:
        return await load(self._service, self.recorded())

    async def read(self, use: Callable[[RemoteShelf], T]) -> T:
        return await in_thread(use, RemoteShelf(self._service, asyncio.get_running_loop(), self.id or ""))

    def news(self) -> list[tuple[str, bool]]:
        return []

    def _row(self, message: HeldMessage) -> int:
        return self._rows.get(message, 0)
