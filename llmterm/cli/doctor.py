"""`llmterm doctor`: what is where, what works, and what to do about the rest."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import asdict
from typing import Annotated

import typer

from llmterm.cli.output import Json, show_json


def doctor(
    everybody: Annotated[bool, typer.Option("--all", help="Ask also the providers that are not set up.")] = False,
    as_json: Json = False,
) -> None:
    """Look at the terminal, the settings, the providers and the sessions, and say what to do where something is wrong.

    Keys are looked for, and never shown. The exit code is that of a chat: 0 where one can work.
    """
    from llmterm.assembly.doctor import examine, exit_code, lines

    checks = asyncio.run(examine(None, os.environ, everybody=everybody))
    code = exit_code(checks)
    if as_json:
        show_json({"version": 1, "ok": code == 0, "checks": [asdict(check) for check in checks]})
    else:
        color = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") not in (None, "dumb")
        typer.echo("\n".join(lines(checks, color=color)))
    raise typer.Exit(code)
