"""Sessions: listed, searched, read, renamed, gone over to another version, exported and deleted."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from llmterm.messages import Options
from llmterm.serve.frames import changes
from llmterm.serve.problems import BadRequestError
from llmterm.serve.refusals import ConflictError
from llmterm.serve.served import turn_id
from llmterm.serve.service import Service, answered, fields_of, read_store, service_of, whole_of
from llmterm.sessions import SessionInfo, SessionStore, StoredSession, export, markdown
from llmterm.sessions.export import segment_values
from llmterm.sessions.portable import portable

# Sessions that are listed.
_USUAL, _MOST = 50, 200


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
        Route(f"{one}/whole", answered(_whole), methods=["GET"]),
        Route(f"{one}/events", answered(_events), methods=["GET"]),
        Route(f"{one}/undo", answered(_undo), methods=["POST"]),
        Route(f"{one}/continue", answered(_continue), methods=["POST"]),
    ]


async def _list(request: Request) -> Response:
    words = request.query_params.get("q", "").strip()
    limit = whole_of(request, "limit", most=_MOST) or _USUAL
    if words:
        hits = await read_store(request, lambda store: store.search(words, limit=limit))
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
        found = [_info(each) for each in await read_store(request, lambda store: store.infos(limit))]
    return JSONResponse({"sessions": found})


async def _show(request: Request) -> Response:
    return JSONResponse(_values(await _stored(request)))


async def _rename(request: Request) -> Response:
    fields, session = await fields_of(request), request.path_params["session"]
    title = fields.text("title")
    renamed = await read_store(request, lambda store: store.set_title(session, title))
    service_of(request).turns.changed(session)
    return JSONResponse({"id": session, "title": renamed})


async def _delete(request: Request) -> Response:
    session = await read_store(request, lambda store: store.find(request.path_params["session"]))
    await service_of(request).turns.release(session)
    await read_store(request, lambda store: store.delete(session))
    await service_of(request).turns.deleted(session)
    return JSONResponse({"id": session, "deleted": True})


async def _versions(request: Request) -> Response:
    stored = await _stored(request)
    forks = [rows for rows in stored.forks.values() if len(rows) > 1]
    found = await read_store(request, lambda store: store.versions([row for rows in forks for row in rows]))
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
    stored = await read_store(request, lambda store: store.switch(session, row))
    service_of(request).turns.changed(session)
    return JSONResponse(_values(stored))


async def _undo(request: Request) -> Response:
    """Have a session go back to before its last question, or that of a row: then what comes after it is a version."""
    session, turns = request.path_params["session"], service_of(request).turns
    row = (await fields_of(request)).whole("row", 1)
    await turns.settled(session)  # whoever has heard of its end may ask at once
    if await turns.turn_in(session) is not None:
        raise ConflictError("an answer is still open", hint="it can be ended")

    def undo(store: SessionStore) -> StoredSession:
        stored = store.load(session, peek=True)
        said = [*zip(stored.rows, stored.conversation.messages, strict=True)]
        asked = [at for at, (own, message) in enumerate(said) if message.role == "user" and row in (None, own)]
        if not asked or stored.answer is not None:
            raise ConflictError("there is no question to take back")
        store.move(session, ([0, *stored.rows])[asked[-1]], head=stored.head, gives_up=row is None)
        return store.load(session, peek=True)

    stored = await read_store(request, undo)
    turns.changed(session)
    return JSONResponse(_values(stored))


async def _continue(request: Request) -> Response:
    """Have the last answer, which was stopped, rest again, to be gone on with."""
    session, turns = request.path_params["session"], service_of(request).turns
    await turns.forget(session)
    stored = await read_store(request, lambda store: store.open_again(session, Options()))
    turns.changed(session)
    return JSONResponse(_values(stored))


async def _whole(request: Request) -> Response:
    return JSONResponse(portable(await _stored(request)))


async def _events(request: Request) -> Response:
    session = await read_store(request, lambda store: store.find(request.path_params["session"]))
    service = service_of(request)
    return service.readers.stream(watch(service, session))


def watch(service: Service, session_id: str) -> AsyncGenerator[bytes, None]:
    """Return what tells of a session which of its turns is not over, and again whenever it has changed."""
    turns = service.turns

    async def now() -> dict[str, Any]:
        mark = turns.changes.mark(session_id)
        return {"id": session_id, "turn": await turns.turn_in(session_id), "mark": mark}

    return changes(turns.changes, session_id, now, lambda: service.ending)


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
    """Return the session: what is over in it is on the record by now, as its readers have heard of that."""
    session = request.path_params["session"]
    await service_of(request).turns.settled(session)
    return await read_store(request, lambda store: store.load(session, peek=True))


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
