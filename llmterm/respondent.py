"""Who answers, and on what terms: makes a turn of a conversation that ends with a question, or with half an answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from llmterm.conversation import Conversation
from llmterm.eventlog import EventLog
from llmterm.fallback import Fallback
from llmterm.marker import marker_for
from llmterm.messages import Options, Request, Snapshot, StreamLimits, are_long
from llmterm.providers import Provider
from llmterm.sessions import OpenAnswer
from llmterm.threads import in_thread_if
from llmterm.turn import Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Respondent:
    """A model of a provider; where that cannot begin, the first of the `fallbacks` that can.

    By the `marker`, if there is one, the model can pause itself. `background`: where the provider can, an answer goes
    on there when it is left.
    """

    provider: Provider
    model: str
    options: Options
    limits: StreamLimits
    marker: str | None = None
    fallbacks: Sequence[Fallback] = ()
    background: bool = False

    async def turn(self, asked: Conversation, rest: OpenAnswer | None = None, *, log: EventLog | None = None) -> Turn:
        """Return the turn that answers `asked`, or that goes on with `rest`, an answer of it that is open.

        That is told in `log`, where there is one that has told of it before.
        """
        marker, note = marker_for(self.marker, asked.messages[-1].text if asked.messages else "")
        # In a thread: a long conversation is gone through as a whole.
        request = await in_thread_if(
            are_long(asked.messages), asked.request, model=self.model, options=self.options, note=note
        )
        request = replace(request, background=self.background)
        return self._turn(request if rest is None else rest.snapshot(request), marker, log)

    def resting(self, rest: Snapshot, log: EventLog) -> Turn:
        """Return the turn that goes on with an answer at rest, which was told in `log`."""
        marker, _ = marker_for(self.marker, rest.request.messages[-1].text)
        return self._turn(rest, marker, log)

    def _turn(self, asked: Request | Snapshot, marker: str | None, log: EventLog | None) -> Turn:
        return Turn(self.provider, asked, marker, limits=self.limits, fallbacks=self.fallbacks, log=log)
