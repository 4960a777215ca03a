"""The service under many readers: the delay that a token gets, what it costs, and what a turn takes in memory.

Each of the readers asks for an answer of its own, of 100 tokens over 5 seconds, and reads it to its end. Upstream,
service and readers are three processes, on two cores. The bare relay is starlette and httpx2 with nothing around them.
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
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.answer import Recipe
from benchmarks.child import Child
from benchmarks.concurrency import draining
from benchmarks.measure import Row, alone, percentile
from benchmarks.programs import LLMTERM, Programs, programs

READERS = (1_000, 4_000)
TOKENS, SECONDS = 100, 5
TOKEN = "a-token-of-the-benchmark"
MORE_CPU = 1.3
_ANSWER = Recipe(text="stamps", chunks=TOKENS, rate=TOKENS / SECONDS)
_ONE = Recipe(text="stamps", chunks=20, hold=0.5)
_STAMP = re.compile(rb"(\d{12,19}) ")


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
            ours, bare = _of_service(subjects, readers), _of_relay(subjects, readers)
            rows += _rows(readers, ours, bare)
        rows.append(_sooner(subjects))
    return rows


def _rows(readers: int, ours: Relayed, bare: Relayed) -> list[Row]:
    tokens = readers * TOKENS
    ratio = ours.cpu / bare.cpu
    return [
        alone(f"of {readers:,} readers, failed", ours.failed, form="{:.0f}", goal=0),
        Row(
            what=f"delay of a token, {readers:,} readers, p50 / p99, ms",
            ours=_delays(ours),
            baseline=_delays(bare),
            ratio=f"{percentile(ours.delays, 99) / percentile(bare.delays, 99):.2f}",
        ),
        Row(
            what=f"until the last of {readers:,} has its {SECONDS} s, s",
            ours=f"{ours.seconds:.1f}",
            baseline=f"{bare.seconds:.1f}",
            ratio=f"{ours.seconds / bare.seconds:.2f}",
        ),
        Row(
            what=f"CPU of a token, {readers:,} readers, µs",
            ours=f"{ours.cpu / tokens * 1e6:.0f}",
            baseline=f"{bare.cpu / tokens * 1e6:.0f}",
            ratio=f"{ratio:.2f}",
            goal=f"<= {MORE_CPU} x",
            met="met" if ratio <= MORE_CPU else "MISSED",
        ),
        Row(
            what=f"memory of a turn and its reader, of {readers:,}, kB",
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
        asyncio.run(_read_all(port, 1, _ONE))
        one = asyncio.run(_read_all(port, 1, _ONE))
        many = asyncio.run(_read_all(port, READERS[0], _ONE))
    sooner = READERS[0] * one.seconds / many.seconds
    return Row(
        what=f"{READERS[0]:,} answers at once, as often as fast as one after another",
        ours=f"{sooner:.0f}",
        goal=">= 90",
        met="met" if sooner >= 90 and not many.failed else "MISSED",
    )


def _of_service(subjects: Programs, readers: int) -> Relayed:
    with _service(subjects) as (child, port):
        return _measured(child, port, readers)


def _of_relay(subjects: Programs, readers: int) -> Relayed:
    port, url = _free_port(), f"http://127.0.0.1:{subjects.port}/v1"
    with Child([sys.executable, "-m", "benchmarks.bare_relay", url, str(port)], subjects.env()) as child:
        child.wait_for(rb"listening")
        return _measured(child, port, readers)


@contextmanager
def _service(subjects: Programs) -> Iterator[tuple[Child, int]]:
    port, home = _free_port(), Path(subjects.home) / f"serve-{time.monotonic_ns()}"
    home.mkdir()
    config = home / "config.toml"
    config.write_text("[providers.openai]\nmax_concurrent = 8000\n", encoding="utf-8")
    env = subjects.env(home, LLMTERM_CONFIG=str(config), LLMTERM_TOKEN=TOKEN)
    with Child(["/bin/sh", "-c", f"exec {' '.join(LLMTERM)} serve --port {port} 2>&1"], env) as child:
        child.wait_for(rb"serving at")
        yield child, port


def _measured(child: Child, port: int, readers: int) -> Relayed:
    before, cpu = child.memory("VmHWM"), _cpu(child.pid)
    relayed = asyncio.run(_read_all(port, readers, _ANSWER))
    relayed.cpu, relayed.memory = _cpu(child.pid) - cpu, child.memory("VmHWM") - before
    return relayed


async def _read_all(port: int, readers: int, recipe: Recipe) -> Relayed:
    """Have so many answers at once, each read by who has asked for it."""
    began = time.perf_counter()
    outcomes = await asyncio.gather(*(_read(port, recipe) for _ in range(readers)))
    seconds = time.perf_counter() - began
    delays = [delay for _, found in outcomes for delay in found]
    return Relayed(delays, sum(not whole for whole, _ in outcomes), seconds, 0.0, 0)


async def _read(port: int, recipe: Recipe) -> tuple[bool, list[float]]:
    """Ask, and read the answer to its end; return whether it is whole, and the delay of each of its tokens, in ms."""
    delays: list[float] = []
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False, delays
    try:
        body = json.dumps({"question": recipe.question(), "model": "openai/test", "kept": False}).encode()
        writer.write(_request("POST", "/v1/turns", body))
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 201 " in head:  # the service; the relay answers at once
            length = int(re.search(rb"content-length: (\d+)", head)[1])  # type: ignore[index]
            turn = json.loads(await reader.readexactly(length))["id"]
            writer.write(_request("GET", f"/v1/turns/{turn}/events", b""))
            head = await reader.readuntil(b"\r\n\r\n")
        whole = b" 200 " in head
        rest = b""
        while data := await reader.read(65536):
            now, rest = time.monotonic_ns(), rest[-20:] + data
            delays.extend((now - int(stamp)) / 1e6 for stamp in _STAMP.findall(rest))
            if b'"state":"done"' in rest:
                return whole and len(delays) >= recipe.chunks, delays
            rest = rest[rest.rfind(b" ") + 1 :]
        return False, delays
    except (OSError, asyncio.IncompleteReadError, KeyError):
        return False, delays
    finally:
        writer.close()


def _request(method: str, path: str, body: bytes) -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {TOKEN}\r\n"
    return f"{head}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port
