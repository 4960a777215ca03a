"""A turn in one connection, for clients that prefer that: what it tells comes, and what is to be done with it goes."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from typing import Any

from starlette.routing import BaseRoute, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from llmterm.errors import LlmtermError
from llmterm.events import encoded
from llmterm.serve.fields import Fields
from llmterm.serve.frames import batches, dumped
from llmterm.serve.problems import BadRequestError
from llmterm.serve.routes.turns import done_with, place
from llmterm.serve.served import Told
from llmterm.serve.service import Service
from llmterm.states import OVER

# https://www.rfc-editor.org/rfc/rfc6455#section-7.4 and its registry: it is over; come back, to whoever comes after.
_DONE, _AGAIN = 1000, 1012


def routes() -> list[BaseRoute]:
    return [WebSocketRoute("/v1/turns/{turn}/ws", _turn)]


async def _turn(socket: WebSocket) -> None:
    service: Service = socket.app.state.service
    try:
        with service.readers.reading():
            turn = await service.turns.find(socket.path_params["turn"])
            await socket.accept()
            await _connected(socket, service, turn)
    except LlmtermError as error:
        await socket.send_denial_response(service.refusal(error))


async def _connected(socket: WebSocket, service: Service, turn: Told) -> None:
    """Tell and do until the turn is over, the client has left, or the service ends."""
    telling = asyncio.create_task(_tell(socket, service, turn))
    doing = asyncio.create_task(_do(socket, service, turn.id))
    try:
        await asyncio.wait((telling, doing), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (telling, doing):
            task.cancel()
        ended = await asyncio.gather(telling, doing, return_exceptions=True)
    for error in ended:
        if isinstance(error, Exception) and not isinstance(error, WebSocketDisconnect):
            raise error


async def _tell(socket: WebSocket, service: Service, turn: Told) -> None:
    after = place(socket.query_params.get("after", ""))
    async with aclosing(batches(turn, after, lambda: service.ending)) as coming:
        async for entries in coming:
            for entry in entries:
                await socket.send_text(dumped(encoded(entry)))
    await socket.close(_AGAIN if turn.state not in OVER else _DONE)


async def _do(socket: WebSocket, service: Service, turn_id: str) -> None:
    """Do what the client says, `{"do": ...}` and the fields of the same over HTTP; what cannot be done it is told."""
    client = "" if socket.client is None else socket.client.host
    while True:
        given = await socket.receive_text()
        try:
            fields = Fields(_parsed(given))
            await done_with(service, turn_id, fields.text("do"), fields, client)
        except LlmtermError as error:
            why = service.problem(error)
            service.metrics.refused(why.code)
            await socket.send_text(dumped({"event": "Problem", **why.body}))


def _parsed(given: str) -> Any:
    try:
        return json.loads(given)
    except (ValueError, RecursionError):
        raise BadRequestError("that is not JSON", code="invalid_json") from None
