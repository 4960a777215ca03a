"""`/seams`: where a continued answer was joined, and the way back from what was changed there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from llmterm.chat.commands import Command
from llmterm.chat.pausing import Pausing, unseamed
from llmterm.chat.session import ChatSession
from llmterm.errors import UsageError
from llmterm.messages import Message, Reply


class Seaming:
    """Shows and undoes seams, of the answer at rest, else of the last one."""

    def __init__(
        self,
        *,
        session: ChatSession,
        pausing: Pausing,
        say: Callable[[str], None],
        show: Callable[[Message], Awaitable[None]],
    ) -> None:
        self._session = session
        self._pausing = pausing
        self._say = say
        self._show = show

    def commands(self) -> list[Command]:
        return [
            Command(
                name="seams",
                argument="[undo N]",
                summary="show what was changed at joins, or undo it",
                run=self._seams,
            )
        ]

    async def _seams(self, argument: str) -> None:
        turn = self._pausing.turn
        word, _, number = argument.partition(" ")
        if not word:
            reply = turn.reply if turn else Reply.of(self._session.answered)
            self._say("\n".join(_lines(reply)) or "no seam was changed: every continuation came as it is here")
            return
        if word != "undo" or not number.isdecimal():
            raise UsageError("what about the seams?", hint="/seams, or /seams undo N")
        if turn is not None:
            self._pausing.undo(int(number))
            return
        answer = self._session.answered
        whole = unseamed(Reply.of(answer), int(number)).message(answer.status)
        self._session.rewrite(whole)
        await self._show(whole)


def _lines(reply: Reply) -> list[str]:
    """Return a line for each seam at which something was changed, numbered from 1."""
    lines = []
    for number, segment in enumerate(reply.segments, 1):
        if segment.cut or segment.added:
            what = [f"cut {segment.cut!r}"] if segment.cut else []
            what += [f"added {segment.added!r}"] if segment.added else []
            lines.append(f"{number}  at character {segment.start}: {segment.seam}: {', '.join(what)}")
    return lines
