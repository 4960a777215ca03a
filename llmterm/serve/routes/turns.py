"""Turns: asked for, read from any place on, paused, guided, gone on with, edited and ended."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from llmterm.messages import Message
from llmterm.messages.plain import plain
from llmterm.serve.attached import attachments_of
from llmterm.serve.command import COMMANDS, Command
from llmterm.serve.fields import Fields, options_of
from llmterm.serve.frames import events
from llmterm.serve.served import Told
from llmterm.serve.service import Answer, Service, answered, client_of, fields_of, service_of
from llmterm.serve.wanted import Wanted
from llmterm.sessions.export import segment_values


def routes() -> list[BaseRoute]:
    one = "/v1/turns/{turn}"
    return [
        Route("/v1/turns", answered(_ask), methods=["POST"]),
        Route(one, answered(_show), methods=["GET"]),
        Route(f"{one}/events", answered(_events), methods=["GET"]),
        *(Route(f"{one}/{what}", answered(_command(what)), methods=["POST"]) for what in COMMANDS),
    ]


async def _ask(request: Request) -> Response:
    fields, service = await fields_of(request), service_of(request)
    again = fields.flag("again")
    wanted = Wanted(
        question=Message(
            role="user",
            text=fields.text("question", "" if again else None),
            attachments=attachments_of(fields.each("attachments")),
        ),
        client=client_of(request),
        model=fields.text("model", ""),
        session=fields.text("session", ""),
        system=fields.maybe("system"),
        options=options_of(fields.inner("options")),
        kept=fields.flag("kept", default=True),
        again=again,
        replaces=fields.flag("replaces"),
        keeps=fields.texts("keeps"),
    )
    return JSONResponse(values(await service.turns.ask(wanted)), status_code=201)


async def _show(request: Request) -> Response:
    return JSONResponse(values(await service_of(request).turns.find(request.path_params["turn"])))


async def _events(request: Request) -> Response:
    service = service_of(request)
    turn = await service.turns.find(request.path_params["turn"])
    given = request.headers.get("last-event-id") or request.query_params.get("after", "")
    stream = events(turn, place(given), lambda: service.ending)
    return service.readers.stream(stream)


async def done_with(service: Service, turn_id: str, do: str, fields: Fields, client: str) -> Told:
    """Do what a command says, and return the turn that it was done with. Raises our errors."""
    if do not in COMMANDS:
        raise fields.wrong("do", f"has to be one of {', '.join(COMMANDS)}")
    said = {name: fields.text(name, "") for name in ("by", "guidance", "model", "text")}
    return await service.turns.do(turn_id, Command(do=do, client=client, **said))


def _command(what: str) -> Answer:
    async def answer(request: Request) -> Response:
        fields, service = await fields_of(request), service_of(request)
        turn = await done_with(service, request.path_params["turn"], what, fields, client_of(request))
        return JSONResponse(values(turn))

    return answer


def place(given: str) -> int:
    """Return the place that a reader says it has come to: 0, the beginning, for what is none."""
    return int(given) if given.isascii() and given.isdigit() and len(given) < 19 else 0


def values(turn: Told) -> dict[str, Any]:
    """Return what there is of a turn as JSON has it. `seq` is the place that a reader of what comes goes on from."""
    reply = turn.reply
    return {
        "id": turn.id,
        "session": turn.session_id,
        "state": plain(turn.state),
        "reason": plain(turn.reason),
        "words": turn.words,
        "seq": turn.places.stop - 1,
        "text": reply.text,
        "thinking": reply.thinking,
        "segments": [segment_values(each) for each in reply.segments],
        "model": "/".join(filter(None, turn.model)),
        "parts": plain(reply.segments),
    }
