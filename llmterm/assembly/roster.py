"""The providers that the settings come to, each built when it is first needed.

All providers with an address are a wire, an address, and the resilience of an `Endpoint`; what differs is in the
settings and in the wire. A key is never sent in the clear to another machine, unless the settings say so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from llmterm import config
from llmterm.address import basic, is_loopback
from llmterm.assembly.secrets import known_secrets
from llmterm.config import RemoteSettings, Settings
from llmterm.errors import ConfigError
from llmterm.messages import Effort, Usage
from llmterm.providers import Provider
from llmterm.providers.registry import Entry, ProviderRegistry
from llmterm.providers.weights import MODELS_FOLDER, default_model
from llmterm.providers.windows import window
from llmterm.redaction import Secrets
from llmterm.sessions import SessionStore

if TYPE_CHECKING:
    from llmterm.providers.extras import Extras
    from llmterm.providers.wire import Wire
    from llmterm.transport import Endpoint, RateLimits
    from llmterm.transport.limits import Permits

_WITH_FALLBACK = 5.0  # seconds
# Tokens that an Ollama with little memory reads at once.
_LEAST_WINDOW = 4_096


def bare(provider: Provider) -> Provider:
    """Put nothing around a provider."""
    return provider


def cached(settings: Settings, sessions: SessionStore) -> Callable[[Provider], Provider]:
    """Return what puts the answer cache around a provider, if the settings want one."""
    if not settings.cache:
        return bare
    from llmterm.providers.cached import CachedProvider

    return lambda provider: CachedProvider(provider, sessions, told=partial(_told, settings, provider.name))


def throttled(wrap: Callable[[Provider], Provider], per_second: float | None) -> Callable[[Provider], Provider]:
    """Return what holds a provider back to so many tokens a second, around what `wrap` puts around it."""
    if per_second is None:
        return wrap
    from llmterm.providers.throttled import ThrottledProvider

    return lambda provider: ThrottledProvider(wrap(provider), per_second)


def registry(
    settings: Settings,
    environ: Mapping[str, str],
    *,
    wrap: Callable[[Provider], Provider] = bare,
    default: Callable[[], str] = str,
    secrets: Secrets | None = None,
    permits: Callable[[str, str, int], Permits] | None = None,
) -> ProviderRegistry:
    """Return all providers that can be asked for; `wrap` is put around each, `default` names the usual one.

    `secrets` are told of the keys that are found while a provider is built. `permits` gives what a provider is allowed
    of "requests" or "tokens", of so many a minute, where that is not for this process alone to say.
    """
    known = known_secrets(settings, environ) if secrets is None else secrets

    def entry(name: str, remote: RemoteSettings) -> Entry:
        return Entry(
            build=lambda: wrap(_remote(name, remote, settings, environ, known, permits)),
            model=remote.model,
            lacks=lambda: config.missing_key(name, settings, environ),
            price=lambda model: str(_price(name, model, settings, environ) or ""),
            window=lambda model: remote.window(model) or window(name, model),
            effort=partial(_effort, settings, remote),
            owns=lambda given: config.has_model(name, settings, given),
        )

    providers = settings.providers
    remotes = {name: remote for name in providers.names if (remote := providers.remote(name))}
    return ProviderRegistry(
        {
            **{name: entry(name, remote) for name, remote in remotes.items()},
            "local": Entry(
                build=lambda: wrap(_local(settings, environ)),
                model=providers.local.model or default_model(),
                label=_file_label,
                window=lambda _: providers.local.context,
            ),
        },
        default=default,
    )


def _effort(settings: Settings, remote: RemoteSettings, model: str) -> Effort | None:
    """Return how much a model is to think where a question does not say it."""
    return remote.model_settings(model).effort or settings.effort


def _extras(remote: RemoteSettings) -> Extras | None:
    """Return what the file adds to the requests of a provider, None where that is nothing."""
    if not (remote.extra_body or remote.extra_headers or remote.per_model or remote.num_ctx or remote.keep_alive):
        return None
    from llmterm.providers.extras import Extras

    return Extras(body=partial(_body, remote), headers=partial(_added_headers, remote))


def _body(remote: RemoteSettings, model: str) -> dict[str, Any]:
    from llmterm.providers.extras import merged

    window, alive = remote.window(model), remote.keep_alive
    said: dict[str, Any] = {} if window is None else {"options": {"num_ctx": window}}
    if alive:
        # A number is seconds there, and a text has a unit: https://docs.ollama.com/api/chat.
        said["keep_alive"] = int(alive) if alive.lstrip("-").isdecimal() else alive
    return merged(merged(said, remote.extra_body), remote.model_settings(model).extra_body)


def _added_headers(remote: RemoteSettings, model: str) -> dict[str, str]:
    added = {**remote.extra_headers, **remote.model_settings(model).extra_headers}
    return {name.lower(): value.reveal() for name, value in added.items()}


def _cut(name: str, remote: RemoteSettings, base_url: str, model: str, asked: int) -> str:
    """Say that an Ollama would leave out, without a word, the beginning of so many tokens; "" where that is not so.

    Unless it is told, it reads as many at once as fits its memory, 4,096 where that is little, and all of them in the
    cloud: https://docs.ollama.com/context-length.
    """
    known = remote.window(model)
    if remote.kind != "ollama" or asked <= (known or _LEAST_WINDOW):
        return ""
    if known is None and (base_url.startswith("https://") or model.endswith("cloud")):
        return ""
    reads = f"reads {known:,} at once" if known else f"may read only {_LEAST_WINDOW:,} at once"
    return f"about {asked:,} tokens are asked, and {model} {reads}: num_ctx in [providers.{name}] has it read more"


def _told(settings: Settings, name: str, model: str) -> object:
    """Return what the file says of requests to a model, which an answer depends on beside what it was asked."""
    remote = settings.providers.remote(name)
    if remote is None:
        return None
    return [told for told in (_effort(settings, remote, model), _body(remote, model)) if told]


def _price(name: str, model: str, settings: Settings, environ: Mapping[str, str]) -> config.Price | None:
    from llmterm.config.prices import price  # the table, which no answer of a local model asks for

    return price(name, model, settings, environ)


def _remote(
    name: str,
    remote: RemoteSettings,
    settings: Settings,
    environ: Mapping[str, str],
    secrets: Secrets,
    permits: Callable[[str, str, int], Permits] | None,
) -> Provider:
    from llmterm.providers.http import HttpProvider, ModelFacts
    from llmterm.providers.learned import Learned
    from llmterm.providers.promptcache import told
    from llmterm.transport import Proxies, Transport

    base_url = config.base_url(name, settings, environ)
    keys = [secret.reveal() for secret in config.secrets(name, settings, environ)]
    if (keys or basic(base_url)) and not remote.allow_http:
        _refuse_clear_text(name, "key" if keys else "password", base_url)
    secrets.add(*keys, *(value.reveal() for value in remote.headers))
    needs_key = config.key_hint(name, settings, environ)
    limits = _limits(remote, settings, partial(permits, name) if permits is not None else None)
    endpoint = _endpoint(name, limits, settings, keys, lambda: _origin(name, settings, environ))
    transport = Transport(proxies=Proxies.of(environ))
    learned = Learned(config.data_dir(environ))
    known = config.KNOWN.get(name)
    home = known is not None and base_url.rstrip("/") == known.base_url

    def cost(model: str, usage: Usage) -> float | None:
        price = _price(name, model, settings, environ)
        return None if price is None else price.cost(usage)

    own = remote.kind == "openai" and (known is None or not known.needs_key or not home)
    facts = ModelFacts(
        known=remote.models,
        cost=cost,
        attachments=remote.attachments,
        own=own,
        effort=partial(_effort, settings, remote),
        extras=_extras(remote),
        cut=partial(_cut, name, remote, base_url),
    )
    if remote.kind == "gemini":
        from llmterm.providers import google

        version = environ.get("GOOGLE_GENAI_API_VERSION", "").strip() or "v1"
        return google.provider(
            transport,
            endpoint,
            base_url=base_url,
            interacting=remote.interactions,
            client=remote.client,
            needs_key=needs_key,
            facts=facts,
            learned=learned,
            secrets=secrets,
            api_version=version,
        )
    official = name == "openai" and home

    def wired(remote: RemoteSettings) -> Wire:
        wire = _wire(name, remote, official=official)
        return told(name, wire) if home else wire

    provider: Callable[..., HttpProvider]
    if remote.transport == "websocket":
        from llmterm.providers.websocket import SocketProvider

        provider = partial(SocketProvider, transport, wired(remote))
    elif official and not remote.api:
        from llmterm.providers.by_model import ByModelProvider
        from llmterm.providers.openai import reasons

        usual = replace(remote, continuation="") if remote.continuation == "cursor" else remote
        other = wired(replace(remote, api="responses"))
        provider = partial(ByModelProvider, transport, wired(usual), other=other, others=reasons)
    else:
        provider = partial(HttpProvider, transport, wired(remote))
    return provider(endpoint, base_url=base_url, needs_key=needs_key, facts=facts, learned=learned, secrets=secrets)


def _wire(name: str, remote: RemoteSettings, *, official: bool) -> Wire:
    """Return the wire of a kind. Each is imported when it is needed: most runs need one."""
    match remote.kind:
        case "anthropic":
            from llmterm.providers import anthropic

            wire = anthropic.wire(thinking=remote.thinking)
        case "cohere":
            from llmterm.providers import cohere

            wire = cohere.wire(version=remote.version)
        case "ollama":
            from llmterm.providers import ollama

            wire = ollama.wire()
        case _ if remote.api == "responses":
            from llmterm.providers import responses

            goes_on = official or remote.continuation == "cursor"
            wire = responses.wire(official=official, host=_host(name), background=goes_on)
        case _:
            from llmterm.providers import openai

            strict = name == "mistral"
            wire = openai.wire(
                official=official,
                usage=not strict,
                seed="random_seed" if strict else "seed",
                says_stop=name == "vllm",
                host=_host(name),
            )
    mode = remote.continuation
    if mode == "cursor" and wire.background is None:
        hint = f'continuation = "cursor" in [providers.{name}] wants api = "responses" as well'
        raise ConfigError(f"{name}: no answer goes on there without its reader", hint=hint)
    return replace(wire, continuation=lambda _: mode) if mode and mode != "cursor" else wire


def _host(name: str) -> str:
    """Return the provider whose models have words of their own for how much they are to think, "" for most servers.

    OpenAI's own are at its own address only.
    """
    return name if name in ("deepseek", "mistral", "openrouter", "xai") else ""


def _origin(name: str, settings: Settings, environ: Mapping[str, str]) -> str:
    """Return where a provider's key is found, in words."""
    origin = config.key_origin(name, settings, environ)
    kind, _, variables = origin.partition(" ")
    return (
        variables
        if kind == "environment"
        else f"the {'configuration ' if kind == 'file' else ''}{kind}"
        if kind
        else ""
    )


def _limits(remote: RemoteSettings, settings: Settings, permits: Callable[[str, int], Permits] | None) -> RateLimits:
    from llmterm.transport import RateLimits
    from llmterm.transport.limits import alone

    return RateLimits(
        remote.max_concurrent,
        remote.requests_per_minute,
        remote.tokens_per_minute,
        max_wait=_max_wait(settings),
        permits=permits or alone,
    )


def _max_wait(settings: Settings) -> float:
    # Where somebody else can answer, nobody waits for long.
    return min(settings.retry.max_wait, _WITH_FALLBACK) if settings.fallback else settings.retry.max_wait


def _endpoint(
    name: str, limits: RateLimits, settings: Settings, keys: list[str], origin: Callable[[], str]
) -> Endpoint:
    from llmterm.transport import Breaker, Endpoint, KeyRing, RetryPolicy

    return Endpoint(
        name,
        KeyRing(keys),
        limits,
        # The only one is asked whenever somebody wants: who has just started his server again does not wait.
        Breaker() if settings.fallback else Breaker(threshold=math.inf),
        RetryPolicy(settings.retry.attempts, _max_wait(settings)),
        origin=origin,
    )


def _refuse_clear_text(name: str, what: str, base_url: str) -> None:
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    if parts.scheme == "http" and not is_loopback(host):
        raise ConfigError(
            f"the {what} for {name} would be sent in the clear to {host}",
            hint=f"use https://, or set allow_http = true in [providers.{name}]",
        )


def _local(settings: Settings, environ: Mapping[str, str]) -> Provider:
    from llmterm.providers.local import LocalProvider

    local = settings.providers.local
    return LocalProvider(threads=local.threads, context=local.context, folder=config.data_dir(environ) / MODELS_FOLDER)


def _file_label(model: str) -> str:
    return Path(model).stem if model.endswith(".gguf") else model
