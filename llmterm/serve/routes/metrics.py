"""The figures of what happens here, for Prometheus."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from llmterm.serve.service import service_of


def routes() -> list[BaseRoute]:
    return [Route("/metrics", _metrics, methods=["GET"])]


async def _metrics(request: Request) -> Response:
    service = service_of(request)
    service.turns.settle()
    written, kind = service.metrics.written(request.headers.get("accept", ""))
    return Response(written, headers={"content-type": kind})
