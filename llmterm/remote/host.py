"""Answers that a service makes, in a session of its own."""

from __future__ import annotations

import asyncio
import base64
import json
from contextlib import suppress
from typing import Any

from llmterm.errors import LlmtermError, ProtocolError
from llmterm.messages import Message, Options
from llmterm.messages.plain import READERS, plain
from llmterm.remote.record import load
from llmterm.remote.service import Service
from llmterm.remote.session import RemoteSession
from llmterm.remote.told import standing
from llmterm.remote.turn import RemoteTurn
from llmterm.sessions import OpenAnswer, StoredSession
from llmterm.sessions.current import Answerer

# Seconds before a service that is lost is asked again what has changed.
_AGAIN = 2.0


class RemoteHost:
    shared = True

    def __init__(self, service: Service, session: RemoteSession, choice: Answerer) -> None:
        self._service = service
        self._session = session
        self._choice = choice
        # The session as it was when somebody else had done nothing to it.
        self._seen: tuple[str | None, str] = (None, "")

    @property
    def left(self) -> str:
        """How the session is gone on with, once the chat is left."""
        return f"llmterm chat --attach {self._service.url} --session {self._session.id} goes on with it"

    async def ask(self, question: Message) -> RemoteTurn:
        session, choice = self._session, self._choice
        editing, last = session.talk.editing, session.talk.path[len(session.talk.kept) :]
        again = editing and last[0].message == question
        now = standing(
            await self._service.post(
                "/v1/turns",
                {
                    "question": question.text,
                    "attachments": [
                        {"name": each.name, "data": base64.b64encode(each.data).decode()}
                        for each in question.attachments
                        if each.data and not again
                    ],
                    "model": "/".join(filter(None, (choice.provider, choice.model))),
                    "options": _said(choice.options),
                    "again": again,
                    "replaces": editing and not again,
                    # What the session had attached is there: here it is without its bytes.
                    "keeps": [each.name for each in question.attachments if not each.data] if editing else [],
                    **({"session": session.id} if session.id else {}),
                    **({"system": session.talk.system} if session.talk.system and not session.id else {}),
                },
            )
        )
        session.asked_in(now.session, question)
        return RemoteTurn(self._service, session, now, question)

    async def go_on(self, answer: OpenAnswer) -> RemoteTurn:
        session = self._session
        now = standing(await self._service.get(f"/v1/turns/{session.recorded()}.{answer.message_id}"))
        return RemoteTurn(self._service, session, now, None)

    async def changed(self) -> StoredSession:
        """Wait until somebody else has gone on with the session; return it. A service that is lost is asked again."""
        session = self._session
        if session.id is None:
            await asyncio.Event().wait()
        path = f"/v1/sessions/{session.recorded()}/events"
        while True:
            with suppress(LlmtermError):
                async with self._service.listening(path) as stream:
                    while frames := await stream.read():
                        now = (session.id, _mark(frames[-1].data))
                        if now != self._seen:
                            stored = await load(self._service, session.recorded())
                            if session.differs(stored):
                                return stored
                            self._seen = now
            await asyncio.sleep(_AGAIN)


def attached(service: Service, system: str, choice: Answerer) -> tuple[RemoteSession, RemoteHost]:
    """Return a session of a service, and who has questions answered in it."""
    session = RemoteSession(service, system=system)
    return session, RemoteHost(service, session, choice)


def _mark(data: str) -> str:
    """Return the mark of a session, another one whenever that has changed. Raises ProtocolError."""
    try:
        return str(READERS["str"](json.loads(data)["mark"]))
    except (ValueError, KeyError, TypeError) as error:
        raise ProtocolError(f"the service: {error!r}") from None


def _said(options: Options) -> dict[str, Any]:
    """Return what of the options is said at all."""
    return {name: value for name, value in plain(options).items() if value not in (None, []) and name != "schema"}
