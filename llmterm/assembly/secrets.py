"""The secrets that the settings and the environment have: keys, and passwords in the URLs of providers and proxies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from llmterm import config
from llmterm.address import secret_parts
from llmterm.config import Settings
from llmterm.errors import LlmtermError
from llmterm.redaction import Secrets

_PROXIES = ("http_proxy", "https_proxy", "all_proxy")


def known_secrets(settings: Settings, environ: Mapping[str, str], *, stored: bool = False) -> Secrets:
    """Return all that are known without asking the keyring, and those that are stored in it if that is wanted.

    A provider that is built tells what the keyring has for it.
    """
    names = settings.providers.names
    secrets = Secrets(_given(settings, environ), words=names)
    if stored:
        for name in names:
            secrets.add(*(each.reveal() for each in config.secrets(name, settings, environ)))
    return secrets


def secrets_of(environ: Mapping[str, str], *, stored: bool = False) -> Secrets:
    """Return what the environment and its configuration file have, as far as that can be read."""
    try:
        settings = config.load(environ=environ)
    except LlmtermError:
        settings = Settings()
    return known_secrets(settings, environ, stored=stored)


def _given(settings: Settings, environ: Mapping[str, str]) -> Iterator[str]:
    for name in settings.providers.names:
        remote, endpoint = settings.providers.remote(name), settings.providers.endpoint(name)
        if remote is None or endpoint is None:
            continue
        # Also those that another one wins over: a key that is not used is a key.
        for variable in (*remote.variables, *endpoint.key_variables):
            yield environ.get(variable, "").strip()
        if remote.api_key:
            yield remote.api_key.reveal().strip()
        for value in remote.headers:
            yield value.reveal()
        for url in (remote.base_url, *(environ.get(variable, "") for variable in endpoint.base_url_variables)):
            yield from secret_parts(url if "://" in url else f"http://{url}")
    for variable in _PROXIES:
        for url in (environ.get(variable, ""), environ.get(variable.upper(), "")):
            yield from secret_parts(url if "://" in url else f"http://{url}")
