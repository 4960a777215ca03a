"""What of the user's machine a chat can be told to use."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from llmterm.messages import Attachment


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Editor, pager, clipboard and the rest. All of them may raise UsageError.

    `edit` gives a text back as the user's editor left it, `page` shows one in the pager, `copy` puts one into the
    clipboard and says where that is, `paste` gives what is in there, a text or an image. `examine` gives the lines
    of a doctor's report. `suspend` stops the program as Ctrl-Z does. Relative paths begin in `folder`. `mask` hides the
    program's secrets in what is given away.
    """

    edit: Callable[[str], Awaitable[str]]
    page: Callable[[str], Awaitable[None]]
    copy: Callable[[str], Awaitable[str]]
    paste: Callable[[], Awaitable[str | Attachment | None]]
    examine: Callable[[], Awaitable[list[str]]]
    suspend: Callable[[], None]
    folder: Path
    mask: Callable[[str], str]
