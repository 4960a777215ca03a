"""A relay with nothing around it: starlette and httpx2, which hands a model's text on as it comes.

`python -m benchmarks.bare_relay URL PORT` says that it is listening.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator

import httpx2
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route


def main(url: str, port: int) -> None:
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=20)
    clients = [httpx2.AsyncClient(limits=limits, trust_env=False, timeout=300) for _ in range(16)]
    asked = 0

    async def relay(request: Request) -> StreamingResponse:
        nonlocal asked
        asked += 1
        question = (await request.json())["messages"][-1]["content"]
        return StreamingResponse(_frames(clients[asked % 16], url, question), media_type="text/event-stream")

    listening = socket.create_server(("127.0.0.1", port), backlog=4096)
    print("listening", flush=True)
    app = Starlette(routes=[Route("/v1/chat/completions", relay, methods=["POST"])])
    config = uvicorn.Config(app, loop="asyncio", http="httptools", access_log=False, log_config=None)
    asyncio.run(uvicorn.Server(config).serve(sockets=[listening]))


async def _frames(client: httpx2.AsyncClient, url: str, question: str) -> AsyncIterator[bytes]:
    body = {"model": "test", "stream": True, "messages": [{"role": "user", "content": question}]}
    async with client.stream("POST", f"{url}/chat/completions", json=body) as response:
        async for line in response.aiter_lines():
            if line.startswith("data: {"):
                for choice in json.loads(line[6:])["choices"]:
                    text = choice["delta"].get("content")
                    yield f"data: {json.dumps({'text': text})}\n\n".encode()  # noqa: ASYNC119 - it is bare
    yield b"data: [DONE]\n\n"


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
