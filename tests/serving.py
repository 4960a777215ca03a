"""The service in this process, at a port of its own, with a scripted server behind it: real HTTP on both sides."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx2

from llmterm import config
from llmterm.assembly.serving import Place, running
from llmterm.events import Entry, decoded, reduced
from llmterm.messages import Reply
from tests.described import fits, is_described
from tests.terminal import LLMTERM, environment
from tests.wire import Script, WireServer

LINK = re.compile(r"^llmterm: serving at (http://127\.0\.0\.1:\d+)/\?token=(\S+)$")
TOKEN = "a-token-of-the-tests"


class Client:
    """Somebody who has the token; `url` is where the service is, `upstream` the model's side."""

    def __init__(self, url: str, upstream: WireServer, http: httpx2.AsyncClient) -> None:
        self.url = url
        self.upstream = upstream
        self.http = http

    async def get(self, path: str, status: int = 200, **query: Any) -> Any:
        return _checked(await self.http.get(path, params=query), status).json()

    async def text(self, path: str, **query: Any) -> str:
        return _checked(await self.http.get(path, params=query), 200).text

    async def post(self, path: str, body: Any = None, status: int = 200) -> Any:
        return await self.send("POST", path, {} if body is None else body, status)

    async def send(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        return _checked(await self.http.request(method, path, json=body), status).json()

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Return a connection with nothing between."""
        host, _, port = self.url.removeprefix("http://").partition(":")
        return await asyncio.open_connection(host, int(port))

    def request(self, method: str, path: str, body: Any) -> bytes:
        """Return a request as it goes over a connection."""
        data = json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {TOKEN}\r\n"
        return f"{head}content-length: {len(data)}\r\n\r\n".encode() + data

    async def ask(self, question: str = "Why?", **more: Any) -> Any:
        return await self.post("/v1/turns", {"question": question, "model": "openai/test"} | more, 201)

    @asynccontextmanager
    async def told(self, turn: str, after: int | None = None) -> AsyncIterator[AsyncIterator[Entry]]:
        """Give what a turn tells, as its reader gets it; `after` is sent as a browser sends it."""
        headers = {} if after is None else {"last-event-id": str(after)}
        async with self.http.stream("GET", f"/v1/turns/{turn}/events", headers=headers) as response:
            assert response.status_code == 200
            yield entries(response)


def _checked(response: httpx2.Response, status: int) -> httpx2.Response:
    """Return a response that is the one expected, and as the service's own document describes it."""
    assert response.status_code == status, response.text
    kind, request = response.headers["content-type"], response.request
    value = response.json() if kind == "application/json" else None
    is_described(request.method, request.url.path, status, kind, value)
    return response


async def entries(response: httpx2.Response) -> AsyncIterator[Entry]:
    """Yield the events of a stream, each looked at: its number and its name are those that its data has."""
    number, name = "", ""
    async for line in response.aiter_lines():
        kind, _, value = line.partition(": ")
        if kind == "id":
            number = value
        elif kind == "event":
            name = value
        elif kind == "data":
            data = json.loads(value)
            fits(data, {"$ref": "#/components/schemas/Event"})
            assert (str(data["seq"]), data["event"]) == (number, name)
            yield decoded(data)


async def reply_of(told: AsyncIterator[Entry], reply: Reply | None = None) -> Reply:
    """Return what all that comes makes together."""
    reply = reply or Reply()
    async for entry in told:
        reply = reduced(reply, entry.event)
    return reply


@contextmanager
def served(env: dict[str, str], *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """Run the service; give its process, its address and its token."""
    command = [*LLMTERM, "serve", "--port", "0", *arguments]
    with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
        try:
            assert program.stderr is not None
            found = LINK.match(program.stderr.readline().rstrip("\n"))
            assert found is not None
            yield program, found[1], found[2]
        finally:
            program.kill()


@asynccontextmanager
async def serving(
    folder: Path, script: Script, *, port: int = 0, origins: Sequence[str] = (), state: str = "", **more: str
) -> AsyncIterator[Client]:
    """Serve with a store in `folder`; `more` is of the environment."""
    with WireServer(script) as upstream:
        env = environment(folder, OPENAI_BASE_URL=upstream.base_url, OPENAI_API_KEY="sk-test", **more)
        place = Place("127.0.0.1", port, TOKEN, origins, state=state)
        async with running(config.load(environ=env), env, place) as link:
            url = link.partition("/?")[0]
            async with http_client(url, TOKEN) as http:
                yield Client(url, upstream, http)


def http_client(url: str, token: str) -> httpx2.AsyncClient:
    """Return what asks a service for whoever has its token."""
    return httpx2.AsyncClient(base_url=url, headers={"authorization": f"Bearer {token}"}, timeout=60.0)
