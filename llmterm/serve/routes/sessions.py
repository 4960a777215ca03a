"""Sessions: listed, searched, read, renamed, gone over to another version, exported and deleted."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from llmterm.serve.problems import BadRequestError
from llmterm.serve.served import turn_id
from llmterm.serve.service import answered, fields_of, service_of
from llmterm.sessions import SessionInfo, SessionStore, StoredSession, export, markdown
from llmterm.sessions.export import segment_values
from llmterm.threads import in_thread

T = TypeVar("T")

_MOST = 200


def routes() -> list[BaseRoute]:
    one = "/v1/sessions/{session}"
    return [
        Route("/v1/sessions", answered(_list), methods=["GET"]),
        Route(one, answered(_show), methods=["GET"]),
        Route(one, answered(_rename), methods=["PATCH"]),
        Route(one, answered(_delete), methods=["DELETE"]),
        Route(f"{one}/versions", answered(_versions), methods=["GET"]),
        Route(f"{one}/switch", answered(_switch), methods=["POST"]),
        Route(f"{one}/export", answered(_export), methods=["GET"]),
    ]


async def _list(request: Request) -> Response:
    words = request.query_params.get("q", "").strip()
    limit = _limit(request.query_params.get("limit", "50"))
    if words:
        hits = await _read(request, lambda store: store.search(words, limit=limit))
        found = [
            {
                "id": each.id,
                "title": each.title,
                "updated_at": each.updated_at.isoformat(timespec="seconds"),
                "snippet": each.snippet,
            }
            for each in hits
        ]
    else:
        found = [_info(each) for each in await _read(request, lambda store: store.infos(limit))]
    return JSONResponse({"sessions": found})


async def _show(request: Request) -> Response:
    return JSONResponse(_values(await _stored(request)))


async def _rename(request: Request) -> Response:
    fields, session = await fields_of(request), request.path_params["session"]
    title = fields.text("title")
    return JSONResponse({"id": session, "title": await _read(request, lambda store: store.set_title(session, title))})


async def _delete(request: Request) -> Response:
    session = await _read(request, lambda store: store.find(request.path_params["session"]))
    await service_of(request).turns.release(session)
    await _read(request, lambda store: store.delete(session))
    return JSONResponse({"id": session, "deleted": True})


async def _versions(request: Request) -> Response:
    stored = await _stored(request)
    forks = [rows for rows in stored.forks.values() if len(rows) > 1]
    found = await _read(request, lambda store: store.versions([row for rows in forks for row in rows]))
    known = {
        each.row: {"row": each.row, "text": each.text, "models": list(each.models), "open": each.open} for each in found
    }
    return JSONResponse({"versions": [[known[row] for row in rows if row in known] for rows in forks]})


async def _switch(request: Request) -> Response:
    """Have a session go through another version."""
    fields, session = await fields_of(request), request.path_params["session"]
    row = fields.whole("row", 1)
    if row is None:
        raise fields.wrong("row", "is missing")
    await service_of(request).turns.release(session)
    return JSONResponse(_values(await _read(request, lambda store: store.switch(session, row))))


async def _export(request: Request) -> Response:
    stored = await _stored(request)
    match request.query_params.get("format", "json"):
        case "json":
            return JSONResponse(export(stored))
        case "markdown":
            return PlainTextResponse(markdown(stored), media_type="text/markdown")
        case _:
            raise BadRequestError("format is json or markdown", param="format")


async def _stored(request: Request) -> StoredSession:
    session = request.path_params["session"]
    return await _read(request, lambda store: store.load(session, peek=True))


async def _read(request: Request, use: Callable[[SessionStore], T]) -> T:
    """Return what the store has, by a thread and a connection of its own. Raises SessionError."""
    store = service_of(request).store

    def run() -> T:
        with closing(store.another()) as other:
            return use(other)

    return await in_thread(run)


def _limit(given: str) -> int:
    if not (given.isascii() and given.isdigit() and 1 <= int(given[:9]) <= _MOST):
        raise BadRequestError(f"limit is a number from 1 to {_MOST}", param="limit")
    return int(given)


def _info(info: SessionInfo) -> dict[str, Any]:
    return {
        "id": info.id,
        "title": info.title,
        "created_at": info.created_at.isoformat(timespec="seconds"),
        "updated_at": info.updated_at.isoformat(timespec="seconds"),
        "messages": info.messages,
        "state": info.state,
    }


def _values(stored: StoredSession) -> dict[str, Any]:
    """Return all of a session: its messages with their rows, and the turn that is not over, if there is one."""
    answer = stored.answer
    messages = [*zip(stored.rows, stored.conversation.messages, strict=True)]
    if answer is not None:
        messages.append((answer.message_id, answer.message))
    return {
        "id": stored.id,
        "title": stored.title,
        "system": stored.conversation.system,
        "created_at": stored.created_at.isoformat(timespec="seconds"),
        "updated_at": stored.updated_at.isoformat(timespec="seconds"),
        "turn": None if answer is None else turn_id(stored.id, answer.message_id),
        "messages": [
            {
                "row": row,
                "role": message.role,
                "text": message.text,
                "thinking": message.thinking,
                "status": message.status,
                "segments": [segment_values(each) for each in message.segments],
                "attachments": [
                    {"name": each.name, "media_type": each.media_type, "bytes": len(each.data)}
                    for each in message.attachments
                ],
            }
            for row, message in messages
        ],
        "versions": [list(rows) for rows in stored.forks.values() if len(rows) > 1],
    }
