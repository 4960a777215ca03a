"""`llmterm sessions`: what is kept, shown, searched, renamed, exported and deleted."""

from __future__ import annotations

import json
import os
import sys
from contextlib import closing
from typing import Annotated, Literal

import typer

from llmterm.assembly.launch import store
from llmterm.assembly.secrets import secrets_of
from llmterm.assembly.streams import notice
from llmterm.cli.flags import open_session
from llmterm.cli.output import Json, one_line, one_of, show_json, show_path
from llmterm.sessions import SessionInfo

app = typer.Typer(
    rich_markup_mode=None,
    invoke_without_command=True,
)


@app.callback()
def bare(context: typer.Context, as_json: Json = False) -> None:
    """List, show, search, rename, export and delete what was said. Without a command: list."""
    if context.invoked_subcommand is None:
        list_sessions(as_json)


@app.command("list")
def list_sessions(as_json: Json = False) -> None:
    """List the sessions, newest first."""
    with closing(store(os.environ)) as kept:
        infos = kept.infos()
    if as_json:
        rows = [
            {
                "id": info.id,
                "title": info.title,
                "created_at": info.created_at.isoformat(),
                "updated_at": info.updated_at.isoformat(),
                "messages": info.messages,
                "state": info.state,
            }
            for info in infos
        ]
        show_json(rows)
        return
    if not infos:
        notice("there are no sessions yet: llmterm chat begins one")
    for info in infos:
        typer.echo(f"{info.id}  {info.updated_at.astimezone():%Y-%m-%d %H:%M}  {info.state:<9}  {one_line(info.title)}")


@app.command()
def show(session: str, as_json: Json = False) -> None:
    """Show a session: its id, or the beginning of it."""
    _print_session(session, "json" if as_json else "markdown")


@app.command()
def export(
    session: str,
    format: Annotated[str, typer.Option("--format", help="json or markdown.")] = "json",
) -> None:
    """Write a session to standard output; the JSON form is stable."""
    wanted = one_of("--format", format, "json", "markdown")
    _print_session(session, "json" if wanted == "json" else "markdown")


def _print_session(given: str, form: Literal["json", "markdown"]) -> None:
    from llmterm.sessions import export as export_values
    from llmterm.sessions import markdown

    found = open_session(given, latest=False, peek=True)
    assert found is not None
    text = json.dumps(export_values(found), indent=2, ensure_ascii=False) if form == "json" else markdown(found)
    text = secrets_of(os.environ, stored=True).mask(text)
    if sys.stdout.isatty():
        from llmterm.render.sanitize import clean

        text = clean(text)
    sys.stdout.buffer.write(text.rstrip("\n").encode("utf-8", "replace") + b"\n")


@app.command()
def search(
    words: list[str],
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Of the sessions found.")] = 20,
    as_json: Json = False,
) -> None:
    """List the sessions in which all these words were said, newest first."""
    with closing(store(os.environ)) as kept:
        hits = kept.search(" ".join(words), limit=limit)
    if as_json:
        rows = [
            {"id": hit.id, "title": hit.title, "updated_at": hit.updated_at.isoformat(), "snippet": hit.snippet}
            for hit in hits
        ]
        show_json(rows)
        return
    for hit in hits:
        typer.echo(f"{hit.id}  {hit.updated_at.astimezone():%Y-%m-%d %H:%M}  {one_line(hit.title)}")
        if hit.snippet:
            typer.echo(f"          {one_line(hit.snippet)}")
    if not hits:
        typer.echo("no session has all of these words", err=True)


@app.command()
def rename(session: str, title: str, as_json: Json = False) -> None:
    """Give a session another title."""
    with closing(store(os.environ)) as kept:
        found = kept.find(session)
        named = kept.set_title(found, title)
    if as_json:
        show_json({"id": found, "title": named})
    else:
        typer.echo(f"{found}  {one_line(named)}")


@app.command()
def delete(
    session: str,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Delete a session for good. Asks first where somebody is there to answer."""
    # A program that calls this one has nobody to ask.
    asks = not yes and not as_json and sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()
    with closing(store(os.environ)) as kept:
        found = kept.find(session)
        gone = not asks or all(_confirmed(info) for info in kept.infos() if info.id == found)
        if gone:
            kept.delete(found)
    if not gone:
        typer.echo(f"kept {found}")
        return
    typer.echo(json.dumps({"deleted": found}) if as_json else f"deleted {found}")


def _confirmed(info: SessionInfo) -> bool:
    messages = "1 message" if info.messages == 1 else f"{info.messages} messages"
    try:
        return typer.confirm(f"delete “{one_line(info.title)}” ({info.id}, {messages}) for good?")
    except typer.Abort:
        raise KeyboardInterrupt from None


@app.command()
def path(as_json: Json = False) -> None:
    """Show where the sessions are kept."""
    show_path(store(os.environ).path, as_json)
