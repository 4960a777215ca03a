"""`llmterm stats`: how fast the models were, and what they took."""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import closing
from typing import Annotated

import typer

from llmterm.assembly.launch import store
from llmterm.cli.output import Json, show_json


def stats(
    session: Annotated[str | None, typer.Argument(help="Of this session only.")] = None, as_json: Json = False
) -> None:
    """Show tokens, speed, retries and cost, by model."""
    from llmterm import stats as figures

    with closing(store(os.environ)) as sessions:
        if as_json:
            show_json(figures.values(sessions, session))
            return
        color = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        width = shutil.get_terminal_size().columns
        typer.echo("\n".join(figures.lines(sessions, session, width=width, color=color)))
