"""The sessions of a service, read from a thread that may wait, as those of a store are."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from datetime import datetime
from typing import Any, TypeVar

from llmterm.errors import SessionError, UsageError
from llmterm.remote.record import load
from llmterm.remote.service import Service
from llmterm.sessions import AnswerLog, Hit, OpenAnswer, SessionInfo, StoredSession, Version

T = TypeVar("T")

# As many sessions as the service lists.
_MOST = 200


class RemoteShelf:
    """`loop` is where the service is asked, and not the thread that asks here; `session_id` the one that is open."""

    def __init__(self, service: Service, loop: asyncio.AbstractEventLoop, session_id: str) -> None:
        self._service = service
        self._loop = loop
        self._session_id = session_id

    def infos(self, limit: int | None = None, *, opened: bool = False, begins: bool = False) -> list[SessionInfo]:
        found = self._get("/v1/sessions", limit=min(limit or _MOST, _MOST))["sessions"]
        infos = [
            SessionInfo(
                id=each["id"],
                title=each["title"],
                created_at=datetime.fromisoformat(each["created_at"]),
                updated_at=datetime.fromisoformat(each["updated_at"]),
                messages=each["messages"],
                state=each["state"],
            )
            for each in found
        ]
        return [each for each in infos if not opened or each.state != "complete"]

    def search(self, words: str, *, limit: int = 20) -> list[Hit]:
        return [
            Hit(each["id"], each["title"], datetime.fromisoformat(each["updated_at"]), each["snippet"])
            for each in self._get("/v1/sessions", q=words, limit=limit)["sessions"]
        ]

    def find(self, session_id: str) -> str:
        """Return the id that this, or the beginning of one, stands for. Raises SessionError."""
        return self.load(session_id).id

    def matching(self, typed: str, *, limit: int | None = None) -> list[tuple[str, str]]:
        """Return the sessions whose titles have these words."""
        words = typed.lower().split()
        found = [(each.id, each.title) for each in self.infos() if all(word in each.title.lower() for word in words)]
        return found[:limit]

    def load(self, session_id: str, *, peek: bool = False, last: int | None = None) -> StoredSession:
        return self._wait(load(self._service, session_id))

    def versions(self, rows: Sequence[int]) -> list[Version]:
        found = self._get(f"/v1/sessions/{self._session_id}/versions")["versions"]
        known = {
            each["row"]: Version(each["row"], each["text"], tuple(each["models"]), each["open"])
            for fork in found
            for each in fork
        }
        return [known[row] for row in rows if row in known]

    def branch(self, session_id: str, keep: int) -> str:
        raise UsageError("a session of the service has no copies")

    def reopen(self, answer: OpenAnswer) -> AnswerLog:
        raise SessionError("the service has it")

    def _get(self, path: str, **query: object) -> Any:
        return self._wait(self._service.get(path, **query))

    def _wait(self, coming: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coming, self._loop).result()
