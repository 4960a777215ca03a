"""A turn's events as a screen reads them: from where it was, until the answer rests or is over, and held up by it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from weakref import WeakKeyDictionary

from llmterm.eventlog import Reader
from llmterm.events import TurnEvent
from llmterm.turn import Turn, TurnState

_READERS: WeakKeyDictionary[Turn, Reader] = WeakKeyDictionary()


def reader_of(turn: Turn) -> Reader:
    """Return the one reader that the turn waits for."""
    return _READERS.setdefault(turn, turn.reader(waited_for=True))


async def heard(turn: Turn) -> AsyncIterator[TurnEvent]:
    """Yield what comes until the stream ends. Raises what the turn has failed with."""
    async for event in reader_of(turn).streamed():
        yield event
    if turn.state is TurnState.FAILED and turn.error is not None:
        raise turn.error
