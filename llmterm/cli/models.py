"""`llmterm models`: what there is to talk to, and getting more of it."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from llmterm import config
from llmterm.assembly import listing as listings
from llmterm.assembly import pulling
from llmterm.assembly.streams import notice
from llmterm.cli.output import Json, one_line, show_json
from llmterm.errors import ProviderError, UsageError

app = typer.Typer(help="List models, and get them.", rich_markup_mode=None, invoke_without_command=True)


@app.callback()
def models(
    context: typer.Context,
    provider: Annotated[str | None, typer.Option("--provider", "-p", help="Of this provider only.")] = None,
    prices: Annotated[
        bool, typer.Option("--prices", help="What models cost, of all that there is a price of; nobody is asked.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List the models of all providers that can be used."""
    if context.invoked_subcommand is not None:
        return
    if prices:
        _show_prices(provider, as_json=as_json)
        return
    found = asyncio.run(listings.models(config.load(environ=os.environ), os.environ, provider))
    if as_json:
        show_json([asdict(listing) for listing in found])
    for listing in found:
        if listing.error:
            notice(listing.error)
        elif not as_json:
            for model in listing.models:
                typer.echo(f"{listing.provider}/{one_line(model)}")
    if not found:
        raise UsageError("no provider can be used", hint="set a key, such as OPENAI_API_KEY, or name one: -p NAME")
    if all(listing.error for listing in found):
        raise typer.Exit(ProviderError.exit_code)


def _show_prices(provider: str | None, *, as_json: bool) -> None:
    from llmterm.assembly import pricelist
    from llmterm.config.prices import every_price

    settings = config.load(environ=os.environ)
    if provider and provider not in settings.providers.names:
        raise UsageError(f"there is no provider {provider!r}", hint=f"there are {', '.join(settings.providers.names)}")
    today = datetime.now(UTC).date()
    found = [each for each in every_price(settings, os.environ, today) if provider in (None, each.provider)]
    if as_json:
        show_json([pricelist.value(each) for each in found])
        return
    color = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    typer.echo("\n".join(pricelist.lines(found, width=shutil.get_terminal_size().columns, color=color)))


@app.command()
def pull(
    name: Annotated[str, typer.Argument(help="A model's name for Ollama, or the URL of a GGUF file.")],
    provider: Annotated[str, typer.Option("--provider", "-p", help="ollama, or local for a file.")] = "",
    sha256: Annotated[str, typer.Option("--sha256", help="What the file must hash to.")] = "",
) -> None:
    """Fetch a model. Interrupted with Ctrl-C, the same command goes on where it was."""
    settings = config.load(environ=os.environ)
    provider = provider or ("local" if "://" in name else "ollama")
    for line in asyncio.run(pulling.pull(settings, os.environ, provider, name, sha256)):
        typer.echo(one_line(line) if sys.stdout.isatty() else line)
