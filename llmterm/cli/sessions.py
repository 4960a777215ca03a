"""`llmterm sessions`: what is kept, shown, exported and deleted."""

from __future__ import annotations

import json
import os
import sys
from typing import Annotated, Literal

import typer

from llmterm import assembly
from llmterm.cli.chat import open_session
from llmterm.cli.output import Json, one_line, one_of, show_json, show_path

app = typer.Typer(help="List, show, export and delete what was said.", rich_markup_mode=None)


@app.command("list")
def list_sessions(as_json: Json = False) -> None:
    """List the sessions, newest first."""
    store = assembly.store(os.environ)
    infos = store.infos()
    store.close()
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
    if sys.stdout.isatty():
        from llmterm.render.sanitize import clean

        text = clean(text)
    sys.stdout.buffer.write(text.rstrip("\n").encode("utf-8", "replace") + b"\n")


@app.command()
def delete(session: str, as_json: Json = False) -> None:
    """Delete a session for good."""
    store = assembly.store(os.environ)
    found = store.find(session)
    store.delete(found)
    store.close()
    typer.echo(json.dumps({"deleted": found}) if as_json else f"deleted {found}")


@app.command()
def path(as_json: Json = False) -> None:
    """Show where the sessions are kept."""
    show_path(assembly.store(os.environ).path, as_json)
