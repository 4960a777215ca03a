"""`llmterm ask`: a question is answered, on standard output or in a file, and that is all."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from math import inf
from typing import Annotated, NoReturn

import typer

from llmterm.assembly.debugging import debug_log
from llmterm.assembly.question import Form, Wanted
from llmterm.assembly.streams import notice, piped
from llmterm.cli.flags import AnswerFlags, answering
from llmterm.errors import UsageError
from llmterm.loading import loading


@answering
def ask(
    flags: AnswerFlags,
    question: Annotated[
        list[str] | None, typer.Argument(help="What is asked; what comes on standard input goes with it.")
    ] = None,
    file: Annotated[
        list[str] | None,
        typer.Option("--file", "-f", help="A text, an image, a PDF or a folder that goes along. Several times."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object with all there is of the answer.")] = False,
    stream_json: Annotated[bool, typer.Option("--stream-json", help="Every event as a line of JSON.")] = False,
    output: Annotated[
        str | None, typer.Option("--output", "-o", help="Write it to this file, once all of it is there.")
    ] = None,
    schema: Annotated[
        str | None,
        typer.Option("--schema", help='What its JSON is to be: a JSON Schema, its file, or "name, age int, tags[]".'),
    ] = None,
    throttle: Annotated[
        float | None, typer.Option("--throttle", help="About so many tokens a second, no more.")
    ] = None,
    progress: Annotated[
        bool | None,
        typer.Option(
            "--progress/--no-progress", help="How far it is, on standard error; where only a file is written."
        ),
    ] = None,
    no_save: Annotated[bool, typer.Option("--no-save", help="Keep nothing of it.")] = False,
    extract_code: Annotated[
        int | None,
        typer.Option("--extract-code", metavar="[N]", min=1, help="Only its first block of code, or the Nth."),
    ] = None,
) -> None:
    """Answer a question, and nothing else: the text on standard output, all else on standard error."""
    _require_one(
        "each is another form of the answer",
        json=as_json,
        stream_json=stream_json,
        extract_code=extract_code is not None,
    )
    _require_one("a file gets all of an answer at once", output=output is not None, stream_json=stream_json)
    _require_one("no code is in it", schema=schema is not None, extract_code=extract_code is not None)
    _require_one("the cache keeps the answer", cache=flags.cache, no_save=no_save)
    form: Form = "json" if as_json else "events" if stream_json else "text"
    wanted = Wanted(
        words=" ".join(question or ()).strip(),
        files=tuple(file or ()),
        form=form,
        output=output if output is not None and output != "-" else "",
        code=extract_code,
        progress=progress,
        schema=" " if schema == "" else schema or "",
    )
    if throttle is not None and not 0 < throttle < inf:
        raise UsageError(f"--throttle is a number of tokens a second above 0, not {throttle:g}")
    answer(flags, wanted, kept=not no_save, throttle=throttle)


def answer(flags: AnswerFlags, wanted: Wanted, *, kept: bool = True, throttle: float | None = None) -> NoReturn:
    """Answer, and exit. Raises our errors."""
    settings = flags.settings()
    if not kept:
        settings = replace(settings, cache=False)
    session = flags.opened()
    launched = replace(flags.launched(settings), kept=kept, throttle=throttle)
    wanted = replace(wanted, role=launched.role)
    with debug_log(launched, text=flags.debug_text):
        if not sys.stdin.isatty():
            if no_console(os.environ, sys.platform, output_is_terminal=sys.stdout.isatty()):
                notice("the question is read from standard input (for a chat in mintty: winpty llmterm chat)")
            wanted = replace(wanted, data=piped())
        elif not wanted.words:
            raise UsageError("there is no question", hint='llmterm ask "What is a monad?"')
        with loading():
            from llmterm.assembly.asking import ask
        raise typer.Exit(asyncio.run(ask(launched, wanted, session)))


def _require_one(why: str, **options: bool) -> None:
    """Raise UsageError where more than one of the options is given."""
    given = [f"--{name.replace('_', '-')}" for name, is_given in options.items() if is_given]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} do not go together", hint=why)


def no_console(environ: Mapping[str, str], platform: str, *, output_is_terminal: bool) -> bool:
    """Tell whether this may be mintty without winpty, where what looks like a terminal is a pipe on both sides.

    https://github.com/rprichard/winpty, "Git for Windows, MSYS2 and Cygwin".
    """
    return platform == "win32" and environ.get("TERM_PROGRAM") == "mintty" and not output_is_terminal
