"""Builds a chat in this terminal."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from llmterm import config
from llmterm.assembly.launch import Launch, options_of, store, with_model
from llmterm.assembly.look import Look, size, write
from llmterm.assembly.machine import Loan, LocalMachine
from llmterm.assembly.roster import cached, registry, throttled
from llmterm.assembly.streams import notice
from llmterm.chat.app import Chat
from llmterm.chat.attachments import Attachments
from llmterm.chat.bindings import Bindings
from llmterm.chat.commands.catalogue import catalogue
from llmterm.chat.completion import Completion, StatusBar
from llmterm.chat.composer import Composer
from llmterm.chat.context import ChatSettings, Context
from llmterm.chat.decision import Interrupts
from llmterm.chat.foot import Foot
from llmterm.chat.here import Here
from llmterm.chat.history import PromptHistory
from llmterm.chat.input import InputLine
from llmterm.chat.live import Live
from llmterm.chat.mentions import files_of
from llmterm.chat.notifier import Notifier
from llmterm.chat.options import Choices, TakenRole, Terms
from llmterm.chat.queue import MessageQueue
from llmterm.chat.terminal import Signals, Terminal
from llmterm.chat.window import WindowSize
from llmterm.config import Settings
from llmterm.errors import ConfigError
from llmterm.files import TextFile
from llmterm.keys import Key
from llmterm.keys.autorepeat import Autorepeat
from llmterm.keys.replies import ASK_ATTRIBUTES, ASK_BACKGROUND, ASK_KEYBOARD, ASK_NAME
from llmterm.keys.terminal import TerminalKeys
from llmterm.loading import loading
from llmterm.messages import Attachment
from llmterm.opening import Opening
from llmterm.providers.registry import ProviderRegistry
from llmterm.sessions import SessionStore, StoredSession
from llmterm.sessions.current import CurrentSession
from llmterm.threads import in_thread, take_turns

if TYPE_CHECKING:
    from llmterm.chat.host import Host
    from llmterm.chat.session import Session
    from llmterm.remote.service import Service

_HUNG_UP = 129  # as a shell counts SIGHUP, which Windows has not
# How long a pause that is to be on disk waits for another process that is writing: its commits are shorter. What could
# not be written then is written a little later.
_STORE_SECONDS = 0.25


async def chat(
    launch: Launch,
    session: StoredSession | None,
    providers: ProviderRegistry | None = None,
    *,
    first: str = "",
    opening: Opening | None = None,
) -> int:
    """Chat in this terminal, with other providers than the settings' if given; return the exit code.

    `first` is a question to begin with, and `opening` what may be on the screen in place of the chat so far.
    """
    return await in_terminal(launch, lambda chat: chat.run(session, first), providers, opening=opening)


async def in_terminal(
    launch: Launch,
    run: Callable[[Chat], Awaitable[int]],
    providers: ProviderRegistry | None = None,
    *,
    once: bool = False,
    opening: Opening | None = None,
    service: Service | None = None,
) -> int:
    """Build a chat in this terminal, one for a single question if `once`, and `run` it; return the exit code.

    With a `service` its answers are made there, in a session of its own.
    """
    settings = launch.settings
    beside = await _beside(launch) if not once else ()
    look = Look.of(settings, launch.environ)
    queue: asyncio.Queue[Key] = asyncio.Queue()
    source = TerminalKeys(queue=queue)
    keyboard = (sys.stdin if sys.stdin.isatty() else sys.stdout).fileno()  # as the source has it
    sessions = store(launch.environ, timeout=_STORE_SECONDS)
    if providers is None:
        providers = await in_thread(
            registry,
            settings,
            launch.environ,
            wrap=throttled(cached(settings, sessions), launch.throttle),
            secrets=launch.secrets,
        )
    take_turns()
    signals = Signals()
    me = asyncio.current_task()
    assert me is not None
    async with AsyncExitStack() as stack:
        stack.callback(sessions.close)
        stack.push_async_callback(providers.aclose)
        launch = await with_model(launch, providers)
        hotkeys = await _hotkeys(settings, queue, stack)
        background = ASK_BACKGROUND if look.color and settings.chat.theme == "auto" else ""
        question = ASK_KEYBOARD + ASK_NAME + background + ASK_ATTRIBUTES if look.asks else ""
        signals.install(me)
        try:
            with Terminal(
                keyboard,
                write,
                modes=look.modes,
                drawing=not look.plain,
                question=question,
                settle=source.settle,
                keyboard=lambda: source.keyboard,
            ) as terminal:
                source.tell(terminal.heard)
                if opening is not None:
                    _clear(opening, source.early())
                code = await run(
                    _build(
                        launch,
                        look,
                        terminal,
                        signals,
                        source,
                        queue if hotkeys else None,
                        providers,
                        sessions,
                        beside,
                        once=once,
                        service=service,
                    )
                )
            # One that has hung up may be at its end before its signal is here.
            return code if os.isatty(keyboard) else _HUNG_UP
        except asyncio.CancelledError:
            if signals.received is None:
                raise
            return 128 + signals.received
        except OSError:
            if os.isatty(keyboard):
                raise
            return _HUNG_UP
        finally:
            signals.remove()


def _clear(opening: Opening, typed: str) -> None:
    """Take the opening from the screen, with what was `typed` at it: that is told as if it had been typed later."""
    from llmterm.render.cells import height
    from llmterm.render.screen import CLEAR_DOWN

    columns, rows = size()
    if taken := opening.rows(typed, lambda line: height(line.expandtabs(), columns)):
        write("\r" + (f"\x1b[{min(taken, rows) - 1}A" if taken > 1 else "") + CLEAR_DOWN)


@loading()
def _build(
    launch: Launch,
    look: Look,
    terminal: Terminal,
    signals: Signals,
    source: TerminalKeys,
    queue: asyncio.Queue[Key] | None,
    providers: ProviderRegistry,
    sessions: SessionStore,
    beside: Sequence[TextFile | Attachment],
    *,
    once: bool,
    service: Service | None,
) -> Chat:
    settings = launch.settings
    bound = {name: key.lower() for name, key in asdict(settings.keys).items()}
    if len(set(bound.values())) < len(bound):
        raise ConfigError(
            "two commands in [keys] are on the same key",
            hint=", ".join(f"{name}={key.title()}" for name, key in bound.items()),
        )
    autorepeat, messages = Autorepeat(time.monotonic), MessageQueue()
    choices = Choices(
        provider=launch.provider,
        model=launch.model,
        options=launch.options,
        fallback=settings.fallback,
        pause_mode=settings.chat.pause_mode,
        hold_limit=settings.chat.hold_limit,
        auto_resume=settings.chat.auto_resume,
        named=launch.named,
        theme=settings.chat.theme,
        themes=settings.theme_names,
        search=_search(launch, providers),
        taken=_taken(launch, beside),
    )
    window = WindowSize(size, time.monotonic, settles=look.settles)
    composer = Composer(
        source=source.input,
        history=PromptHistory(config.data_dir(launch.environ) / "history" if launch.kept else Path(os.devnull)),
        bindings=Bindings(
            queue=messages, interrupts=Interrupts(time.monotonic), autorepeat=autorepeat, of_pause=bound.values()
        ),
        window=window,
        vi=settings.chat.editing == "vi",
        plain=look.plain,
    )
    theme = look.colors(settings, choices, source)
    foot = Foot(composer, messages, ink=look.ink(theme))
    view = look.view(theme, foot, launch.secrets.redact, lambda: source.name)
    machine = LocalMachine(launch, look, Loan(terminal=terminal, signals=signals, view=view, composer=composer), source)
    session, host = _hosted(launch, sessions, providers, choices, service)
    context = Context(
        session=session,
        registry=providers,
        choices=choices,
        attachments=Attachments(machine.folder, beside),
        view=view,
        machine=machine,
        settings=ChatSettings(
            marker=launch.marker if service is None else None,
            limits=settings.stream.limits(),
            keys=bound,
            roles=config.config_path(launch.environ).parent / config.ROLES,
            once=once,
            plain=look.plain,
            advice=_advice(launch) if service is None else service.said_of,
        ),
    )
    commands = catalogue(bound, refused=() if service is None else service.refused)
    line = InputLine(
        composer=composer,
        queue=messages,
        foot=foot,
        view=view,
        machine=machine,
        find=Completion(context, commands).find,
        bar=StatusBar(context, messages).text,
        chords=_chords(queue, autorepeat) if queue is not None else None,
    )
    return Chat(
        context=context,
        commands=commands,
        line=line,
        live=Live(context=context, commands=commands, window=window, line=line, clock=time.monotonic),
        notifier=Notifier(
            kind="off" if look.plain else settings.chat.notify,
            after=settings.chat.notify_after,
            terminal=source,
            write=write,
        ),
        host=host,
    )


def _hosted(
    launch: Launch, sessions: SessionStore, providers: ProviderRegistry, choices: Choices, service: Service | None
) -> tuple[Session, Host]:
    """Return the session that is talked in, of a service if there is one, and who has questions answered in it."""
    if service is not None:
        from llmterm.remote.host import attached  # not for every start

        return attached(service, launch.settings.system, choices)
    session = CurrentSession(sessions, system=launch.settings.system, kept=launch.kept)
    limits = launch.settings.stream.limits()
    return session, Here(session=session, registry=providers, choices=choices, limits=limits, marker=launch.marker)


async def _beside(launch: Launch) -> Sequence[TextFile | Attachment]:
    """Return the files that go along with the role that the command line names. Raises UsageError."""
    if launch.role is None:
        return ()
    files, said = await in_thread(files_of, launch.role)
    for line in said:
        notice(line)
    return files


def _taken(launch: Launch, beside: Sequence[TextFile | Attachment]) -> TakenRole | None:
    """Return the role that the command line names, and what there would be without it."""
    if launch.role is None or launch.without_role is None:
        return None
    who = (launch.provider, launch.model)
    return TakenRole(
        launch.role,
        beside,
        before=Terms(who, options_of(launch.without_role), launch.without_role.system),
        after=Terms(who, launch.options, launch.settings.system),
    )


def _advice(launch: Launch) -> Callable[[str, str], str]:
    """Return what the welcome says of who answers; imported for the embedded model only."""

    def advice(provider: str, model: str) -> str:
        if provider != "local":
            return ""
        from llmterm.assembly import welcome

        return welcome.advice(launch, model)

    return advice


def _search(launch: Launch, providers: ProviderRegistry) -> Callable[[], Awaitable[tuple[str, str]]] | None:
    """Return what waits for the search for an Ollama, if that is not over."""
    search = launch.search
    if search is None:
        return None

    async def wait() -> tuple[str, str]:
        found = await in_thread(search.found)
        return await providers.choose("ollama") if found else (launch.provider, launch.model)

    return wait


def _chords(queue: asyncio.Queue[Key], autorepeat: Autorepeat) -> Callable[[], Awaitable[bool]]:
    """Return what waits for the global hot key, and tells whether it was pressed or is only held down."""

    async def chord() -> bool:
        while (key := await queue.get()).name != "chord":
            pass
        return (await autorepeat.pressed(key, queue.get))[0]

    return chord


async def _hotkeys(settings: Settings, queue: asyncio.Queue[Key], stack: AsyncExitStack) -> bool:
    """Listen for the global chord if that is wanted; say in one line where it cannot be."""
    if settings.chat.keys != "global":
        return False
    from llmterm.keys import KeysUnavailableError
    from llmterm.keys.hotkey import GlobalKeys

    # The terminal delivers its own SPACE while it has the focus; heard here as well, it would pause and resume at once.
    source = GlobalKeys(focused=lambda: False, chord=settings.chat.chord, queue=queue)
    try:
        await stack.enter_async_context(source)
    except KeysUnavailableError as error:
        notice(f"{error}; the keys of this terminal work")
        return False
    return True
