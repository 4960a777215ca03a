"""Builds what answers one question on standard output."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from pathlib import Path

from llmterm.ask import Ask
from llmterm.assembly.launch import Launch, store, with_model
from llmterm.assembly.question import question
from llmterm.assembly.roster import cached, registry
from llmterm.assembly.streams import Output, let_go
from llmterm.chat.terminal import Signals
from llmterm.errors import UsageError
from llmterm.providers.attachments import refused
from llmterm.respondent import Respondent
from llmterm.sessions import StoredSession
from llmterm.sessions.current import CurrentSession
from llmterm.threads import in_thread, take_turns

# How long an answer that comes waits for another process that is writing; its end waits longer.
_STORE_SECONDS = 0.25
# How long what is written already is waited for when a signal ends the program: a reader that reads has it by then.
_READER_SECONDS = 0.2


async def ask(launch: Launch, words: str, data: bytes, session: StoredSession | None) -> int:
    """Answer on standard output what `words`, and the `data` that was piped, ask; return the exit code.

    Raises our errors.
    """
    if session is not None and session.answer is not None:
        raise UsageError(
            f"session {session.id} has an answer that is not over",
            hint="open it in a terminal: llmterm chat --continue",
        )
    asked, said = await in_thread(question, words, data, Path.cwd())
    sessions = store(launch.environ, timeout=_STORE_SECONDS)
    providers = await in_thread(
        registry, launch.settings, launch.environ, wrap=cached(launch.settings, sessions), secrets=launch.secrets
    )
    take_turns()
    signals = Signals()
    me = asyncio.current_task()
    assert me is not None
    signals.install(me)
    output = Output(sys.stdout, sys.stderr, launch.secrets)
    asked_in = CurrentSession(sessions, system=launch.settings.system, piped=True)
    try:
        launch = await with_model(launch, providers)
        provider = providers.get(launch.provider)
        preparation = provider.preparation(launch.model)
        who = providers.label(launch.provider, launch.model)
        if refusal := refused(asked.attachments, provider.accepts(launch.model), who):
            raise refusal
        for line in said:
            output.notice(line)
        if preparation and sys.stderr.isatty():
            output.notice(f"{preparation} …")
        if session is not None:
            asked_in.open(session)
        respondent = Respondent(
            provider=provider,
            model=launch.model,
            options=launch.options,
            limits=launch.settings.stream.limits(),
            marker=launch.marker,
            fallbacks=providers.fallbacks(launch.settings.fallback, besides=(launch.provider, launch.model)),
        )
        async with output:
            await Ask(respondent=respondent, session=asked_in, output=output).run(asked)
    except BrokenPipeError:
        let_go(sys.stdout)  # the reader has had enough
    except asyncio.CancelledError:
        if signals.received is None:
            raise
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(_READER_SECONDS):
                await output.drained()
        return 128 + signals.received
    except OSError as error:
        let_go(sys.stdout)
        hint = "" if asked_in.keeper.lost else "it is kept in the session"
        raise UsageError(f"the answer cannot be written: {error.strerror}", hint=hint) from None
    finally:
        signals.remove()
        await providers.aclose()
        sessions.close()
    return 0
