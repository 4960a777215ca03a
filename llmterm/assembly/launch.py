"""What a run of the program starts from: settings, a provider and its model, the store."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from llmterm import config
from llmterm.assembly.roster import registry
from llmterm.assembly.search import MOMENT, PATIENCE, Search, Seen
from llmterm.assembly.secrets import known_secrets
from llmterm.config import Settings
from llmterm.errors import ConfigError
from llmterm.messages import Options
from llmterm.providers.registry import ProviderRegistry
from llmterm.providers.weights import MODELS_FOLDER, available
from llmterm.redaction import Secrets
from llmterm.sessions import SessionStore

if TYPE_CHECKING:
    from llmterm.config.roles import Role  # few runs have one


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """What the command line, the environment and the configuration file come to.

    While the `search` for an Ollama goes on, the provider is the one that answers where there is none. `ollama` is what
    was seen of one where the embedded model is to answer in a chat. `kept`: what is said is kept in a session.
    `throttle` is how many tokens of an answer there may be a second. With a `role` there are the
    settings `without_role`, too.
    """

    settings: Settings
    environ: Mapping[str, str]
    provider: str
    model: str
    named: bool = False
    secrets: Secrets = field(default_factory=Secrets, repr=False)
    search: Search | None = None
    ollama: Seen = "unseen"
    kept: bool = True
    throttle: float | None = None
    role: Role | None = None
    without_role: Settings | None = None

    @property
    def options(self) -> Options:
        return options_of(self.settings)

    @property
    def marker(self) -> str | None:
        return self.settings.marker.text if self.settings.marker.enabled else None


def options_of(settings: Settings) -> Options:
    """Return what is asked of every model; what the file says of some of them is for `roster` to know."""
    return Options(
        temperature=settings.temperature,
        max_tokens=settings.max_tokens,
        seed=settings.seed,
        effort=settings.asked_effort,
        top_p=settings.top_p,
        verbosity=settings.verbosity,
        service_tier=settings.service_tier,
        web_search=settings.web_search or None,
    )


def launch(
    settings: Settings,
    environ: Mapping[str, str],
    *,
    provider: str | None = None,
    model: str | None = None,
    at_once: bool = False,
) -> Launch:
    """Decide on the provider and the model. Raises UsageError or ConfigError.

    `at_once` leaves the search for an Ollama to go on, where it is not over in a moment and there is somebody else.
    """
    named = provider is not None or model is not None
    secrets = known_secrets(settings, environ)
    providers = registry(settings, environ, secrets=secrets)
    own = ""
    if provider is not None and "/" in provider and provider.partition("/")[0] in providers.names:
        provider, own = providers.resolve(provider)
    if provider is None and model is not None and model.endswith(".gguf"):
        provider = "local"
    local = partial(available, model or "", config.data_dir(environ) / MODELS_FOLDER)
    search = Search(lambda: config.base_url("ollama", settings, environ))

    def ollama_runs() -> bool:
        # Of whom a model is, is a matter of who is to answer: there it has to be known.
        beside = at_once and not (model or settings.model) and local()
        return search.found(MOMENT if beside else PATIENCE)

    name = config.choose_provider(
        provider, settings, environ, available=lambda name: name == "local" and local(), ollama_runs=ollama_runs
    )
    if model or not own:
        name, own = _located(providers, settings, name, provider, model)
    searching = at_once and search.pending
    if at_once and name == "local":
        with suppress(ConfigError):  # an address that is none matters to who asks for an Ollama
            search.found(MOMENT)
    return Launch(
        settings=settings,
        environ=environ,
        provider=name,
        model=own or providers.default_model(name),
        named=named,
        secrets=secrets,
        search=search if searching else None,
        ollama=search.seen,
    )


def _located(
    providers: ProviderRegistry, settings: Settings, name: str, provider: str | None, model: str | None
) -> tuple[str, str]:
    """Return the provider and the model that `model` means, or the one of the file where that is None.

    `name` is the provider chosen, and `provider` the one that was named: with it, the model is one of its own.
    """
    given = model if model is not None else settings.model if name == (settings.provider or name) else ""
    place, own = (name, given) if given.endswith(".gguf") else providers.locate(given, name)
    beside = provider if model is not None else provider or settings.provider
    if place == name or not beside:
        return place, own
    # A model of the file that is somebody else's is not meant where the command line names a provider.
    return name, given if model is not None or settings.provider else ""


def require_key(launch: Launch) -> None:
    """Raise ConfigError where the provider lacks a key, and nobody is to step in for it."""
    if not launch.settings.fallback:
        registry(launch.settings, launch.environ).require(launch.provider)


async def with_model(launch: Launch, providers: ProviderRegistry) -> Launch:
    """Return `launch` with a model: the first that its provider lists, where none is set. Raises our errors."""
    if launch.model:
        return launch
    _, model = await providers.choose(launch.provider)
    return replace(launch, model=model)


def store(environ: Mapping[str, str], *, timeout: float = 5.0) -> SessionStore:
    return SessionStore(config.data_dir(environ), timeout=timeout)
