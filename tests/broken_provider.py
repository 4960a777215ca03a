"""The chat with a provider that has a bug: it fails in the middle of an answer with an error that is not ours."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence

from llmterm import cli, config
from llmterm.assembly.chatting import chat
from llmterm.assembly.launch import Launch
from llmterm.messages import Continuation, Cursor, Request, StreamEvent, StreamLimits, TextDelta, Usage
from llmterm.progress import Progress
from llmterm.providers.attachments import Accepts
from llmterm.providers.registry import Entry, ProviderRegistry


class BrokenStream:
    def __init__(self) -> None:
        self._said = False

    async def read(self) -> Sequence[StreamEvent]:
        if self._said:
            raise ZeroDivisionError
        self._said = True
        return [TextDelta("half an answer")]

    def rest(self) -> Sequence[StreamEvent]:
        return ()

    async def aclose(self) -> None:
        pass

    async def detach(self) -> None:
        pass

    async def steer(self, word: str) -> None:
        pass


class BrokenProvider:
    name = "broken"

    def continuation(self, model: str) -> Continuation:
        return "instruct"

    def says_stop(self, model: str) -> bool:
        return False

    def accepts(self, model: str) -> Accepts:
        return Accepts()

    def cannot_prefill(self, model: str) -> None:
        pass

    def stop(self, cursor: Cursor) -> None:
        pass

    def preparation(self, model: str) -> str:
        return ""

    async def open(self, request: Request, limits: StreamLimits, progress: Progress) -> BrokenStream:
        return BrokenStream()

    def cost(self, model: str, usage: Usage) -> float | None:
        return None

    async def models(self) -> Sequence[str]:
        return ()

    async def aclose(self) -> None:
        pass


if __name__ == "__main__":
    launch = Launch(settings=config.Settings(), environ=os.environ, provider="broken", model="m")
    registry = ProviderRegistry({"broken": Entry(build=BrokenProvider, model="m")})
    cli.exit_with(lambda: asyncio.run(chat(launch, None, registry)))
