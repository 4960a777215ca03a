"""What all routes share, and how any of them is answered: errors as objects, bodies as fields."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar
from weakref import WeakKeyDictionary

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from llmterm.errors import LlmtermError
from llmterm.redaction import Secrets
from llmterm.serve.fields import Fields
from llmterm.serve.guard import BODY_LIMIT, TooLargeError
from llmterm.serve.metrics import Metrics
from llmterm.serve.problems import BadRequestError, Problem, problem
from llmterm.serve.readers import Readers
from llmterm.serve.responses import Asked
from llmterm.serve.served import Told
from llmterm.serve.turns import Turns
from llmterm.sessions import SessionStore
from llmterm.threads import in_thread

T = TypeVar("T")
Answer: TypeAlias = Callable[[Request], Awaitable[Response]]


@dataclass(slots=True, kw_only=True)
class Service:
    """`ending`: it is going down, and its readers are to come back to whoever comes after it."""

    turns: Turns
    store: SessionStore
    secrets: Secrets
    metrics: Metrics
    readers: Readers
    ending: bool = False
    responses: WeakKeyDictionary[Told, Asked] = field(default_factory=WeakKeyDictionary)
    """What was asked for by who has answers as OpenAI's responses, as long as those live here."""

    def problem(self, error: LlmtermError) -> Problem:
        """Return why something cannot be done, fit for a client."""
        return self.fit(problem(error))

    def fit(self, why: Problem) -> Problem:
        """Return a problem fit for a client."""
        return why._replace(words=self.secrets.redact(why.words))

    def refusal(self, error: LlmtermError) -> JSONResponse:
        """Return the answer to what cannot be done."""
        return self.refused(problem(error))

    def refused(self, why: Problem) -> JSONResponse:
        why = self.fit(why)
        self.metrics.refused(why.code)
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


def client_of(request: Request) -> str:
    """Return the address of who asks: that which a proxy on this machine says, behind one."""
    return "" if request.client is None else request.client.host


def whole_of(request: Request, name: str, *, most: int) -> int | None:
    """Return a number from 1 on of a request's query, None where there is none. Raises BadRequestError."""
    given = request.query_params.get(name, "")
    if not given:
        return None
    if not (given.isascii() and given.isdigit() and 1 <= int(given[:9]) <= most):
        raise BadRequestError(f"{name} is a number from 1 to {most}", param=name)
    return int(given)


async def read_store(request: Request, use: Callable[[SessionStore], T]) -> T:
    """Return what the store has, by a thread and a connection of its own. Raises SessionError."""
    store = service_of(request).store

    def run() -> T:
        with closing(store.another()) as other:
            return use(other)

    return await in_thread(run)


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
