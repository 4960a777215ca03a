"""What stands in a keeper's place for a session that is not to be kept: all of it is in hand, and nothing written."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from llmterm.errors import SessionError
from llmterm.sessions.keeper import Change
from llmterm.sessions.kept import Record
from llmterm.sessions.store import SessionStore
from llmterm.sessions.whole import HeldSession

T = TypeVar("T")

_NOT_KEPT = SessionError("this session is not kept", hint="ask without --no-save")


class Unkept:
    """Does what a `Keeper` does, without a store. `lost`: nobody will find any of it again."""

    lost = True
    owes = False

    def put(self, change: Change, *, instead_of: object = None) -> None:
        pass

    async def attempt(self, change: Change) -> bool:
        return True

    async def use(self, use: Callable[[SessionStore], T]) -> T:
        raise _NOT_KEPT

    async def settled(self) -> None:
        pass

    def turn(self, record: Record, held: HeldSession) -> None:
        pass

    async def rest(self) -> None:
        pass

    async def require(self, session_id: str) -> None:
        raise _NOT_KEPT

    def require_usable(self) -> None:
        pass

    def untold(self) -> str:
        return ""

    def news(self) -> list[str]:
        return []

    def abandon(self) -> None:
        pass

    async def last_chance(self, seconds: float) -> None:
        pass
