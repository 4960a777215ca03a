"""Builds what has several models answer one question."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

from llmterm.assembly.launch import launch, options_of, store
from llmterm.assembly.look import Look
from llmterm.assembly.question import Wanted, question
from llmterm.assembly.roster import cached, registry
from llmterm.assembly.secrets import known_secrets
from llmterm.assembly.stage import Plan, Stage, own_terminal
from llmterm.assembly.streams import Output, let_go
from llmterm.chat.machine import Beside, Others
from llmterm.chat.terminal import Signals
from llmterm.compare.candidate import Candidate
from llmterm.compare.comparison import Comparison
from llmterm.compare.figures import lines, values
from llmterm.config import Settings
from llmterm.conversation import Conversation
from llmterm.errors import ConfigError, LlmtermError, ProviderError, SessionError, UsageError
from llmterm.messages import Message, Options, StreamLimits
from llmterm.providers.attachments import refused
from llmterm.providers.registry import ProviderRegistry
from llmterm.respondent import Respondent
from llmterm.sessions import SessionStore
from llmterm.sessions.several import SeveralAnswers
from llmterm.threads import in_thread, take_turns

_INTERRUPTED, _NOBODY = 130, 3


async def compare(settings: Settings, environ: Mapping[str, str], plan: Plan) -> int:
    """Have the question answered by all models; return the exit code. Raises our errors."""
    asked, said = await in_thread(question, plan.asked, Path.cwd())
    secrets = known_secrets(settings, environ)
    sessions = store(environ)
    providers = await in_thread(registry, settings, environ, wrap=cached(settings, sessions), secrets=secrets)
    take_turns()
    signals = Signals()
    me = asyncio.current_task()
    assert me is not None
    async with AsyncExitStack() as stack:
        stack.callback(sessions.close)
        stack.push_async_callback(providers.aclose)
        candidates = await roster(
            plan.models,
            partial(_chosen, settings, environ, providers),
            providers=providers,
            asked=asked,
            options=options_of(settings),
            limits=settings.stream.limits(),
        )
        signals.install(me)
        stack.callback(signals.remove)
        output = Output(sys.stdout, sys.stderr, secrets)
        for line in said:
            output.notice(line)
        try:
            look = Look.of(settings, environ)
            stage = Stage(
                settings=settings,
                look=look,
                secrets=secrets,
                output=output,
                terminal=partial(own_terminal, look, settings, signals),
            )
            return await _run(stage, plan, candidates, asked, sessions)
        except asyncio.CancelledError:
            if signals.received is None:
                raise
            return 128 + signals.received
        except BrokenPipeError:
            let_go(sys.stdout)  # the reader has had enough
        except OSError as error:
            let_go(sys.stdout)
            raise UsageError(f"the answers cannot be written: {error.strerror}") from None
    return 0


async def _run(
    stage: Stage, plan: Plan, candidates: Sequence[Candidate], asked: Message, sessions: SessionStore
) -> int:
    settings, look, output = stage.settings, stage.look, stage.output
    record = SeveralAnswers(sessions.another(), system=settings.system, piped=not sys.stdout.isatty())
    drawn = sys.stdout.isatty() and not look.plain and not plan.interleaved and not plan.as_json
    async with output:
        async with stage.shown(plan) as (view, keys):
            comparison = Comparison(
                candidates,
                record,
                view,
                keys,
                in_turn=not (drawn or plan.interleaved),
                first=plan.first,
            )
            try:
                await comparison.run(asked, Conversation(system=settings.system, messages=(asked,)), plan.rounds)
            finally:
                trouble = await kept(record, comparison)
            if not (plan.alone and not sys.stdout.isatty()):
                view.say(lines(comparison.rounds, width=view.columns, color=look.color and sys.stdout.isatty()))
        if trouble:
            output.notice(trouble)
        elif record.id is not None and not plan.as_json:
            with_whom = f" with {comparison.best.label}" if comparison.best is not None else ""
            output.notice(f"llmterm chat --session {record.id} goes on{with_whom}; Alt-Left has the other answers")
        if plan.as_json:
            value = {"question": asked.text, "session": record.id, "answers": values(comparison.rounds)}
            output.text(json.dumps(value, indent=2, ensure_ascii=sys.stdout.isatty()) + "\n")
    if comparison.stopped:
        return _INTERRUPTED
    return 0 if comparison.best is not None else _NOBODY


async def answered_beside(others: Others, stage: Stage, environ: Mapping[str, str]) -> Beside:
    """Have others answer the last question of a chat; return the session as it goes on. Raises our errors."""
    asked, providers = others.asked, others.registry

    async def choose(given: str) -> tuple[str, str]:
        named = given.partition("/")[0] in providers.names
        return await providers.choose(given) if named else (others.provider, given)

    candidates = await roster(
        others.models,
        choose,
        providers=providers,
        asked=asked.question,
        options=others.options,
        limits=others.limits,
    )
    record = SeveralAnswers(store(environ), session_id=asked.session_id, asked=asked.row, piped=False)
    look = stage.look
    try:
        async with stage.shown(Plan(asked=Wanted(), models=others.models)) as (view, keys):
            comparison = Comparison(candidates, record, view, keys, in_turn=look.plain)
            await comparison.run(asked.question, asked.conversation)
            view.say([*lines(comparison.rounds, width=view.columns, color=look.color), ""])
            best = await comparison.chosen()
        if best is None:
            return Beside(await record.keep(asked.answer or asked.row), "the answer stays as it was")
        return Beside(await comparison.keep(best), f"the answer of {best.label} is kept")
    finally:
        await record.aclose()


async def kept(record: SeveralAnswers, comparison: Comparison) -> str:
    """See to it that the record is there, and goes through an answer that is whole; return why it does not."""
    try:
        try:
            if comparison.best is not None:
                await comparison.keep(comparison.best)
        finally:
            await record.aclose()
    except SessionError as error:
        return str(error)
    return ""


async def roster(
    models: Sequence[str],
    choose: Callable[[str], Awaitable[tuple[str, str]]],
    *,
    providers: ProviderRegistry,
    asked: Message,
    options: Options,
    limits: StreamLimits,
) -> list[Candidate]:
    """Return those who are to answer, in their order; who cannot says why. Raises UsageError for one that is none.

    `choose` gives the provider and the model that a name means.
    """
    candidates: list[Candidate] = []
    for number, given in enumerate(models, 1):
        try:
            name, model = await choose(given)
        except (ConfigError, ProviderError) as error:
            candidates.append(Candidate(number, given, None, error))
            continue
        label = providers.label(name, model)
        try:
            respondent = _respondent(providers, name, model, asked, options=options, limits=limits)
        except LlmtermError as error:
            candidates.append(Candidate(number, label, None, error))
        else:
            candidates.append(Candidate(number, label, respondent))
    return candidates


def _respondent(
    providers: ProviderRegistry, name: str, model: str, asked: Message, *, options: Options, limits: StreamLimits
) -> Respondent:
    """Return who answers. Raises our errors where that cannot be."""
    providers.require(name)
    provider = providers.get(name)
    provider.preparation(model)  # refuses a model that cannot be
    if refusal := refused(asked.attachments, provider.accepts(model), providers.label(name, model)):
        raise refusal
    return Respondent(provider=provider, model=model, options=options, limits=limits)


async def _chosen(
    settings: Settings, environ: Mapping[str, str], providers: ProviderRegistry, given: str
) -> tuple[str, str]:
    if given.partition("/")[0] in providers.names:
        return await providers.choose(given)
    found = await in_thread(launch, settings, environ, model=given)
    return found.provider, found.model
