"""Who reads what the service tells, as long as they do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from llmterm.errors import UsageError
from llmterm.serve.frames import STREAM_HEADERS


class CrowdedError(UsageError):
    """There are as many readers as the service may have."""


class Readers:
    """Those that read now, `most` of them at once."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.now = 0

    def stream(self, content: AsyncIterator[bytes]) -> StreamingResponse:
        """Return the answer that has somebody read `content`. Raises CrowdedError."""
        self._require_room()
        return _Stream(self, content)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Count somebody who reads, inside. Raises CrowdedError."""
        self._require_room()
        self.now += 1
        try:
            yield
        finally:
            self.now -= 1

    def _require_room(self) -> None:
        if self.now >= self._most:
            raise CrowdedError("too many are reading", hint="try again in a moment")


class _Stream(StreamingResponse):
    """Server-sent events for one reader."""

    def __init__(self, readers: Readers, content: AsyncIterator[bytes]) -> None:
        super().__init__(content, media_type="text/event-stream", headers=STREAM_HEADERS)
        self._readers = readers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._readers.now += 1
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._readers.now -= 1
