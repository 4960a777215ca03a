"""What a service asks of the other instances that share its turns; where there are none, all of it is its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from llmterm.eventlog import EventLog
from llmterm.recorded import KEPT_SECONDS
from llmterm.serve.peers.mirrored import MirroredTurn
from llmterm.serve.refusals import NoSuchTurnError
from llmterm.serve.served import ServedTurn


class Host(Protocol):
    """What an instance does when others ask, or are no more."""

    async def obey(self, order: Mapping[str, Any]) -> Mapping[str, Any]:
        """Do what another instance asks for, as JSON has it. Raises our errors."""
        ...

    async def inherit(self, name: str) -> None:
        """Take over what an instance had that is no more: a session, or a turn that is on no record."""
        ...

    async def lose(self, turn: ServedTurn) -> None:
        """Let go of a turn that another instance has taken over, as this one was taken for dead."""
        ...

    def hear(self, session_id: str) -> None:
        """A session has changed elsewhere."""
        ...


class Peers(Protocol):
    """The other instances. What each of them has is a session, with the turn that is not over in it, or a turn that
    is on no record: both go by a name, the session's or the turn's.

    All that is asked raises PeersLostError where nothing can be known of the others.
    """

    async def open(self, host: Host) -> None: ...

    async def close(self) -> None:
        """Have all told that was to be told, and leave them."""
        ...

    async def find(self, turn_id: str) -> MirroredTurn | None:
        """Return a turn that lives at another instance, or is over and was told there."""
        ...

    async def turn_in(self, name: str) -> str | None:
        """Return the id of the turn that lives at another instance under that name."""
        ...

    async def hold(self, name: str) -> bool:
        """Have it from now on; return whether it was that of an instance which is no more.

        Raises ConflictError where another instance that lives has it.
        """
        ...

    def drop(self, name: str) -> None:
        """Have it no more, as nothing came of it."""
        ...

    async def told(self, turn_id: str) -> EventLog | None:
        """Return all that was told of a turn that nobody has now, to be gone on with here."""
        ...

    async def asked(self, turn_id: str) -> str | None:
        """Return what a turn answers that is on no record, in its own words."""
        ...

    async def live(self, turn: ServedTurn) -> None:
        """Have the others told what a turn tells, until it lives here no more."""
        ...

    def kept_seconds(self) -> float:
        """Return after how many seconds what comes is to be on the record: later where the others have it."""
        ...

    async def order(self, name: str, order: Mapping[str, Any]) -> Mapping[str, Any]:
        """Ask who has it for something. Raises why that cannot be, and NoSuchTurnError where nobody has it."""
        ...

    async def forget(self, name: str) -> None:
        """Leave nothing of what was told under that name."""
        ...

    def changed(self, session_id: str) -> None:
        """Tell the others that a session has changed."""
        ...

    def dismiss(self) -> None:
        """Let go of who reads here what is told elsewhere."""
        ...


class Alone:
    """There are no others."""

    async def open(self, host: Host) -> None:
        pass

    async def close(self) -> None:
        pass

    async def find(self, turn_id: str) -> MirroredTurn | None:
        return None

    async def turn_in(self, name: str) -> str | None:
        return None

    async def hold(self, name: str) -> bool:
        return False

    def drop(self, name: str) -> None:
        pass

    async def told(self, turn_id: str) -> EventLog | None:
        return None

    async def asked(self, turn_id: str) -> str | None:
        return None

    async def live(self, turn: ServedTurn) -> None:
        pass

    def kept_seconds(self) -> float:
        return KEPT_SECONDS

    async def order(self, name: str, order: Mapping[str, Any]) -> Mapping[str, Any]:
        raise NoSuchTurnError(f"there is nothing of the name {name[:80]!r}")

    async def forget(self, name: str) -> None:
        pass

    def changed(self, session_id: str) -> None:
        pass

    def dismiss(self) -> None:
        pass
