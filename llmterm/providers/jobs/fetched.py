"""An answer that is there already, as a provider that gives it: what reads it is what reads any other answer."""

from __future__ import annotations

from collections.abc import Callable

from llmterm.framing import Frame
from llmterm.messages import Request, StreamLimits, Usage
from llmterm.progress import Progress
from llmterm.providers import EventStream, Provider
from llmterm.providers.around import ProviderAround
from llmterm.providers.jobs import SHARE
from llmterm.transport import Call


class FetchedFrames:
    """The frames of a response that was one body."""

    def __init__(self, call: Call, body: str) -> None:
        self.call = call
        self._frames = [Frame("", body)]

    async def read(self) -> list[Frame]:
        return self.rest()

    def rest(self) -> list[Frame]:
        frames, self._frames = self._frames, []
        return frames

    def content_came(self) -> None:
        pass

    async def drain(self) -> None:
        pass

    async def aclose(self) -> None:
        pass


class FetchedProvider(ProviderAround):
    """Whatever it is asked, it gives the stream that `opened` returns, at the price of jobs."""

    def __init__(self, provider: Provider, opened: Callable[[], EventStream]) -> None:
        super().__init__(provider)
        self._opened = opened

    async def open(self, request: Request, limits: StreamLimits, progress: Progress) -> EventStream:
        return self._opened()

    def cost(self, model: str, usage: Usage) -> float | None:
        cost = self._provider.cost(model, usage)
        return cost if cost is None or usage.cost is not None else cost * SHARE
