"""The command line: parses it, starts what it asks for, and turns errors into messages and exit codes."""

from __future__ import annotations

import errno
import io
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from llmterm import __version__, assembly
from llmterm.assembly.streams import let_go
from llmterm.cli import chat, completion, config, doctor, models, sessions, stats
from llmterm.errors import LlmtermError, UsageError

# Options that belong to the program itself; with any other first, or with none, `chat` is meant.
_TOP_OPTIONS = {"--version", "--help", "-h"}
_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EPIPE)
_NAMES = {"help_option_names": ["-h", "--help"]}

app = typer.Typer(
    help="A chat with language models that can be paused in the middle of an answer.",
    no_args_is_help=False,
    add_completion=False,  # `llmterm completion` does it: typer's script for zsh evaluates what titles say
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings=_NAMES,
)
app.command("chat")(chat.chat)
app.add_typer(models.app, name="models")
app.add_typer(sessions.app, name="sessions")
app.command("stats")(stats.stats)
app.add_typer(config.app, name="config")
app.command("doctor")(doctor.doctor)
app.command("completion")(completion.completion)


def main() -> NoReturn:
    """Run the command line and exit with its code."""
    if sys.stdout is None or sys.stderr is None:
        if sys.stderr is not None:
            assembly.notice("standard output is closed")
        sys.exit(UsageError.exit_code)  # nowhere to answer to
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that is not UTF-8 shows question marks
    line = os.environ.get(completion.LINE)
    if line is not None:
        completion.answer(app, line, _means_chat)
        sys.exit(0)
    arguments = sys.argv[1:]
    if not arguments or _means_chat(arguments[0]):
        arguments = ["chat", *arguments]
    exit_with(lambda: app(args=arguments, prog_name="llmterm"))


def _means_chat(first: str) -> bool:
    """Tell whether a command line that begins like this is for `chat`: with an option, or with a question."""
    return (first.startswith("-") and first not in _TOP_OPTIONS) or len(first.split()) > 1


def exit_with(run: Callable[[], object]) -> NoReturn:
    """Run the program and exit as the contract says: with a line on standard error, never with a traceback."""
    try:
        run()
        sys.exit(0)
    except LlmtermError as error:
        assembly.notice(str(error))
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _UNWRITABLE:
            let_go()
            assembly.notice(f"the output cannot be written: {error.strerror}")
            sys.exit(UsageError.exit_code)
        where = traceback.extract_tb(error.__traceback__)[-1]
        assembly.notice(f"a bug: {error!r} at {Path(where.filename).name}:{where.lineno} (please report it)")
        sys.exit(LlmtermError.exit_code)


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
