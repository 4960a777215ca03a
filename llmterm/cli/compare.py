"""`llmterm compare`: one question, and several models that answer it at once."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Annotated

import typer

from llmterm import config
from llmterm.assembly.question import Wanted
from llmterm.assembly.streams import piped
from llmterm.cli.flags import (
    EffortOption,
    RoleOption,
    ServiceTierOption,
    TopPOption,
    VarOption,
    VerbosityOption,
    WebSearchOption,
    role_of,
    wishes,
)
from llmterm.cli.output import Json
from llmterm.errors import UsageError
from llmterm.loading import loading

# Each has a digit on the keyboard.
_MOST = 9


def compare(
    question: Annotated[
        list[str] | None, typer.Argument(help="Put to all of them; what comes on standard input goes with it.")
    ] = None,
    models: Annotated[
        list[str] | None,
        typer.Option("--model", "-m", help="Who answers: PROVIDER, PROVIDER/MODEL or a model; once for each."),
    ] = None,
    file: Annotated[
        list[str] | None,
        typer.Option("--file", "-f", help="A text, an image, a PDF or a folder that goes along. Several times."),
    ] = None,
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="Ask so often; the table has medians.")] = 1,
    first: Annotated[bool, typer.Option("--first", help="Keep the first to finish, and stop the others.")] = False,
    interleaved: Annotated[
        bool, typer.Option("--interleaved", help="Line by line as they come, behind the names of the models.")
    ] = False,
    system: Annotated[str | None, typer.Option("--system", "-s", help="The system prompt.")] = None,
    role: RoleOption = None,
    var: VarOption = None,
    plain: Annotated[bool | None, typer.Option("--plain", help="No colour, no cursor movement.")] = None,
    temperature: Annotated[float | None, typer.Option("--temperature", help="From 0 to 2.")] = None,
    max_tokens: Annotated[int | None, typer.Option("--max-tokens", help="Of an answer.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="The same answer again, where a model can.")] = None,
    effort: EffortOption = None,
    top_p: TopPOption = None,
    verbosity: VerbosityOption = None,
    service_tier: ServiceTierOption = None,
    web_search: WebSearchOption = None,
    as_json: Json = False,
) -> None:
    """Have several models answer at once: SPACE pauses all, a digit one; what you type guides them."""
    given = models or []
    if len(given) < 2:
        raise UsageError("there is nothing to compare", hint='llmterm compare "Why?" -m openai -m anthropic')
    if len(given) > _MOST:
        raise UsageError(f"at most {_MOST} models can be compared at once, not {len(given)}")
    words = " ".join(question or ()).strip()
    if not words and sys.stdin.isatty():
        raise UsageError("there is no question", hint='llmterm compare "Why?" -m openai -m anthropic')
    if as_json and interleaved:
        raise UsageError("--json and --interleaved do not go together", hint="each is another form of the answers")
    taken, settings = role_of(role, var or ()), config.load(environ=os.environ)
    settings = config.override(
        settings if taken is None else taken.over(settings),
        system=system,
        temperature=temperature,
        max_tokens=max_tokens,
        seed=seed,
        **wishes(effort, top_p, verbosity, service_tier, web_search),
    )
    settings = config.override(settings, chat=config.override(settings.chat, plain=plain))
    with loading():
        from llmterm.assembly.comparing import compare as compared
        from llmterm.assembly.stage import Plan
    plan = Plan(
        asked=Wanted(
            words=words,
            data=b"" if sys.stdin.isatty() else piped(),
            files=tuple(file or ()),
            role=taken,
        ),
        models=given,
        rounds=rounds,
        first=first,
        interleaved=interleaved,
        as_json=as_json,
    )
    raise typer.Exit(asyncio.run(compared(settings, os.environ, plan)))
