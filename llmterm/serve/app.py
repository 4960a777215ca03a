"""The service as an ASGI application: its routes behind its guard."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from llmterm.serve.guard import Guard
from llmterm.serve.problems import BUG, Problem
from llmterm.serve.routes import models, sessions, turns
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
        return JSONResponse(why.body, status_code=why.status, headers=error.headers)

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
    return Guard(app, token=token, hosts=hosts, origins=origins)


def all_routes() -> list[BaseRoute]:
    return [
        Route("/", _page, methods=["GET"]),
        Route("/healthz", _health, methods=["GET"]),
        *turns.routes(),
        *sessions.routes(),
        *models.routes(),
        Mount("/page", StaticFiles(directory=_PAGE)),
    ]


async def _page(_request: Request) -> Response:
    return FileResponse(_PAGE / "index.html", headers={"cache-control": "no-cache"})


async def _health(request: Request) -> Response:
    service: Service = request.app.state.service
    return JSONResponse({"status": "ending" if service.ending else "ok"}, status_code=503 if service.ending else 200)
