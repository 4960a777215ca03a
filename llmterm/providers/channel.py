"""WebSockets on which a Responses API answers, one question at a time on each, and what is kept of them in between.

https://developers.openai.com/api/docs/guides/websocket-mode. The events are those of the stream over HTTP, a message
each. A server keeps what it has answered on a connection for as long as that stands, stored or not: so one is kept for
a conversation, and is told only what is new. It stands for an hour at most.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from llmterm.providers.chain import Chain, Fingerprint
from llmterm.pulse import Pulse
from llmterm.untrusted import parsed

if TYPE_CHECKING:
    from llmterm.transport.websocket import WebSocket

# More of an answer. In the text of one, the quotes would be escaped; whatever else there is, there is little of.
_DELTA = re.compile(rb'"type"\s*:\s*"response\.[\w.]+\.delta"')
# No question is asked on one that is so old, in seconds: its server closes it after an hour.
_OLD = 55 * 60.0
# So many are kept that nothing is asked on.
_KEPT = 4

Event = Mapping[str, Any]


class Channel:
    """A WebSocket that was opened with these `headers`. `chain` is what the next question on it can be asked behind."""

    def __init__(self, socket: WebSocket, headers: Mapping[str, str]) -> None:
        self.headers = headers
        self.chain: Chain | None = None
        self._socket = socket
        self._old = asyncio.get_running_loop().time() + _OLD

    @property
    def alive(self) -> bool:
        """Whether a question can be asked on it, as far as is known."""
        return self._socket.alive and asyncio.get_running_loop().time() < self._old

    def beat(self, pulse: Pulse) -> None:
        """Tell `pulse` of signs of life besides messages."""
        self._socket.beat(pulse)

    async def send(self, kind: str, **about: Any) -> None:
        """Send a message. Raises NetworkError."""
        await self._socket.send({"type": kind, **about})

    async def next(self) -> tuple[bytes, Event]:
        """Wait for a message; return it, and what it says unless that is only more of an answer.

        An empty one is the end of the connection. Raises our errors.
        """
        message = await self._socket.receive()
        if _DELTA.search(message):
            return message, {}
        try:
            event = parsed(message)
        except ValueError:
            event = None  # the wire finds no sense in it, either
        return message, event if isinstance(event, dict) else {}

    async def aclose(self) -> None:
        await self._socket.aclose()

    async def break_off(self) -> None:
        """Close it at once: there is no other word for an answer that is not wanted any more."""
        await self._socket.break_off()


class Channels:
    """All of a provider: those on which it answers, and those that are kept, the one that was used last at the end."""

    def __init__(self) -> None:
        self._busy: set[Channel] = set()
        self._kept: list[Channel] = []

    def add(self, channel: Channel) -> Channel:
        """Take in a new one, on which something is asked."""
        self._busy.add(channel)
        return channel

    async def take(self, headers: Mapping[str, str], model: str, said: Sequence[Fingerprint]) -> Channel | None:
        """Return the one for a conversation, None where that needs another one.

        It was opened with the same headers: with that key, and what is told besides of that model. It goes on with the
        conversation, or at least has begun as that did, or knows none; where as many are kept as may be, it is the one
        that was not used for the longest.
        """
        for gone in [each for each in self._kept if not each.alive]:
            self._kept.remove(gone)
            await gone.break_off()
        own = [each for each in reversed(self._kept) if each.headers == headers]
        found = next((each for each in own if each.chain and each.chain.holds(model, said)), None)
        found = found or next((each for each in own if each.chain is None or each.chain.shares(said)), None)
        if found is None and len(self._kept) >= _KEPT and own:
            found = own[-1]
        if found is not None:
            self._kept.remove(found)
            self._busy.add(found)
        return found

    async def keep(self, channel: Channel) -> None:
        """Keep one on which nothing is being answered any more; of too many one goes."""
        self._busy.discard(channel)
        self._kept.append(channel)
        while len(self._kept) > _KEPT:
            await self._kept.pop(0).break_off()

    async def forget(self) -> None:
        """Break off all that are kept."""
        kept, self._kept = self._kept, []
        for each in kept:
            await each.break_off()

    async def drop(self, channel: Channel) -> None:
        """Break one off, and forget it."""
        self._busy.discard(channel)
        await channel.break_off()

    async def aclose(self) -> None:
        """Close all: what is still being answered breaks off."""
        busy, kept, self._busy, self._kept = self._busy, self._kept, set(), []
        await asyncio.gather(*(each.break_off() for each in busy), *(each.aclose() for each in kept))


def code(event: Event) -> str:
    """Return the code of an error that an event tells of, "" where it has none."""
    about = event.get("response", event)
    error = about.get("error", about) if isinstance(about, dict) else None
    found = error.get("code") if isinstance(error, dict) else None
    return found if isinstance(found, str) else ""
