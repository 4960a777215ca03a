"""One question, one answer: given out as it comes, in the form that is wanted, and judged at its end.

What was received is given out even when the provider cuts the answer short, and is kept in the session like any other.
One that cannot be kept is a notice and no failure, which would only have a script ask again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from llmterm.errors import LlmtermError, ProviderError, SessionError
from llmterm.events import TurnEvent
from llmterm.messages import EndReason, Message, Options, Reply
from llmterm.recorded import RecordedTurn
from llmterm.respondent import Respondent
from llmterm.schema import Schema
from llmterm.sessions.current import CurrentSession
from llmterm.turn import Turn, TurnState

# Seconds that the end of an answer waits for a store that somebody else keeps locked: nobody waits for it any more.
_PATIENCE = 5.0

_WHY = {
    EndReason.MARKER: "the model stopped itself",
    EndReason.LENGTH: "the token limit was reached",
    EndReason.CONTINUATION: "the provider paused it",
    EndReason.LIMIT: "the chunk limit was reached",
    EndReason.CRASH: "llmterm was ended",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What has become of a question, and in which session; None where it is in none.

    `problem` is why it is not the answer that was wanted, and `remark` what is to be said of one that is.
    """

    reply: Reply
    session: str | None = None
    problem: LlmtermError | None = None
    remark: str = ""


class Form(Protocol):
    """How an answer is given out. What is written of it may raise OSError; only `room` and `finish` wait."""

    def event(self, seq: int, event: TurnEvent) -> None:
        """Take what comes; the turn's log reaches up to `seq` with it."""
        ...

    def notice(self, line: str) -> None: ...

    async def room(self) -> None:
        """Wait until there is room for more."""
        ...

    async def finish(self, answered: Answered) -> None:
        """There is no more of it: write what is still to be written."""
        ...


class Ask:
    """Asks a question in `session`, which is that of a pipe, and gives the answer out in that `form`."""

    def __init__(self, *, respondent: Respondent, session: CurrentSession, form: Form) -> None:
        self._respondent = respondent
        self._session = session
        self._form = form
        self._turn: Turn | None = None

    async def run(self, question: Message, schema: Schema | None = None) -> Answered:
        """Answer `question`; once more, with a word on what is wrong, where the answer does not fit the `schema`.

        Raises SessionError where nothing can be asked in the session, or kept in its store.
        """
        misfit = ""
        try:
            turn = await self._answer(question)
            if schema is not None and (misfit := _misfit(turn, schema)) and turn.state is TurnState.DONE:
                turn = await self._answer(Message(role="user", text=schema.complaint(misfit)))
                misfit = _misfit(turn, schema)
        finally:
            await self._keep()
        answered = judged(turn, self._kept_in, turn.request.options)
        if misfit and answered.problem is None:
            return replace(answered, problem=ProviderError(f"the answer does not fit the schema: {misfit}"))
        return answered

    async def _answer(self, question: Message) -> Turn:
        await self._session.ready()
        turn = self._turn = await self._respondent.turn(await self._session.conversation(question))
        reader = turn.reader(waited_for=True)
        form = self._form
        async with RecordedTurn(turn, self._session, question):
            async for event in reader.streamed():
                form.event(reader.seq, event)
                await form.room()
        if turn.error is not None and not isinstance(turn.error, LlmtermError):
            raise turn.error  # a bug
        return turn

    @property
    def reply(self) -> Reply | None:
        """What has come of the answer, None before anything was asked."""
        return None if self._turn is None else self._turn.reply

    @property
    def so_far(self) -> Answered | None:
        """What there is of the answer, where its asking was cancelled; None where nothing was asked yet."""
        turn = self._turn
        return None if turn is None else judged(turn, self._kept_in, turn.request.options)

    async def _keep(self) -> None:
        """See to it that the record is there; the answer is, whether or not it can be kept."""
        try:
            await self._session.keeper.last_chance(_PATIENCE)
        except SessionError as error:
            if self._turn is not None and self._turn.state is not TurnState.READY:
                self._form.notice(f"the answer is not kept: {error}")

    @property
    def _kept_in(self) -> str | None:
        return None if self._session.keeper.lost else self._session.id


def _misfit(turn: Turn, schema: Schema) -> str:
    """Return why an answer does not fit, "" where it does, or where there is none that could."""
    return "" if turn.reply.blank else schema.misfit(turn.reply.text)


class Ended(Protocol):
    """A turn that has come to rest, or to its end."""

    @property
    def state(self) -> TurnState: ...
    @property
    def reason(self) -> EndReason: ...
    @property
    def error(self) -> BaseException | None: ...
    @property
    def end_words(self) -> str: ...
    @property
    def reply(self) -> Reply: ...


def judged(turn: Ended, session: str | None, options: Options) -> Answered:
    """Return what has become of a turn, asked with these options, that is in that session, if it is kept."""
    problem = _problem(turn, session)
    limited = turn.reason is EndReason.LENGTH and options.max_tokens is not None
    if problem is not None and limited and not turn.reply.blank:
        return Answered(reply=turn.reply, session=session, remark=str(problem))  # it is as short as was asked for
    return Answered(reply=turn.reply, session=session, problem=problem)


def _problem(turn: Ended, session: str | None) -> LlmtermError | None:
    """Return why a turn has not come to a whole answer, and how to go on in that session; None where it has."""
    said = f": {turn.end_words}" if turn.end_words else ""
    if turn.state is TurnState.FAILED and isinstance(turn.error, LlmtermError):
        return turn.error
    if turn.reason is EndReason.REFUSAL:
        return ProviderError(f"the answer was cut short: the provider's filter ended it{said}")
    if turn.reason is EndReason.OTHER:
        return ProviderError(f"the answer was cut short: the provider ended it{said}")
    if turn.state is TurnState.DONE and turn.reply.blank:
        thought = ": the model thought, and said nothing" if turn.reply.thoughts else ""
        return ProviderError(f"the answer is empty{thought}", hint="ask again, or another model")
    if turn.state is TurnState.DONE:
        return None
    why = str(turn.error) if turn.error else _WHY.get(turn.reason, turn.reason)
    hint = f"llmterm chat --session {session} goes on with it" if session else ""
    return ProviderError(f"the answer was cut short: {why}", hint=hint)
