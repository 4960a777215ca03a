"""Gives who answers the questions of a batch: for each model that is named, one provider and its fallbacks."""

from __future__ import annotations

import asyncio

from llmterm.assembly.launch import Launch
from llmterm.errors import ConfigError
from llmterm.messages import Options
from llmterm.providers.registry import ProviderRegistry
from llmterm.respondent import Respondent


class Chooser:
    """Gives who answers for the model of a line. Several that ask for the same one wait for the same.

    Where others are to answer `elsewhere`, the embedded model is none of them.
    """

    def __init__(
        self, launch: Launch, providers: ProviderRegistry, options: Options, *, elsewhere: bool = False
    ) -> None:
        self._elsewhere = elsewhere
        self._launch = launch
        self._options = options
        self._providers = providers
        self._chosen: dict[str, asyncio.Task[Respondent]] = {}

    async def choose(self, given: str) -> Respondent:
        """Raises our errors."""
        if given not in self._chosen:
            self._chosen[given] = asyncio.create_task(self._choose(given))
        return await asyncio.shield(self._chosen[given])

    async def _choose(self, given: str) -> Respondent:
        launch, providers = self._launch, self._providers
        name, model = providers.locate(given, launch.provider) if given else (launch.provider, launch.model)
        if name == "local" and self._elsewhere:
            raise ConfigError("the embedded model answers on this machine alone", hint="without --engine ray it does")
        if not model:
            name, model = await providers.choose(name)
        provider = providers.get(name)
        provider.preparation(model)  # refuses a model that cannot be
        fallbacks = providers.fallbacks(launch.settings.fallback, besides=(name, model))
        return Respondent(
            provider=provider,
            model=model,
            options=self._options,
            limits=launch.settings.stream.limits(),
            fallbacks=fallbacks,
        )
