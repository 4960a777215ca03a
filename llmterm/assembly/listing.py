"""What every provider that can be used has to offer, asked for at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from llmterm import config
from llmterm.assembly.roster import registry
from llmterm.assembly.search import answers
from llmterm.config import Settings
from llmterm.errors import LlmtermError
from llmterm.providers.registry import ProviderRegistry
from llmterm.providers.weights import MODELS_FOLDER, available
from llmterm.threads import in_thread


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The models of a provider, or the words of the error that came instead."""

    provider: str
    models: Sequence[str] = ()
    error: str = ""


async def models(settings: Settings, environ: Mapping[str, str], provider: str | None) -> list[Listing]:
    """Ask `provider`, or all that can be used, for their models; one that fails is a listing like the others.

    Raises UsageError for a provider that there is not.
    """
    providers = registry(settings, environ)
    names = [provider] if provider else await in_thread(_usable, settings, environ)
    if provider and provider not in providers.names:
        providers.get(provider)  # says what there is
    try:
        return list(await asyncio.gather(*(_listing(providers, name) for name in names)))
    finally:
        await providers.aclose()


def _usable(settings: Settings, environ: Mapping[str, str]) -> list[str]:
    names = config.usable(settings, environ)
    if "ollama" not in names and answers(config.base_url("ollama", settings, environ)):
        names.append("ollama")
    return [*names, *(["local"] if available(folder=config.data_dir(environ) / MODELS_FOLDER) else [])]


async def offered(settings: Settings, environ: Mapping[str, str], provider: str, seconds: float) -> Listing:
    """Return the models of a provider, or why there are none to choose from within so many seconds."""
    providers = registry(settings, environ)
    try:
        async with asyncio.timeout(seconds):
            return await _listing(providers, provider)
    except TimeoutError:
        return Listing(provider=provider, error=f"{provider} has not said within {seconds:g} s which models it has")
    finally:
        await providers.aclose()


async def _listing(providers: ProviderRegistry, name: str) -> Listing:
    try:
        return Listing(provider=name, models=await providers.models(name))
    except LlmtermError as error:
        return Listing(provider=name, error=str(error))
