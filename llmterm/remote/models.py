"""The models of a service: chosen here, and asked there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from llmterm.errors import UsageError
from llmterm.messages import Continuation, Cursor, Request, StreamLimits, Usage
from llmterm.progress import Progress
from llmterm.providers import EventStream
from llmterm.providers.attachments import Accepts
from llmterm.providers.registry import Entry, ProviderRegistry
from llmterm.remote.service import Service


class RemoteProvider:
    """One of the service's. It is named, and its models are listed; only the service can ask it."""

    def __init__(self, name: str, service: Service) -> None:
        self.name = name
        self._service = service

    async def models(self) -> Sequence[str]:
        found = (await self._service.get("/v1/models"))["data"]
        return [each["id"].partition("/")[2] for each in found if each["owned_by"] == self.name]

    def preparation(self, model: str) -> str:
        return ""

    async def aclose(self) -> None:
        pass

    def continuation(self, model: str) -> Continuation:
        self._refuse()

    def says_stop(self, model: str) -> bool:
        self._refuse()

    def accepts(self, model: str) -> Accepts:
        self._refuse()

    def cannot_prefill(self, model: str) -> None:
        self._refuse()

    def stop(self, cursor: Cursor) -> None:
        self._refuse()

    async def open(self, request: Request, limits: StreamLimits, progress: Progress) -> EventStream:
        self._refuse()

    def cost(self, model: str, usage: Usage) -> float | None:
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise UsageError(f"{self.name} is the service's to ask")


def registry(service: Service, known: Mapping[str, Any]) -> tuple[ProviderRegistry, tuple[str, str]]:
    """Return the providers of a service by what it says of itself, and who answers there where nobody is named."""
    provider, _, model = str(known["model"]).partition("/")

    def entry(name: str) -> Entry:
        return Entry(build=lambda: RemoteProvider(name, service), model=model if name == provider else "")

    names = dict.fromkeys([*filter(None, [provider]), *map(str, known["providers"])])
    return ProviderRegistry({name: entry(name) for name in names}), (provider, model)
