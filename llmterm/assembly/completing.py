"""What can be named on the command line: providers, their models, roles, sessions. For a shell that completes.

Nobody waits while a key is pressed: only what this machine knows is offered, and no other machine is asked.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress

from llmterm import config
from llmterm.address import is_loopback, secret_parts
from llmterm.config import Settings
from llmterm.errors import LlmtermError
from llmterm.providers.weights import MODELS_FOLDER, available, default_model, pulled
from llmterm.redaction import redact
from llmterm.sessions import SessionStore

_SECONDS = 0.5
_MOST_SESSIONS = 200


def settings_or_default(environ: Mapping[str, str]) -> Settings:
    """Return the settings, those of no file where that one cannot be read."""
    try:
        return config.load(environ=environ)
    except LlmtermError:
        return Settings()


def provider_names(settings: Settings) -> list[tuple[str, str]]:
    """Return all providers, each with its default model."""
    providers = settings.providers
    default = {name: remote.model for name in providers.names if (remote := providers.remote(name))}
    default["local"] = providers.local.model or default_model()
    return list(default.items())


def model_names(provider: str, settings: Settings, environ: Mapping[str, str]) -> list[str]:
    """Return the models of `provider`, "" for the one that would be taken, that are known without asking anybody far.

    Those of an Ollama on this machine are asked for, for half a second at most.
    """
    provider = provider or _likely(settings, environ)
    return list(dict.fromkeys(name for name in _model_names(provider, settings, environ) if name))


def role_names(environ: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return all roles that can be taken, each with what it is."""
    from llmterm.config.roles import RoleFolder

    folder = RoleFolder.of(environ)
    found: list[tuple[str, str]] = []
    for name in folder.names:
        with suppress(LlmtermError):
            found.append((name, folder.load(name).about))
    return found


def session_titles(environ: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return ids and titles of the newest sessions."""
    store = SessionStore(config.data_dir(environ), timeout=_SECONDS)
    if not os.path.exists(store.path):
        return []
    try:
        return [(info.id, info.title) for info in store.infos(_MOST_SESSIONS)]
    except LlmtermError:
        return []
    finally:
        store.close()


def _likely(settings: Settings, environ: Mapping[str, str]) -> str:
    """Return the provider that a chat would take, as far as that is known without asking a keyring or a server."""

    def nobody() -> config.Keyring:
        raise ImportError

    try:
        return config.choose_provider(None, settings, environ, available=lambda _: available(), keyring=nobody)
    except LlmtermError:
        return ""


def _model_names(provider: str, settings: Settings, environ: Mapping[str, str]) -> Iterator[str]:
    if provider == (settings.provider or provider):
        yield settings.model
    if provider == "local":
        yield settings.providers.local.model
        yield default_model()
        yield from pulled(config.data_dir(environ) / MODELS_FOLDER)
    remote = settings.providers.remote(provider)
    if remote is None:
        return
    yield remote.model
    yield from remote.models
    yield from (name for name in remote.prices if not set("*?[") & set(name))
    if remote.kind == "ollama":
        try:
            url = config.base_url(provider, settings, environ)
        except LlmtermError:
            return
        yield from _ollama_models(url)


def _ollama_models(url: str) -> list[str]:
    """Return what an Ollama on this machine has; one on another machine is not asked."""
    from urllib.parse import urlsplit

    from llmterm.assembly.probe import tags
    from llmterm.providers.ollama import models

    parts = urlsplit(url)
    if not is_loopback(parts.hostname or "") or parts.scheme != "http":
        return []
    return [redact(name, secret_parts(url)) for name in models(tags(url, _SECONDS))]
