"""What any number of turns tell, on one connection: a browser gives a host no more than six."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from llmterm.events import encoded
from llmterm.serve.frames import ALIVE, batches, frame
from llmterm.serve.problems import BadRequestError
from llmterm.serve.refusals import NoSuchTurnError
from llmterm.serve.routes.sessions import watch
from llmterm.serve.routes.turns import place
from llmterm.serve.served import Told
from llmterm.serve.service import answered, service_of
from llmterm.streams import merge

_MOST = 100


def routes() -> list[BaseRoute]:
    return [Route("/v1/events", answered(_events), methods=["GET"])]


async def _events(request: Request) -> Response:
    """Tell what each `turn` tells, given as ID:PLACE, the place being that of its reader, and what changes in each
    `session`."""
    service, given = service_of(request), request.query_params.getlist("turn")
    watched = request.query_params.getlist("session")
    if not 1 <= len(given) + len(watched) <= _MOST:
        raise BadRequestError(f"from 1 to {_MOST} turns and sessions can be followed at once", param="turn")
    found = [watch(service, each) for each in watched]
    for each in given:
        turn_id, _, after = each.rpartition(":")
        try:
            turn = await service.turns.find(turn_id)
        except NoSuchTurnError:
            found.append(_gone(turn_id))
        else:
            found.append(_told(turn, turn_id, place(after), lambda: service.ending))
    return service.readers.stream(_together(found))


async def _together(found: list[AsyncGenerator[bytes, None]]) -> AsyncIterator[bytes]:
    async with aclosing(merge(found)) as coming:
        async for each in coming:
            yield each


async def _told(turn: Told, turn_id: str, after: int, ending: Callable[[], bool]) -> AsyncGenerator[bytes, None]:
    async with aclosing(batches(turn, after, ending)) as coming:
        async for entries in coming:
            told = [{"turn": turn_id, **encoded(each)} for each in entries]
            yield b"".join(frame(each, event=each["event"]) for each in told) or ALIVE


async def _gone(turn_id: str) -> AsyncGenerator[bytes, None]:
    """Tell that there is no such turn: it has come to nothing, or its session was deleted."""
    yield frame({"turn": turn_id, "seq": 0, "event": "Gone"}, event="Gone")
