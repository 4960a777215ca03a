"""One question, one answer: the text to standard output as it comes, everything else to standard error.

What was received is written even when the provider cuts the answer short, and is kept in the session like any other.
One that cannot be kept is a notice and no failure, which would only have a script ask again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, assert_never

from llmterm.errors import ProviderError, SessionError
from llmterm.eventlog import Reader
from llmterm.events import Notice, Retraction, SegmentEnded, SegmentStarted, StateChanged
from llmterm.messages import EndReason, Message, TextDelta, ThinkingDelta, UsageReport
from llmterm.recorded import RecordedTurn
from llmterm.respondent import Respondent
from llmterm.sessions.current import CurrentSession
from llmterm.turn import Turn, TurnState

# Seconds that the end of an answer waits for a store that somebody else keeps locked: nobody waits for it any more.
_PATIENCE = 5.0

_WHY = {
    EndReason.MARKER: "the model stopped itself",
    EndReason.LENGTH: "the token limit was reached",
    EndReason.CONTINUATION: "the provider paused it",
    EndReason.LIMIT: "the chunk limit was reached",
}


class Output(Protocol):
    """Where an answer goes. What is written as its text may raise OSError; only `room` waits for a reader."""

    def text(self, text: str) -> None: ...
    def thinking(self, text: str) -> None: ...
    def notice(self, line: str) -> None: ...
    def end(self) -> None:
        """There is no more of it."""
        ...

    async def room(self) -> None:
        """Wait until there is room for more."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """Asks one question in `session`, which is that of a pipe."""

    respondent: Respondent
    session: CurrentSession
    output: Output

    async def run(self, question: Message) -> None:
        """Answer `question`. Raises ProviderError where the answer fails or is cut short by the provider, and
        SessionError where nothing can be asked in the session, or kept in its store."""
        await self.session.ready()
        turn = await self.respondent.turn(await self.session.conversation(question))
        reader = turn.reader(waited_for=True)
        try:
            async with RecordedTurn(turn, self.session, question):
                await self._write_all(turn, reader)
        finally:
            await self._keep(turn)
        self._judge(turn)

    async def _keep(self, turn: Turn) -> None:
        """See to it that the record is there; the answer is, whether or not it can be kept."""
        try:
            await self.session.keeper.last_chance(_PATIENCE)
        except SessionError as error:
            if turn.state is not TurnState.READY:
                self.output.notice(f"the answer is not kept: {error}")

    async def _write_all(self, turn: Turn, reader: Reader) -> None:
        output = self.output
        async for event in reader.streamed():
            match event:
                case TextDelta(text):
                    output.text(text)
                case ThinkingDelta(text):
                    output.thinking(text)
                case Notice(text, failure=False):
                    output.notice(text)
                case Notice():
                    pass  # of the store it counts what it has in the end
                case UsageReport() | SegmentStarted() | SegmentEnded() | StateChanged() | Retraction():
                    pass
                case _:
                    assert_never(event)
            await output.room()
        if turn.state is TurnState.FAILED and turn.error is not None:
            raise turn.error
        output.end()

    def _judge(self, turn: Turn) -> None:
        """Raise ProviderError unless there is an answer, whole or as short as was asked for."""
        blank = turn.reply.blank
        said = f": {turn.end_words}" if turn.end_words else ""
        if turn.reason is EndReason.REFUSAL:
            raise ProviderError(f"the answer was cut short: the provider's filter ended it{said}")
        if turn.reason is EndReason.OTHER:
            raise ProviderError(f"the answer was cut short: the provider ended it{said}")
        if turn.state is TurnState.DONE and blank:
            thought = ": the model thought, and said nothing" if turn.reply.thoughts else ""
            raise ProviderError(f"the answer is empty{thought}", hint="ask again, or another model")
        if turn.state is TurnState.DONE:
            return
        why = str(turn.error) if turn.error else _WHY.get(turn.reason, turn.reason)
        message = f"the answer was cut short: {why}"
        session = self.session.id if not self.session.keeper.lost else None
        hint = f"llmterm chat --session {session} goes on with it" if session else ""
        if blank or turn.reason is not EndReason.LENGTH or turn.request.options.max_tokens is None:
            raise ProviderError(message, hint=hint)
        self.output.notice(f"{message} ({hint})" if hint else message)
