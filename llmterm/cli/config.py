"""`llmterm config`: the settings in force, the file that has them, and keys that stay out of files."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmterm import config
from llmterm.cli.output import Json, one_line, one_of, show_json, show_path
from llmterm.decoding import decoded
from llmterm.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from llmterm.config.template import Chosen

app = typer.Typer(
    rich_markup_mode=None,
    invoke_without_command=True,
)


@app.callback()
def bare(context: typer.Context, as_json: Json = False) -> None:
    """Show the settings in force, make or edit their file, and keep keys out of it."""
    if context.invoked_subcommand is None:
        show(as_json=as_json)


@app.command()
def show(
    provider: Annotated[str | None, typer.Option("--provider", "-p", help="As if this were given to a chat.")] = None,
    model: Annotated[str | None, typer.Option("--model", "-m", help="The same.")] = None,
    theme: Annotated[str | None, typer.Option("--theme", help="The same.")] = None,
    as_json: Json = False,
) -> None:
    """Show every setting in force, and where it comes from: default, file and line, environment or flag.

    Of keys only whether one is set, and where.
    """
    from llmterm.assembly.secrets import known_secrets
    from llmterm.config.origin import settings_in_force

    settings, file = config.load(environ=os.environ), config.config_path(os.environ)
    one_of("--provider", provider, *settings.providers.names)
    one_of("--theme", theme, *settings.theme_names)
    chat = config.override(settings.chat, theme=theme)
    settings = config.override(settings, provider=provider, model=model, chat=chat)
    given = {("provider",): provider, ("model",): model, ("chat", "theme"): theme}
    flags = {path: f"--{path[-1]}" for path, value in given.items() if value is not None}
    found = settings_in_force(settings, config.lines(os.environ), file, os.environ, flags)
    mask = known_secrets(settings, os.environ, stored=True).mask
    found = [each._replace(value=mask(each.value)) for each in found]
    if as_json:
        show_json([{"name": each.name, "value": each.value, "from": each.origin} for each in found])
        return
    typer.echo(f"# {one_line(str(file))}{'' if file.exists() else ': not there; llmterm config init makes it'}")
    for each in found:
        typer.echo(f"{one_line(each.name):<30} {one_line(each.value):<34} {one_line(each.origin)}".rstrip())


@app.command()
def init(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing: every answer is the default.")] = False,
) -> None:
    """Ask what a configuration needs, and write it, with comments. Ctrl-C leaves all as it is."""
    from llmterm.cli.questions import asked, confirmed
    from llmterm.config.template import Chosen

    path = config.config_path(os.environ)
    there = path.exists() or path.is_symlink()
    if there and yes:
        raise UsageError(f"{path} is there already", hint="llmterm config edit opens it")
    if not yes and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("there is nobody to ask", hint="in a terminal, or with --yes for every default")
    if there and not confirmed(f"{one_line(str(path))} is there already: write a new one in its place?"):
        typer.echo("it stays as it is")
        return
    chosen, key = (Chosen(), "") if yes else asked(os.environ)
    _write(path, chosen)
    typer.echo(f"written: {one_line(str(path))} (llmterm config edit opens it)")
    if key:
        config.store_secret(chosen.provider, lambda: key)
        typer.echo(f"the key for {chosen.provider} is in the keyring")
    elif chosen.provider and (
        missing := config.missing_key(chosen.provider, config.load(environ=os.environ), os.environ)
    ):
        typer.echo(f"{chosen.provider} still needs its key: {missing}")


@app.command()
def edit() -> None:
    """Open the configuration file in $EDITOR, a new one where there is none, and say what is wrong with it after."""
    import asyncio

    from llmterm.chat.editor import FALLBACKS, command, run
    from llmterm.config.template import Chosen

    path = config.config_path(os.environ)
    words = command(os.environ, ("VISUAL", "EDITOR"), FALLBACKS, "editor")
    if not path.exists():
        _write(path, Chosen())
    try:
        code = asyncio.run(run([*words, str(path)]))
    except OSError as error:
        raise UsageError(f"{words[0]} cannot be used: {error.strerror}", hint="set EDITOR") from None
    if code:
        raise UsageError(f"{words[0]} ended with exit code {code}", hint=f"the file is {path}")
    config.load(environ=os.environ)
    typer.echo(f"{one_line(str(path))}: nothing is wrong with it")


def _write(path: Path, chosen: Chosen) -> None:
    """Write a new file, whole or not at all, that only its owner can read. Raises ConfigError."""
    from llmterm import files
    from llmterm.config.template import text

    made = text(chosen)
    config.parse(made, path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        files.write(path, made, private=True)
    except (OSError, RuntimeError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise ConfigError(f"{path}: cannot be written: {why}", hint="LLMTERM_CONFIG names another place") from None


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
