"""The service under many readers: the delay that a token gets, what it costs, and what a turn takes in memory.

Each of the readers asks for an answer of its own, of 100 tokens over 5 seconds, and reads it to its end: as a chat
completion, which the service only passes on, and as a turn, which is on the record while it streams. The bare relay is
starlette and httpx2 with nothing around them. Upstream, service and readers are three processes, on two cores.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import resource
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from benchmarks.answer import Recipe
from benchmarks.child import Child
from benchmarks.concurrency import draining
from benchmarks.measure import Row, alone, percentile
from benchmarks.programs import LLMTERM, Programs, programs

READERS = (1_000, 4_000)
TOKENS, SECONDS = 100, 5
TOKEN = "a-token-of-the-benchmark"
MORE_CPU = 1.3
MORE_READERS = 1_000
SLEEPERS = 50
_ANSWER = Recipe(text="stamps", chunks=TOKENS, rate=TOKENS / SECONDS)
_ONE = Recipe(text="stamps", chunks=20, hold=0.5)
# 2 MB: more than all buffers between hold, of who reads nothing.
_LONG = Recipe(text="prose", chunks=400_000)
_STAMP = re.compile(rb"(\d{12,19}) ")
_CONFIG = """\
[providers.openai]
max_concurrent = 8000
[serve]
max_turns = 8000
"""
_Way: TypeAlias = Literal["completion", "turn"]


@dataclass(slots=True)
class Relayed:
    """What so many readers saw, and what that cost: seconds, bytes."""

    delays: list[float]
    failed: int
    seconds: float
    cpu: float
    memory: float


def run() -> list[Row]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, 20_000), hard), hard))
    rows: list[Row] = []
    with programs() as subjects, draining(subjects.reports):
        for readers in READERS:
            passed, bare = _of_service(subjects, readers, "completion"), _of_relay(subjects, readers)
            rows += _rows(f"{readers:,} completions", readers, passed, bare, goal=MORE_CPU)
            rows += _rows(f"{readers:,} turns", readers, _of_service(subjects, readers, "turn"), bare)
        rows += [_sooner(subjects), _one_more(subjects), _beside_sleepers(subjects)]
    return rows


def _rows(what: str, readers: int, ours: Relayed, bare: Relayed, goal: float | None = None) -> list[Row]:
    tokens = readers * TOKENS
    ratio = ours.cpu / bare.cpu
    return [
        alone(f"of {what}, failed", ours.failed, form="{:.0f}", goal=0),
        Row(
            what=f"delay of a token, {what}, p50 / p99, ms",
            ours=_delays(ours),
            baseline=_delays(bare),
            ratio=f"{percentile(ours.delays, 99) / percentile(bare.delays, 99):.2f}",
        ),
        Row(
            what=f"until the last of {what} has its {SECONDS} s, s",
            ours=f"{ours.seconds:.1f}",
            baseline=f"{bare.seconds:.1f}",
            ratio=f"{ours.seconds / bare.seconds:.2f}",
        ),
        Row(
            what=f"CPU of a token, {what}, µs",
            ours=f"{ours.cpu / tokens * 1e6:.0f}",
            baseline=f"{bare.cpu / tokens * 1e6:.0f}",
            ratio=f"{ratio:.2f}",
            goal="-" if goal is None else f"<= {goal} x",
            met="-" if goal is None else "met" if ratio <= goal else "MISSED",
        ),
        Row(
            what=f"memory of one and its reader, of {what}, kB",
            ours=f"{ours.memory / readers / 1024:.0f}",
            baseline=f"{bare.memory / readers / 1024:.0f}",
            ratio=f"{ours.memory / bare.memory:.2f}",
        ),
    ]


def _delays(relayed: Relayed) -> str:
    return f"{percentile(relayed.delays, 50):.0f} / {percentile(relayed.delays, 99):.0f}"


def _sooner(subjects: Programs) -> Row:
    """Return how much sooner a thousand answers of a second are there at once than one after another."""
    with _service(subjects) as (_, port):
        asyncio.run(_read_all(port, 1, "turn", _ONE))
        one = asyncio.run(_read_all(port, 1, "turn", _ONE))
        many = asyncio.run(_read_all(port, READERS[0], "turn", _ONE))
    sooner = READERS[0] * one.seconds / many.seconds
    return Row(
        what=f"{READERS[0]:,} answers at once, as often as fast as one after another",
        ours=f"{sooner:.0f}",
        goal=">= 90",
        met="met" if sooner >= 90 and not many.failed else "MISSED",
    )


def _one_more(subjects: Programs) -> Row:
    """Return what each of a thousand more readers of one turn takes in memory."""
    with _service(subjects) as (child, port):
        asyncio.run(_read_one(port, 1))
        before = child.memory("VmHWM")
        failed = asyncio.run(_read_one(port, MORE_READERS))
        grown = child.memory("VmHWM") - before
    return Row(
        what=f"each of {MORE_READERS:,} more readers of one turn, memory, kB",
        ours=f"{grown / MORE_READERS / 1024:.0f}",
        met="-" if not failed else "MISSED",
    )


def _beside_sleepers(subjects: Programs) -> Row:
    """Return the delay of a token beside readers that have begun to read a very long answer, and read no more of it."""
    readers = READERS[0] // 10
    with _service(subjects) as (_, port):
        asyncio.run(_read_all(port, 1, "turn", _ONE))
        alone_there = asyncio.run(_read_all(port, readers, "turn", _ANSWER))
        beside = asyncio.run(_read_beside(port, readers))
    return Row(
        what=f"delay of a token, {readers} turns beside {SLEEPERS} readers that read nothing, p50 / p99, ms",
        ours=_delays(beside),
        baseline=_delays(alone_there),
        ratio=f"{percentile(beside.delays, 50) / percentile(alone_there.delays, 50):.2f}",
        met="met" if not beside.failed else "MISSED",
    )


def _of_service(subjects: Programs, readers: int, way: _Way) -> Relayed:
    with _service(subjects) as (child, port):
        return _measured(child, port, readers, way)


def _of_relay(subjects: Programs, readers: int) -> Relayed:
    port, url = free_port(), f"http://127.0.0.1:{subjects.port}/v1"
    with Child([sys.executable, "-m", "benchmarks.bare_relay", url, str(port)], subjects.env()) as child:
        child.wait_for(rb"listening")
        return _measured(child, port, readers, "completion")


@contextmanager
def _service(subjects: Programs) -> Iterator[tuple[Child, int]]:
    port, home = free_port(), Path(subjects.home) / f"serve-{time.monotonic_ns()}"
    home.mkdir()
    config = home / "config.toml"
    config.write_text(_CONFIG, encoding="utf-8")
    env = subjects.env(home, LLMTERM_CONFIG=str(config), LLMTERM_TOKEN=TOKEN)
    with Child(["/bin/sh", "-c", f"exec {' '.join(LLMTERM)} serve --port {port} 2>&1"], env) as child:
        child.wait_for(rb"serving at")
        yield child, port


def _measured(child: Child, port: int, readers: int, way: _Way) -> Relayed:
    asyncio.run(_read_all(port, 1, way, _ONE))  # what is made at its first use is no reader's
    before, cpu = child.memory("VmHWM"), _cpu(child.pid)
    relayed = asyncio.run(_read_all(port, readers, way, _ANSWER))
    relayed.cpu, relayed.memory = _cpu(child.pid) - cpu, child.memory("VmHWM") - before
    return relayed


async def _read_all(port: int, readers: int, way: _Way, recipe: Recipe) -> Relayed:
    """Have so many answers at once, each read by who has asked for it."""
    began = time.perf_counter()
    outcomes = await asyncio.gather(*(_read(port, way, recipe) for _ in range(readers)))
    seconds = time.perf_counter() - began
    delays = [delay for _, found in outcomes for delay in found]
    return Relayed(delays, sum(not whole for whole, _ in outcomes), seconds, 0.0, 0)


async def _read_one(port: int, readers: int) -> int:
    """Have one turn read by so many; return how many have failed."""
    async with _connected(port) as (reader, writer):
        turn = await _asked(reader, writer, _ANSWER)
    outcomes = await asyncio.gather(*(_read(port, "turn", _ANSWER, turn) for _ in range(readers)))
    return sum(not whole for whole, _ in outcomes)


async def _read_beside(port: int, readers: int) -> Relayed:
    """Have so many answers while others sleep over a long one, which is over."""
    async with AsyncExitStack() as stack:
        reader, writer = await stack.enter_async_context(_connected(port))
        turn = await _asked(reader, writer, _LONG)
        await _read(port, "turn", _LONG, turn)
        for _ in range(SLEEPERS):
            reader, writer = await stack.enter_async_context(_connected(port))
            _follow(writer, turn)
            await reader.readuntil(b"\r\n\r\n")
            writer.transport.pause_reading()  # type: ignore[attr-defined]
        return await _read_all(port, readers, "turn", _ANSWER)


async def _read(port: int, way: _Way, recipe: Recipe, turn: str = "") -> tuple[bool, list[float]]:
    """Ask, unless there is a turn, and read the answer to its end; return whether it is whole, and the delay of each of
    its tokens, in ms."""
    delays: list[float] = []
    try:
        async with _connected(port) as (reader, writer):
            if way == "completion":
                body = {"model": "openai/test", "stream": True, "messages": [_said(recipe)]}
                writer.write(request("POST", "/v1/chat/completions", json.dumps(body).encode()))
            else:
                _follow(writer, turn or await _asked(reader, writer, recipe))
            whole = b" 200 " in await reader.readuntil(b"\r\n\r\n")
            rest = b""
            while data := await reader.read(65536):
                now, rest = time.monotonic_ns(), rest[-20:] + data
                delays.extend((now - int(stamp)) / 1e6 for stamp in _STAMP.findall(rest))
                if b'"state":"done"' in rest or b"[DONE]" in rest:
                    return whole and len(delays) >= recipe.chunks, delays
                rest = rest[rest.rfind(b" ") + 1 :]
    except (OSError, asyncio.IncompleteReadError, ValueError):
        pass
    return False, delays


@asynccontextmanager
async def _connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def _asked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, recipe: Recipe) -> str:
    """Ask for a turn; return its id. Raises ValueError where it is refused."""
    body = json.dumps({"question": recipe.question(), "model": "openai/test"}).encode()
    writer.write(request("POST", "/v1/turns", body))
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head)
    if b" 201 " not in head or length is None:
        raise ValueError(head)
    return str(json.loads(await reader.readexactly(int(length[1])))["id"])


def _follow(writer: asyncio.StreamWriter, turn: str) -> None:
    writer.write(request("GET", f"/v1/turns/{turn}/events", b""))


def _said(recipe: Recipe) -> dict[str, str]:
    return {"role": "user", "content": recipe.question()}


def request(method: str, path: str, body: bytes) -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {TOKEN}\r\n"
    return f"{head}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port
