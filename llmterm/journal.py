"""Writes an answer to the store while it streams, so that a killed process loses next to nothing of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from llmterm.errors import SessionError
from llmterm.messages import Reply
from llmterm.turn import Turn

# A quarter of a second may be lost, less what a timer may be late.
_SECONDS = 0.2


class Journal(Protocol):
    def journal(self, reply: Reply) -> None:
        """Write what is new. Raises SessionError."""


async def keep_journal(turn: Turn, log: Journal, report: Callable[[str], None]) -> None:
    """Journal what has come, again and again, until cancelled.

    A store that fails is reported once, and tried again: the answer is worth more than its copy.
    """
    reported = False
    while True:
        await asyncio.sleep(_SECONDS)
        try:
            log.journal(turn.reply)
        except SessionError as error:
            if not reported:
                report(str(error))
            reported = True
