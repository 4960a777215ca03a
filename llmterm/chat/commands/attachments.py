"""The commands about what goes with the next message. (`@FILE` in the message itself does it, too.)"""

from __future__ import annotations

from collections.abc import Sequence

from llmterm.chat.commands import Command
from llmterm.chat.context import Context
from llmterm.chat.mentions import paths
from llmterm.chat.outcome import Fill, Outcome, Say
from llmterm.chat.suggestion import Choice
from llmterm.errors import UsageError
from llmterm.threads import in_thread

_NONE = "none"


def commands() -> list[Command]:
    return [
        Command(
            name="attach",
            argument="[FILE|none]",
            summary="send a file along (or write @FILE in the message)",
            run=_attach,
            values=_paths,
        ),
        Command(
            name="paste",
            summary="(Ctrl-V) take what is in the clipboard, a text or an image",
            run=_paste,
            meanwhile=True,
        ),
    ]


async def _attach(context: Context, name: str) -> Outcome:
    said = ""
    if name == _NONE:
        context.attachments.clear()
    elif name:
        said = await context.attachments.add(name)
    return Say("\n".join(filter(None, (said, _waiting(context)))))


async def _paste(context: Context, _argument: str) -> Outcome:
    found = await context.machine.paste()
    if not found:
        raise UsageError("the clipboard is empty")
    if isinstance(found, str):
        return Fill(found)
    context.attachments.add_pasted(found)
    return Say(_waiting(context))


def _waiting(context: Context) -> str:
    waiting = ", ".join(context.attachments.names)
    return f"with the next message: {waiting}" if waiting else "nothing is attached to the next message"


async def _paths(context: Context, typed: str) -> Sequence[Choice]:
    found = await in_thread(paths, typed, context.attachments.folder)
    return [*found, *([(_NONE, "nothing")] if _NONE.startswith(typed) else [])]
