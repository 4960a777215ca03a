"""What a process on another machine answers with: the settings of here, and the keys of there.

No key leaves a machine: what is sent has none in it, nor an address with a password. Each machine finds the keys of the
providers where it would find them for itself, in its environment, its configuration file or its keyring.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from llmterm import config
from llmterm.address import secret_parts, shown
from llmterm.assembly import descriptors
from llmterm.assembly.chooser import Chooser
from llmterm.assembly.launch import Launch
from llmterm.batch.answerer import Answerer
from llmterm.batch.desk import Desk
from llmterm.config import RemoteSettings, Settings
from llmterm.errors import ConfigError
from llmterm.messages import Options
from llmterm.providers.registry import ProviderRegistry
from llmterm.schema import Schema


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """What a worker is told once: the settings, who answers where a line names nobody, and how many at once."""

    settings: Settings
    provider: str
    model: str
    at_once: int
    schema: Schema | None = None


def post(launch: Launch, at_once: int, schema: Schema | None) -> Post:
    """Return what the workers are told, which is no secret. Raises ConfigError for what only this machine has."""
    settings = launch.settings
    if settings.cache:
        raise ConfigError("the cache of answers is this machine's, and a cluster has none", hint="leave it out")
    if secret_parts(config.base_url(launch.provider, settings, launch.environ)):
        raise ConfigError(
            f"the address of {launch.provider} has a password or a key in it, and no secret is sent to a cluster",
            hint="name an address without, and set a key on its machines",
        )
    names = settings.providers.names
    remotes = {
        name: replace(remote, api_key=None, base_url=_address(name, remote, settings, launch.environ))
        for name in names
        if (remote := settings.providers.remote(name)) is not None
    }
    providers = replace(settings.providers, remotes=remotes)
    return Post(
        settings=replace(settings, providers=providers),
        provider=launch.provider,
        model=launch.model,
        at_once=at_once,
        schema=schema,
    )


def _address(name: str, remote: RemoteSettings, settings: Settings, environ: Mapping[str, str]) -> str:
    """Return the address that is asked from here, "" where that is the usual one, or none."""
    endpoint = settings.providers.endpoint(name)
    try:
        url = config.base_url(name, settings, environ)
    except ConfigError:
        return ""  # whoever asks for it is told so here
    if not remote.base_url and endpoint is not None and url == endpoint.base_url:
        return ""
    return shown(url) if secret_parts(url) else url


def launched(given: Post, environ: Mapping[str, str]) -> Launch:
    """Return what a run on this machine starts from. Raises our errors."""
    settings = with_keys(given.settings, environ)
    return Launch(
        settings=settings,
        environ=_without_addresses(settings, environ),
        provider=given.provider,
        model=given.model,
    )


def desk(given: Post, launch: Launch, providers: ProviderRegistry) -> Desk:
    """Return what answers on this machine. Raises our errors."""
    providers.require(given.provider)
    descriptors.require(given.at_once)
    chooser = Chooser(launch, providers, Options(), elsewhere=True)  # the options of each question come with it
    return Desk(Answerer(chooser.choose, given.at_once, schema=given.schema))


def with_keys(settings: Settings, environ: Mapping[str, str]) -> Settings:
    """Return the settings with the keys that the configuration file of this machine has."""
    own = config.load(environ=environ).providers.remotes
    remotes = {
        name: replace(remote, api_key=own[name].api_key if name in own else None)
        for name, remote in settings.providers.remotes.items()
    }
    return replace(settings, providers=replace(settings.providers, remotes=remotes))


def _without_addresses(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment as it is but for the addresses of providers: those come with the settings."""
    endpoints = (settings.providers.endpoint(name) for name in settings.providers.names)
    addresses = {name for endpoint in endpoints if endpoint is not None for name in endpoint.base_url_variables}
    return {name: value for name, value in environ.items() if name not in addresses}
