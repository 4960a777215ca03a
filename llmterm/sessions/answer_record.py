"""The record of the answer that is being given: written as it comes where that can be, remembered where not.

What could not be written is not lost: the session has all of it in hand, and puts it on the record at the next chance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from llmterm.messages import EndReason, Message, Mode, Reply, Status
from llmterm.sessions import AnswerLog
from llmterm.sessions.whole import HeldAnswer, HeldMessage

Step = Callable[[AnswerLog], None]


class Holder(Protocol):
    """Who has the session of the answer in hand."""

    def write_answer(self, step: Step, *, growing: object = None) -> None:
        """Have a step of the answer written, also as one that is `growing`: then the last such step says it all."""
        ...

    async def settled(self) -> None:
        """Wait until all is written, or is known not to be."""
        ...

    def untold(self) -> str:
        """Return why something is not kept, if that was not said yet."""
        ...


class AnswerRecord:
    """Written to as an `AnswerLog` is, but for what it raises, which is nothing: see `untold`."""

    def __init__(self, holder: Holder, held: HeldAnswer) -> None:
        self.held = held
        # How the answer ended: as a message, or as nothing.
        self.said: HeldMessage | None = None
        self.dropped = False
        self._holder = holder

    @property
    def over(self) -> bool:
        return self.dropped or self.said is not None

    def journal(self, reply: Reply) -> None:
        self._write(replace(self.held, reply=reply), lambda log: log.journal(reply), growing=self)

    def pause(self, reply: Reply, reason: EndReason) -> None:
        """Note that it rests; nothing is written where that is known."""
        if self.held.reply is not reply or self.held.reason is not reason:
            self._write(replace(self.held, reply=reply, reason=reason), lambda log: log.pause(reply, reason))

    def resume(self, *, provider: str, model: str, mode: Mode, guidance: str) -> None:
        self._write(
            replace(self.held, provider=provider, model=model, mode=mode, guidance=guidance, reason=None),
            lambda log: log.resume(provider=provider, model=model, mode=mode, guidance=guidance),
        )

    def move(self, *, provider: str, model: str, mode: Mode) -> None:
        """Note who writes what comes, and how he was asked; nothing is written where that is known."""
        held = self.held
        if (held.provider, held.model, held.mode) != (provider, model, mode):
            self._write(
                replace(held, provider=provider, model=model, mode=mode),
                lambda log: log.move(provider=provider, model=model, mode=mode),
            )

    def finish(self, reply: Reply, status: Status) -> Message:
        message = reply.message(status)
        if not self.over:
            self.said = HeldMessage(message)
            self._holder.write_answer(lambda log: log.finish(reply, status))
        return message

    def discard(self) -> None:
        if not self.over:
            self.dropped = True
            self._holder.write_answer(lambda log: log.discard())

    async def settled(self) -> None:
        await self._holder.settled()

    def untold(self) -> str:
        return self._holder.untold()

    def _write(self, held: HeldAnswer, step: Step, *, growing: object = None) -> None:
        if not self.over:
            self.held = held
            self._holder.write_answer(step, growing=growing)
