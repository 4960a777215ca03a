"""Writes an answer to the store while it streams, so that a killed process loses next to nothing of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from llmterm.errors import SessionError
from llmterm.sessions import AnswerLog
from llmterm.turn import Turn

# A quarter of a second may be lost, less what a timer may be late.
_SECONDS = 0.2


async def keep_journal(turn: Turn, log: AnswerLog, report: Callable[[str], None]) -> None:
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
