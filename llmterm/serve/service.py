"""What all routes share, and how any of them is answered: errors as objects, bodies as fields."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from llmterm.errors import LlmtermError
from llmterm.redaction import Secrets
from llmterm.serve.fields import Fields
from llmterm.serve.guard import BODY_LIMIT, TooLargeError
from llmterm.serve.problems import BadRequestError, Problem, problem
from llmterm.serve.turns import Turns
from llmterm.sessions import SessionStore

Answer: TypeAlias = Callable[[Request], Awaitable[Response]]


@dataclass(slots=True, kw_only=True)
class Service:
    """`ending`: it is going down, and its readers are to come back to whoever comes after it."""

    turns: Turns
    store: SessionStore
    secrets: Secrets
    ending: bool = False

    def problem(self, error: LlmtermError) -> Problem:
        """Return why something cannot be done, fit for a client."""
        why = problem(error)
        return why._replace(words=self.secrets.redact(why.words))

    def refusal(self, error: LlmtermError) -> JSONResponse:
        """Return the answer to what cannot be done."""
        why = self.problem(error)
        return JSONResponse(why.body, status_code=why.status, headers=dict(why.headers))


def service_of(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


async def fields_of(request: Request) -> Fields:
    """Return the fields of a request's body. Raises BadRequestError."""
    try:
        return Fields.of(await request.body())
    except TooLargeError:
        limit = BODY_LIMIT // 1024 // 1024
        raise BadRequestError(f"a body has {limit} MB at most", status=413, code="too_large") from None


def answered(answer: Answer) -> Answer:
    """Return the answer to a request, or why there is none."""

    async def answer_or_refuse(request: Request) -> Response:
        try:
            return await answer(request)
        except LlmtermError as error:
            return service_of(request).refusal(error)
        except ClientDisconnect:
            return Response(status_code=499)  # which nobody reads

    return answer_or_refuse
