"""Generations that go on at their provider without a reader: read on behind a place, and stopped there.

A stop is an errand: nobody who pauses or leaves waits for it but the end of the provider, and that not for long.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from llmterm import log
from llmterm.errors import AuthError, CursorRefusedError, LlmtermError, ModelNotFoundError, RequestRefusedError
from llmterm.messages import StreamLimits
from llmterm.progress import Progress
from llmterm.providers.wire import Background
from llmterm.transport import Call, Endpoint, FrameStream, Transport

# What a stop may take, in seconds, and how long the end of a provider waits for those on their way.
_STOPPING = StreamLimits(first_token_timeout=10.0, stream_timeout=10.0)
_PATIENCE = 2.0


class Generations:
    """Those of one provider. `call` makes a request for an answer of a model, at a path, with a key."""

    def __init__(
        self,
        background: Background | None,
        transport: Transport,
        endpoint: Endpoint,
        call: Callable[[str, str, str], Call],
    ) -> None:
        self.background = background
        self._transport = transport
        self._endpoint = endpoint
        self._call = call
        self._stopping: dict[str, asyncio.Task[None]] = {}

    async def read_on(self, place: Mapping[str, Any], model: str, key: str, limits: StreamLimits) -> FrameStream:
        """Return what comes behind a place. Raises our errors; CursorRefusedError where nothing can come there."""
        who = self._endpoint.name
        path = self.background.path(place) if self.background is not None else ""
        if not path:
            raise CursorRefusedError(f"{who} goes on with no answer", provider=who, model=model)
        try:
            return await self._transport.open(self._call(path, model, key), limits)
        except (ModelNotFoundError, RequestRefusedError, AuthError) as error:
            # Deleted since, of another account, or of a server that has no such thing.
            log.event("cursor refused", provider=who, error=str(error))
            raise CursorRefusedError(f"{who} has not kept the answer", provider=who, model=model) from None

    def stop(self, place: Mapping[str, Any], model: str, key: str = "") -> None:
        """Have the generation that has this place go on no more. Any number of times.

        It belongs to the account of a `key`, the first where it is not known which one it was.
        """
        path = self.background.stop_path(place) if self.background is not None else ""
        if path and path not in self._stopping:
            call = replace(self._call(path, model, key or self._endpoint.first_key), payload={})
            task = self._stopping[path] = asyncio.create_task(self._stop(call), name="llmterm-stop")
            task.add_done_callback(lambda _: self._stopping.pop(path))

    async def aclose(self) -> None:
        """Wait for the stops that are on their way, for a moment."""
        if pending := [*self._stopping.values()]:
            await asyncio.wait(pending, timeout=_PATIENCE)
            for task in pending:
                task.cancel()

    async def _stop(self, call: Call) -> None:
        with suppress(LlmtermError):  # it comes to its end by itself
            await self._transport.fetch(call, _STOPPING)


@dataclass(frozen=True, slots=True)
class Generation:
    """One of them, of which a stream comes: how that is gone on with where its connection breaks, and ended."""

    among: Generations
    endpoint: Endpoint
    model: str
    key: str
    limits: StreamLimits
    progress: Progress

    async def read_on(self, place: Mapping[str, Any]) -> FrameStream:
        """Return what comes behind a place, on another connection. Raises our errors."""
        frames = await self.endpoint.again(
            lambda: self.among.read_on(place, self.model, self.key, self.limits), self.progress
        )
        self.progress.watch(frames.pulse)
        return frames

    def stop(self, place: Mapping[str, Any]) -> None:
        self.among.stop(place, self.model, self.key)
