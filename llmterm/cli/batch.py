"""`llmterm batch`: many questions from a file, and their answers in another one."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from llmterm import config
from llmterm.assembly.launch import launch, require_key
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
from llmterm.errors import UsageError
from llmterm.loading import loading

# Answers at once, in this process and on a cluster.
_MOST, _MOST_OF_MANY = 4_096, 100_000


def batch(
    source: Annotated[
        str,
        typer.Argument(metavar="FILE", help="JSONL, CSV or TSV, or a question a line; - for JSONL on standard input."),
    ],
    output: Annotated[str, typer.Option("--output", "-o", help="Where the answers go, a line of JSON for each.")],
    template: Annotated[
        str, typer.Option("--template", help="What is asked, with {{column}} for a value of the row; @FILE reads it.")
    ] = "",
    column: Annotated[str, typer.Option("--column", help="The column that is asked, where there is no template.")] = (
        "prompt"
    ),
    provider: Annotated[str | None, typer.Option("--provider", "-p", help="Who answers.")] = None,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="A model, or PROVIDER/MODEL, where a line names none.")
    ] = None,
    system: Annotated[str | None, typer.Option("--system", "-s", help="The system prompt.")] = None,
    role: RoleOption = None,
    var: VarOption = None,
    schema: Annotated[
        str | None,
        typer.Option("--schema", help='What the JSON is to be: a JSON Schema, its file, or "name, age int, tags[]".'),
    ] = None,
    concurrency: Annotated[
        int | None, typer.Option("--concurrency", "-n", min=1, max=_MOST_OF_MANY, help="So many answers at once.")
    ] = None,
    rpm: Annotated[int | None, typer.Option("--rpm", min=1, help="At most so many requests a minute.")] = None,
    tpm: Annotated[int | None, typer.Option("--tpm", min=1, help="At most so many tokens a minute.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on: what has an answer, or failed, is not asked.")] = (
        False
    ),
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Go on, and ask again what failed.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Ask nothing where a line cannot be asked.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Ask nothing: say what it would take.")] = False,
    budget: Annotated[
        float | None,
        typer.Option("--budget", min=0, help="Stop before it has cost more, as the prices have it."),
    ] = None,
    via: Annotated[
        Literal["provider"] | None,
        typer.Option("--via", help="Hand all of it to the provider's own batches: half the price, within a day."),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until what was handed over is answered.")] = False,
    cancel: Annotated[bool, typer.Option("--cancel", help="Have what was handed over end now.")] = False,
    temperature: Annotated[float | None, typer.Option("--temperature", help="From 0 to 2.")] = None,
    max_tokens: Annotated[int | None, typer.Option("--max-tokens", help="Of an answer.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="The same answers again, where a model can.")] = None,
    effort: EffortOption = None,
    top_p: TopPOption = None,
    verbosity: VerbosityOption = None,
    service_tier: ServiceTierOption = None,
    web_search: WebSearchOption = None,
    cache: Annotated[bool, typer.Option("--cache", help="The same question has the same answer, at once.")] = False,
    engine: Annotated[
        Literal["local", "ray"], typer.Option("--engine", help="What answers: this process, or a Ray cluster.")
    ] = "local",
    address: Annotated[
        str | None,
        typer.Option("--address", metavar="HOST:PORT", help="The cluster's, or auto; else one is begun here."),
    ] = None,
) -> None:
    """Ask many questions at once, as limits allow; their answers are written as they come. SPACE pauses all."""
    if address is not None and engine != "ray":
        raise UsageError("--address is that of a cluster", hint="--engine ray has one answer")
    if concurrency is not None and concurrency > (most := _MOST if engine == "local" else _MOST_OF_MANY):
        raise UsageError(f"--concurrency is at most {most:,} with --engine {engine}")
    if via is not None and engine != "local":
        raise UsageError("a batch goes to a cluster or to its provider", hint="leave out --engine, or --via")
    taken, settings = role_of(role, var or ()), config.load(environ=os.environ)
    if taken is not None and provider is None and model is None:
        provider, model = taken.provider or None, taken.model or None
    settings = config.override(
        settings if taken is None else taken.over(settings),
        system=system,
        temperature=temperature,
        max_tokens=max_tokens,
        seed=seed,
        **wishes(effort, top_p, verbosity, service_tier, web_search),
        cache=cache or None,
    )
    launched = launch(settings, os.environ, provider=provider, model=model)
    if not dry_run and engine == "local":  # each machine of a cluster has its own
        require_key(launched)
    with loading():
        from llmterm.assembly.batching import batch
        from llmterm.assembly.plan import Plan
    plan = Plan(
        source=source,
        output=Path(output).expanduser(),
        template=_template(template),
        column=column,
        resume=resume,
        retry_failed=retry_failed,
        strict=strict,
        dry_run=dry_run,
        budget=budget,
        concurrency=concurrency,
        requests_per_minute=rpm,
        tokens_per_minute=tpm,
        schema=" " if schema == "" else schema or "",
        role=taken,
        engine=engine,
        address=address or "",
        via_provider=via is not None,
        wait=wait,
        cancel=cancel,
    )
    raise typer.Exit(asyncio.run(batch(launched, plan)))


def _template(given: str) -> str:
    """Return the template, read where it is the name of a file behind an @."""
    if not given.startswith("@"):
        return given
    try:
        return Path(given[1:]).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the template {given[1:]} cannot be read: {error}") from None
