"""`llmterm chat`: a chat in this terminal, or, where it is none, the answer to a question in a pipe."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from llmterm.assembly.debugging import debug_log
from llmterm.cli.flags import AnswerFlags, answering
from llmterm.errors import UsageError
from llmterm.loading import loading
from llmterm.opening import Opening

if TYPE_CHECKING:
    from llmterm.assembly.launch import Launch
    from llmterm.sessions import StoredSession


@answering
def chat(
    flags: AnswerFlags,
    context: typer.Context,
    question: Annotated[
        list[str] | None, typer.Argument(help="Asked at once; what comes on standard input goes with it.")
    ] = None,
    attach: Annotated[
        str | None, typer.Option("--attach", metavar="URL", help="Chat with a service: the link that it prints.")
    ] = None,
) -> None:
    """Chat: SPACE pauses an answer, and goes on with it. A question on standard input is answered, and that is all."""
    text = " ".join(question or ()).strip()
    opening = context.find_object(Opening) or Opening()
    if attach is not None:
        raise typer.Exit(_attached(flags, attach, text, opening))
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        if sys.stdin.isatty() and not text:
            raise UsageError("a chat needs a terminal to write to", hint='llmterm ask "question" > file')
        from llmterm.assembly.question import Wanted
        from llmterm.cli.ask import answer  # no chat needs what it needs

        answer(flags, Wanted(words=text))
    settings = flags.settings()
    session = flags.opened()
    launched = flags.launched(settings, at_once=not text)
    with debug_log(launched, text=flags.debug_text):
        if settings.chat.plain:
            opening.take_back()
        raise typer.Exit(_chat(launched, session, text, opening))


def _attached(flags: AnswerFlags, link: str, question: str, opening: Opening) -> int:
    """Chat with a service: what is said of answers here goes there, and what the file says of them stays here."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("a chat with a service needs a terminal", hint="curl reads its answers without one")
    if flags.role is not None:
        raise UsageError("a service takes no role", hint="--system says what it is to be")
    settings = replace(
        flags.settings(),
        system=flags.system or "",
        temperature=flags.temperature,
        max_tokens=flags.max_tokens,
        seed=flags.seed,
        **flags.wishes,
        fallback=(),
    )
    if settings.chat.plain:
        opening.take_back()
    with loading():
        from llmterm.assembly.attaching import Place, attach

    model = "/".join(filter(None, (flags.provider, flags.model)))
    place = Place(link, flags.session, flags.latest, model)
    return asyncio.run(attach(settings, os.environ, place, question, opening))


def _chat(launched: Launch, session: StoredSession | None, question: str, opening: Opening) -> int:
    with loading():
        from llmterm.assembly.chatting import chat

    return asyncio.run(chat(launched, session, first=question, opening=opening))
