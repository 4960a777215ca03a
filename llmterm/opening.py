"""The line that can be typed into while the program is still loaded.

A terminal shows by itself what is typed, and keeps it for whoever reads; all that a chat lacks for its first fifth of a
second is the prompt. The chat draws its own over this one and takes what was typed: no key is lost. Only what is loaded
anyway is imported here.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence

_PROMPT = "> "
# With one of these no chat opens, or one whose reader reads everything that was ever written.
_NONE = {"--help", "-h", "--version", "--plain"}


class Opening:
    """The prompt of a chat that is about to open."""

    def __init__(self) -> None:
        self._shown = False

    def show(self, arguments: Sequence[str], environ: Mapping[str, str]) -> None:
        """Show it where the command line opens a chat in a terminal, and asks nothing itself."""
        options = arguments[1:] if arguments[:1] == ["chat"] else arguments
        chats = all(each.startswith("-") for each in options[:1]) and not _NONE.intersection(options)
        if chats and environ.get("TERM", "dumb") not in ("", "dumb") and sys.stdin.isatty() and sys.stdout.isatty():
            self._shown = True
            _write(_PROMPT)

    def rows(self, typed: str, height: Callable[[str], int]) -> int:
        """The chat has come, and puts its own in this place: return how many rows this takes, with what was `typed`.

        `height` gives how many a line does. The terminal shows an Enter until it is in the chat's modes, and then none.
        """
        if not self._shown:
            return 0
        self._shown = False
        return sum(map(height, (_PROMPT + typed.partition("\r")[0]).split("\n")))

    def take_back(self) -> None:
        """Leave the row as it was found, for something that is not drawn."""
        if self._shown:
            self._shown = False
            _write("\r\x1b[K")


def _write(text: str) -> None:
    try:
        os.write(sys.stdout.fileno(), text.encode("ascii"))
    except OSError:  # who comes next finds out, and says it
        return
