"""A model's side of the OpenAI wire, in a process of its own, that tells what it saw and when.

It answers each request with the recipe that it finds as the newest question. Each chunk of text is an event of its own
and an HTTP chunk of its own, as real servers send them; what goes out at once is handed to the socket together.
Reports are JSON lines on standard output, stamped with the machine's monotonic clock, which all processes share.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain, islice
from typing import Any

from benchmarks.answer import END, Recipe, parse

_BATCH = 64
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_COMMON = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1793000000, "model": "test"}


def main() -> None:
    with suppress(KeyboardInterrupt):
        asyncio.run(_listen())


async def _listen() -> None:
    server = await asyncio.start_server(_serve, "127.0.0.1", 0)
    _report("listening", port=server.sockets[0].getsockname()[1])
    await server.serve_forever()


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError, asyncio.IncompleteReadError):
        while recipe := await _read_request(reader):
            # Whatever comes now is the end: nobody sends a second request before the first is answered.
            hung_up = asyncio.create_task(_watch(reader))
            answer = asyncio.create_task(_answer(writer, recipe))
            done, _ = await asyncio.wait({hung_up, answer}, return_when=asyncio.FIRST_COMPLETED)
            if hung_up in done:
                answer.cancel()
                break
            hung_up.cancel()
            await asyncio.wait({hung_up})
    writer.transport.abort()


async def _watch(reader: asyncio.StreamReader) -> None:
    with suppress(ConnectionError):
        await reader.read(1)
    _report("closed")


async def _read_request(reader: asyncio.StreamReader) -> Recipe | None:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    messages: list[dict[str, str]] = json.loads(await reader.readexactly(length))["messages"]
    _report("request")
    questions = (parse(message["content"]) for message in reversed(messages) if message["role"] == "user")
    return next(filter(None, questions), None)


async def _answer(writer: asyncio.StreamWriter, recipe: Recipe) -> None:
    writer.write(_HEAD)
    pieces = recipe.pieces()
    for first in islice(pieces, 1):
        writer.write(_delta(first))
        _report("first")
    await asyncio.sleep(recipe.hold)
    send = _at_pace(writer, pieces, recipe.rate) if recipe.rate else _at_once(writer, pieces)
    await send
    await writer.drain()
    _report("last")
    await asyncio.sleep(recipe.hold)
    usage = {"prompt_tokens": 1, "completion_tokens": recipe.chunks, "total_tokens": recipe.chunks + 1}
    writer.write(_delta(f"\n\n{END}\n") + _event(_choices({}, "stop")) + _event({"choices": [], "usage": usage}))
    writer.write(_http_chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")
    await writer.drain()


async def _at_once(writer: asyncio.StreamWriter, pieces: Iterator[str]) -> None:
    for piece in pieces:
        writer.write(b"".join(map(_delta, chain([piece], islice(pieces, _BATCH - 1)))))
        await writer.drain()


async def _at_pace(writer: asyncio.StreamWriter, pieces: Iterator[str], rate: float) -> None:
    began, sent = time.monotonic(), 0
    while True:
        due = int((time.monotonic() - began) * rate)
        batch = [_delta(piece) for piece in islice(pieces, due - sent)]
        if len(batch) < due - sent:
            writer.write(b"".join(batch))
            return
        sent = due
        writer.write(b"".join(batch))
        await writer.drain()
        await asyncio.sleep(max(0.0, began + (sent + 1) / rate - time.monotonic()))


def _delta(text: str) -> bytes:
    return _event(_choices({"content": text}, None))


def _choices(delta: dict[str, str], finish: str | None) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]}


def _event(value: dict[str, Any]) -> bytes:
    return _http_chunk(b"data: " + json.dumps({**_COMMON, **value}).encode() + b"\n\n")


def _http_chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _report(event: str, **more: int) -> None:
    line = json.dumps({"event": event, "at": time.monotonic_ns(), **more})
    os.write(sys.stdout.fileno(), line.encode() + b"\n")


if __name__ == "__main__":
    main()
