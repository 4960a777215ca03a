"""A provider that stands before another one, and is that in all but what it does otherwise."""

from __future__ import annotations

from collections.abc import Sequence

from llmterm.messages import Continuation, Cursor, Request, StreamLimits, Usage
from llmterm.progress import Progress
from llmterm.providers import EventStream, Provider
from llmterm.providers.attachments import Accepts


class ProviderAround:
    """Hands everything on to `provider`."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    @property
    def name(self) -> str:
        return self._provider.name

    def continuation(self, model: str) -> Continuation:
        return self._provider.continuation(model)

    def says_stop(self, model: str) -> bool:
        return self._provider.says_stop(model)

    def accepts(self, model: str) -> Accepts:
        return self._provider.accepts(model)

    def cannot_prefill(self, model: str) -> None:
        self._provider.cannot_prefill(model)

    def stop(self, cursor: Cursor) -> None:
        self._provider.stop(cursor)

    def preparation(self, model: str) -> str:
        return self._provider.preparation(model)

    async def open(self, request: Request, limits: StreamLimits, progress: Progress) -> EventStream:
        return await self._provider.open(request, limits, progress)

    def cost(self, model: str, usage: Usage) -> float | None:
        return self._provider.cost(model, usage)

    async def models(self) -> Sequence[str]:
        return await self._provider.models()

    async def aclose(self) -> None:
        await self._provider.aclose()
