"""Which provider to talk to, at which address, and with which keys.

The environment is asked first, then the file, then the system's keyring; it is a parameter everywhere. What names a
provider here is one of `ProvidersSettings.names`, or no provider at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from llmterm.config.checks import address_check, quote, suggestion
from llmterm.config.credential import Credential
from llmterm.config.endpoints import BUILT_IN, Endpoint, ollama_url
from llmterm.config.file import APP, config_path
from llmterm.config.settings import Environ, RemoteSettings, Settings
from llmterm.errors import ConfigError, UsageError


class Keyring(Protocol):
    """The part of the keyring package that is used here."""

    def get_password(self, service: str, username: str, /) -> str | None: ...
    def set_password(self, service: str, username: str, password: str, /) -> None: ...


def system_keyring() -> Keyring:
    """Return the keyring package; raise ImportError where the extra is not installed."""
    import keyring

    backend: Keyring = keyring
    return backend


def secret(
    provider: str, settings: Settings, environ: Environ, *, keyring: Callable[[], Keyring] = system_keyring
) -> Credential | None:
    """Return the first of the `secrets` of `provider`."""
    return next(iter(secrets(provider, settings, environ, keyring=keyring)), None)


def secrets(
    provider: str, settings: Settings, environ: Environ, *, keyring: Callable[[], Keyring] = system_keyring
) -> list[Credential]:
    """Return the keys of `provider` from the environment, else the one of the file, else the one of the keyring.

    There are several only where the file names several variables.
    """
    found = _pair(provider, settings)
    if not found:
        return []
    remote, endpoint = found
    keys = _given_keys(remote, endpoint, environ)
    if not keys and endpoint.kind != "ollama":
        keys = [key for _, key in _stored_keys([provider], keyring)]
    return [Credential(key) for key in keys]


def key_hint(provider: str, settings: Settings, environ: Environ | None = None) -> str:
    """Return how to get at a key for `provider`, "" for one that needs none: another server at an address of its own.

    An address of its own in the environment is only seen where that is given.
    """
    found = _pair(provider, settings)
    if not found:
        return ""
    remote, endpoint = found
    elsewhere = bool(remote.base_url or (environ and _base_url_of(endpoint, environ)))
    if not remote.variables and (elsewhere or not endpoint.needs_key):
        return ""
    page = f"; get one at {endpoint.key_page}" if endpoint.key_page and not elsewhere else ""
    return f"{_way_to_set(provider, remote, endpoint)}{page}"


def missing_key(
    provider: str, settings: Settings, environ: Environ, *, keyring: Callable[[], Keyring] = system_keyring
) -> str:
    """Return how to get at the key that `provider` needs and has not, "" where it has all that it needs."""
    hint, found = key_hint(provider, settings, environ), _pair(provider, settings)
    if not hint or not found or _given_keys(*found, environ) or any(_stored_keys([provider], keyring)):
        return ""
    return hint


def key_origin(
    provider: str, settings: Settings, environ: Environ, *, keyring: Callable[[], Keyring] = system_keyring
) -> str:
    """Return where the key of `provider` comes from: "environment NAME", "file" or "keyring", "" where it has none."""
    found = _pair(provider, settings)
    if not found:
        return ""
    remote, endpoint = found
    named = _key_variables(remote, endpoint, environ)
    variables = [name for name in named if environ.get(name, "").strip()]
    if variables:
        return f"environment {', '.join(variables if remote.keys else variables[:1])}"
    if _given_keys(remote, endpoint, environ):
        return "file"
    return "keyring" if endpoint.kind != "ollama" and any(_stored_keys([provider], keyring)) else ""


def has_model(provider: str, settings: Settings, given: str) -> bool:
    """Tell whether "name/model", where `name` is a provider's, is what a model of `provider` itself is called.

    Nobody is asked: it counts what is known of the provider, and what the file says of its models.
    """
    found = _pair(provider, settings)
    if not found:
        return False
    remote, endpoint = found
    named = (remote.model, *remote.models, *remote.prices)
    name, _, rest = given.partition("/")
    if given in (*named, *endpoint.own_models):
        return True
    if name == provider:
        return endpoint.slashed == "all" and "/" not in rest
    return bool(endpoint.slashed) or any("/" in each for each in named)


def store_secret(
    provider: str,
    ask: Callable[[], str],
    *,
    settings: Settings | None = None,
    keyring: Callable[[], Keyring] = system_keyring,
) -> None:
    """Put a key into the keyring of the system, where `secret` finds it; `settings` know the user's own providers.

    Nobody is asked for a key that could not be stored.
    """
    settings = settings or Settings()
    found = _pair(provider, settings)
    if not found or found[1].kind == "ollama":
        near = suggestion(provider, settings.providers.names)
        raise UsageError(f"{quote(provider)} is not a provider that needs a key{near}")
    instead = _way_to_set(provider, *found)
    try:
        backend = keyring()
    except ImportError:
        hint = f"pip install 'llmterm[keyring]', or {instead}"
        raise ConfigError("keys cannot be stored without the keyring package", hint=hint) from None
    if not (value := ask().strip()):
        raise ConfigError(f"the key for {provider} is empty")
    try:
        backend.set_password(APP, provider, value)
    except Exception as error:
        # Not the error's own text: a backend may repeat what it was given.
        raise ConfigError(f"the keyring did not take the key: {type(error).__name__}", hint=instead) from None


def base_url(provider: str, settings: Settings, environ: Environ) -> str:
    """Return the address of `provider` in the sense of its own SDK, "" for one that has none."""
    found = _pair(provider, settings)
    if not found:
        return ""
    remote, endpoint = found
    return _base_url_of(endpoint, environ) or remote.base_url or endpoint.base_url


def choose_provider(
    flag: str | None,
    settings: Settings,
    environ: Environ,
    *,
    available: Callable[[str], bool],
    ollama_runs: Callable[[], bool] = lambda: False,
    keyring: Callable[[], Keyring] = system_keyring,
) -> str:
    """Return the provider asked for, else the first that is set up, else a running Ollama, else `local` if available.

    Set up is a provider with a key, or with an address of its own. Each of the questions costs more than the one
    before it, and is only asked if that had no answer.
    """
    names = settings.providers.names
    if name := flag or settings.provider:
        if name not in names:
            raise UsageError(
                f"unknown provider {quote(name)}{suggestion(name, names)}", hint=f"known: {', '.join(names)}"
            )
        return name
    for name in names:
        if _set_up(name, settings, environ):
            return name
    with_keys = (name for name in names if (facts := settings.providers.endpoint(name)) and facts.needs_key)
    for name, _ in _stored_keys(with_keys, keyring):
        return name
    if ollama_runs():
        return "ollama"
    if available("local"):
        return "local"
    raise ConfigError(
        "no model to talk to",
        hint="set a key, such as OPENAI_API_KEY or ANTHROPIC_API_KEY, or base_url in [providers.openai] of "
        f"{config_path(environ)}; or start Ollama; or install 'llmterm[local]' with its weights, "
        "or use --model path.gguf",
    )


def usable(settings: Settings, environ: Environ, *, keyring: Callable[[], Keyring] = system_keyring) -> list[str]:
    """Return every provider with an address that is set up: with a key, or with an address of its own."""
    names = settings.providers.names
    with_keys = (name for name in names if (facts := settings.providers.endpoint(name)) and facts.needs_key)
    stored = {name for name, _ in _stored_keys(with_keys, keyring)}
    return [name for name in names if name in stored or _set_up(name, settings, environ)]


def _pair(provider: str, settings: Settings) -> tuple[RemoteSettings, Endpoint] | None:
    remote, endpoint = settings.providers.remote(provider), settings.providers.endpoint(provider)
    return (remote, endpoint) if remote and endpoint else None


def _set_up(provider: str, settings: Settings, environ: Environ) -> bool:
    found = _pair(provider, settings)
    if not found:
        return False
    remote, endpoint = found
    configured = provider in settings.providers.remotes
    if remote.base_url or (configured and provider not in BUILT_IN and not endpoint.needs_key):
        return True
    if endpoint.kind == "ollama":
        # OLLAMA_HOST is for the server too, and says nothing about who is to answer.
        return False
    if _base_url_of(endpoint, environ):
        return True
    # The variables of a server of one's own are also those that it is started with.
    return (endpoint.needs_key or configured) and bool(_given_keys(remote, endpoint, environ))


def _given_keys(remote: RemoteSettings, endpoint: Endpoint, environ: Environ) -> list[str]:
    """Return the keys of the environment, else the one of the file."""
    if remote.keys:
        found = [environ.get(name, "").strip() for name in remote.variables]
    else:
        found = [_first(_key_variables(remote, endpoint, environ), environ)]
    if keys := list(dict.fromkeys(filter(None, found))):
        return keys
    key = remote.api_key.reveal().strip() if remote.api_key else ""
    return [key] if key else []


def _key_variables(remote: RemoteSettings, endpoint: Endpoint, environ: Environ) -> tuple[str, ...]:
    """Return the variables that are read for a key.

    Ollama's own goes where nobody can read it on the way, as ollama.com: its servers at home have no key, and one that
    has is named. Raises ConfigError for an address of the environment that is none.
    """
    if remote.variables or endpoint.kind != "ollama":
        return remote.variables or endpoint.key_variables
    address = _base_url_of(endpoint, environ) or remote.base_url or endpoint.base_url
    return endpoint.key_variables if address.startswith("https://") else ()


def _stored_keys(providers: Iterable[str], keyring: Callable[[], Keyring]) -> Iterable[tuple[str, str]]:
    """Yield those of the providers that have a key in the keyring, with that key, as far as it can be read."""
    try:
        ring = keyring()
        for provider in providers:
            if key := (ring.get_password(APP, provider) or "").strip():
                yield provider, key
    except Exception:
        # Whatever a backend raises (a locked keychain, no D-Bus), it has no key for us: nor would it have the next.
        return


def _base_url_of(endpoint: Endpoint, environ: Environ) -> str:
    """Return the address that the environment says. Raises ConfigError."""
    url = _first(endpoint.base_url_variables, environ)
    if url and endpoint.kind == "ollama":
        url = ollama_url(url)
    if complaint := address_check(url):
        raise ConfigError(f"{' or '.join(endpoint.base_url_variables)} {complaint}")
    return url


def _way_to_set(provider: str, remote: RemoteSettings, endpoint: Endpoint) -> str:
    if variables := remote.variables or endpoint.key_variables:
        return f"set {' or '.join(variables)}"
    return f"name its variable in key_env of [providers.{provider}]"


def _first(variables: tuple[str, ...], environ: Environ) -> str:
    """Return the first of the variables that is not empty; white space around it is a slip of the shell."""
    return next(filter(None, (environ.get(name, "").strip() for name in variables)), "")
