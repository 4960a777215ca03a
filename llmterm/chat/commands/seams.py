"""`/seams`: where a continued answer was joined, and the way back from what was changed there."""

from __future__ import annotations

from llmterm.chat.answer import unseamed
from llmterm.chat.commands import Command
from llmterm.chat.context import Context
from llmterm.chat.outcome import Outcome, Say, Show, Unseam
from llmterm.errors import UsageError
from llmterm.messages import Reply


def commands() -> list[Command]:
    return [
        Command(name="seams", argument="[undo N]", summary="show what was changed at joins, or undo it", run=_seams)
    ]


async def _seams(context: Context, argument: str) -> Outcome:
    answer, session = context.answer, context.session
    word, _, number = argument.partition(" ")
    if not word:
        reply = answer.reply if answer is not None else Reply.of(session.talk.answered)
        return Say("\n".join(_lines(reply)) or "no seam was changed: every continuation came as it is here")
    if word != "undo" or not number.isdecimal():
        raise UsageError("what about the seams?", hint="/seams, or /seams undo N")
    if answer is not None:
        unseamed(answer.reply, int(number))  # refuses what is none
        return Unseam(int(number))
    answered = session.talk.answered
    whole = unseamed(Reply.of(answered), int(number)).message(answered.status)
    await session.rewrite(whole)
    return Show(whole)


def _lines(reply: Reply) -> list[str]:
    """Return a line for each seam at which something was changed, numbered from 1."""
    lines = []
    for number, segment in enumerate(reply.segments, 1):
        if segment.cut or segment.added:
            what = [f"cut {segment.cut!r}"] if segment.cut else []
            what += [f"added {segment.added!r}"] if segment.added else []
            lines.append(f"{number}  at character {segment.start}: {segment.seam}: {', '.join(what)}")
    return lines
