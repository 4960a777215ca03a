"""The command line: parses it, starts what it asks for, and turns errors into messages and exit codes."""

from __future__ import annotations

import errno
import io
import logging
import os
import shlex
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from llmterm import __version__
from llmterm.assembly.streams import flush, let_go, notice, open_closed
from llmterm.errors import LlmtermError, UsageError
from llmterm.loading import loading
from llmterm.opening import Opening

# The line up to the cursor, where a shell asks what may stand there.
LINE = "_LLMTERM_LINE"
# Each is in the module of its name: a function of that name, or an `app` with commands of its own.
_COMMANDS = (
    "chat",
    "ask",
    "compare",
    "batch",
    "serve",
    "models",
    "sessions",
    "roles",
    "stats",
    "config",
    "doctor",
    "completion",
)

_HELPS = {"-h", "--help"}
# Options that belong to the program itself; with any other first, or with none, `chat` is meant.
_TOP_OPTIONS = {"--version", *_HELPS}
# Words that people try for them.
_WORDS = {"help": "--help", "version": "--version"}
# What is meant where an option is given without its number.
_USUALLY = {"--extract-code": "1"}
# How near a single word has to be to a command to be a slip, and no question.
_LIKE_A_COMMAND = 0.8
_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EPIPE)
_HELP = """A chat with language models that can be paused in the middle of an answer.

\b
llmterm
    opens a chat
llmterm "Why?"
    asks at once, or answers in a pipe
llmterm -p local "Why?"
    the same, with options of `chat`
llmterm ask "Why?"
    answers, and that is all
llmterm compare "Why?"
    has each model of -m answer"""
_NAMES = {"help_option_names": sorted(_HELPS)}


def main(opening: Opening) -> NoReturn:
    """Run the command line and exit with its code."""
    open_closed()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that is not UTF-8 shows question marks
    _end_on_signals()
    _quieten_libraries()
    line = os.environ.get(LINE)
    if line is not None:
        from llmterm.cli.completion import answer

        exit_with(lambda: answer(program(*_COMMANDS), line, _names_none))
    interactive = sys.stdin.isatty() and sys.stdout.isatty()
    exit_with(lambda: _run(command_line(sys.argv[1:], interactive=interactive), opening))


def _end_on_signals() -> None:
    """Have the signals that end a program end this one by the way it always ends, with the code a shell gives them.

    One that is ignored, as `nohup` has it for a hang-up, stays so.
    """

    def end(number: int, _frame: object) -> NoReturn:
        sys.exit(128 + number)

    for name in ("SIGTERM", "SIGHUP", "SIGQUIT"):
        number = getattr(signal, name, None)  # Windows has not all of them
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, end)


def _quieten_libraries() -> None:
    """Keep from the terminal what libraries say to programmers: this process is ours, as a host's is not.

    Gemini's SDK warns of words that are new in the API, and of variables; pynput of permissions that it misses.
    """
    warnings.filterwarnings("ignore", message=".* is not a valid ", category=UserWarning, module=r"google\.genai")
    for name in ("google_genai", "pynput"):
        logging.getLogger(name).addHandler(logging.NullHandler())


@loading()
def program(*commands: str) -> typer.Typer:
    """Return the program with these commands: what the others take is not imported."""
    app = typer.Typer(
        help=_HELP,
        no_args_is_help=False,
        add_completion=False,  # `llmterm completion` does it: typer's script for zsh evaluates what titles say
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings=_NAMES,
    )
    app.callback()(_options)
    for name in commands:
        if (own := _own(name)) is not None:
            app.add_typer(own, name=name)
        else:
            app.command(name)(getattr(import_module(f"{__name__}.{name}"), name))
    return app


def _own(command: str) -> typer.Typer | None:
    """Return the commands that a command has of its own."""
    own: typer.Typer | None = getattr(import_module(f"{__name__}.{command}"), "app", None)
    return own


def _needed(first: str) -> Sequence[str]:
    """Return the commands that a command line which begins like this is about."""
    if first in _COMMANDS:
        return [first]
    return () if first == "--version" else _COMMANDS


def _run(arguments: Sequence[str], opening: Opening) -> None:
    """Do what a command line says. Raises UsageError for one that makes no sense, SystemExit for a code."""
    try:
        app = program(*_needed(arguments[0]))
        if not _HELPS.isdisjoint(arguments):
            from llmterm.cli.help import readable

            readable(app)
        arguments = list(_with_numbers(arguments))
        # Typer's own way out prints arguments as they are, and has codes of its own.
        sys.exit(app(args=arguments, prog_name="llmterm", standalone_mode=False, obj=opening))
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        command = context.command_path if context is not None else "llmterm"
        said = " ".join(error.format_message().split()).rstrip(".")
        raise UsageError(said, hint=f"{command} --help says how it is used") from None
    finally:
        opening.take_back()


def _with_numbers(arguments: Sequence[str]) -> Iterator[str]:
    """Yield the arguments, with its usual number behind an option that is given none: typer knows no such option."""
    options = True
    for argument, following in pairwise((*arguments, "")):
        options = options and argument != "--"
        usual = _USUALLY.get(argument, "") if options else ""
        yield f"{argument}={usual}" if usual and not following.isdecimal() else argument


def command_line(given: Sequence[str], *, interactive: bool = True) -> list[str]:
    """Return the command line with the command that is meant where none is named: `chat`, or `ask` in a pipe.

    Raises UsageError for a slip.
    """
    implied = "chat" if interactive else "ask"
    if not given:
        return [implied]
    first, *rest = given
    if not _names_none(first):
        return list(given)
    if meant := _slip(first, rest):
        hint = f"did you mean llmterm {meant}? As a question: llmterm {implied} {shlex.quote(first)}"
        raise UsageError(f"there is no command {first!r}", hint=hint)
    return [implied, *given]


def _names_none(first: str) -> bool:
    """Tell whether a command line that begins like this names no command: it has options, or a question."""
    return first not in _TOP_OPTIONS and first not in _COMMANDS


def _slip(first: str, rest: Sequence[str]) -> str:
    """Return the command that a single word is likely to have meant, "" where it is a question.

    What follows has to be what may follow a command: nothing, an option, or a command of that command's own.
    """
    from difflib import get_close_matches

    if first.startswith("-") or len(first.split()) != 1:
        return ""
    [name, *_] = get_close_matches(first.lower(), [*_COMMANDS, *_WORDS], n=1, cutoff=_LIKE_A_COMMAND) or [""]
    follows = not rest or rest[0].startswith("-") or (name in _COMMANDS and rest[0] in _names(name))
    return _WORDS.get(name, name) if follows else ""


def _names(command: str) -> list[str]:
    """Return the names of the commands that a command has of its own."""
    own = _own(command)
    registered = own.registered_commands if own is not None else []
    return [each.name or each.callback.__name__ for each in registered if each.callback]


def exit_with(run: Callable[[], object]) -> NoReturn:
    """Run the program and exit as the contract says: with a line on standard error, never with a traceback."""
    code = _code(run)
    failure = flush()
    sys.exit(_unwritten(failure) if failure is not None and code == 0 else code)


def _code(run: Callable[[], object]) -> int:
    try:
        run()
    except SystemExit as leaving:
        if isinstance(leaving.__context__, BrokenPipeError):  # typer makes 1 of it, the code of a bug
            return _unwritten(leaving.__context__)
        return int(leaving.code or 0)
    except LlmtermError as error:
        notice(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _UNWRITABLE:
            return _unwritten(error)
        where = traceback.extract_tb(error.__traceback__)[-1]
        notice(f"a bug: {error!r} at {Path(where.filename).name}:{where.lineno} (please report it)")
        return LlmtermError.exit_code
    return 0


def _unwritten(error: OSError) -> int:
    """Say why the output cannot be written, unless its reader has had enough; return the exit code."""
    let_go(sys.stdout)
    if error.errno == errno.EPIPE:
        return 0
    notice(f"the output cannot be written: {error.strerror}")
    return UsageError.exit_code


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"llmterm {__version__}")
        raise typer.Exit


def _options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """A chat with language models that can be paused in the middle of an answer."""
