"""The turns that live in this process, and what is done here with those of a session."""

from __future__ import annotations

from collections.abc import Iterator

from llmterm.serve.audience import LINGERS
from llmterm.serve.refusals import ConflictError
from llmterm.serve.served import ServedTurn, closed
from llmterm.states import TurnState

# One that has come to nothing takes its question off the record once nobody wants it, and is in the way till then.
_LINGERS_AS_NOTHING = 15.0


class LivingTurns:
    """By their ids. Of those that are over, and on the record, `most_over` are kept that nobody reads, the last ones:
    each takes 25 kB beside its text."""

    def __init__(self, most_over: int) -> None:
        self._most_over = most_over
        self._turns: dict[str, ServedTurn] = {}

    def __len__(self) -> int:
        return len(self._turns)

    def __iter__(self) -> Iterator[ServedTurn]:
        return iter([*self._turns.values()])

    def add(self, turn: ServedTurn) -> None:
        self._turns[turn.id] = turn

    def get(self, turn_id: str) -> ServedTurn | None:
        return self._turns.get(turn_id)

    def discard(self, turn: ServedTurn) -> None:
        self._turns.pop(turn.id, None)

    def in_session(self, session_id: str) -> ServedTurn | None:
        """Return the turn of a session that is not over."""
        return next((each for each in self if each.session_id == session_id and not each.over), None)

    def clients(self) -> list[str]:
        """Return who has asked for each of those that stream."""
        return [each.client for each in self if each.state is TurnState.STREAMING]

    async def settle(self, session_id: str) -> list[ServedTurn]:
        """Return what is over in a session, once it is on the record: its readers hear of its end before that."""
        over = self._over_in(session_id)
        for each in over:
            await each.settled()
        return over

    async def forget(self, session_id: str) -> None:
        """Let go of what is over in a session, once that is on the record: its row may be opened again."""
        for each in await self.settle(session_id):
            self.discard(each)

    def forget_at_once(self, session_id: str) -> None:
        """Let go of what is over in a session: its record may have been changed elsewhere."""
        for each in self._over_in(session_id):
            self.discard(each)

    async def release(self, session_id: str) -> None:
        """Let go of a session: what lives of it is paused, and on the record."""
        if (turn := self.in_session(session_id)) is not None:
            self.discard(turn)
            await turn.close()

    async def make_room(self, session_id: str) -> None:
        """Let go of what has come to nothing in a session. Raises ConflictError where something else lives there."""
        await self.settle(session_id)
        turn = self.in_session(session_id)
        if turn is not None and not turn.came_to_nothing:
            raise is_open(session_id, turn.id)
        await self.release(session_id)

    async def let_go(self, now: float) -> None:
        """Let go of what nobody wants any more at that moment, in the loop's time."""
        unread = [each for each in self if not each.audience.reads and each.state is not TurnState.STREAMING]
        over = sorted(
            (each for each in unread if each.over and each.session_id), key=lambda each: each.audience.used_at
        )
        old = {*over[: max(0, len(over) - self._most_over)], *(each for each in unread if _is_left(each, now))}
        for each in old:
            self.discard(each)
        await closed([*old])

    def _over_in(self, session_id: str) -> list[ServedTurn]:
        return [each for each in self if each.session_id == session_id and each.over]


def is_open(session_id: str, turn_id: str) -> ConflictError:
    """Return why nothing can be asked in a session."""
    return ConflictError(
        f"session {session_id} has an answer that is not over", hint=f"go on with it, or end it: {turn_id}"
    )


def _is_left(turn: ServedTurn, now: float) -> bool:
    return now - turn.audience.used_at > (_LINGERS_AS_NOTHING if turn.came_to_nothing else LINGERS)
