"""What the terminal can do and the user wants to see, and the view that comes of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self

from llmterm.chat.terminal import BRACKETED_PASTE, FOCUS_REPORTS
from llmterm.config import Settings

if TYPE_CHECKING:
    from llmterm.chat.view import View
    from llmterm.render.theme import ThemeName

# Terminals that lay out long lines anew when their width changes, by a variable of theirs or by TERM_PROGRAM.
_REFLOWING = ("TMUX", "VTE_VERSION", "KITTY_WINDOW_ID", "WEZTERM_PANE", "WT_SESSION", "ALACRITTY_WINDOW_ID")
_REFLOWING_PROGRAMS = ("iTerm.app", "Apple_Terminal", "ghostty", "WezTerm", "vscode")
# Terminals that show what they do not understand: Linux's own console, and what knows no colours either.
_NOT_ASKED = ("linux", "vt100", "vt102", "vt220", "ansi")
_BYTE = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """`asks`: the terminal can be asked for its background. `hint` is what the environment says of that."""

    plain: bool
    color: bool
    reflows: bool
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
            reflows=any(environ.get(name) for name in _REFLOWING) or environ.get("TERM_PROGRAM") in _REFLOWING_PROGRAMS,
            links=color and term not in _NOT_ASKED,
            asks=color and term not in _NOT_ASKED,
            hint=environ.get("COLORFGBG", ""),
            thinking=settings.chat.thinking,
            # A plain chat is for those who can do without all else; but pasted lines are one message there, too.
            modes=() if term in ("", "dumb") else (BRACKETED_PASTE,) if plain else (BRACKETED_PASTE, FOCUS_REPORTS),
        )

    def theme(self, wanted: str, background: tuple[float, float, float] | None) -> ThemeName:
        """Return the theme: the one that is wanted, else what fits the background, as far as that is known."""
        from llmterm.render.theme import of_background, of_colorfgbg

        match wanted:
            case "dark" | "light":
                return wanted
            case _ if background is not None:
                red, green, blue = (round(share * _BYTE) for share in background)
                return of_background(red, green, blue)
            case _:
                return of_colorfgbg(self.hint) or "dark"

    def view(self, theme: Callable[[], ThemeName]) -> View:
        """Return the view; `theme` is asked again for every answer."""
        if self.plain:
            from llmterm.chat.plainview import PlainView

            return PlainView(write=write)
        from llmterm.chat.view import MarkdownView
        from llmterm.render.cells import cell_len
        from llmterm.render.markdown import MarkdownRenderer
        from llmterm.render.screen import Screen
        from llmterm.render.theme import THEMES

        def renderer(width: int) -> MarkdownRenderer:
            return MarkdownRenderer(
                width=width,
                color=self.color,
                theme=THEMES[theme()],
                links=self.links,
                thinking=self.thinking,
            )

        return MarkdownView(
            screen=Screen(write=write, size=size, reflows=self.reflows, cell_len=cell_len),
            size=size,
            renderer=renderer,
            color=self.color,
        )


def size() -> tuple[int, int]:
    """Return the columns and rows of the terminal."""
    try:
        columns, rows = os.get_terminal_size(sys.stdout.fileno())
    except OSError:
        return 80, 24
    return columns or 80, rows or 24


def write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
