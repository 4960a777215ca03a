"""A model's side of every wire, in a process of its own, that tells what it saw and when.

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

from benchmarks.answer import Recipe, parse
from benchmarks.wires import Wire, questions, wire_of

_BATCH = 64
_HEAD = "HTTP/1.1 200 OK\r\ncontent-type: {}\r\ntransfer-encoding: chunked\r\n\r\n"


def main() -> None:
    with suppress(KeyboardInterrupt):
        asyncio.run(_listen())


async def _listen() -> None:
    server = await asyncio.start_server(_serve, "127.0.0.1", 0)
    _report("listening", port=server.sockets[0].getsockname()[1])
    await server.serve_forever()


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError, asyncio.IncompleteReadError):
        while asked := await _read_request(reader):
            # Whatever comes now is the end: nobody sends a second request before the first is answered.
            hung_up = asyncio.create_task(_watch(reader))
            answer = asyncio.create_task(_answer(writer, *asked))
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


async def _read_request(reader: asyncio.StreamReader) -> tuple[Wire, Recipe] | None:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    body = json.loads(await reader.readexactly(length))
    _report("request")
    recipe = next(filter(None, map(parse, questions(body))), None)
    return (wire_of(head.split()[1].decode()), recipe) if recipe else None


async def _answer(writer: asyncio.StreamWriter, wire: Wire, recipe: Recipe) -> None:
    writer.write(_HEAD.format(wire.content_type).encode() + (_http_chunk(wire.begin) if wire.begin else b""))
    pieces = (_http_chunk(wire.delta(piece)) for piece in recipe.pieces())
    for first in islice(pieces, 1):
        writer.write(first)
        _report("first")
    await asyncio.sleep(recipe.hold)
    send = _at_pace(writer, pieces, recipe.rate) if recipe.rate else _at_once(writer, pieces)
    await send
    await writer.drain()
    _report("last")
    await asyncio.sleep(recipe.hold)
    writer.write(_http_chunk(wire.end(recipe.chunks)) + b"0\r\n\r\n")
    await writer.drain()


async def _at_once(writer: asyncio.StreamWriter, pieces: Iterator[bytes]) -> None:
    for piece in pieces:
        writer.write(b"".join(chain([piece], islice(pieces, _BATCH - 1))))
        await writer.drain()


async def _at_pace(writer: asyncio.StreamWriter, pieces: Iterator[bytes], rate: float) -> None:
    began, sent = time.monotonic(), 0
    while True:
        due = int((time.monotonic() - began) * rate)
        batch = list(islice(pieces, due - sent))
        if len(batch) < due - sent:
            writer.write(b"".join(batch))
            return
        sent = due
        writer.write(b"".join(batch))
        await writer.drain()
        await asyncio.sleep(max(0.0, began + (sent + 1) / rate - time.monotonic()))


def _http_chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _report(event: str, **more: int) -> None:
    line = json.dumps({"event": event, "at": time.monotonic_ns(), **more})
    os.write(sys.stdout.fileno(), line.encode() + b"\n")


if __name__ == "__main__":
    main()
