"""The models of all providers that are configured, as OpenAI's clients list them."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from llmterm import __version__
from llmterm.errors import LlmtermError
from llmterm.providers.registry import ProviderRegistry
from llmterm.serve.problems import BadRequestError
from llmterm.serve.service import answered, service_of

# Seconds that a provider which does not answer is waited for.
_PATIENCE = 5.0


def routes() -> list[BaseRoute]:
    return [
        Route("/v1/service", answered(_service), methods=["GET"]),
        Route("/v1/models", answered(_list), methods=["GET"]),
        Route("/v1/models/{model:path}", answered(_show), methods=["GET"]),
    ]


async def _service(request: Request) -> Response:
    providers = service_of(request).turns.providers
    try:
        async with asyncio.timeout(_PATIENCE):
            model = "/".join(await providers.choose())
    except (LlmtermError, TimeoutError):
        model = ""
    names = [name for name in providers.names if not providers.lacks(name)]
    return JSONResponse({"name": "llmterm", "version": __version__, "model": model, "providers": names})


async def _list(request: Request) -> Response:
    registry = service_of(request).turns.providers
    found = await asyncio.gather(*(_models(registry, name) for name in registry.names))
    return JSONResponse({"object": "list", "data": [model for models in found for model in models]})


async def _show(request: Request) -> Response:
    registry, given = service_of(request).turns.providers, request.path_params["model"]
    for model in await _models(registry, given.partition("/")[0]):
        if model["id"] == given:
            return JSONResponse(model)
    raise BadRequestError(f"there is no model {given[:80]!r}", status=404, code="model_not_found", param="model")


async def _models(registry: ProviderRegistry, name: str) -> list[dict[str, Any]]:
    """Return those of a provider; none where it lacks its key, cannot be asked, or does not answer."""
    try:
        if registry.lacks(name):
            return []
        async with asyncio.timeout(_PATIENCE):
            models = await registry.models(name)
    except (LlmtermError, TimeoutError):
        return []
    return [{"id": f"{name}/{model}", "object": "model", "created": 0, "owned_by": name} for model in models]
