"""Chat completions, as OpenAI's clients ask for them: stateless, and over when the client is."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator
from contextlib import aclosing

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from llmterm.serve.frames import ALIVE, frame
from llmterm.serve.openai import Completion, Head, completion
from llmterm.serve.passing import PassingAnswer, PassingResponse
from llmterm.serve.service import Service, answered, client_of, fields_of, service_of

_DONE = b"data: [DONE]\n\n"


def routes() -> list[BaseRoute]:
    return [Route("/v1/chat/completions", answered(_complete), methods=["POST"])]


async def _complete(request: Request) -> Response:
    service, wanted = service_of(request), completion(await fields_of(request))
    turn = await service.turns.passing(
        wanted.conversation, model=wanted.model, options=wanted.options, client=client_of(request)
    )
    head = Head(f"chatcmpl-{secrets.token_hex(12)}", int(time.time()), f"{turn.provider.name}/{turn.request.model}")
    answer = PassingAnswer(turn, service.metrics.account(turn))
    if not wanted.stream:
        await answer.whole(request)
        reply = turn.reply
        return JSONResponse(head.whole(reply.text, reply.thinking, answer.reason, reply.segments))
    try:
        await answer.begun(request)
    except BaseException:
        await answer.cancel()
        raise
    return PassingResponse(_chunks(answer, head, wanted, service), answer.cancel)


async def _chunks(answer: PassingAnswer, head: Head, wanted: Completion, service: Service) -> AsyncIterator[bytes]:
    turn = answer.turn
    yield frame(head.begin())
    async with aclosing(answer.portions()) as coming:
        async for entries in coming:
            chunks = [frame(chunk) for entry in entries if (chunk := head.chunk(entry.event)) is not None]
            if chunks or not entries:
                yield b"".join(chunks) or ALIVE
    if (failure := answer.failure) is not None:
        yield frame(service.problem(failure).body)
        return
    yield frame(head.end(turn.reason))
    if wanted.with_usage:
        yield frame(head.used(turn.reply.segments))
    yield _DONE
