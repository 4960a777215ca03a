"""All commands of the chat, under the headings that they have in the help."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from llmterm.chat.commands import (
    Command,
    Commands,
    attachments,
    info,
    options,
    output,
    paused,
    question,
    seams,
    sessions,
    versions,
)
from llmterm.chat.context import Context
from llmterm.chat.decision import Leave
from llmterm.chat.outcome import Outcome


def catalogue(keys: Mapping[str, str], *, refused: Collection[str] = ()) -> Commands:
    """Return them; `keys` are those of the commands at a pause and of versions, by their names.

    Those that are `refused` say that they cannot be, where the chat is attached to a service.
    """

    def help_lines() -> list[str]:
        return found.help()

    found = Commands(
        {
            "who answers, and how": options.commands(),
            "an answer at rest": [*paused.commands(keys), *seams.commands()],
            "the last question": [*question.commands(), *versions.commands(keys)],
            "files and clipboard": [*attachments.commands(), *output.commands()],
            "sessions": sessions.commands(),
            "what there is": info.commands(help_lines),
            "the end": [
                *sessions.ending(),
                Command(name="quit", summary="leave (Ctrl-D does too)", run=_quit),
                Command(name="exit", summary="leave, as elsewhere", run=_quit),
            ],
        },
        refused=refused,
    )
    return found


async def _quit(_context: Context, _argument: str) -> Outcome:
    return Leave()
