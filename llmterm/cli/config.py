"""`llmterm config`: where the settings are, and keys that stay out of files."""

from __future__ import annotations

import os
import sys

import typer

from llmterm import config
from llmterm.cli.output import Json, show_path
from llmterm.decoding import decoded
from llmterm.errors import UsageError

app = typer.Typer(help="Where the settings are, and keys that stay out of files.", rich_markup_mode=None)


@app.command("path")
def config_path(as_json: Json = False) -> None:
    """Show where the configuration file is, or would be."""
    show_path(config.config_path(os.environ), as_json)


@app.command()
def set_key(provider: str) -> None:
    """Put a provider's key, asked for without an echo, into the system's keyring."""

    def ask() -> str:
        if not sys.stdin.isatty():
            line = decoded(sys.stdin.buffer.readline(), whole=False)  # in UTF-16 a line end may be cut in two
            if line is None:
                raise UsageError("what is on standard input is no key")
            return line.text
        try:
            return str(typer.prompt(f"Key for {provider}", hide_input=True))
        except typer.Abort:
            raise KeyboardInterrupt from None

    config.store_secret(provider, ask, settings=config.load(environ=os.environ))
    typer.echo(f"the key for {provider} is in the keyring")
