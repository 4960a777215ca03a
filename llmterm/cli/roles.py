"""`llmterm roles`: which there are, what one says, and its file in an editor."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Annotated

import typer

from llmterm.assembly.streams import notice
from llmterm.cli.output import Json, one_line, show_json
from llmterm.config.roles import Role, RoleFolder
from llmterm.errors import ConfigError, UsageError

app = typer.Typer(
    rich_markup_mode=None,
    invoke_without_command=True,
)

_Named = Annotated[str, typer.Argument(metavar="NAME")]


@app.callback()
def bare(context: typer.Context, as_json: Json = False) -> None:
    """List, show and edit roles: system prompts with a name. Without a command: list."""
    if context.invoked_subcommand is None:
        list_roles(as_json)


@app.command("list")
def list_roles(as_json: Json = False) -> None:
    """List the roles; of one whose file is wrong, what is wrong with it."""
    folder = RoleFolder.of(os.environ)
    names = folder.names
    found: list[tuple[str, Role | ConfigError]] = []
    for name in names:
        try:
            found.append((name, folder.load(name)))
        except ConfigError as error:
            found.append((name, error))
    if as_json:
        show_json(
            [_values(each) if isinstance(each, Role) else {"name": name, "error": str(each)} for name, each in found]
        )
        return
    if not found:
        notice(f"there are no roles yet: llmterm roles edit NAME makes one, in {one_line(str(folder.folder))}")
    width = max(map(len, names), default=0)
    for name, each in found:
        about = each.about if isinstance(each, Role) else str(each).partition("\n")[0]
        wants = f" ({', '.join(each.variables)})" if isinstance(each, Role) and each.variables else ""
        typer.echo(f"{name:<{width}}  {one_line(about)}{wants}".rstrip())


@app.command()
def show(role: _Named, as_json: Json = False) -> None:
    """Show a role: its file, or, for programs, what is in it."""
    found = RoleFolder.of(os.environ).load(role)
    if as_json:
        show_json(_values(found))
        return
    text = found.path.read_text("utf-8-sig").rstrip("\n")
    if sys.stdout.isatty():
        from llmterm.render.sanitize import clean

        text = f"# {one_line(str(found.path))}\n{clean(text)}"
    sys.stdout.buffer.write(text.encode("utf-8", "replace") + b"\n")


@app.command()
def edit(role: _Named) -> None:
    """Open a role in $EDITOR, a new one where there is none, and say what is wrong with it after."""
    from llmterm.chat.editor import FALLBACKS, command, run

    folder = RoleFolder.of(os.environ)
    words = command(os.environ, ("VISUAL", "EDITOR"), FALLBACKS, "editor")
    path = folder.new(role)
    try:
        code = asyncio.run(run([*words, str(path)]))
    except OSError as error:
        raise UsageError(f"{words[0]} cannot be used: {error.strerror}", hint="set EDITOR") from None
    if code:
        raise UsageError(f"{words[0]} ended with exit code {code}", hint=f"the file is {path}")
    found = folder.load(role)
    variables = "".join(f" -v {name}=…" for name in found.variables)
    typer.echo(f"{one_line(str(path))}: nothing is wrong with it (llmterm ask --role {role}{variables})")


def _values(role: Role) -> dict[str, object]:
    return {
        "name": role.name,
        "description": role.description,
        "provider": role.provider,
        "model": role.model,
        "temperature": role.temperature,
        "max_tokens": role.max_tokens,
        "seed": role.seed,
        "effort": role.effort,
        "top_p": role.top_p,
        "verbosity": role.verbosity,
        "service_tier": role.service_tier,
        "web_search": role.web_search,
        "attachments": role.attachments,
        "variables": role.variables,
        "asks": role.asks,
        "prompt": role.text,
        "path": str(role.path),
    }
