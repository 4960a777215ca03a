"""The commands about the last question: to ask it again, or others too, to edit it, or to go back to before it.

What was asked and answered stays, as a version: see `versions`.
"""

from __future__ import annotations

from collections.abc import Sequence

from llmterm.chat.commands import Command
from llmterm.chat.commands.options import provider_names
from llmterm.chat.context import Context
from llmterm.chat.machine import Others
from llmterm.chat.outcome import Ask, Fill, Open, Outcome, Say, Word
from llmterm.chat.status import EDITING
from llmterm.chat.suggestion import Choice
from llmterm.errors import UsageError

# Each of those who are compared has a digit on the keyboard.
_MOST = 9


def commands() -> list[Command]:
    return [
        Command(name="retry", summary="ask the last question again", run=_retry, leaves=True),
        Command(
            name="compare",
            argument="[MODELS]",
            summary="have others answer the last question, too",
            run=_compare,
            values=_others,
            leaves=True,
        ),
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


async def _others(context: Context, typed: str) -> Sequence[Choice]:
    """Return what the last of several names may be, behind those before it."""
    before = typed[: typed.rfind(" ") + 1]
    return [(f"{before}{name}", about) for name, about in await provider_names(context, "")]


async def _compare(context: Context, argument: str) -> Outcome:
    session, choices = context.session, context.choices
    models = argument.split() or choices.fallback
    if not models:
        raise UsageError("who else is to answer?", hint="/compare openai anthropic/MODEL")
    if len(models) > _MOST:
        raise UsageError(f"at most {_MOST} can answer at once, not {len(models)}")
    await session.restore()
    asked = await session.asked()
    beside = await context.machine.compare(
        Others(
            asked=asked,
            models=models,
            provider=choices.provider,
            registry=context.registry,
            options=choices.options,
            limits=context.settings.limits,
        )
    )
    return Open(beside.stored, since=asked.size, said=beside.said)


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
