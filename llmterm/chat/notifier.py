"""Tells somebody who looks elsewhere that a long answer has ended: by the bell, or as the desktop's notification."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol, TypeAlias

from llmterm.render.sanitize import clean

Notification: TypeAlias = Literal["off", "bell", "osc9", "osc777"]
_TITLE = "llmterm"


def sequence(kind: Notification, text: str) -> str:
    """Return what makes the terminal notify its user.

    OSC 9: https://iterm2.com/documentation-escape-codes.html; OSC 777: urxvt's and foot's "notify". A semicolon would
    begin another field, so there is none.
    """
    words = clean(text).replace("\n", " ").replace("\t", " ").replace(";", ",")
    return {"off": "", "bell": "\a", "osc9": f"\x1b]9;{words}\a", "osc777": f"\x1b]777;notify;{_TITLE};{words}\a"}[kind]


class Focused(Protocol):
    @property
    def focused(self) -> bool | None:
        """Whether the terminal has the focus, None where it does not say."""
        ...


class Notifier:
    """Notifies where the terminal has said that it lost the focus, after answers of `after` seconds and more."""

    def __init__(
        self,
        *,
        kind: Notification,
        after: float,
        terminal: Focused,
        write: Callable[[str], None],
    ) -> None:
        """`write` writes to the terminal."""
        self._kind = kind
        self._after = after
        self._terminal = terminal
        self._write = write

    def ended(self, text: str, seconds: float) -> None:
        """An answer has ended, after so long, and `text` says how."""
        if self._kind != "off" and seconds >= self._after and self._terminal.focused is False:
            self._write(sequence(self._kind, text))
