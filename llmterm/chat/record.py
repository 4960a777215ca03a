"""The record of the answer that is being given: written as it comes where that can be, remembered where not.

What could not be written is not lost: the session has all of it in hand, and puts it on the record at the next chance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from llmterm.chat.keeper import Keeper
from llmterm.messages import EndReason, Mode, Reply, Status
from llmterm.sessions import AnswerLog
from llmterm.sessions.whole import HeldAnswer


class AnswerRecord:
    """Written to as an `AnswerLog` is. A store that fails raises StoreError once, and again when it fails anew."""

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
        self._keeper.report()

    def pause(self, reply: Reply, reason: EndReason) -> None:
        self._write(lambda log: log.pause(reply, reason))
        self.held = replace(self.held, reply=reply, reason=reason)
        self._keeper.report()

    def resume(self, *, provider: str, model: str, mode: Mode = "instruct", guidance: str = "") -> None:
        self._write(lambda log: log.resume(provider=provider, model=model, mode=mode, guidance=guidance))
        self.held = replace(self.held, provider=provider, model=model, mode=mode, guidance=guidance, reason=None)
        self._keeper.report()

    def move(self, *, provider: str, model: str) -> None:
        self._write(lambda log: log.move(provider=provider, model=model))
        self.held = replace(self.held, provider=provider, model=model)
        self._keeper.report()

    def finish(self, reply: Reply, status: Status = "complete") -> None:
        self._write(lambda log: log.finish(reply, status))
        self.held, self.over = replace(self.held, reply=reply), status
        self._keeper.report()

    def discard(self) -> None:
        self._write(lambda log: log.discard())
        self.dropped = True
        self._keeper.report()

    def _write(self, step: Callable[[AnswerLog], None]) -> None:
        def write() -> None:
            if self.log is not None and self.over is None and not self.dropped:
                step(self.log)

        self._keeper.attempt(write, own=True)
