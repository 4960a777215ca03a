"""Who answers what is asked of the service, and on what terms."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace

from llmterm.errors import UsageError
from llmterm.messages import Message, Options, StreamLimits
from llmterm.providers import Provider
from llmterm.providers.attachments import refused
from llmterm.providers.registry import ProviderRegistry
from llmterm.respondent import Respondent
from llmterm.serve.refusals import NoSuchModelError
from llmterm.sessions import OpenAnswer
from llmterm.threads import in_thread


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """On what terms is answered what says nothing of it.

    `background`: an answer that is paused goes on at its provider, where that can.
    `most` is how many turns may stream at once, `most_of_client` how many that one client has asked for, None for any.
    """

    system: str
    options: Options
    limits: StreamLimits
    fallback: tuple[str, ...] = ()
    marker: str | None = None
    background: bool = False
    most: int = 1_000
    most_of_client: int | None = None


class Respondents:
    """Those of the providers that are configured."""

    def __init__(self, providers: ProviderRegistry, terms: Terms) -> None:
        self._providers = providers
        self._terms = terms

    async def of(self, model: str, options: Options, question: Message) -> Respondent:
        """Return who answers a question. Raises UsageError, ConfigError and ProviderError."""
        provider, name = await self.chosen(model)
        who = self._providers.label(provider.name, name)
        if refusal := refused(question.attachments, provider.accepts(name), who):
            raise refusal
        return replace(self._respondent(provider, name), options=_over(options, self._terms.options))

    def _respondent(self, provider: Provider, model: str) -> Respondent:
        terms = self._terms
        return Respondent(
            provider=provider,
            model=model,
            options=terms.options,
            limits=terms.limits,
            marker=terms.marker,
            fallbacks=self._providers.fallbacks(terms.fallback, besides=(provider.name, model)),
            background=terms.background,
        )

    async def chosen(self, given: str) -> tuple[Provider, str]:
        """Return who is meant by "provider/model". Raises UsageError, ConfigError and ProviderError."""
        if given and given.partition("/")[0] not in self._providers.names:
            raise NoSuchModelError(f"there is no model {given[:80]!r}", hint="models are called provider/model")
        name, model = await self._providers.choose(given)
        self._providers.require(name)
        return await self._built(name), model

    async def _built(self, name: str) -> Provider:
        """Return a provider, which is made at its first use: that may ask a keyring."""
        if self._providers.has(name):
            return self._providers.get(name)
        return await in_thread(self._providers.get, name)

    async def of_rest(self, answer: OpenAnswer) -> Respondent:
        """Return who goes on with an answer, on the terms that it was begun on."""
        return replace(await self.named(answer.provider, answer.model), options=answer.options)

    async def named(self, provider: str, model: str) -> Respondent:
        """Return who has begun an answer; where that is nobody known any more, the usual one, to be told otherwise."""
        with suppress(UsageError):
            return self._respondent(await self._built(provider), model)
        usual, _ = await self.chosen("")
        return self._respondent(usual, model)


def _over(options: Options, usual: Options) -> Options:
    """Return the options, with the usual ones where they say nothing."""
    return options.over(replace(usual, schema=None))
