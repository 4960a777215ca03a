"""The user's own pager, for a text of ours."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping

from llmterm.chat.editor import command
from llmterm.errors import UsageError

_FALLBACKS = ("less", "more")
# What `less` does where the user has not said: colours as they are, and no screen of its own for a short text.
_LESS = "-RF"


async def page(text: str, environ: Mapping[str, str], *, give: Callable[[], None], retake: Callable[[], None]) -> None:
    """Show `text` in `$PAGER`. `give` and `retake` hand the terminal over and take it back.

    Raises UsageError where the pager cannot be run.
    """
    words = command(environ, ("PAGER",), _FALLBACKS, "pager")
    give()
    try:
        pager = await asyncio.create_subprocess_exec(
            *words, stdin=asyncio.subprocess.PIPE, env={"LESS": _LESS, **environ}
        )
        await pager.communicate(text.encode("utf-8", "replace"))
    except OSError as error:
        raise UsageError(f"{words[0]} cannot be used: {error}", hint="set PAGER") from None
    finally:
        retake()
    if pager.returncode:
        raise UsageError(f"{os.path.basename(words[0])} ended with exit code {pager.returncode}", hint="set PAGER")
