"""`llmterm stats`: how fast the models were, and what they took."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from contextlib import closing
from typing import Annotated

import typer

from llmterm import config
from llmterm.assembly.launch import store
from llmterm.cli.output import Json, show_json
from llmterm.errors import UsageError
from llmterm.loading import loading

_PAGE = "/stats"


def stats(
    session: Annotated[str | None, typer.Argument(help="Of this session only.")] = None,
    as_json: Json = False,
    web: Annotated[
        bool, typer.Option("--web", help="In a browser: the link of the service that runs, or of one until Ctrl-C.")
    ] = False,
) -> None:
    """Show tokens, speed, retries and cost, by model."""
    if web:
        if session or as_json:
            raise UsageError("--web shows all figures on a page", hint="without it there is one session, or JSON")
        _show_page()
        return
    from llmterm import stats as figures

    with closing(store(os.environ)) as sessions:
        if as_json:
            show_json(figures.values(sessions, session))
            return
        color = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        width = shutil.get_terminal_size().columns
        typer.echo("\n".join(figures.lines(sessions, session, width=width, color=color)))


def _show_page() -> None:
    from llmterm.assembly.whereabouts import service_link

    if (link := service_link(os.environ, _PAGE)) is not None:
        typer.echo(link)
        return
    from llmterm.cli.serve import TOKEN, require_libraries

    require_libraries()
    with loading():
        from llmterm.assembly.serving import Place, serve
    place = Place("127.0.0.1", 0, os.environ.get(TOKEN, "").strip(), page=_PAGE)
    raise typer.Exit(asyncio.run(serve(config.load(environ=os.environ), os.environ, place)))
