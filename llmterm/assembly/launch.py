"""What a run of the program starts from: settings, a provider and its model, the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from llmterm import config
from llmterm.assembly.roster import registry
from llmterm.assembly.secrets import known_secrets
from llmterm.config import Settings
from llmterm.messages import Options
from llmterm.providers.registry import ProviderRegistry
from llmterm.providers.weights import MODELS_FOLDER, available
from llmterm.redaction import Secrets
from llmterm.sessions import SessionStore

_MOMENT = 0.2  # seconds
_TAGS_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """What the command line, the environment and the configuration file come to."""

    settings: Settings
    environ: Mapping[str, str]
    provider: str
    model: str
    named: bool = False
    secrets: Secrets = field(default_factory=Secrets, repr=False)

    @property
    def options(self) -> Options:
        settings = self.settings
        return Options(temperature=settings.temperature, max_tokens=settings.max_tokens, seed=settings.seed)

    @property
    def marker(self) -> str | None:
        return self.settings.marker.text if self.settings.marker.enabled else None


def launch(
    settings: Settings, environ: Mapping[str, str], *, provider: str | None = None, model: str | None = None
) -> Launch:
    """Decide on the provider and the model. Raises UsageError or ConfigError."""
    named = provider is not None or model is not None
    secrets = known_secrets(settings, environ)
    if provider is not None and provider not in settings.providers.names and "/" in provider:
        provider, _, given = provider.partition("/")
        model = model or given
    if provider is None and model is not None and model.endswith(".gguf"):
        provider = "local"
    name = config.choose_provider(
        provider,
        settings,
        environ,
        available=lambda name: name == "local" and available(model or "", config.data_dir(environ) / MODELS_FOLDER),
        ollama_runs=lambda: _has_models(config.base_url("ollama", settings, environ)),
    )
    if model is None and name == (settings.provider or name):
        model = settings.model
    return Launch(
        settings=settings,
        environ=environ,
        provider=name,
        model=model or registry(settings, environ, secrets=secrets).default_model(name),
        named=named,
        secrets=secrets,
    )


async def with_model(launch: Launch, providers: ProviderRegistry) -> Launch:
    """Return `launch` with a model: the first that its provider lists, where none is set. Raises our errors."""
    if launch.model:
        return launch
    _, model = await providers.choose(launch.provider)
    return replace(launch, model=model)


def _has_models(url: str) -> bool:
    """Tell whether an Ollama answers at an address that has anything to answer with."""
    if not answers(url):
        return False
    from llmterm.assembly.probe import tags

    listed = tags(url, _TAGS_SECONDS)
    return bool(listed.get("models")) if isinstance(listed, dict) else False


def answers(url: str) -> bool:
    """Tell whether something listens at an address, which is asked for a moment only."""
    import socket

    try:
        parts = urlsplit(url)
        socket.create_connection((parts.hostname or "", parts.port or 80), timeout=_MOMENT).close()
    except (OSError, ValueError):  # also of a name that is none
        return False
    return True


def store(environ: Mapping[str, str]) -> SessionStore:
    return SessionStore(config.data_dir(environ))
