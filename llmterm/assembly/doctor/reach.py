"""Who can answer: the keys (where they are, not what they are), every provider asked, the embedded model."""

from __future__ import annotations

import asyncio
import importlib
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from difflib import get_close_matches
from importlib.util import find_spec

from llmterm import config
from llmterm.assembly.doctor.check import Check
from llmterm.assembly.doctor.storage import size
from llmterm.assembly.launch import launch
from llmterm.assembly.roster import registry
from llmterm.assembly.search import answers
from llmterm.config import Settings
from llmterm.errors import (
    AuthError,
    ConfigError,
    LlmtermError,
    ModelNotFoundError,
    ProtocolError,
    RateLimitError,
    RequestRefusedError,
)
from llmterm.providers.registry import ProviderRegistry
from llmterm.providers.retired import retirement
from llmterm.providers.weights import MODELS_FOLDER, default_weights, find_model, pulled

_SECONDS = 5.0


async def reach_checks(settings: Settings, environ: Mapping[str, str], *, everybody: bool) -> list[Check]:
    """Look for keys, ask the providers that are set up (or `everybody`) for their models, all at once."""
    names = [name for name in settings.providers.names if name != "local"]
    sources = {name: _key_source(name, settings, environ) for name in names}
    usual = _set_up(settings, environ)
    asked = [*usual, *(name for name in names if name not in usual)] if everybody else usual
    local = _local(settings, environ)
    async with registry(settings, environ) as providers:
        found = await _ask_all(providers, asked, settings, sources)
        # These have been asked, and are asked for once.
        listed = {
            name: await providers.models(name) for name, check in zip(asked, found, strict=True) if check.state == "ok"
        }
    # Whoever is not set up need not be there.
    remote = [
        check if name in usual or check.state != "problem" else replace(check, state="note")
        for name, check in zip(asked, found, strict=True)
    ]
    keys = [Check(name=f"key {name}", state="ok", value=source) for name, source in sources.items() if source]
    if not keys:
        keys = [Check(name="keys", state="note", value="none: only servers without one, and the embedded model")]
    return [
        *keys,
        *_added(settings),
        _proxy(environ),
        *remote,
        *_models(settings, providers, listed, date.today()),
        local,
        *_verdict(settings, environ, [*remote, local], listed),
    ]


def _added(settings: Settings) -> Iterator[Check]:
    """Say what the file adds to requests. What is in a header is not said: it may be a secret."""
    for name in settings.providers.names:
        remote = settings.providers.remote(name)
        if remote is None:
            continue
        tables = [("", remote.extra_body, remote.extra_headers)]
        tables += [(f"for {model}: ", each.extra_body, each.extra_headers) for model, each in remote.per_model.items()]
        said = [f"{whom}{' and '.join(_names(body, headers))}" for whom, body, headers in tables if body or headers]
        if said:
            yield Check(name=f"added {name}", state="ok", value="; ".join(said))


def _names(body: Mapping[str, object], headers: Mapping[str, object]) -> Iterator[str]:
    if body:
        yield f"{', '.join(body)} in the body"
    if headers:
        yield f"the header{'s' if len(headers) > 1 else ''} {', '.join(headers)}"


def _proxy(environ: Mapping[str, str]) -> Check:
    """Say which proxies are set. What is wrong with one may be no matter for those that need none."""
    from llmterm.transport import Proxies

    try:
        found = [f"{proxy.address} ({proxy.variable})" for proxy in Proxies.of(environ).all()]
    except ConfigError as error:
        return Check(name="proxy", state="warning", value=error.message, hint=error.hint)
    if not found:
        return Check(name="proxy", state="ok", value="none")
    value = f"{', '.join(found)}; not for this machine, nor for what NO_PROXY names"
    return Check(name="proxy", state="ok", value=value)


def _key_source(name: str, settings: Settings, environ: Mapping[str, str]) -> str:
    """Return where the key of a provider is, "" for nowhere."""
    remote, endpoint = settings.providers.remote(name), settings.providers.endpoint(name)
    if remote is None or endpoint is None:
        return ""
    if endpoint.kind == "ollama" and not _has_key(name, settings, environ):
        return ""
    variables = remote.variables or endpoint.key_variables
    found = [variable for variable in variables if environ.get(variable, "").strip()]
    if found:
        return f"in {', '.join(found if remote.keys else found[:1])}"
    if remote.api_key and remote.api_key.reveal().strip():
        return "in the configuration file"
    return "in the keyring" if config.secrets(name, settings, environ) else ""


def _has_key(name: str, settings: Settings, environ: Mapping[str, str]) -> bool:
    """Tell whether a provider is asked with a key; one whose address is none says so itself."""
    try:
        return bool(config.secrets(name, settings, environ))
    except ConfigError:
        return False


def _set_up(settings: Settings, environ: Mapping[str, str]) -> list[str]:
    try:
        names = config.usable(settings, environ)
        if "ollama" not in names and answers(config.base_url("ollama", settings, environ)):
            names.append("ollama")
    except ConfigError:  # an address in the environment that is none: that provider will say so
        names = list(config.BUILT_IN)
    wanted = settings.provider
    return [*names, *([wanted] if wanted in settings.providers.names and wanted not in (*names, "local") else [])]


async def _ask_all(
    providers: ProviderRegistry,
    names: Sequence[str],
    settings: Settings,
    sources: Mapping[str, str],
) -> list[Check]:
    return list(
        await asyncio.gather(
            *(_ask(providers, name, sources.get(name, ""), config.key_hint(name, settings)) for name in names)
        )
    )


async def _ask(providers: ProviderRegistry, name: str, source: str, key_hint: str) -> Check:
    label = f"provider {name}"
    began = time.monotonic()
    try:
        async with asyncio.timeout(_SECONDS):
            models = await providers.models(name)
    except TimeoutError:
        hint = "check the network, a proxy, and the base URL"
        return Check(name=label, state="problem", value=f"no answer within {_SECONDS:g} seconds", hint=hint)
    except LlmtermError as error:
        return _failed(label, error, source, key_hint)
    took = (time.monotonic() - began) * 1000
    value = f"answers in {took:,.0f} ms, {len(models):,} {'model' if len(models) == 1 else 'models'}"
    if not models:
        hint = f"llmterm models pull NAME --provider {name}" if name == "ollama" else "load a model there"
        return Check(name=label, state="warning", value=value, hint=hint)
    return Check(name=label, state="ok", value=value)


def _failed(label: str, error: LlmtermError, source: str, key_hint: str) -> Check:
    """Say what it means that a provider did not list its models; `source` is where its key is."""
    match error:
        case AuthError():
            value = f"the key {source or 'is missing, or'} was refused: {error.message}"
            return Check(name=label, state="problem", value=value, hint=key_hint or error.hint or "check the key")
        case ConfigError():
            unset = bool(key_hint) and not source
            return Check(name=label, state="note" if unset else "problem", value=error.message, hint=error.hint)
        case ModelNotFoundError() | RequestRefusedError() | RateLimitError() | ProtocolError():
            # Somebody is there: a server without such a list may answer all the same.
            return Check(name=label, state="warning", value=f"reached, but: {error.message}", hint=error.hint)
        case _:
            value = error.message.removeprefix(f"{label.removeprefix('provider ')}: ")
            return Check(name=label, state="problem", value=value, hint=error.hint)


def _local(settings: Settings, environ: Mapping[str, str]) -> Check:
    folder = config.data_dir(environ) / MODELS_FOLDER
    fetched = pulled(folder)
    if find_spec("xllamacpp") is None:
        hint = "pip install 'llmterm[local]'"
        return Check(name="embedded model", state="note", value="the engine xllamacpp is not installed", hint=hint)
    try:
        importlib.import_module("xllamacpp")
    except (ImportError, OSError) as error:
        value = f"the engine xllamacpp cannot be loaded: {error}"
        return Check(
            name="embedded model", state="warning", value=value, hint="pip install --force-reinstall xllamacpp"
        )
    try:
        wanted = settings.providers.local.model or ("" if default_weights() or not fetched else fetched[0])
        path = find_model(wanted, folder)
        room = size(path.stat().st_size)
    except LlmtermError as error:
        named = bool(settings.providers.local.model)
        return Check(name="embedded model", state="warning" if named else "note", value=error.message, hint=error.hint)
    except OSError as error:
        return Check(name="embedded model", state="warning", value=f"cannot be read: {error.strerror}")
    more = f"; {len(fetched)} pulled" if fetched else ""
    return Check(name="embedded model", state="ok", value=f"{path} ({room}){more}")


def _models(
    settings: Settings, providers: ProviderRegistry, listed: Mapping[str, Sequence[str]], today: date
) -> Iterator[Check]:
    """Say which models, those that providers begin with and those of the fallbacks, are not there, or not for long."""
    begin = {name: providers.default_model(name) for name in listed}
    if settings.model and settings.provider:
        name, model = providers.locate(settings.model, settings.provider)
        begin[name] = model
    for name, model in dict.fromkeys((*begin.items(), *map(providers.resolve, settings.fallback))):
        models = listed.get(name, ())
        gone = retirement(name, model)
        if gone is not None:
            hint = f'model = "{gone.successor}" in [providers.{name}] follows it'
            yield Check(name=f"model {name}", state="warning", value=gone.words(model, today), hint=hint)
        elif model and models and not is_listed(model, models):
            value = f"{model} is not among the models that {name} lists"
            yield Check(name=f"model {name}", state="warning", value=value, hint=_instead(name, model, models))


def _instead(provider: str, model: str, models: Sequence[str]) -> str:
    near = get_close_matches(model, models, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]}? " if near else ""
    return f"{hint}llmterm models -p {provider} lists them"


def is_listed(model: str, models: Sequence[str]) -> bool:
    """Tell whether `model` is one of those that a server lists, or short for one: without its date, tag or folder."""
    named = {each.removeprefix("models/") for each in models}
    short = model.removeprefix("models/")
    if short in named or f"{short}:latest" in named or short.rpartition(":")[0] in named:
        return True
    dated = re.compile(rf"{re.escape(short.removesuffix('-latest'))}-[\d-]+")
    return any(dated.fullmatch(each) for each in named)


def _verdict(
    settings: Settings, environ: Mapping[str, str], providers: Sequence[Check], listed: Mapping[str, Sequence[str]]
) -> list[Check]:
    """Say who would answer a chat that is started now without a word about it; `listed` are the models of each."""
    try:
        start = launch(settings, environ)
    except LlmtermError as error:
        return [Check(name="set up", state="problem", value=error.message, hint=error.hint)]
    label = registry(settings, environ).label(start.provider, start.model).removesuffix("/")
    name = "embedded model" if start.provider == "local" else f"provider {start.provider}"
    check = next((each for each in providers if each.name == name), None)
    listless = check is not None and check.state == "warning" and bool(start.model) and start.provider != "local"
    models = listed.get(start.provider, ())
    if start.model and models and not is_listed(start.model, models):
        value = f"{label} is not among the models that {start.provider} lists"
        hint = _instead(start.provider, start.model, models)
        return [Check(name="answers", state="problem", value=value, hint=hint)]
    if check is None or check.state == "ok" or listless:
        return [Check(name="answers", state="ok", value=f"{label}, where nothing else is asked for")]
    others = [each.name.removeprefix("provider ") for each in providers if each.state == "ok"]
    if not others:
        return [Check(name="answers", state="problem", value=f"{label} cannot, and nobody else", hint=check.hint)]
    other = others[0].replace("embedded model", "local")
    return [Check(name="answers", state="warning", value=f"{label} cannot", hint=f"llmterm -p {other} works meanwhile")]
