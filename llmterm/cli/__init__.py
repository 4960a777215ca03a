"""The command line: parses it, starts what it asks for, and turns errors into messages and exit codes."""

from __future__ import annotations

import asyncio
import io
import json
import os
import sys
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn, TypeAlias

import typer

from llmterm import __version__, assembly, config
from llmterm.errors import LlmtermError, SessionError, UsageError
from llmterm.marker import check_marker
from llmterm.sessions import StoredSession

# Options that belong to the program itself; with any other first, or with none, `chat` is meant.
_TOP_OPTIONS = {"--version", "--help", "-h", "--install-completion", "--show-completion"}
_NAMES = {"help_option_names": ["-h", "--help"]}

app = typer.Typer(
    help="A chat with language models that can be paused in the middle of an answer.",
    no_args_is_help=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings=_NAMES,
)
sessions_app = typer.Typer(help="List, show, export and delete what was said.", rich_markup_mode=None)
config_app = typer.Typer(help="Where the settings are, and keys that stay out of files.", rich_markup_mode=None)
app.add_typer(sessions_app, name="sessions")
app.add_typer(config_app, name="config")

Json: TypeAlias = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]


def main() -> NoReturn:
    """Run the command line and exit with its code."""
    if sys.stdout is None or sys.stderr is None:
        sys.exit(UsageError.exit_code)  # nowhere to answer to, and nowhere to say so
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that is not UTF-8 shows question marks
    arguments = sys.argv[1:]
    if not arguments or (arguments[0].startswith("-") and arguments[0] not in _TOP_OPTIONS):
        arguments = ["chat", *arguments]
    exit_with(lambda: app(args=arguments, prog_name="llmterm"))


def exit_with(run: Callable[[], object]) -> NoReturn:
    """Run the program and exit as the contract says: with a line on standard error, never with a traceback."""
    try:
        run()
        sys.exit(0)
    except LlmtermError as error:
        _complain(str(error))
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        _complain(f"a bug: {error!r} at {Path(where.filename).name}:{where.lineno} (please report it)")
        sys.exit(LlmtermError.exit_code)


def _complain(message: str) -> None:
    assembly.notice(message)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"llmterm {__version__}")
        raise typer.Exit


@app.callback()
def program(
    _version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """A chat with language models that can be paused in the middle of an answer."""


@app.command()
def chat(
    provider: Annotated[str | None, typer.Option("--provider", "-p", help="openai or local.")] = None,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="A model's name, or the path of a GGUF file.")
    ] = None,
    system: Annotated[str | None, typer.Option("--system", "-s", help="The system prompt.")] = None,
    session: Annotated[str | None, typer.Option("--session", help="Go on with this session.")] = None,
    latest: Annotated[bool, typer.Option("--continue", "-c", help="Go on with the newest session.")] = False,
    keys: Annotated[str | None, typer.Option("--keys", help="terminal, or global for the hot key too.")] = None,
    plain: Annotated[bool | None, typer.Option("--plain", help="No colour, no cursor movement.")] = None,
    temperature: Annotated[float | None, typer.Option("--temperature", help="From 0 to 2.")] = None,
    max_tokens: Annotated[int | None, typer.Option("--max-tokens", help="Of an answer.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="The same answer again, where a model can.")] = None,
    timeout: Annotated[
        float | None, typer.Option("--timeout", help="Seconds of silence before an answer rests.")
    ] = None,
    marker: Annotated[str | None, typer.Option("--marker", help="What the model writes to stop itself.")] = None,
    no_marker: Annotated[bool, typer.Option("--no-marker", help="The model cannot stop itself.")] = False,
) -> None:
    """Chat: SPACE pauses an answer, and goes on with it. A question on standard input is answered, and that is all."""
    settings = _settings(
        {"system": system, "temperature": temperature, "max_tokens": max_tokens, "seed": seed},
        chat={"keys": _one_of("--keys", keys, "terminal", "global"), "plain": plain},
        marker={"text": marker and check_marker(marker), "enabled": False if no_marker else None},
        stream={"chunk_timeout": timeout},
    )
    opened = _open_session(session, latest=latest, peek=False)
    if opened is not None and system is not None:
        opened = replace(opened, conversation=replace(opened.conversation, system=system))
    launch = assembly.launch(settings, os.environ, provider=provider, model=model)
    if sys.stdin is None or not sys.stdin.isatty():
        raise typer.Exit(asyncio.run(assembly.ask(launch, _question(), opened)))
    if not sys.stdout.isatty():
        raise UsageError("a chat needs a terminal to write to", hint="echo question | llmterm chat > file")
    raise typer.Exit(asyncio.run(assembly.chat(launch, opened)))


def _settings(flags: dict[str, Any], **sections: dict[str, Any]) -> config.Settings:
    """Return the settings of file and environment, with the flags that were given over them."""
    settings = config.override(config.load(environ=os.environ), **flags)
    changed = {name: config.override(getattr(settings, name), **flags) for name, flags in sections.items()}
    return config.override(settings, **changed)


def _one_of(option: str, value: str | None, *allowed: str) -> str | None:
    if value is not None and value not in allowed:
        raise UsageError(f"{option} is {' or '.join(allowed)}, not {value!r}")
    return value


def _question() -> str:
    if sys.stdin is None or sys.stdin.closed:
        raise UsageError("standard input is closed", hint="echo question | llmterm chat")
    text = sys.stdin.buffer.read().decode("utf-8", "replace").strip()
    if not text:
        raise UsageError("there is no question on standard input", hint="echo question | llmterm chat")
    return text


def _open_session(given: str | None, *, latest: bool, peek: bool) -> StoredSession | None:
    if given is None and not latest:
        return None
    store = assembly.store(os.environ)
    try:
        found = given if given is not None else store.latest()
        if found is None:
            raise SessionError("there is no session to continue", hint="llmterm chat begins one")
        return store.load(found, peek=peek)
    finally:
        store.close()


@sessions_app.command("list")
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
        typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    for info in infos:
        typer.echo(f"{info.id}  {info.updated_at.astimezone():%Y-%m-%d %H:%M}  {info.state:<9}  {_line(info.title)}")


@sessions_app.command()
def show(session: str, as_json: Json = False) -> None:
    """Show a session: its id, or the beginning of it."""
    _print_session(session, "json" if as_json else "markdown")


@sessions_app.command()
def export(
    session: str,
    format: Annotated[str, typer.Option("--format", help="json or markdown.")] = "json",
) -> None:
    """Write a session to standard output; the JSON form is stable."""
    wanted = _one_of("--format", format, "json", "markdown")
    _print_session(session, "json" if wanted == "json" else "markdown")


def _print_session(given: str, form: Literal["json", "markdown"]) -> None:
    from llmterm.sessions import export as export_values
    from llmterm.sessions import markdown

    found = _open_session(given, latest=False, peek=True)
    assert found is not None
    text = json.dumps(export_values(found), indent=2, ensure_ascii=False) if form == "json" else markdown(found)
    if sys.stdout.isatty():
        from llmterm.render.sanitize import clean

        text = clean(text)
    sys.stdout.buffer.write(text.rstrip("\n").encode("utf-8", "replace") + b"\n")


@sessions_app.command()
def delete(session: str, as_json: Json = False) -> None:
    """Delete a session for good."""
    store = assembly.store(os.environ)
    found = store.find(session)
    store.delete(found)
    store.close()
    typer.echo(json.dumps({"deleted": found}) if as_json else f"deleted {found}")


@sessions_app.command()
def path(as_json: Json = False) -> None:
    """Show where the sessions are kept."""
    _print_path(assembly.store(os.environ).path, as_json)


@config_app.command("path")
def config_path(as_json: Json = False) -> None:
    """Show where the configuration file is, or would be."""
    _print_path(config.config_path(os.environ), as_json)


def _print_path(path: Path, as_json: bool) -> None:
    typer.echo(json.dumps({"path": str(path)}) if as_json else str(path))


@config_app.command()
def set_key(provider: str) -> None:
    """Put a provider's key, asked for without an echo, into the system's keyring."""
    try:
        asked = sys.stdin.isatty()
        value = typer.prompt(f"Key for {provider}", hide_input=True) if asked else sys.stdin.readline()
    except typer.Abort:
        raise KeyboardInterrupt from None
    config.store_secret(provider, value)
    typer.echo(f"the key for {provider} is in the keyring")


def _line(text: str) -> str:
    from llmterm.render.sanitize import clean

    return clean(text).replace("\n", " ")
