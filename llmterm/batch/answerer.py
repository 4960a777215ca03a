"""Answers the questions of a batch in this process, each as any other is answered; all are paused and resumed together.

A connection that breaks in the middle of an answer has it asked again: what comes of it is one answer, and no seam.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from typing import Any

from llmterm.batch.engine import Answered, Asked, Failed, Outcome, Spent
from llmterm.conversation import Conversation
from llmterm.errors import LlmtermError, ProviderError
from llmterm.messages import EndReason, Message
from llmterm.respondent import Respondent
from llmterm.schema import Schema, json_in
from llmterm.sessions.segments import cost_of
from llmterm.states import TurnState
from llmterm.threads import in_thread
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
            return Failed(id=asked.id, error=str(error), kind=kind_of(error), spent=_spent(turns))
        return self._outcome(asked, turns, misfit, self._clock() - began)

    async def _fitting(self, respondent: Respondent, conversation: Conversation, turns: list[Turn]) -> str:
        """Have a turn come to its end, and tell one that does not fit so, once. Return why the last does not.

        All that were begun are added to `turns`. Raises our errors.
        """
        turn = await self._whole(respondent, conversation, turns)
        misfit = await self._misfit(turn)
        if self._schema is None or not misfit or turn.state is not TurnState.DONE:
            return misfit
        complaint = Message(role="user", text=self._schema.complaint(misfit))
        again = conversation.add(turn.reply.message("complete"), complaint)
        return await self._misfit(await self._whole(respondent, again, turns))

    async def _misfit(self, turn: Turn) -> str:
        """Return why an answer that is whole does not fit the schema, "" where it does."""
        if self._schema is None or turn.reply.blank:
            return ""
        return await in_thread(self._schema.misfit, turn.reply.text)

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

    def _outcome(self, asked: Asked, turns: list[Turn], misfit: str, seconds: float) -> Outcome:
        """Return what came of the last of the turns, which is over."""
        reply, reason, spent = turns[-1].reply, turns[-1].reason, _spent(turns)
        said = f": {turns[-1].end_words}" if turns[-1].end_words else ""
        if reason is EndReason.REFUSAL:
            why = f"the provider's filter ended this answer{said}"
            return Failed(id=asked.id, error=why, kind="refusal", spent=spent)
        if reply.blank:
            return Failed(id=asked.id, error=f"the answer is empty{said}", kind="empty", spent=spent)
        if misfit:
            why = f"the answer does not fit the schema: {misfit}"
            return Failed(id=asked.id, error=why, kind="schema", spent=spent)
        own = _spent(turns[-1:])
        used = reply.segments[-1]
        record: dict[str, Any] = {"model": f"{used.provider}/{used.model}", "text": reply.text, "end": str(reason)}
        if self._schema is not None:
            record["data"] = json.loads(json_in(reply.text))
        if not reply.thoughts.blank:
            record["thinking"] = str(reply.thoughts)
        record["usage"] = {"input_tokens": own.input_tokens, "output_tokens": own.output_tokens}
        if own.cost is not None:
            record["cost"] = own.cost
        record["seconds"] = round(seconds, 3)
        return Answered(id=asked.id, record=record, length=own.output_tokens, spent=spent)


def kind_of(error: LlmtermError) -> str:
    """Return what programs know a failure by: "auth" for an AuthError."""
    return type(error).__name__.removesuffix("Error").lower()


def _spent(turns: Iterable[Turn]) -> Spent:
    segments = [segment for turn in turns for segment in turn.reply.segments]
    return Spent(
        input_tokens=sum(each.usage.input_tokens for each in segments),
        output_tokens=sum(each.usage.output_tokens for each in segments),
        cost=cost_of(segments),
    )
