"""The providers for a program that uses this one as a library.

What it asks for by default is what `llmterm chat` would take: the same configuration file, environment and order.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from llmterm import config
from llmterm.assembly.launch import launch
from llmterm.assembly.model import Model, Question
from llmterm.assembly.roster import registry
from llmterm.config import Settings
from llmterm.errors import UsageError
from llmterm.messages import Options, Reply
from llmterm.providers.registry import ProviderRegistry


def open_registry(settings: Settings | None = None, environ: Mapping[str, str] | None = None) -> ProviderRegistry:
    """Return all providers that can be asked for, to be used in an `async with`, which closes them.

    Settings are those of the configuration file unless given, keys and addresses come from the process's environment
    unless another is. Which provider is the default is found out when `choose` is first asked for it.
    Raises ConfigError.
    """
    chosen, environment = _given(settings, environ)

    def default() -> str:
        start = launch(chosen, environment)
        return f"{start.provider}/{start.model}"

    return registry(chosen, environment, default=default)


@asynccontextmanager
async def connect(
    name: str = "", *, settings: Settings | None = None, environ: Mapping[str, str] | None = None
) -> AsyncIterator[Model]:
    """Give a model, of a "provider" or as "provider/model", in an `async with`, which closes its connections.

    Without a name it is the one that `llmterm chat` would take, and without a model the one that is set for the
    provider, else the first that it lists. Settings and environment are as for `open_registry`.
    Raises UsageError for a provider that there is not, ConfigError where it lacks its key, and ProviderError.
    """
    chosen, environment = _given(settings, environ)
    async with open_registry(chosen, environment) as providers:
        provider, model = await providers.choose(name)
        providers.require(provider)
        yield Model(
            providers.get(provider),
            model,
            limits=chosen.stream.limits(),
            fallbacks=providers.fallbacks(chosen.fallback, besides=(provider, model)),
        )


def generate_sync(
    question: Question,
    name: str = "",
    *,
    options: Options | None = None,
    settings: Settings | None = None,
    environ: Mapping[str, str] | None = None,
) -> Reply:
    """Return the answer to one question, for a script without an event loop: `connect`, `Model.generate`, and the end.

    Raises as they do, and UsageError where an event loop runs, which would stand still for that long. Each call
    connects anew: for many questions there is `Model.ask_many`.
    """
    if _in_a_loop():
        raise UsageError(
            "generate_sync cannot be called where an event loop runs",
            hint="there it is: async with connect(…) as model: await model.generate(…)",
        )

    async def generate() -> Reply:
        async with connect(name, settings=settings, environ=environ) as model:
            return await model.generate(question, options=options)

    return asyncio.run(generate())


def _given(settings: Settings | None, environ: Mapping[str, str] | None) -> tuple[Settings, Mapping[str, str]]:
    environment = os.environ if environ is None else environ
    return config.load(environ=environment) if settings is None else settings, environment


def _in_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
