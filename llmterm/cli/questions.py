"""The questions of `llmterm config init`. Every one has a default; nothing is written before the last is answered."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import replace

import typer

from llmterm import config
from llmterm.cli.output import one_line
from llmterm.config import Settings
from llmterm.config.checks import address_check, suggestion, variable_check
from llmterm.config.template import Chosen, text

_AUTO = "auto"
_LATER = "later"
# Seconds that a server may take to say which models it has; and how many of them are listed.
_PATIENCE = 3.0
_SHOWN = 30


def asked(environ: Mapping[str, str]) -> tuple[Chosen, str]:
    """Return what is chosen, and a key for the keyring, "" for none. Raises KeyboardInterrupt."""
    settings = Settings()
    usable = config.usable(settings, environ)
    names = (_AUTO, *settings.providers.names)
    typer.echo(f"Providers: {', '.join(names)} ({_AUTO} is the first with a key, else Ollama, else the small model)")
    provider = _one_of("Who answers?", names, usable[0] if usable else _AUTO)
    if provider == _AUTO:
        provider = ""
    address = _address(provider, settings, environ) if provider else ""
    variable, key = _key(provider, settings, environ) if provider else ("", "")
    chosen = Chosen(provider=provider, base_url=address, key_env=variable)
    return (
        replace(
            chosen,
            model=_model(chosen, settings, environ) if provider else "",
            theme=_one_of("Colours?", settings.theme_names, "auto"),
            editing=_one_of("Keys of the line?", ("emacs", "vi"), "emacs"),
            pause_mode=_one_of("A pause cuts the stream, or holds the screen?", ("cut", "hold"), "cut"),
        ),
        key,
    )


def confirmed(question: str) -> bool:
    try:
        return typer.confirm(question)
    except typer.Abort:
        raise KeyboardInterrupt from None


def _address(provider: str, settings: Settings, environ: Mapping[str, str]) -> str:
    """Ask where a server of the user's own is; return that where it is not the usual place."""
    endpoint = settings.providers.endpoint(provider)
    if endpoint is None or endpoint.needs_key:
        return ""
    usual = config.base_url(provider, settings, environ)
    given = _text("At which address?", usual, check=address_check)
    return "" if given == usual else given


def _model(chosen: Chosen, settings: Settings, environ: Mapping[str, str]) -> str:
    """Ask for the model, by its name or its number among those that the provider has; return one that is not usual."""
    remote = settings.providers.remote(chosen.provider)
    known = remote.model if remote else ""
    names = _offered(chosen, environ) if remote else []
    for number, name in enumerate(names[:_SHOWN], 1):
        typer.echo(f"{number:>3}  {name}")
    if len(names) > _SHOWN:
        typer.echo(f"     and {len(names) - _SHOWN:,} more, by name")
    how = ", ".join([*(["a number or a name"] if names else []), *([] if known else ["Enter: the first there is"])])
    typed = _text(f"Which model? ({how})" if how else "Which model?", known)
    if typed.isdecimal() and typed not in names and 0 < int(typed) <= len(names[:_SHOWN]):
        typed = names[int(typed) - 1]
    return "" if typed == known else typed


def _offered(chosen: Chosen, environ: Mapping[str, str]) -> list[str]:
    """Return the models of a provider that can be asked for them, as far as it says in time; else say why not."""
    import asyncio

    from llmterm.assembly.listing import offered
    from llmterm.render.sanitize import is_plain

    settings = config.parse(text(chosen), config.config_path(environ))
    if config.missing_key(chosen.provider, settings, environ):
        return []
    typer.echo(f"asking {chosen.provider} which models it has ...")
    found = asyncio.run(offered(settings, environ, chosen.provider, _PATIENCE))
    if found.error:
        typer.echo(one_line(found.error))
    return [name for name in found.models if is_plain(name)]


def _key(provider: str, settings: Settings, environ: Mapping[str, str]) -> tuple[str, str]:
    """Ask for where the key is to come from; return the variable, where it is not the usual one, and the key itself."""
    endpoint = settings.providers.endpoint(provider)
    if endpoint is None or not endpoint.needs_key:
        return "", ""
    if origin := config.key_origin(provider, settings, environ):
        typer.echo(f"The key of {provider} is set: {origin}")
        return "", ""
    places = ("environment", *(["keyring"] if importlib.util.find_spec("keyring") else []), _LATER)
    page = f" (get one at {endpoint.key_page})" if endpoint.key_page else ""
    place = _one_of(f"Where is its key to come from?{page}", places, places[0])
    if place == "keyring":
        return "", _text(f"Key for {provider}", "", hidden=True)
    if place == _LATER:
        return "", ""
    usual = endpoint.key_variables[0] if endpoint.key_variables else ""
    variable = _text("From which variable?", usual, check=variable_check)
    return ("" if variable in endpoint.key_variables else variable), ""


def _one_of(question: str, names: tuple[str, ...], default: str) -> str:
    def check(given: str) -> str:
        return "" if given in names else f"must be one of {', '.join(names)}{suggestion(given, names)}"

    shown = question if len(names) > 5 else f"{question} ({' / '.join(names)})"
    return _text(shown, default, check=check)


def _text(question: str, default: str, *, check: Callable[[str], str] = lambda _: "", hidden: bool = False) -> str:
    while True:
        try:
            typed = str(
                typer.prompt(question, default=default, hide_input=hidden, show_default=bool(default) and not hidden)
            ).strip()
        except typer.Abort:
            raise KeyboardInterrupt from None
        if not (complaint := check(typed)):
            return typed
        typer.echo(f"{one_line(typed)} {complaint}")
