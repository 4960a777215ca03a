"""Google's API as a provider: an `HttpProvider` over one of its two interfaces, content (`gemini`) or `interactions`.

Lists of models are read to their last page, and requests for content are worded by google-genai where that is wanted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal
from urllib.parse import quote

from llmterm.address import joined
from llmterm.errors import ProtocolError
from llmterm.messages import Request, StreamLimits
from llmterm.progress import Progress
from llmterm.providers import gemini, interactions
from llmterm.providers.genai import Genai
from llmterm.providers.http import HttpProvider, ModelFacts
from llmterm.providers.learned import Learned
from llmterm.providers.wire import Wire
from llmterm.transport import Call, Endpoint, FrameStream, Transport
from llmterm.transport.failures import too_slow

_MOST_MODELS = 10_000


class GoogleProvider(HttpProvider):
    """An `HttpProvider` that reads lists of models to their last page, and has its requests worded by google-genai."""

    def __init__(
        self, transport: Transport, wire: Wire, endpoint: Endpoint, genai: Genai | None = None, **about: Any
    ) -> None:
        """Without `genai` a request is what the wire says."""
        if genai is not None:
            payload = wire.payload
            wire = replace(wire, payload=lambda request: genai.worded(request.model, payload(request)))
        super().__init__(transport, wire, endpoint, **about)
        self._genai = genai

    async def alone(self, request: Request) -> tuple[str, Mapping[str, Any]]:
        await self._load()
        return await super().alone(request)

    async def _sent(
        self, request: Request, key: str, wire: Wire, limits: StreamLimits, progress: Progress
    ) -> FrameStream:
        await self._load()
        return await super()._sent(request, key, wire, limits, progress)

    async def _load(self) -> None:
        if self._genai is not None:
            await self._genai.load()

    async def _listed(self, call: Call, limits: StreamLimits) -> Sequence[str]:
        """Read page by page: each has its own time and size; their number is the server's to choose."""
        names: list[str] = []
        page = call
        try:
            async with asyncio.timeout(limits.stream_timeout):
                while len(names) < _MOST_MODELS:
                    body = await self._transport.fetch(page, limits)
                    if not _is_list(body):
                        what = f"{call.who}: what came from {call.address} is no list of models"
                        raise ProtocolError(what, hint="check the base URL", provider=call.who)
                    names += gemini.models(body)
                    after = body.get("nextPageToken")
                    if not isinstance(after, str) or not after:
                        break
                    page = replace(call, url=joined(call.url, f"?pageToken={quote(after, safe='')}"))
        except TimeoutError:
            raise too_slow(call, limits.stream_timeout) from None
        return names


def _is_list(body: Any) -> bool:
    listed = body.get("models", []) if isinstance(body, Mapping) else None
    return isinstance(listed, list) and all(
        isinstance(each, Mapping) and isinstance(each.get("name"), str) for each in listed
    )


def provider(
    transport: Transport,
    endpoint: Endpoint,
    *,
    base_url: str,
    interacting: bool = False,
    client: Literal["sdk", "wire"] = "sdk",
    needs_key: str = "",
    facts: ModelFacts | None = None,
    learned: Learned | None = None,
    secrets: Iterable[str] = (),
    api_version: str = "v1",
) -> HttpProvider:
    """Return the provider, over Interactions where it is `interacting`; else the `client` words what it asks for.

    `api_version` is that of GOOGLE_GENAI_API_VERSION, in which the SDK calls v1beta by a short name, too.
    """
    version = "v1beta" if api_version == "beta" else api_version
    return GoogleProvider(
        transport,
        interactions.wire(version) if interacting else gemini.wire(version),
        endpoint,
        Genai(endpoint.name) if client == "sdk" and not interacting else None,
        base_url=base_url,
        needs_key=needs_key,
        facts=facts,
        learned=learned,
        secrets=secrets,
    )
