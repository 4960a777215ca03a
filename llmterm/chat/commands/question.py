"""The commands about the last question: to ask it again, to edit it, or to go back to before it.

What was asked and answered stays, as a version: see `versions`.
"""

from __future__ import annotations

from llmterm.chat.commands import Command
from llmterm.chat.context import Context
from llmterm.chat.outcome import Ask, Fill, Outcome, Say, Word
from llmterm.chat.status import EDITING
from llmterm.errors import UsageError


def commands() -> list[Command]:
    return [
        Command(name="retry", summary="ask the last question again", run=_retry, leaves=True),
        Command(name="undo", summary="take back the last question, or change at a pause", run=_undo),
    ]


async def edit(context: Context) -> Outcome:
    """Put the last question back into the line, to be asked in its own place."""
    session, attachments = context.session, context.attachments
    await session.restore()
    question = session.edit(left=attachments.not_again)
    attachments.again(question.attachments)
    return Fill(question.text, held=True, note=EDITING)


async def _retry(context: Context, _argument: str) -> Outcome:
    await context.session.restore()
    return Ask(context.session.edit(), again=True)


async def _undo(context: Context, _argument: str) -> Outcome:
    if context.answer is not None:
        if not context.answer.changed:
            raise UsageError("this answer was not changed", hint="Esc ends it, and /undo then takes the question back")
        return Word.RESTORE
    if await context.session.restore():
        return Say("the question that was to be edited is as it was")
    question = await context.session.take_back()
    first = question.text.strip().partition("\n")[0]
    return Say(f"taken back: {first}")
