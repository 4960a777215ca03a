"""What the terminal can do and the user wants to see, and the view that comes of it."""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, Self

from llmterm.assembly.streams import let_go
from llmterm.chat.terminal import BRACKETED_PASTE, FOCUS_REPORTS
from llmterm.config import Settings

if TYPE_CHECKING:
    from llmterm.chat.foot import Foot
    from llmterm.chat.view import View
    from llmterm.keys.terminal import TerminalKeys
    from llmterm.render.ink import Ink
    from llmterm.render.markdown import MarkdownRenderer
    from llmterm.render.screen import Screen
    from llmterm.render.theme import Theme

# Terminals that lay out long lines anew when their width changes: by a variable of theirs, by the program's name, which
# iTerm2 hands on to other machines in LC_TERMINAL, and by TERM, which every login takes along.
_REFLOWING = ("TMUX", "VTE_VERSION", "KITTY_WINDOW_ID", "WEZTERM_PANE", "WT_SESSION", "ALACRITTY_WINDOW_ID")
_REFLOWING_PROGRAMS = ("iTerm.app", "iTerm2", "Apple_Terminal", "ghostty", "WezTerm", "vscode")
_REFLOWING_TERMS = ("tmux", "xterm-kitty", "xterm-ghostty", "alacritty", "foot", "wezterm")
# Those that cut them, within others too: what the others have set in the environment stays there.
_CUTTING = ("STY", "XTERM_VERSION")
# Both, as they call themselves when they are asked: then the environment, which may be another terminal's, is not.
_NAMED_REFLOWING = ("kitty", "foot", "ghostty", "WezTerm", "iTerm2", "VTE", "tmux", "Konsole")
_NAMED_CUTTING = ("XTerm",)
# A multiplexer tells of a new size as late as this, in seconds (tmux: server_client_check_pane_resize); any other
# terminal tells of it at once.
_MULTIPLEXERS = ("tmux", "screen")
_LATE, _AT_ONCE = 0.4, 0.05
# Terminals that show what they do not understand: Linux's own console, and what knows no colours either.
_NOT_ASKED = ("linux", "vt100", "vt102", "vt220", "ansi")
_BYTE = 255
AUTO = "auto"


class Themed(Protocol):
    """What says which theme is wanted."""

    @property
    def theme(self) -> str: ...


class Look(NamedTuple):
    """`asks`: the terminal can be asked what it is and can. `hint` is what the environment says of its background.

    `reflows`: lines are laid out anew when the width changes, as far as the environment tells. `settles`: for how many
    seconds a size must have been the same to be the window's.
    """

    plain: bool
    color: bool
    reflows: bool
    settles: float
    links: bool
    asks: bool
    hint: str
    thinking: Literal["line", "full"]
    modes: tuple[int, ...]

    @classmethod
    def of(cls, settings: Settings, environ: Mapping[str, str]) -> Self:
        term = environ.get("TERM", "dumb")
        plain = settings.chat.plain or term in ("", "dumb")
        color = not plain and not environ.get("NO_COLOR")
        return cls(
            plain=plain,
            color=color,
            reflows=_reflows(environ),
            settles=_LATE if term.startswith(_MULTIPLEXERS) or environ.get("TMUX") else _AT_ONCE,
            links=color and term not in _NOT_ASKED,
            asks=not plain and term not in _NOT_ASKED,
            hint=environ.get("COLORFGBG", ""),
            thinking=settings.chat.thinking,
            # A plain chat is for those who can do without all else; but pasted lines are one message there, too.
            modes=() if term in ("", "dumb") else (BRACKETED_PASTE,) if plain else (BRACKETED_PASTE, FOCUS_REPORTS),
        )

    def reflowing(self, name: str) -> bool:
        """Tell whether a terminal that calls itself that lays out lines anew when its width changes; "" for none."""
        if name.startswith(_NAMED_REFLOWING):
            return True
        return self.reflows and not name.startswith(_NAMED_CUTTING)

    def theme(self, wanted: str, background: tuple[float, float, float] | None) -> str:
        """Return the theme's name: the one that is wanted, else what fits the background, as far as that is known.

        A multiplexer that does not tell it may stand in any terminal: there that one's own colours are sure to fit.
        """
        from llmterm.render.theme import of_background, of_colorfgbg

        if wanted != AUTO:
            return wanted
        if background is not None:
            red, green, blue = (round(share * _BYTE) for share in background)
            return of_background(red, green, blue)
        return of_colorfgbg(self.hint) or ("high-contrast" if self.settles == _LATE else "dark")

    def colors(self, settings: Settings, choices: Themed, keys: TerminalKeys) -> Callable[[], Theme]:
        """Return what gives the theme as it is now: it may be chosen, and `keys` hear of the terminal's background when
        it is told.
        """
        from llmterm.render.theme import THEMES, themed

        own = [themed(name, each.base, each.styles, each.syntax) for name, each in settings.themes.items()]
        themes: Mapping[str, Theme] = {theme.name: theme for theme in (*THEMES.values(), *own)}
        return lambda: themes[self.theme(choices.theme, keys.background)]

    def ink(self, theme: Callable[[], Theme]) -> Callable[[], Ink]:
        """Return what gives the styles of the program's own lines."""
        from llmterm.render.ink import Ink, ink

        return (lambda: ink(theme())) if self.color else Ink

    def view(
        self, theme: Callable[[], Theme], foot: Foot, redact: Callable[[str], str], name: Callable[[], str]
    ) -> View:
        """Return the view; `foot` stands below, `redact` is for the program's own lines, `name` is the terminal's."""
        if self.plain:
            from llmterm.chat.plainview import PlainView

            return PlainView(write=write, foot=foot, redact=redact)
        from llmterm.chat.view import MarkdownView

        return MarkdownView(
            screen=self.screen(name),
            size=size,
            renderer=self.renderer(theme, whole_code=True),
            foot=foot,
            ink=self.ink(theme),
            redact=redact,
        )

    def renderer(self, theme: Callable[[], Theme], *, whole_code: bool = False) -> Callable[[int], MarkdownRenderer]:
        """Return what makes a renderer of answers for a width, with `whole_code` where the terminal may wrap that."""
        from llmterm.render.markdown import MarkdownRenderer

        def renderer(width: int) -> MarkdownRenderer:
            return MarkdownRenderer(
                width=width,
                color=self.color,
                theme=theme(),
                links=self.links,
                thinking=self.thinking,
                whole_code=whole_code,
                clock=time.monotonic,
            )

        return renderer

    def screen(self, name: Callable[[], str]) -> Screen:
        """Return the screen of this terminal; `name` is what that calls itself."""
        from llmterm.render.cells import cell_len
        from llmterm.render.screen import Screen

        return Screen(
            write=write,
            size=size,
            reflows=lambda: self.reflowing(name()),
            cell_len=cell_len,
            moves=self.settles == _AT_ONCE,  # a multiplexer lays its rows out and tells of it later
        )


def _reflows(environ: Mapping[str, str]) -> bool:
    if not environ.get("TMUX") and any(environ.get(name) for name in _CUTTING):
        return False
    named = {environ.get("TERM_PROGRAM"), environ.get("LC_TERMINAL")}
    return (
        any(environ.get(name) for name in _REFLOWING)
        or not named.isdisjoint(_REFLOWING_PROGRAMS)
        or environ.get("TERM", "").startswith(_REFLOWING_TERMS)
    )


def size() -> tuple[int, int]:
    """Return the columns and rows of the terminal."""
    try:
        columns, rows = os.get_terminal_size(sys.stdout.fileno())
    except OSError:
        return 80, 24
    return columns or 80, rows or 24


def write(text: str) -> None:
    """Write to the terminal. Raises OSError, but not for one that has hung up: its signal or its end is on the way."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        let_go(sys.stdout)
