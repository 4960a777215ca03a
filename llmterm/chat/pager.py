"""The user's own pager, for a text of ours."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager

from llmterm.chat.editor import command, run
from llmterm.errors import UsageError

_FALLBACKS = ("less", "more")
# Colours as they are, on a screen of its own, also for a short text, whatever LESS says.
_LESS = ("-R", "-+F", "-+X")


async def page(text: str, environ: Mapping[str, str], loan: AbstractContextManager[None]) -> bool:
    """Show `text` in `$PAGER`, which has the terminal on `loan`; return whether the screen is the same again.

    Raises UsageError where it cannot be run.
    """
    words = command(environ, ("PAGER",), _FALLBACKS, "pager")
    less = os.path.basename(words[0]) == "less"
    try:
        with loan:
            code = await run([*words, *(_LESS if less else ())], text.encode("utf-8", "replace"))
    except OSError as error:
        raise UsageError(f"{words[0]} cannot be used: {error.strerror}", hint="set PAGER") from None
    if code:
        raise UsageError(f"{words[0]} ended with exit code {code}", hint="set PAGER")
    return less
