"""Builds the program's objects out of settings: the only place, with `cli.py`, where anything is constructed.

What is expensive to import is imported here, at the moment it is needed: the HTTP client with the first provider, the
prompt with the first chat.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self, TextIO

from llmterm import config
from llmterm.config import Settings
from llmterm.conversation import Conversation
from llmterm.errors import UsageError
from llmterm.keys import Key
from llmterm.messages import Options
from llmterm.providers import Provider
from llmterm.providers.registry import Entry, ProviderRegistry
from llmterm.providers.weights import available, default_model
from llmterm.sessions import SessionStore, StoredSession

if TYPE_CHECKING:
    from llmterm.chat.app import Chat
    from llmterm.chat.commands import Commands
    from llmterm.chat.decision import Prompt
    from llmterm.chat.terminal import Terminal
    from llmterm.chat.view import View
    from llmterm.keys.terminal import TerminalKeys

# Terminals that lay out long lines anew when their width changes, by a variable of theirs or by TERM_PROGRAM.
_REFLOWING = ("TMUX", "VTE_VERSION", "KITTY_WINDOW_ID", "WEZTERM_PANE", "WT_SESSION", "ALACRITTY_WINDOW_ID")
_REFLOWING_PROGRAMS = ("iTerm.app", "Apple_Terminal", "ghostty", "WezTerm", "vscode")


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """What the command line, the environment and the configuration file come to."""

    settings: Settings
    environ: Mapping[str, str]
    provider: str
    model: str
    named: bool = False

    @property
    def options(self) -> Options:
        settings = self.settings
        return Options(temperature=settings.temperature, max_tokens=settings.max_tokens, seed=settings.seed)

    @property
    def marker(self) -> str | None:
        return self.settings.marker.text if self.settings.marker.enabled else None


def launch(
    settings: Settings, environ: Mapping[str, str], *, provider: str | None = None, model: str | None = None
) -> Launch:
    """Decide on the provider and the model. Raises UsageError or ConfigError."""
    named = provider is not None or model is not None
    if provider is None and model is not None and model.endswith(".gguf"):
        provider = "local"
    name = config.choose_provider(
        provider, settings, environ, available=lambda name: name == "local" and available(model or "")
    )
    if model is None and name == (settings.provider or name):
        model = settings.model
    return Launch(
        settings=settings,
        environ=environ,
        provider=name,
        model=model or registry(settings, environ).default_model(name),
        named=named,
    )


def registry(settings: Settings, environ: Mapping[str, str]) -> ProviderRegistry:
    return ProviderRegistry(
        {
            "openai": Entry(build=lambda: _openai(settings, environ), model=settings.providers.openai.model),
            "local": Entry(
                build=lambda: _local(settings),
                model=settings.providers.local.model or default_model(),
                label=_file_label,
            ),
        }
    )


def store(environ: Mapping[str, str]) -> SessionStore:
    return SessionStore(config.data_dir(environ))


def _openai(settings: Settings, environ: Mapping[str, str]) -> Provider:
    from llmterm.providers.openai import OpenAIProvider
    from llmterm.transport import Transport

    def key() -> str:
        secret = config.secret("openai", settings, environ)
        return secret.get_secret_value() if secret else ""

    return OpenAIProvider(Transport(), base_url=config.base_url("openai", settings, environ), key=key)


def _local(settings: Settings) -> Provider:
    from llmterm.providers.local import LocalProvider

    local = settings.providers.local
    return LocalProvider(threads=local.threads, context=local.context)


def _file_label(model: str) -> str:
    return Path(model).stem if model.endswith(".gguf") else model


async def ask(launch: Launch, question: str, session: StoredSession | None) -> int:
    """Answer one question on standard output; return the exit code. Raises our errors."""
    from llmterm.ask import Ask
    from llmterm.chat.terminal import Signals

    if session is not None and session.answer is not None:
        raise UsageError(
            f"session {session.id} has an answer that is not over",
            hint="open it in a terminal: llmterm chat --continue",
        )
    providers = registry(launch.settings, launch.environ)
    sessions = store(launch.environ)
    signals = Signals()
    me = asyncio.current_task()
    assert me is not None
    signals.install(me)
    write, think = _writer(sys.stdout), _writer(sys.stderr)
    try:
        provider = providers.get(launch.provider)
        preparation = provider.preparation(launch.model)
        if preparation and sys.stderr.isatty():
            notice(f"{preparation} …")
        await Ask(
            provider=provider,
            store=sessions,
            limits=launch.settings.stream.limits(),
            write=write,
            think=think,
            notice=notice,
        ).run(
            session.conversation if session else Conversation(system=launch.settings.system),
            question,
            model=launch.model,
            options=launch.options,
            marker=launch.marker,
            session=session.id if session else None,
        )
        if sys.stdout.isatty():
            write("\n")
    except BrokenPipeError:
        _let_go()  # the reader has had enough
    except asyncio.CancelledError:
        if signals.received is None:
            raise
        return 128 + signals.received
    except OSError as error:
        _let_go()
        raise UsageError(f"the answer cannot be written: {error.strerror}", hint="it is kept in the session") from None
    finally:
        signals.remove()
        await providers.aclose()
        sessions.close()
    return 0


def _writer(stream: TextIO) -> Callable[[str], None]:
    """Return what writes text to `stream`: as it is, but on a terminal made harmless."""
    out = stream.buffer
    sanitizer = None
    if stream.isatty():
        from llmterm.render.sanitize import Sanitizer

        sanitizer = Sanitizer()

    def write(text: str) -> None:
        out.write((sanitizer.feed(text) if sanitizer else text).encode("utf-8", "replace"))
        out.flush()

    return write


def _let_go() -> None:
    """Forget standard output: what Python still holds for it must not raise again at exit."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def notice(line: str) -> None:
    """Say a line on standard error. It may hold what a server has said: nothing in it is executed."""
    from llmterm.render.sanitize import clean

    sys.stderr.write(f"llmterm: {clean(line)}\n")


async def chat(launch: Launch, session: StoredSession | None, providers: ProviderRegistry | None = None) -> int:
    """Chat in this terminal, with other providers than the settings' if given; return the exit code."""
    from llmterm.chat.terminal import Signals, Terminal
    from llmterm.keys.terminal import TerminalKeys

    settings = launch.settings
    look = Look.of(settings, launch.environ)
    queue: asyncio.Queue[Key] = asyncio.Queue()
    source = TerminalKeys(queue=queue)
    providers = providers or registry(settings, launch.environ)
    sessions = store(launch.environ)
    signals = Signals()
    me = asyncio.current_task()
    assert me is not None
    async with AsyncExitStack() as stack:
        stack.callback(sessions.close)
        stack.push_async_callback(providers.aclose)
        hotkeys = await _hotkeys(settings, queue, stack)
        with Terminal(sys.stdin.fileno(), _write, escapes=not look.plain) as terminal:
            signals.install(me)
            try:
                return await _build(
                    launch, look, terminal, source, queue if hotkeys else None, providers, sessions
                ).run(session)
            except asyncio.CancelledError:
                if signals.received is None:
                    raise
                if not os.isatty(sys.stdout.fileno()):
                    _let_go()  # the terminal has hung up
                return 128 + signals.received
            finally:
                signals.remove()


def _build(
    launch: Launch,
    look: Look,
    terminal: Terminal,
    source: TerminalKeys,
    chords: asyncio.Queue[Key] | None,
    providers: ProviderRegistry,
    sessions: SessionStore,
) -> Chat:
    from llmterm.chat.answering import Choices
    from llmterm.chat.app import Chat
    from llmterm.chat.decision import Interrupts
    from llmterm.chat.stage import Stage

    interrupts = Interrupts(time.monotonic)
    view = _view(look)

    def suspend() -> None:
        view.displaced()
        terminal.suspend()

    def prompt(commands: Commands) -> Prompt:
        if look.plain:
            from llmterm.chat.lines import LinePrompt

            return LinePrompt(keys=source, write=_write, suspend=suspend, interrupts=interrupts)
        from llmterm.chat.prompt import TerminalPrompt

        return TerminalPrompt(
            source=source.input,
            history=config.data_dir(launch.environ) / "history",
            complete=commands.complete,
            suspend=suspend,
            interrupts=interrupts,
            color=look.color,
        )

    return Chat(
        registry=providers,
        store=sessions,
        prompt=prompt,
        stage=Stage(view=view, keys=source, interrupts=interrupts, clock=time.monotonic),
        view=view,
        chords=chords,
        suspend=suspend,
        retake=terminal.take,
        clear_screen=lambda: None if look.plain else _write("\x1b[H\x1b[2J"),
        choices=Choices(provider=launch.provider, model=launch.model, options=launch.options, named=launch.named),
        system=launch.settings.system,
        marker=launch.marker,
        limits=launch.settings.stream.limits(),
    )


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


def _view(look: Look) -> View:
    from llmterm.chat.view import MarkdownView, PlainView

    if look.plain:
        return PlainView(write=_write)
    from llmterm.render.cells import cell_len
    from llmterm.render.markdown import MarkdownRenderer
    from llmterm.render.screen import Screen

    return MarkdownView(
        screen=Screen(write=_write, size=_size, reflows=look.reflows, cell_len=cell_len),
        size=_size,
        renderer=lambda width: MarkdownRenderer(width=width, color=look.color),
        color=look.color,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What the terminal can do and the user wants to see."""

    plain: bool
    color: bool
    reflows: bool

    @classmethod
    def of(cls, settings: Settings, environ: Mapping[str, str]) -> Self:
        plain = settings.chat.plain or environ.get("TERM", "dumb") in ("", "dumb")
        return cls(
            plain=plain,
            color=not plain and not environ.get("NO_COLOR"),
            reflows=any(environ.get(name) for name in _REFLOWING) or environ.get("TERM_PROGRAM") in _REFLOWING_PROGRAMS,
        )


def _size() -> tuple[int, int]:
    try:
        columns, rows = os.get_terminal_size(sys.stdout.fileno())
    except OSError:
        return 80, 24
    return columns or 80, rows or 24


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
