"""One question, one answer: the text to standard output as it comes, everything else to standard error.

What was received is written even when the provider cuts the answer short, and is kept in the session like any other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from llmterm.conversation import Conversation
from llmterm.errors import LlmtermError, ProviderError, SessionError
from llmterm.eventlog import Reader
from llmterm.events import Notice, SegmentStarted
from llmterm.fallback import Fallback
from llmterm.journal import keep_journal
from llmterm.marker import marker_for
from llmterm.messages import EndReason, Message, Options, StreamLimits, TextDelta, ThinkingDelta
from llmterm.providers import Provider
from llmterm.sessions import SessionStore
from llmterm.sessions.piped import PipedRecord
from llmterm.turn import Turn, TurnState

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
    """Asks one question."""

    provider: Provider
    store: SessionStore
    limits: StreamLimits
    output: Output
    fallbacks: Sequence[Fallback] = ()

    async def run(
        self,
        conversation: Conversation,
        question: Message,
        *,
        model: str,
        options: Options,
        marker: str | None,
        session: str | None = None,
        head: int = 0,
    ) -> None:
        """Answer `question`, in a new session or in that of `conversation`, whose last row is `head`.

        Raises ProviderError where the answer fails or is cut short by the provider.
        """
        asked = conversation.add(question)
        marker, note = marker_for(marker, question.text)
        request = asked.request(model=model, options=options, note=note)
        record = PipedRecord(
            self.store,
            asked,
            session=session,
            head=head,
            provider=self.provider.name,
            model=model,
            options=options,
        )
        record.begin()

        turn = Turn(
            self.provider,
            request,
            marker,
            limits=self.limits,
            fallbacks=self.fallbacks,
        )
        reader = turn.reader(waited_for=True)
        turn.start()
        journal = asyncio.create_task(keep_journal(turn, record, self.output.notice))
        try:
            await self._write_all(turn, reader, record, model)
        except LlmtermError:
            self._keep(record.drop)
            raise
        finally:
            journal.cancel()
            if turn.state is TurnState.STREAMING:
                await turn.cancel()
            if turn.state in (TurnState.PAUSED, TurnState.CANCELLED) or _broken(turn):
                self._keep(lambda: record.rest(turn.reply, turn.reason))
            elif turn.state is TurnState.DONE:
                self._keep(lambda: record.finish(turn.reply))
        self._judge(turn, options, record.id)

    def _keep(self, write: Callable[[], None]) -> None:
        """Write to the store; the answer is there whether or not that can be."""
        try:
            write()
        except SessionError as error:
            self.output.notice(f"the answer is not kept: {error}")

    async def _write_all(self, turn: Turn, reader: Reader, record: PipedRecord, model: str) -> None:
        output = self.output
        async for event in reader.streamed():
            match event:
                case TextDelta(text):
                    output.text(text)
                case ThinkingDelta(text):
                    output.thinking(text)
                case Notice(text):
                    output.notice(text)
                case SegmentStarted(provider=provider, model=other) if (provider, other) != (self.provider.name, model):
                    record.move(provider=provider, model=other)
                case _:
                    pass
            await output.room()
        if turn.state is TurnState.FAILED and turn.error is not None:
            raise turn.error
        output.end()

    def _judge(self, turn: Turn, options: Options, session: str | None) -> None:
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
        hint = f"llmterm chat --session {session} goes on with it" if session else ""
        if blank or turn.reason is not EndReason.LENGTH or options.max_tokens is None:
            raise ProviderError(message, hint=hint)
        self.output.notice(f"{message} ({hint})" if hint else message)


def _broken(turn: Turn) -> bool:
    """Tell whether a bug of ours ended the answer: what came of it is kept all the same."""
    return turn.state is TurnState.FAILED and not isinstance(turn.error, LlmtermError)
