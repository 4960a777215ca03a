"""What is done on the spot when a command comes to it."""

from __future__ import annotations

from pathlib import Path
from typing import assert_never

from llmterm.chat.input import InputLine
from llmterm.chat.live import Live
from llmterm.chat.outcome import Effect, Fill, Say, Show, Word, Write
from llmterm.errors import UsageError
from llmterm.files import write
from llmterm.threads import in_thread


async def perform(effect: Effect, live: Live, line: InputLine) -> None:
    """Do it. Raises UsageError for a file that cannot be written."""
    view = live.view
    match effect:
        case Word.DONE:
            pass
        case Say(text):
            view.say(text)
        case Show(message):
            await live.show(message)
        case Fill(text, held, note):
            if held:
                line.queue.hold(text)
            else:
                line.append(text)
            if note:
                view.note(note)
        case Write(path, text):
            view.say(await _written(path, text, line))
        case _:
            assert_never(effect)


async def _written(path: Path, text: str, line: InputLine) -> str:
    """Write the file, over one that is there only if the user says so; return what has become of it."""
    if await in_thread(path.exists) and not await line.confirm(f"{path} is there already: write over it?"):
        return f"{path} is as it was"
    try:
        await in_thread(write, path, text)
    except (OSError, RuntimeError, ValueError) as error:
        raise UsageError(f"{path} cannot be written: {getattr(error, 'strerror', error)}") from None
    return f"written to {path}"
