"""Builds what answers one question, and gives the answer out in the form that is wanted."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import AsyncExitStack, nullcontext, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from llmterm.ask import Answered, Ask, Form
from llmterm.ask.forms import EventLines, Held, Text
from llmterm.ask.result import code, result
from llmterm.assembly.attended import attended
from llmterm.assembly.launch import Launch, store, with_model
from llmterm.assembly.question import Wanted, question
from llmterm.assembly.roster import cached, registry, throttled
from llmterm.assembly.spinner import spinning, turns
from llmterm.assembly.streams import Output, let_go
from llmterm.chat.terminal import Signals
from llmterm.errors import LlmtermError, UsageError
from llmterm.files import require_writable
from llmterm.loading import loading
from llmterm.messages import Message
from llmterm.providers.attachments import refused
from llmterm.providers.registry import ProviderRegistry
from llmterm.respondent import Respondent
from llmterm.schema import Schema, json_in
from llmterm.sessions import StoredSession
from llmterm.sessions.current import CurrentSession
from llmterm.threads import in_thread, take_turns

# How long an answer that comes waits for another process that is writing; its end waits longer.
_STORE_SECONDS = 0.25
# How long what is written already is waited for when a signal ends the program: a reader that reads has it by then.
_READER_SECONDS = 0.2


async def ask(launch: Launch, wanted: Wanted, session: StoredSession | None) -> int:
    """Answer what is `wanted`; return the exit code. Raises our errors."""
    if session is not None and session.answer is not None:
        raise UsageError(
            f"session {session.id} has an answer that is not over",
            hint="open it in a terminal: llmterm chat --continue",
        )
    if wanted.output:
        await in_thread(require_writable, wanted.output)
    schema = await in_thread(Schema.of, wanted.schema) if wanted.schema else None
    asked, said = await in_thread(question, wanted, Path.cwd())
    if wanted.drawn and attended(launch.environ):
        with loading():
            from llmterm.assembly.answering import answer  # no pipe needs what it needs

        return await answer(launch, asked, said, session)
    sessions = store(launch.environ, timeout=_STORE_SECONDS)
    providers = await in_thread(
        registry,
        launch.settings,
        launch.environ,
        wrap=throttled(cached(launch.settings, sessions), launch.throttle),
        secrets=launch.secrets,
    )
    take_turns()
    signals = Signals()
    me = asyncio.current_task()
    assert me is not None
    output = Output(sys.stdout, sys.stderr, launch.secrets)
    asked_in = CurrentSession(sessions, system=launch.settings.system, piped=True, kept=launch.kept)
    async with AsyncExitStack() as stack:
        stack.callback(sessions.close)
        stack.push_async_callback(providers.aclose)
        signals.install(me)
        stack.callback(signals.remove)
        spins = turns(wanted, launch.environ)
        piped = PipedAnswer(output, _form(wanted, output, spins=spins), asked_in, spins=spins)
        try:
            respondent = await _respondent(launch, providers, asked, output)
            if schema is not None:
                # Nothing but JSON is wanted: no word to stop by.
                options = replace(respondent.options, schema=schema.value)
                respondent = replace(respondent, options=options, marker=None)
            for line in said:
                output.notice(line)
            if session is not None:
                asked_in.open(session)
            await piped.run(respondent, asked, schema)
        except asyncio.CancelledError:
            if signals.received is None:
                raise
            await piped.leave()
            return 128 + signals.received
    return 0


class PipedAnswer:
    """An answer on the standard streams, which may be closed, full or left early."""

    def __init__(self, output: Output, form: Form, session: CurrentSession, *, spins: bool) -> None:
        """`spins`: a spinner says how far it is."""
        self._spins = spins
        self._output = output
        self._form = form
        self._session = session
        self._ask: Ask | None = None

    async def run(self, respondent: Respondent, question: Message, schema: Schema | None) -> None:
        """Raises our errors, also where the answer is not what was wanted."""
        ask = self._ask = Ask(respondent=respondent, session=self._session, form=self._form)
        try:
            async with self._output:
                async with spinning(self._output, lambda: ask.reply) if self._spins else nullcontext():
                    answered = await ask.run(question, schema)
                await self._form.finish(answered)
                if answered.remark:
                    self._output.notice(answered.remark)
                if answered.problem is not None:
                    raise answered.problem
        except BrokenPipeError:
            let_go(sys.stdout)  # the reader has had enough
        except OSError as error:
            let_go(sys.stdout)
            hint = "" if self._session.keeper.lost else "it is kept in the session"
            raise UsageError(f"the answer cannot be written: {error.strerror}", hint=hint) from None

    async def leave(self) -> None:
        """Write what there is of an answer that was cancelled, as far as that takes no time."""
        so_far = self._ask.so_far if self._ask is not None else None
        with suppress(OSError, TimeoutError, LlmtermError):
            async with asyncio.timeout(_READER_SECONDS):
                if so_far is not None:
                    await self._form.finish(so_far)
                await self._output.drained()


async def _respondent(launch: Launch, providers: ProviderRegistry, asked: Message, output: Output) -> Respondent:
    """Return who answers; say what he has to wait for. Raises our errors where he cannot take what is asked."""
    launch = await with_model(launch, providers)
    provider = providers.get(launch.provider)
    preparation = provider.preparation(launch.model)
    who = providers.label(launch.provider, launch.model)
    if refusal := refused(asked.attachments, provider.accepts(launch.model), who):
        raise refusal
    if preparation and sys.stderr.isatty():
        output.notice(f"{preparation} …")
    return Respondent(
        provider=provider,
        model=launch.model,
        options=launch.options,
        limits=launch.settings.stream.limits(),
        marker=launch.marker,
        fallbacks=providers.fallbacks(launch.settings.fallback, besides=(launch.provider, launch.model)),
        background=launch.settings.chat.pause_mode == "hold",
    )


def _form(wanted: Wanted, output: Output, *, spins: bool) -> Form:
    if wanted.form == "events":
        return EventLines(output)
    path = Path(wanted.output).expanduser() if wanted.output else None
    if wanted.form == "json":
        return Held(output, partial(_json, structured=bool(wanted.schema)), path)
    if wanted.schema:
        return Held(output, lambda answered: json_in(answered.reply.text), path)
    if wanted.code is not None:
        return Held(output, partial(code, number=wanted.code), path)
    return (
        Text(output, thinking=not spins) if path is None else Held(output, lambda answered: answered.reply.text, path)
    )


def _json(answered: Answered, *, structured: bool) -> str:
    return json.dumps(result(answered, structured=structured), ensure_ascii=False, indent=2)
