"""Builds a chat in this terminal."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Self

from llmterm import config
from llmterm.assembly.launch import Launch, store, with_model
from llmterm.assembly.roster import cached, registry
from llmterm.assembly.streams import let_go, notice
from llmterm.config import Settings
from llmterm.errors import ConfigError
from llmterm.keys import Key
from llmterm.providers.registry import ProviderRegistry
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


async def chat(launch: Launch, session: StoredSession | None, providers: ProviderRegistry | None = None) -> int:
    """Chat in this terminal, with other providers than the settings' if given; return the exit code."""
    from llmterm.chat.terminal import Signals, Terminal
    from llmterm.keys.terminal import TerminalKeys

    settings = launch.settings
    look = Look.of(settings, launch.environ)
    queue: asyncio.Queue[Key] = asyncio.Queue()
    source = TerminalKeys(queue=queue)
    sessions = store(launch.environ)
    providers = providers or registry(settings, launch.environ, wrap=cached(settings, sessions))
    signals = Signals()
    me = asyncio.current_task()
    assert me is not None
    async with AsyncExitStack() as stack:
        stack.callback(sessions.close)
        stack.push_async_callback(providers.aclose)
        launch = await with_model(launch, providers)
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
                    let_go()  # the terminal has hung up
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
    from llmterm.chat.app import Chat
    from llmterm.chat.choosing import Choices
    from llmterm.chat.decision import Interrupts
    from llmterm.chat.stage import Stage

    bound = asdict(launch.settings.keys)
    if len(set(bound.values())) < len(bound):
        raise ConfigError("two commands in [keys] are on the same key", hint=", ".join(map("=".join, bound.items())))
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

    choices = Choices(
        provider=launch.provider,
        model=launch.model,
        options=launch.options,
        fallback=launch.settings.fallback,
        pause_mode=launch.settings.chat.pause_mode,
        hold_limit=launch.settings.chat.hold_limit,
        auto_resume=launch.settings.chat.auto_resume,
        named=launch.named,
    )
    return Chat(
        registry=providers,
        store=sessions,
        prompt=prompt,
        stage=Stage(
            view=view,
            keys=source,
            interrupts=interrupts,
            clock=time.monotonic,
            holds=lambda: choices.pause_mode == "hold",
        ),
        view=view,
        chords=chords,
        suspend=suspend,
        retake=terminal.take,
        clear_screen=lambda: None if look.plain else _write("\x1b[H\x1b[2J"),
        choices=choices,
        system=launch.settings.system,
        marker=launch.marker,
        limits=launch.settings.stream.limits(),
        edit=lambda text: _edit(text, launch, terminal),
        keys=bound,
    )


async def _edit(text: str, launch: Launch, terminal: Terminal) -> str:
    from llmterm.chat.editor import edit

    return await edit(text, launch.environ, give=terminal.restore, retake=terminal.take)


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
