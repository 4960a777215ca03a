"""`llmterm chat`: the flags, over the environment and the file, and what comes on standard input."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llmterm import config
from llmterm.assembly.debugging import debug_log
from llmterm.assembly.launch import Launch, launch, require_key, store
from llmterm.assembly.streams import notice, piped
from llmterm.cli.output import one_of
from llmterm.errors import SessionError, UsageError
from llmterm.loading import loading
from llmterm.marker import check_marker
from llmterm.opening import Opening
from llmterm.sessions.record import LAST

if TYPE_CHECKING:
    from llmterm.sessions import StoredSession


def chat(
    context: typer.Context,
    question: Annotated[
        list[str] | None, typer.Argument(help="Asked at once; what comes on standard input goes with it.")
    ] = None,
    provider: Annotated[
        str | None, typer.Option("--provider", "-p", help="Who answers: openai, anthropic, ollama, local ...")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="A model, or PROVIDER/MODEL, or the path of a GGUF file.")
    ] = None,
    system: Annotated[str | None, typer.Option("--system", "-s", help="The system prompt.")] = None,
    session: Annotated[str | None, typer.Option("--session", help="Go on with this session.")] = None,
    latest: Annotated[bool, typer.Option("--continue", "-c", help="Go on with the newest session.")] = False,
    keys: Annotated[str | None, typer.Option("--keys", help="terminal, or global for the hot key too.")] = None,
    pause_mode: Annotated[
        str | None, typer.Option("--pause-mode", help="cut ends the stream at a pause, hold reads it on.")
    ] = None,
    plain: Annotated[bool | None, typer.Option("--plain", help="No colour, no cursor movement.")] = None,
    theme: Annotated[
        str | None, typer.Option("--theme", help="The colours: auto, dark, light, high-contrast, or one of your own.")
    ] = None,
    temperature: Annotated[float | None, typer.Option("--temperature", help="From 0 to 2.")] = None,
    max_tokens: Annotated[int | None, typer.Option("--max-tokens", help="Of an answer, however often paused.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="The same answer again, where a model can.")] = None,
    timeout: Annotated[
        float | None, typer.Option("--timeout", help="Seconds of silence before an answer rests.")
    ] = None,
    connect_timeout: Annotated[
        float | None, typer.Option("--connect-timeout", help="Seconds until the connection must stand.")
    ] = None,
    first_token_timeout: Annotated[
        float | None, typer.Option("--first-token-timeout", help="Seconds until an answer must begin.")
    ] = None,
    stream_timeout: Annotated[
        float | None, typer.Option("--stream-timeout", help="Seconds that an answer may take in all.")
    ] = None,
    marker: Annotated[str | None, typer.Option("--marker", help="What the model writes to stop itself.")] = None,
    no_marker: Annotated[bool, typer.Option("--no-marker", help="The model cannot stop itself.")] = False,
    cache: Annotated[bool, typer.Option("--cache", help="The same question has the same answer, at once.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Keep a log of what happens, without what is said.")] = False,
    debug_text: Annotated[bool, typer.Option("--debug-text", help="Keep a log with what is said, too.")] = False,
) -> None:
    """Chat: SPACE pauses an answer, and goes on with it. A question on standard input is answered, and that is all."""
    settings = _settings(
        {
            "system": system,
            "temperature": temperature,
            "max_tokens": max_tokens,
            "seed": seed,
            "cache": cache or None,
            "debug": debug or debug_text or None,
        },
        chat={
            "keys": one_of("--keys", keys, "terminal", "global"),
            "pause_mode": one_of("--pause-mode", pause_mode, "cut", "hold"),
            "plain": plain,
            "theme": theme,
        },
        marker={"text": marker and check_marker(marker), "enabled": False if no_marker else None},
        stream={
            "chunk_timeout": timeout,
            "connect_timeout": connect_timeout,
            "first_token_timeout": first_token_timeout,
            "stream_timeout": stream_timeout,
        },
    )
    opened = open_session(session, latest=latest, last=LAST)
    if opened is not None and system is not None:
        opened = replace(opened, conversation=replace(opened.conversation, system=system))
    text = " ".join(question or ()).strip()
    at_once = not text and sys.stdin.isatty() and sys.stdout.isatty()
    launched = launch(settings, os.environ, provider=provider, model=model, at_once=at_once)
    require_key(launched)
    with debug_log(launched, text=debug_text):
        if not sys.stdin.isatty():
            if no_console(os.environ, sys.platform, output_is_terminal=sys.stdout.isatty()):
                notice("the question is read from standard input (for a chat in mintty: winpty llmterm chat)")
            raise typer.Exit(_ask(launched, text, piped(), opened))
        if not sys.stdout.isatty():
            if not text:
                raise UsageError("a chat needs a terminal to write to", hint='llmterm chat "question" > file')
            raise typer.Exit(_ask(launched, text, b"", opened))
        opening = context.find_object(Opening) or Opening()
        if settings.chat.plain:
            opening.take_back()
        code = _chat(launched, opened, text)
        opening.drawn_over()
        raise typer.Exit(code)


def _ask(launched: Launch, words: str, data: bytes, session: StoredSession | None) -> int:
    with loading():
        from llmterm.assembly.asking import ask

    return asyncio.run(ask(launched, words, data, session))


def _chat(launched: Launch, session: StoredSession | None, question: str) -> int:
    with loading():
        from llmterm.assembly.chatting import chat

    return asyncio.run(chat(launched, session, first=question))


def _settings(flags: dict[str, Any], **sections: dict[str, Any]) -> config.Settings:
    """Return the settings of file and environment, with the flags that were given over them."""
    settings = config.override(config.load(environ=os.environ), **flags)
    changed = {name: config.override(getattr(settings, name), **flags) for name, flags in sections.items()}
    settings = config.override(settings, **changed)
    one_of("--theme", settings.chat.theme, *settings.theme_names)
    return settings


def no_console(environ: Mapping[str, str], platform: str, *, output_is_terminal: bool) -> bool:
    """Tell whether this may be mintty without winpty, where what looks like a terminal is a pipe on both sides.

    https://github.com/rprichard/winpty, "Git for Windows, MSYS2 and Cygwin".
    """
    return platform == "win32" and environ.get("TERM_PROGRAM") == "mintty" and not output_is_terminal


def open_session(
    given: str | None, *, latest: bool, peek: bool = False, last: int | None = None
) -> StoredSession | None:
    """Return the session that is meant, if any is: to be gone on with, or to be looked at, `peek`."""
    if given is None and not latest:
        return None
    with closing(store(os.environ)) as sessions:
        found = given if given is not None else sessions.latest()
        if found is None:
            raise SessionError("there is no session to continue", hint="llmterm chat begins one")
        return sessions.load(found, peek=peek, last=last)
