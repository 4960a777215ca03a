"""Answers that this program asks for itself, in a session of its own store."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, NoReturn, Self

from llmterm.chat.options import Choices
from llmterm.eventlog import Reader
from llmterm.messages import Continuation, EndReason, Message, Reply, StreamLimits
from llmterm.progress import Progress
from llmterm.providers.attachments import refused
from llmterm.providers.registry import ProviderRegistry
from llmterm.recorded import RecordedTurn, Standing
from llmterm.sessions import OpenAnswer
from llmterm.sessions.current import CurrentSession
from llmterm.states import TurnState

if TYPE_CHECKING:
    from llmterm.respondent import Respondent


class Here:
    """`limits` and `marker` are those of every answer."""

    shared = False
    left = "llmterm chat --continue goes on with it"

    def __init__(
        self,
        *,
        session: CurrentSession,
        registry: ProviderRegistry,
        choices: Choices,
        limits: StreamLimits,
        marker: str | None,
    ) -> None:
        self._session = session
        self._registry = registry
        self._choices = choices
        self._limits = limits
        self._marker = marker

    async def ask(self, question: Message) -> OwnAnswer:
        respondent, session = self._respondent(), self._session
        provider, model = respondent.provider, respondent.model
        provider.preparation(model)  # refuses a model that cannot be
        label = self._registry.label(provider.name, model)
        if refusal := refused(question.attachments, provider.accepts(model), label):
            raise refusal
        await session.ready()
        turn = await respondent.turn(await session.conversation(question))
        return OwnAnswer(RecordedTurn(turn, session, question), self._registry)

    async def changed(self) -> NoReturn:
        raise AssertionError("nobody else goes on with it")

    async def go_on(self, answer: OpenAnswer) -> OwnAnswer:
        session = self._session
        await session.whole()
        turn = await self._respondent().turn(await session.conversation(), answer)
        return OwnAnswer(RecordedTurn(turn, session, answer), self._registry)

    def _respondent(self) -> Respondent:
        from llmterm.respondent import Respondent  # not before the first question

        choices, registry = self._choices, self._registry
        return Respondent(
            provider=registry.get(choices.provider),
            model=choices.model,
            options=choices.options,
            limits=self._limits,
            marker=self._marker,
            fallbacks=registry.fallbacks(choices.fallback, besides=(choices.provider, choices.model)),
            background=choices.holds,
        )


class OwnAnswer:
    """A turn of this program and its record, as the chat plays them."""

    def __init__(self, recorded: RecordedTurn, registry: ProviderRegistry) -> None:
        self._recorded = recorded
        self._turn = recorded.turn
        self._registry = registry

    @property
    def state(self) -> TurnState:
        return self._turn.state

    @property
    def reason(self) -> EndReason:
        return self._turn.reason

    @property
    def error(self) -> BaseException | None:
        return self._turn.error

    @property
    def end_words(self) -> str:
        return self._turn.end_words

    @property
    def reply(self) -> Reply:
        return self._turn.reply

    @property
    def who(self) -> tuple[str, str]:
        return self._turn.provider.name, self._turn.request.model

    @property
    def guidance(self) -> str:
        return ""  # nobody else resumes it

    @property
    def preparation(self) -> str:
        return self._turn.provider.preparation(self._turn.request.model)

    @property
    def progress(self) -> Progress:
        return self._turn.progress

    @property
    def started_over(self) -> str:
        return self._turn.started_over

    @property
    def standing(self) -> Standing:
        return self._recorded.standing

    @property
    def rested(self) -> bool:
        return self._recorded.rested

    def reader(self) -> Reader:
        return self._turn.reader(waited_for=True)

    async def pause(self, *, upto: int | None = None) -> None:
        await self._turn.pause(upto=upto)

    async def cancel(self) -> None:
        await self._turn.cancel()

    async def leave(self) -> None:
        await self._turn.detach()  # nothing streams here without this program, but it may go on at its provider

    async def steer(self, guidance: str) -> bool:
        return await self._turn.steer(guidance)

    async def resume(self, *, guidance: str, continuation: Continuation | None, who: tuple[str, str]) -> None:
        name, model = who
        provider = self._registry.get(name)
        provider.preparation(model)  # refuses a model that cannot be
        self._turn.resume(guidance=guidance, continuation=continuation, provider=provider, model=model)

    async def rewrite(self, reply: Reply) -> None:
        self._turn.rewrite(reply)

    async def kept(self) -> None:
        await self._recorded.kept()

    async def finish(self) -> None:
        await self._recorded.finish()

    async def __aenter__(self) -> Self:
        await self._recorded.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._recorded.__aexit__(kind, error, traceback)
