"""One of those who answer: its turn, how far that is, and what it took."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import NamedTuple, Self

from llmterm.conversation import Conversation
from llmterm.errors import LlmtermError
from llmterm.events import Notice, TurnEvent
from llmterm.messages import EndReason, Message, Reply
from llmterm.recorded import RecordedTurn, Session
from llmterm.respondent import Respondent
from llmterm.sessions.segments import cost_of
from llmterm.states import TurnState
from llmterm.turn import Turn

# An answer that came all at once says nothing of how fast it was written.
_LEAST_MS = 100
# Ends of a stream after which SPACE goes on with an answer; after any other it is at its end, as far as this goes.
_PAUSES = (EndReason.PAUSE, EndReason.MARKER, EndReason.RESTART)


class Told(NamedTuple):
    """What one of them has told; with the `last` it has ended."""

    candidate: Candidate
    event: TurnEvent
    last: bool


class Candidate:
    """Answers by a `respondent`; where there is none, the `failure` says why."""

    def __init__(
        self, number: int, label: str, respondent: Respondent | None, failure: LlmtermError | None = None
    ) -> None:
        self.number = number
        self.label = label
        self.failure = failure
        self.notice = ""
        """What was said of the answer last that is worth keeping, besides its text."""
        self._respondent = respondent
        self._turn: Turn | None = None
        self._recorded: RecordedTurn | None = None

    async def prepare(self, asked: Conversation) -> None:
        """Get ready to answer the last message of a conversation."""
        if self._respondent is None:
            return
        try:
            self._turn = await self._respondent.turn(asked)
        except LlmtermError as error:
            self.failure = error

    async def begin(self, question: Message, record: Session, stack: AsyncExitStack) -> None:
        """Ask; the answer is open, and recorded, until the `stack` is left."""
        if self._turn is None:
            return
        try:
            self._recorded = await stack.enter_async_context(RecordedTurn(self._turn, record, question))
        except LlmtermError as error:
            self._turn, self.failure = None, error

    async def told(self) -> AsyncGenerator[Told, None]:
        """Yield what it tells, over its pauses, until it has ended."""
        turn = self._turn
        if turn is None:
            yield Told(self, Notice(str(self.failure), failure=True), last=True)
            return
        reader = turn.reader()
        try:
            async for entry in reader:
                if isinstance(entry.event, Notice) and not entry.event.passing:
                    self.notice = entry.event.text
                last = self.ended and reader.at_end
                yield Told(self, entry.event, last)
                if last:
                    break
        finally:
            reader.leave()

    def again(self) -> Candidate:
        """Return the same one for another round."""
        return Candidate(self.number, self.label, self._respondent, None if self._respondent else self.failure)

    # What becomes of the answer

    @property
    def answered(self) -> bool:
        """Whether the answer is whole."""
        return self._turn is not None and self._turn.state is TurnState.DONE

    @property
    def ended(self) -> bool:
        """Whether nothing more comes of it here: it is over, has failed, or was cut by somebody else than the user."""
        match self.state:
            case TurnState.DONE | TurnState.CANCELLED | TurnState.FAILED:
                return True
            case TurnState.PAUSED:
                return self.reason not in _PAUSES
            case _:
                return False

    @property
    def state(self) -> TurnState:
        if self._turn is None:
            return TurnState.READY if self.failure is None else TurnState.FAILED
        return self._turn.state

    @property
    def reason(self) -> EndReason:
        """Why it rests, or has ended."""
        return EndReason.ERROR if self._turn is None else self._turn.reason

    @property
    def streaming(self) -> bool:
        return self.state is TurnState.STREAMING

    @property
    def paused(self) -> bool:
        """Whether it can be gone on with."""
        return self.state is TurnState.PAUSED and not self.ended

    @property
    def error(self) -> str:
        """Why it has failed, or was cut; "" where it was not."""
        error = self._turn.error if self._turn is not None else self.failure
        if error is not None:
            return str(error)
        words = self._turn.end_words if self._turn is not None else ""
        return words if self.ended and not self.answered else ""

    @property
    def reply(self) -> Reply:
        return self._turn.reply if self._turn is not None else Reply()

    async def pause(self) -> None:
        """Pause it, if it streams; it is on disk then."""
        if self._recorded is not None and self.streaming:
            await self._recorded.turn.pause()
            await self._recorded.kept()

    def resume(self, guidance: str = "") -> None:
        """Go on with it, if it is paused."""
        if self._turn is not None and self.paused:
            self._turn.resume(guidance=guidance)

    async def stop(self) -> None:
        """End it for good, unless it is whole or has failed; what came is kept."""
        if self._turn is not None and self.state not in (TurnState.DONE, TurnState.FAILED):
            await self._turn.cancel()

    @property
    def waiting(self) -> str:
        """What it waits for before its first token, if that is known."""
        return self._turn.progress.line if self._turn is not None else ""

    @property
    def took(self) -> Took:
        return Took.of(self.reply)


@dataclass(frozen=True, slots=True, kw_only=True)
class Took:
    """What an answer took. Milliseconds to its first token, tokens a second after that; None where that says nothing.

    `estimated`: some of the tokens were not counted by the provider.
    """

    first_token_ms: int | None
    tokens_per_second: float | None
    input_tokens: int
    output_tokens: int
    estimated: bool
    cost: float | None

    @classmethod
    def of(cls, reply: Reply) -> Self:
        segments = reply.segments
        waits = [each.timing.first_token_ms for each in segments if each.usage.output_tokens]
        output = sum(each.usage.output_tokens for each in segments)
        writing = sum(each.timing.duration_ms - (each.timing.first_token_ms or 0) for each in segments)
        return cls(
            first_token_ms=waits[0] if waits else None,
            tokens_per_second=output * 1000 / writing if output and writing >= _LEAST_MS else None,
            input_tokens=sum(each.usage.input_tokens for each in segments),
            output_tokens=output,
            estimated=any(each.usage.estimated for each in segments),
            cost=cost_of(segments),
        )
