"""The record of the answer that is being given: written as it comes where that can be, remembered where not.

What could not be written is not lost: the session has all of it in hand, and puts it on the record at the next chance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from llmterm.messages import EndReason, Mode, Reply, Status
from llmterm.sessions import AnswerLog
from llmterm.sessions.keeper import Keeper
from llmterm.sessions.whole import HeldAnswer


class AnswerRecord:
    """Written to as an `AnswerLog` is, but for what it raises, which is nothing: see `untold`."""

    def __init__(self, keeper: Keeper, held: HeldAnswer, log: AnswerLog | None = None) -> None:
        """`log` is how the answer is written, None while it has no row."""
        self.held = held
        self.log = log
        # How the answer ended: as a message of that status, or as nothing.
        self.over: Status | None = None
        self.dropped = False
        self._keeper = keeper

    @property
    def row(self) -> HeldAnswer:
        """The answer as it is in hand, with the row it has."""
        if self.log is None:
            return replace(self.held, row=0)
        return replace(self.held, row=self.log.message_id, revision=self.log.revision)

    def journal(self, reply: Reply) -> None:
        self._write(lambda log: log.journal(reply))
        self.held = replace(self.held, reply=reply)

    def pause(self, reply: Reply, reason: EndReason) -> None:
        self._write(lambda log: log.pause(reply, reason))
        self.held = replace(self.held, reply=reply, reason=reason)

    def resume(self, *, provider: str, model: str, mode: Mode, guidance: str) -> None:
        self._write(lambda log: log.resume(provider=provider, model=model, mode=mode, guidance=guidance))
        self.held = replace(self.held, provider=provider, model=model, mode=mode, guidance=guidance, reason=None)

    def move(self, *, provider: str, model: str, mode: Mode) -> None:
        """Note who writes what comes, and how he was asked; nothing is written where that is known."""
        held = self.held
        if (held.provider, held.model, held.mode) != (provider, model, mode):
            self._write(lambda log: log.move(provider=provider, model=model, mode=mode))
            self.held = replace(self.held, provider=provider, model=model, mode=mode)

    def finish(self, reply: Reply, status: Status) -> None:
        self._write(lambda log: log.finish(reply, status))
        self.held, self.over = replace(self.held, reply=reply), status

    def discard(self) -> None:
        self._write(lambda log: log.discard())
        self.dropped = True

    def untold(self) -> str:
        return self._keeper.untold()

    def _write(self, step: Callable[[AnswerLog], None]) -> None:
        def write() -> None:
            if self.log is not None and self.over is None and not self.dropped:
                step(self.log)

        self._keeper.attempt(write, own=True)
