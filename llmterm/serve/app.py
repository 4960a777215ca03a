"""The service as an ASGI application: its routes behind its guard."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Match, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from llmterm.serve.guard import Guard
from llmterm.serve.openapi.document import document
from llmterm.serve.problems import BUG, Problem
from llmterm.serve.routes import completions, events, metrics, models, responses, sessions, sockets, stats, turns
from llmterm.serve.service import Service

_PAGE = Path(__file__).parent / "page"


def application(
    service: Service,
    *,
    token: str,
    hosts: Collection[str],
    origins: Collection[str] = (),
    report: Callable[[str], None],
) -> ASGIApp:
    """Return the application. Whoever has the `token` may use it; `report` is told of bugs."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        sweeping = asyncio.create_task(service.turns.sweep(), name="llmterm-sweep")
        try:
            yield
        finally:
            sweeping.cancel()
            with suppress(asyncio.CancelledError):
                await sweeping

    def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        words = {404: "there is nothing at that address", 405: "that cannot be done with it"}
        code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "invalid_request")
        why = Problem(
            error.status_code, "invalid_request_error", code, words.get(error.status_code, "that is no request")
        )
        allowed = {"allow": _allowed(request)} if error.status_code == 405 else {}
        service.metrics.refused(why.code)
        return JSONResponse(why.body, status_code=why.status, headers=allowed)

    def failed(request: Request, error: Exception) -> Response:
        where = traceback.extract_tb(error.__traceback__)[-1]
        report(f"a bug: {error!r} at {Path(where.filename).name}:{where.lineno} (please report it)")
        return JSONResponse(BUG.body, status_code=BUG.status)

    app = Starlette(
        routes=all_routes(),
        exception_handlers={HTTPException: refused, Exception: failed},
        lifespan=lifespan,
    )
    app.state.service = service
    return Guard(app, token=token, hosts=hosts, origins=origins, refused=service.metrics.refused)


def all_routes() -> list[BaseRoute]:
    return [
        Route("/", _page("index.html"), methods=["GET"]),
        Route("/stats", _page("stats.html"), methods=["GET"]),
        Route("/healthz", _health, methods=["GET"]),
        Route("/openapi.json", _openapi, methods=["GET"]),
        *turns.routes(),
        *sockets.routes(),
        *sessions.routes(),
        *models.routes(),
        *completions.routes(),
        *responses.routes(),
        *events.routes(),
        *stats.routes(),
        *metrics.routes(),
        Mount("/page", StaticFiles(directory=_PAGE)),
    ]


def _allowed(request: Request) -> str:
    """Return what can be done at the address of a request: routes of one path know only of themselves."""
    at_path = [route for route in all_routes() if route.matches(request.scope)[0] is not Match.NONE]
    return ", ".join(sorted(method for each in at_path if isinstance(each, Route) for method in each.methods or ()))


def _page(name: str) -> Callable[[Request], Awaitable[Response]]:
    async def page(_request: Request) -> Response:
        return FileResponse(_PAGE / name, headers={"cache-control": "no-cache"})

    return page


async def _health(request: Request) -> Response:
    service: Service = request.app.state.service
    return JSONResponse({"status": "ending" if service.ending else "ok"}, status_code=503 if service.ending else 200)


async def _openapi(_request: Request) -> Response:
    return JSONResponse(document())
