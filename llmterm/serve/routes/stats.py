"""The stored figures: what each model did, in all and day by day."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from llmterm.serve.service import answered, read_store, whole_of
from llmterm.sessions.figures import Figures, values

_MOST_DAYS = 3_660


def routes() -> list[BaseRoute]:
    return [Route("/v1/stats", answered(_stats), methods=["GET"])]


async def _stats(request: Request) -> Response:
    days, today = whole_of(request, "days", most=_MOST_DAYS), date.today()
    since = None if days is None else today - timedelta(days=days - 1)
    figures = await read_store(request, lambda store: store.figures(since=since))
    return JSONResponse({"today": today.isoformat(), "days": days, "models": [_model(each) for each in figures]})


def _model(figures: Figures) -> dict[str, Any]:
    by_day = [{"date": each.date.isoformat(), **values(each)} for each in figures.days]
    return {"provider": figures.provider, "model": figures.model, **values(figures), "by_day": by_day}
