"""Answers the questions of a batch in this process, each as any other is answered; all are paused and resumed together.

A connection that breaks in the middle of an answer has it asked again: what comes of it is one answer, and no seam.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

from llmterm.batch.engine import Asked, Failed, Outcome
from llmterm.batch.outcome import kind_of, misfit_of, outcome, spent
from llmterm.conversation import Conversation
from llmterm.errors import LlmtermError, ProviderError
from llmterm.messages import EndReason, Message
from llmterm.respondent import Respondent
from llmterm.schema import Schema
from llmterm.states import TurnState
from llmterm.turn import Turn

# How often an answer is asked for anew whose connection broke, and how long that waits, doubled each time.
_ANEW = 3
_WAIT_SECONDS = 1.0


class Answerer:
    """An engine: `room` answers at once, each by whom `choose` gives for its model, and as the `schema` wants it."""

    def __init__(
        self,
        choose: Callable[[str], Awaitable[Respondent]],
        room: int = 10,
        *,
        schema: Schema | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.room = room
        self._choose = choose
        self._schema = schema
        self._clock = clock
        self._going = asyncio.Event()
        self._going.set()
        self._turns: set[Turn] = set()

    async def pause(self) -> None:
        """Pause all answers that stream, and begin none."""
        self._going.clear()
        await asyncio.gather(*(turn.pause() for turn in list(self._turns)))

    def resume(self) -> None:
        """Go on with all that was paused."""
        self._going.set()

    async def answer(self, asked: Asked) -> Outcome:
        """Return what came of it; what our errors say has failed."""
        began, turns = self._clock(), list[Turn]()
        try:
            respondent = replace(await self._choose(asked.model), options=asked.options)
            misfit = await self._fitting(respondent, asked.conversation, turns)
        except LlmtermError as error:
            return Failed(id=asked.id, error=str(error), kind=kind_of(error), spent=spent(turns))
        return outcome(asked.id, turns, self._schema, misfit, seconds=self._clock() - began)

    async def _fitting(self, respondent: Respondent, conversation: Conversation, turns: list[Turn]) -> str:
        """Have a turn come to its end, and tell one that does not fit so, once. Return why the last does not.

        All that were begun are added to `turns`. Raises our errors.
        """
        turn = await self._whole(respondent, conversation, turns)
        misfit = await misfit_of(turn, self._schema)
        if self._schema is None or not misfit or turn.state is not TurnState.DONE:
            return misfit
        complaint = Message(role="user", text=self._schema.complaint(misfit))
        again = conversation.add(turn.reply.message("complete"), complaint)
        return await misfit_of(await self._whole(respondent, again, turns), self._schema)

    async def _whole(self, respondent: Respondent, conversation: Conversation, turns: list[Turn]) -> Turn:
        """Return a turn that has come to its end. Raises our errors."""
        for attempt in range(_ANEW + 1):
            turn = await respondent.turn(conversation)
            broken = await self._end_of(turn)
            turns.append(turn)  # it was billed, also where it broke
            if broken is None:
                return turn
            if attempt == _ANEW:
                raise broken
            await asyncio.sleep(_WAIT_SECONDS * 2**attempt)
        raise AssertionError("unreachable")

    async def _end_of(self, turn: Turn) -> LlmtermError | None:
        """Play the turn to its end, over all pauses; return what broke it in the middle. Raises what refused it."""
        reader = turn.reader()
        self._turns.add(turn)
        try:
            await self._going.wait()
            turn.start()
            async for _ in reader:
                if not reader.at_end or turn.state is TurnState.STREAMING:
                    continue
                match turn.state, turn.reason:
                    case TurnState.PAUSED, EndReason.PAUSE:
                        await self._going.wait()
                        turn.resume()
                    case TurnState.PAUSED, EndReason.RESTART:
                        return ProviderError("the model began the answer anew where it should have gone on with it")
                    case TurnState.PAUSED | TurnState.FAILED, _ if isinstance(turn.error, LlmtermError):
                        if turn.state is TurnState.FAILED:
                            raise turn.error
                        return turn.error
                    case TurnState.FAILED, _ if turn.error is not None:
                        raise turn.error
                    case _:
                        return None
        finally:
            self._turns.discard(turn)
            reader.leave()
            if turn.state is TurnState.STREAMING:
                await turn.cancel()
        return None
