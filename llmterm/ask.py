"""One question, one answer: the text to standard output as it comes, everything else to standard error.

What was received is written even when the provider cuts the answer short, and is kept in the session like any other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from llmterm.conversation import Conversation
from llmterm.errors import ProviderError
from llmterm.journal import keep_journal
from llmterm.marker import marker_note, mentions
from llmterm.messages import EndReason, Options, StreamLimits, TextDelta
from llmterm.providers import Provider
from llmterm.sessions import SessionStore
from llmterm.turn import Turn, TurnState

_WHY = {
    EndReason.MARKER: "the model stopped itself",
    EndReason.LENGTH: "the token limit was reached",
    EndReason.LIMIT: "the chunk limit was reached",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """Asks one question. `write` puts text on standard output, `notice` a line on standard error."""

    provider: Provider
    store: SessionStore
    limits: StreamLimits
    write: Callable[[str], None]
    notice: Callable[[str], None]

    async def run(
        self,
        conversation: Conversation,
        question: str,
        *,
        model: str,
        options: Options,
        marker: str | None,
        session: str | None = None,
    ) -> None:
        """Answer `question`, in a new session or in that of `conversation`.

        Raises ProviderError where the answer fails or is cut short by the provider.
        """
        asked = conversation.ask(question)
        marker = None if marker is None or mentions(marker, question) else marker
        request = asked.request(model=model, options=options, note=marker_note(marker) if marker else "")
        session = session or self.store.create(system=conversation.system)
        asked_id = self.store.add(session, asked.messages[-1])
        log = self.store.begin(session, provider=self.provider.name, model=model, options=options)
        turn = Turn(self.provider, request, marker, limits=self.limits)
        turn.start()
        journal = asyncio.create_task(keep_journal(turn, log, self.notice))
        try:
            async for event in turn.events():
                if isinstance(event, TextDelta):
                    self.write(event.text)
        except ProviderError:
            log.discard()
            self.store.truncate(session, asked_id)
            raise
        finally:
            journal.cancel()
            if turn.state is TurnState.STREAMING:
                await turn.cancel()
            if turn.state in (TurnState.PAUSED, TurnState.CANCELLED) and turn.reply.text:
                log.pause(turn.reply, turn.reason)
        if turn.state is TurnState.DONE:
            log.finish(turn.reply.message("complete"))
        else:
            self._cut_short(turn, options, session)

    def _cut_short(self, turn: Turn, options: Options, session: str) -> None:
        why = str(turn.error) if turn.error else _WHY.get(turn.reason, turn.reason)
        message = f"the answer was cut short: {why}"
        hint = f"llmterm chat --session {session} goes on with it"
        if turn.reason is EndReason.LENGTH and options.max_tokens is not None:
            self.notice(f"{message} ({hint})")  # as asked for
        else:
            raise ProviderError(message, hint=hint)
