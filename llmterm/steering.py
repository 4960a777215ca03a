"""A word of guidance on its way into an answer that streams, which does not pause for it."""

from __future__ import annotations

import asyncio

from llmterm.providers import EventStream

_INSTRUCTION = (
    "While you were writing your answer, this was said to you about it. Go on with the answer from exactly where it "
    "stops, in the same language, format and voice; do not repeat anything and do not comment. From here on:"
)


class Steering:
    """Sends `guidance` to the answer of `stream`. What follows is for whoever reads that to take over, at its end."""

    def __init__(self, stream: EventStream, guidance: str) -> None:
        self.guidance = guidance
        self._sending = asyncio.create_task(stream.steer(f"{_INSTRUCTION} {guidance}"), name="llmterm-steer")
        self._settled = asyncio.Event()
        self._taken = False

    async def came_about(self) -> bool:
        """Wait until another answer has been taken over, or none is to be; tell which."""
        await asyncio.wait({self._sending})
        if self._follower() is not None:
            await self._settled.wait()
        return self._taken

    async def follower(self) -> EventStream | None:
        """Wait for the stream of the answer that follows; None where none does."""
        await asyncio.wait({self._sending})
        return self._follower()

    def take(self) -> None:
        """Take over what follows: it is the caller's now."""
        self._taken = True
        self._settled.set()

    async def aclose(self) -> None:
        """Wait for nothing more, and close what follows unless somebody has taken it over."""
        self._sending.cancel()
        await asyncio.wait({self._sending})
        self._settled.set()
        follower = self._follower()
        if follower is not None and not self._taken:
            await follower.aclose()

    def _follower(self) -> EventStream | None:
        return None if self._sending.cancelled() else self._sending.result()
