"""The answer that is open in the chat: how far the screen is in it, and what it was before it was changed."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING

from llmterm.errors import UsageError
from llmterm.events import Notice
from llmterm.messages import Reply
from llmterm.states import AT_REST

if TYPE_CHECKING:
    from llmterm.chat.host import Played


class Answer:
    """`reader` is the screen's, and the turn waits for it."""

    def __init__(self, turn: Played) -> None:
        self.turn = turn
        self.reader = turn.reader()
        self.reader.skip()  # of an earlier run, and on the screen already
        # What the answer was before each change, the last one last.
        self._before: deque[Reply] = deque()

    @property
    def reply(self) -> Reply:
        return self.turn.reply

    @property
    def shown(self) -> str:
        """The answer as far as it is on the screen."""
        return self.reply.body.slice(0, self.reader.text)

    async def cut(self) -> None:
        """End an answer that is only held where it was shown; nothing is to be cut of any other."""
        if self.reader.held:
            await self.turn.pause(upto=self.reader.text)
            self.reader.let_go()

    def let_go(self) -> None:
        """Go on showing what was held."""
        self.reader.let_go()

    async def rewrite(self, text: str) -> None:
        await self._change(self.reply.rewrite(text))

    async def unseam(self, number: int) -> None:
        """Give back what was changed at the seam of that number. Raises UsageError where there is none."""
        await self._change(unseamed(self.reply, number))

    @property
    def changed(self) -> bool:
        """Whether there is a change to `restore`."""
        return bool(self._before)

    async def restore(self) -> None:
        """Take back the last change. What the answer was until now is not lost: it comes again after all others."""
        self._before.appendleft(self.reply)
        await self.turn.rewrite(self._before.pop())

    @property
    def unread(self) -> bool:
        """Whether the screen has more to show of it; of one at rest that is text alone."""
        return bool(self.reader.unread) if self.turn.state in AT_REST else not self.reader.at_end

    def passed_over(self) -> Iterator[Notice]:
        """Take what is not read for seen, as whoever has changed the answer has shown it; yield what is to be said."""
        for entry in self.reader.pending():
            if isinstance(entry.event, Notice) and not entry.event.passing:
                yield entry.event

    async def _change(self, reply: Reply) -> None:
        self._before.append(self.reply)
        await self.turn.rewrite(reply)


def unseamed(reply: Reply, number: int) -> Reply:
    """Return `reply` with the seam of that number, from 1, undone. Raises UsageError where nothing was changed."""
    segment = reply.segments[number - 1] if 0 < number <= len(reply.segments) else None
    if segment is None or not (segment.cut or segment.added):
        raise UsageError(f"nothing was changed at seam {number}", hint="/seams lists those that were")
    return reply.unseam(number - 1)
