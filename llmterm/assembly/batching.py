"""Builds what asks many questions, and watches the keys meanwhile."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, ExitStack, asynccontextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple, assert_never, cast

from llmterm.assembly import descriptors
from llmterm.assembly.attended import has_keys
from llmterm.assembly.batchprogress import shown
from llmterm.assembly.chooser import Chooser
from llmterm.assembly.launch import Launch, store, with_model
from llmterm.assembly.look import write
from llmterm.assembly.plan import Plan
from llmterm.assembly.roster import bare, cached, registry
from llmterm.assembly.streams import notice
from llmterm.batch.answerer import Answerer
from llmterm.batch.batch import Batch
from llmterm.batch.engine import Engine
from llmterm.batch.ledger import Ledger
from llmterm.batch.questions import BadLine, Question, Questions, format_of
from llmterm.batch.results import Results, failures_of
from llmterm.batch.trial import Trial
from llmterm.chat.status import count
from llmterm.chat.terminal import Signals, Terminal
from llmterm.config import RemoteSettings, Settings
from llmterm.errors import UsageError
from llmterm.keys import Key
from llmterm.keys.autorepeat import Autorepeat
from llmterm.keys.terminal import TerminalKeys
from llmterm.messages import Message
from llmterm.providers.jobs import SHARE
from llmterm.schema import Schema
from llmterm.threads import in_thread, take_turns

_FAILED, _INTERRUPTED = 3, 130
# A batch has time: it tries more often, and waits longer for a limit to pass, in seconds.
_ATTEMPTS, _MOST_WAIT = 6, 3_600.0
_NAMED = 3


async def batch(launch: Launch, plan: Plan) -> int:
    """Ask all of it; return the exit code. Raises our errors."""
    settings = within(launch.settings, plan)
    sessions = store(launch.environ)
    wrap = bare if plan.handed_over else cached(settings, sessions)
    providers = await in_thread(registry, settings, launch.environ, wrap=wrap, secrets=launch.secrets)
    take_turns()
    signals = Signals()
    me = asyncio.current_task()
    assert me is not None
    async with AsyncExitStack() as stack:
        stack.callback(sessions.close)
        stack.push_async_callback(providers.aclose)
        source = stack.enter_context(await in_thread(_opened, plan.source))
        launch = await with_model(replace(launch, settings=settings), providers)
        schema = await in_thread(Schema.of, plan.schema) if plan.schema else None
        options = replace(launch.options, schema=schema.value if schema else None)
        chooser = Chooser(launch, providers, options, elsewhere=plan.engine != "local")
        if plan.strict:
            await in_thread(_require_good, source, plan)
        if plan.dry_run:
            await _try(plan, source, chooser, settings)
            return 0
        stack.callback(signals.remove)
        try:
            if plan.handed_over:
                signals.install(me)
                from llmterm.assembly.handing import handed_over  # most are asked here

                return await handed_over(plan, partial(_questions, source, plan), chooser, schema, settings.system)
            return await _answered(plan, source, chooser, schema, launch, signals)
        except asyncio.CancelledError:
            if signals.received is None:
                raise
            return 128 + signals.received
        except OSError as error:
            raise UsageError(
                f"the answers cannot be written: {error.strerror}", hint="what is there is kept; --resume goes on"
            ) from None


def _engine(launch: Launch, plan: Plan, schema: Schema | None, chooser: Chooser) -> AbstractAsyncContextManager[Engine]:
    """Return what answers, to be entered. Raises UsageError for what it cannot be asked."""
    at_once = _concurrency(launch, plan)
    match plan.engine:
        case "local":
            descriptors.require(at_once)
            return nullcontext(Answerer(chooser.choose, at_once, schema=schema))
        case "ray":
            from llmterm.assembly.cluster import crew  # few have one
            from llmterm.assembly.worker import post

            return crew(post(launch, at_once, schema), plan.address)
        case _:
            assert_never(plan.engine)


async def _answered(
    plan: Plan, source: BinaryIO, chooser: Chooser, schema: Schema | None, launch: Launch, signals: Signals
) -> int:
    """Have all of it answered now."""
    if plan.engine != "local":
        await chooser.choose("")  # refuses who is on this machine alone
    async with AsyncExitStack() as stack:
        engine = _engine(launch, plan, schema, chooser)
        results = stack.enter_context(
            await in_thread(Results, plan.output, resume=plan.resume, retry_failed=plan.retry_failed)
        )
        running = Batch(
            _questions(source, plan),
            Ledger(results, began=time.monotonic()),
            chooser.choose,
            await stack.enter_async_context(engine),
            system=launch.settings.system,
            budget=plan.budget,
        )
        me = asyncio.current_task()
        assert me is not None
        signals.install(me)  # behind those of an engine
        try:
            return await _run(running, plan, source, signals)
        except asyncio.CancelledError:
            if signals.received is not None:
                _say_left(running, plan)
            raise


async def _run(running: Batch, plan: Plan, source: BinaryIO, signals: Signals) -> int:
    async with _keys(signals) as taken, shown(running, time.monotonic, notice=notice, keys=taken is not None):
        asking = asyncio.create_task(running.run())
        counting = asyncio.create_task(in_thread(_count, plan, source.name)) if _seen_twice(source) else None
        pressing = asyncio.create_task(_press(*taken, running)) if taken is not None else None
        try:
            beside = {task for task in (counting, pressing) if task is not None}
            while not asking.done():
                done, _ = await asyncio.wait({asking, *beside}, return_when=asyncio.FIRST_COMPLETED)
                beside -= done
                if counting in done and counting is not None:
                    running.tally.total = counting.result()
                if pressing in done:
                    asking.cancel()
                    break
            await asyncio.wait({asking})
        finally:
            for task in (asking, counting, pressing):
                if task is not None:
                    task.cancel()
            await asyncio.wait({asking})
    if asking.cancelled():
        _say_left(running, plan)
        return _INTERRUPTED
    asking.result()
    return _said(running, plan)


def _said(running: Batch, plan: Plan) -> int:
    """Say what has become of it, and return the exit code."""
    tally = running.tally
    for bad in running.bad:
        notice(f"line {bad.line}: {bad.problem}")
    notice(tally.words(time.monotonic()))
    if running.stopped:
        notice(f"{running.stopped}: --resume goes on")
    if tally.failed:
        notice(f"{failures_of(plan.output)} says why {tally.failed:,} failed; --retry-failed asks them again")
    return _FAILED if tally.failed or running.stopped else 0


def _say_left(running: Batch, plan: Plan) -> None:
    notice(f"{running.tally.words(time.monotonic())}; --resume goes on with the rest of {plan.output}")


def within(settings: Settings, plan: Plan) -> Settings:
    """Return the settings with the limits of the plan, for all providers."""
    providers = settings.providers
    named = ((name, providers.remote(name)) for name in providers.names)  # with those that no file is about
    remotes = {name: _limited(remote, plan) for name, remote in named if remote is not None}
    retry = replace(
        settings.retry,
        attempts=max(_ATTEMPTS, settings.retry.attempts),
        max_wait=max(_MOST_WAIT, settings.retry.max_wait),
    )
    return replace(settings, providers=replace(providers, remotes=remotes), retry=retry)


def _limited(remote: RemoteSettings, plan: Plan) -> RemoteSettings:
    return replace(
        remote,
        max_concurrent=plan.concurrency or remote.max_concurrent,
        requests_per_minute=plan.requests_per_minute or remote.requests_per_minute,
        tokens_per_minute=plan.tokens_per_minute or remote.tokens_per_minute,
    )


def _concurrency(launch: Launch, plan: Plan) -> int:
    remote = launch.settings.providers.remote(launch.provider)
    return plan.concurrency or (remote.max_concurrent if remote is not None else 1)


def _opened(source: str) -> BinaryIO:
    """Return what is asked, from its beginning; standard input as a file that can be gone through twice."""
    if source != "-":
        try:
            return Path(source).expanduser().open("rb")
        except OSError as error:
            raise UsageError(f"{source} cannot be read: {error.strerror}") from None
    with ExitStack() as stack:
        kept = stack.enter_context(tempfile.TemporaryFile("w+b"))
        shutil.copyfileobj(sys.stdin.buffer, kept)
        kept.seek(0)
        stack.pop_all()
        return cast(BinaryIO, kept)


def _questions(source: BinaryIO, plan: Plan) -> Iterator[Question | BadLine]:
    form = format_of(plan.source) if plan.source != "-" else "jsonl"
    questions = Questions(form=form, template=plan.template, column=plan.column)
    found = questions.read(source, delimiter="\t" if plan.source.lower().endswith(".tsv") else ",")
    return (each if isinstance(each, BadLine) else _placed(each, plan) for each in found)


def _placed(question: Question, plan: Plan) -> Question:
    """Return the question as it is asked in the role, if there is one, with its files where they are."""
    files = [str(plan.folder / Path(name).expanduser()) for name in question.files]
    if plan.role is None:
        return replace(question, files=tuple(files))
    *before, last = question.messages
    asked = Message(role="user", text=plan.role.question(last.text))
    beside = [str(plan.role.path.parent / Path(name).expanduser()) for name in plan.role.attachments]
    return replace(question, messages=(*before, asked), files=(*beside, *files))


def _seen_twice(source: BinaryIO) -> bool:
    return isinstance(source.name, str)


def _count(plan: Plan, name: str) -> int:
    with Path(name).open("rb") as again:
        return sum(1 for _ in _questions(again, plan))


def _require_good(source: BinaryIO, plan: Plan) -> None:
    """Raise UsageError where a line makes no sense."""
    bad = [each for each in _questions(source, plan) if isinstance(each, BadLine)]
    source.seek(0)
    if bad:
        named = "; ".join(f"line {each.line}: {each.problem}" for each in bad[:_NAMED])
        more = f"; and {len(bad) - _NAMED:,} more" if len(bad) > _NAMED else ""
        raise UsageError(f"nothing was asked, {count(len(bad), 'line')} cannot be: {named}{more}")


async def _try(plan: Plan, source: BinaryIO, chooser: Chooser, settings: Settings) -> None:
    done: set[str] = set()
    if plan.resume and plan.output.is_file():
        results = await in_thread(Results, plan.output, resume=True)
        with results:
            done = {each.id for each in _questions(source, plan) if results.has(each.id)}
        source.seek(0)
    trial = Trial(settings.system, share=SHARE if plan.via_provider else 1.0)
    await trial.run(_questions(source, plan), done.__contains__, chooser.choose)
    sys.stdout.write("\n".join([*trial.lines(), ""]))


class _Hands(NamedTuple):
    """The terminal's keys, and what stops the program until it is gone on with."""

    keys: TerminalKeys
    suspend: Callable[[], None]


@asynccontextmanager
async def _keys(signals: Signals) -> AsyncIterator[_Hands | None]:
    """Take the terminal for its keys, where there is one that somebody sits at."""
    if not has_keys():
        yield None
        return
    keys = TerminalKeys()
    with Terminal(sys.stdin.fileno(), write, modes=(), drawing=False) as terminal:

        def suspend() -> None:
            with signals.fatal():
                terminal.suspend()

        async with keys:
            yield _Hands(keys, suspend)


async def _press(keys: TerminalKeys, suspend: Callable[[], None], running: Batch) -> None:
    """Do what keys stand for, until one of them leaves."""
    autorepeat = Autorepeat(time.monotonic)
    while True:
        key: Key | None = await keys.get()
        while key is not None:
            following: Key | None = None
            match key.name:
                case "c-c" | "c-d":
                    return
                case "space" if running.paused:
                    new, following = await autorepeat.pressed(key, keys.get)
                    if new:
                        running.resume()
                case "space":
                    autorepeat.count(key.name)
                    await running.pause()
                case "c-z":
                    await _stop_program(suspend, running)
                case _:
                    pass
            key = following


async def _stop_program(suspend: Callable[[], None], running: Batch) -> None:
    """Stop the program until it is gone on with; no answer streams meanwhile, as nobody would read it."""
    streamed = not running.paused
    await running.pause()
    suspend()
    if streamed:
        running.resume()
