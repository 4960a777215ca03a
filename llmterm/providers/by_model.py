"""A provider that speaks to some of its models over another API than to the others, at the same address."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from llmterm.messages import Continuation, Cursor, Request, StreamLimits
from llmterm.progress import Progress
from llmterm.providers.attachments import Accepts
from llmterm.providers.http import HttpProvider
from llmterm.providers.retrying import RetryingStream
from llmterm.providers.stream import WireStream
from llmterm.providers.wire import Wire
from llmterm.transport import Endpoint, Transport


class ByModelProvider(HttpProvider):
    """An `HttpProvider` that leaves the models for which `others` holds to one with another wire."""

    def __init__(
        self,
        transport: Transport,
        wire: Wire,
        endpoint: Endpoint,
        *,
        other: Wire,
        others: Callable[[str], bool],
        **about: Any,
    ) -> None:
        super().__init__(transport, wire, endpoint, **about)
        self._other = HttpProvider(transport, other, endpoint, **about)
        self._others = others

    def continuation(self, model: str) -> Continuation:
        return self._other.continuation(model) if self._others(model) else super().continuation(model)

    def says_stop(self, model: str) -> bool:
        return self._other.says_stop(model) if self._others(model) else super().says_stop(model)

    def accepts(self, model: str) -> Accepts:
        return self._other.accepts(model) if self._others(model) else super().accepts(model)

    def stop(self, cursor: Cursor) -> None:
        self._other.stop(cursor)  # nothing goes on over the usual one

    async def open(self, request: Request, limits: StreamLimits, progress: Progress) -> RetryingStream:
        if self._others(request.model):
            return await self._other.open(request, limits, progress)
        return await super().open(request, limits, progress)

    async def alone(self, request: Request) -> tuple[str, Mapping[str, Any]]:
        return await (self._other.alone(request) if self._others(request.model) else super().alone(request))

    def answered(self, model: str, body: str) -> WireStream:
        return self._other.answered(model, body) if self._others(model) else super().answered(model, body)

    async def aclose(self) -> None:
        try:
            await self._other.aclose()
        finally:
            await super().aclose()
