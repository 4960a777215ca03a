"""What the commands that only show something have in common."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from llmterm.errors import UsageError

Json: TypeAlias = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]


def show_json(value: object) -> None:
    # A terminal gets nothing that it could take for a command, as titles and names are from elsewhere.
    typer.echo(json.dumps(value, indent=2, ensure_ascii=sys.stdout.isatty()))


def show_path(path: Path, as_json: bool) -> None:
    """Print a path: as it is for a program, harmless for a terminal, as anybody can name a folder."""
    if as_json:
        typer.echo(json.dumps({"path": str(path)}))
    elif sys.stdout.isatty():
        typer.echo(one_line(str(path)))
    else:
        sys.stdout.buffer.write(os.fsencode(path) + os.linesep.encode())


def one_line(text: str) -> str:
    """Return text from elsewhere as one line that a terminal can be trusted with."""
    from llmterm.render.sanitize import clean

    return clean(text).replace("\n", " ")


def one_of(option: str, value: str | None, *allowed: str) -> str | None:
    """Return `value`; raise UsageError where it is none of those allowed."""
    if value is not None and value not in allowed:
        raise UsageError(f"{option} is {' or '.join(allowed)}, not {value!r}")
    return value
