"""OpenAI's responses: sessions of the store, unless they are not to be kept; in the background they go on alone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, suppress
from dataclasses import replace
from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.responses import Response as Answer
from starlette.routing import BaseRoute, Route

from llmterm.errors import SessionError
from llmterm.serve.command import Command
from llmterm.serve.frames import ALIVE, ALIVE_SECONDS, frame, portions
from llmterm.serve.passing import PassingResponse, staying
from llmterm.serve.problems import BadRequestError
from llmterm.serve.responses import PREFIX, Asked, Response, asked, failure, status
from llmterm.serve.served import ServedTurn, Told, place_of
from llmterm.serve.service import Service, answered, client_of, fields_of, read_store, service_of
from llmterm.serve.telling import Telling
from llmterm.serve.wanted import Wanted
from llmterm.states import AT_REST, TurnState
from llmterm.threads import in_thread_if

# Bytes of a body that are gone through in half a millisecond.
_LONG = 64 * 1024


def routes() -> list[BaseRoute]:
    one = f"/v1/responses/{PREFIX}{{turn}}"
    return [
        Route("/v1/responses", answered(_ask), methods=["POST"]),
        Route(one, answered(_show), methods=["GET"]),
        Route(f"{one}/cancel", answered(_cancel), methods=["POST"]),
    ]


async def _ask(request: Request) -> Answer:
    service, fields = service_of(request), await fields_of(request)
    read = partial(asked, fields, client=client_of(request), created=int(time.time()))
    found = await in_thread_if(len(await request.body()) > _LONG, read)
    assert found.wanted is not None
    turn = await service.turns.ask(await _following(service, found.wanted, found.previous))
    service.responses[turn] = found
    if found.background:
        return (
            service.readers.stream(_stream(service, turn)) if found.stream else JSONResponse(_of(service, turn).whole)
        )

    async def end() -> None:
        if turn.state is TurnState.STREAMING:
            await turn.cancel()
        if turn.session_id is None:
            await service.turns.dismiss(turn)

    try:
        if found.stream:  # its client has to hear something
            await staying(request, _until(turn, lambda: _has_come(turn), ALIVE_SECONDS))
        else:
            await staying(request, _until(turn, lambda: False, None))
        if (why := failure(turn)) is not None and not _has_come(turn):
            await _undo(request, turn, found)
            return service.refused(why)
        if found.stream:
            return PassingResponse(_stream(service, turn), end)
    except BaseException:
        await end()
        raise
    whole = _of(service, turn).whole
    await end()
    return JSONResponse(whole)


async def _show(request: Request) -> Answer:
    service = service_of(request)
    turn = await service.turns.find(request.path_params["turn"])
    if request.query_params.get("stream", "") not in ("true", "True", "1"):
        return JSONResponse(_of(service, turn).whole)
    after = request.query_params.get("starting_after", "")
    if after and not (after.isascii() and after.isdigit() and len(after) < 16):
        raise BadRequestError("starting_after is the number of an event", param="starting_after")
    return service.readers.stream(_stream(service, turn, int(after) if after else -1))


async def _cancel(request: Request) -> Answer:
    service = service_of(request)
    turn = await service.turns.do(request.path_params["turn"], Command(do="cancel"))
    return JSONResponse(_of(service, turn).whole)


async def _following(service: Service, wanted: Wanted, previous: str) -> Wanted:
    """Return what is wanted as it goes on with a response, which is over then."""
    if not previous:
        return wanted
    turn = await service.turns.find(previous)
    if turn.state in AT_REST and status(turn) in ("incomplete", "failed"):
        await service.turns.do(previous, Command(do="cancel"))  # it is not gone on with, but followed
    place = place_of(previous)
    if place is None:
        raise BadRequestError("that response was not stored", param="previous_response_id")
    session, row = place
    return replace(wanted, session=session, after=row)


async def _undo(request: Request, turn: ServedTurn, found: Asked) -> None:
    """Leave no trace of an answer that came to nothing."""
    await service_of(request).turns.dismiss(turn)
    session = turn.session_id
    if session is not None and not found.previous:
        with suppress(SessionError):
            await read_store(request, lambda store: store.delete(session))


def _of(service: Service, turn: Told) -> Response:
    return Response(turn, service.responses.setdefault(turn, Asked()), service.fit)


async def _stream(service: Service, turn: Told, after: int = -1) -> AsyncIterator[bytes]:
    telling = Telling(_of(service, turn), after)

    def enough() -> bool:
        return status(turn) != "in_progress" or service.ending

    yield _frames(telling)
    async with aclosing(portions(turn.reader(), enough)) as coming:
        async for entries in coming:
            told = _frames(telling)
            if told or not entries:
                yield told or ALIVE


def _frames(telling: Telling) -> bytes:
    return b"".join(frame(each, event=each["type"]) for each in telling.more())


def _has_come(turn: Told) -> bool:
    return not turn.reply.blank or bool(turn.reply.thoughts)


async def _until(turn: Told, enough: Callable[[], bool], seconds: float | None) -> None:
    """Wait for enough of an answer, or for its end; at most for so many seconds."""
    reader = turn.reader()
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while status(turn) == "in_progress" and not (enough() or reader.has_left):
                    reader.skip()
                    await reader.arrived()
    finally:
        reader.leave()
