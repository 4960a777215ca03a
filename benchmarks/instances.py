"""One of three instances of the service killed under 300 turns: what is lost, and how soon the others have the rest.

Each turn is read at another instance than the one that it lives at. Its text is the moments at which its words were
sent, so what the killed one has lost is known to the word. Needs redis-server, and a machine with nothing else to do:
an instance that stands still for three seconds is taken for dead.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.answer import Recipe
from benchmarks.child import Child
from benchmarks.concurrency import draining
from benchmarks.measure import Row, alone, percentile
from benchmarks.programs import LLMTERM, Programs, programs
from benchmarks.serve import TOKEN, free_port, request

TURNS, INSTANCES = 300, 3
RATE = 10
LOST_MS, PAUSED_S = 250, 4
_ANSWER = Recipe(text="stamps", chunks=120 * RATE, rate=RATE)
_STAMP = re.compile(r"\d{12,19}")
_SECONDS_BEFORE = 5.0
_AT_ONCE = 20


@dataclass(slots=True)
class Watched:
    """A turn as its reader sees it; `home` is the instance that it lives at."""

    home: int
    id: str
    stamps: list[int] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)
    cut: asyncio.Event = field(default_factory=asyncio.Event)
    cut_at: int = 0


def run() -> list[Row]:
    with programs() as subjects, draining(subjects.reports), _instances(subjects) as found:
        return asyncio.run(_measured(found))


@contextmanager
def _instances(subjects: Programs) -> Iterator[list[tuple[Child, int]]]:
    port, home = free_port(), Path(subjects.home) / "instances"
    home.mkdir()
    config = home / "config.toml"
    config.write_text("[providers.openai]\nmax_concurrent = 1000\n", encoding="utf-8")
    env = subjects.env(home, LLMTERM_CONFIG=str(config), LLMTERM_TOKEN=TOKEN)
    redis = f"exec redis-server --port {port} --bind 127.0.0.1 --save '' --appendonly no"
    with ExitStack() as stack:
        stack.enter_context(Child(["/bin/sh", "-c", redis], env)).wait_for(rb"Ready to accept")
        found = []
        for _ in range(INSTANCES):
            at = free_port()
            serve = f"exec {' '.join(LLMTERM)} serve --port {at} --state redis://127.0.0.1:{port}/0 2>&1"
            child = stack.enter_context(Child(["/bin/sh", "-c", serve], env))
            child.wait_for(rb"serving at")
            found.append((child, at))
        yield found


async def _measured(found: list[tuple[Child, int]]) -> list[Row]:
    ports = [port for _, port in found]
    room = asyncio.Semaphore(_AT_ONCE)
    turns = await asyncio.gather(*(_asked(number % INSTANCES, ports, room) for number in range(TURNS)))
    # Those of the first, which is killed, are read at the others, as are all others.
    reading = [
        asyncio.create_task(_read(ports[1 + number % (INSTANCES - 1)], each)) for number, each in enumerate(turns)
    ]
    await asyncio.sleep(_SECONDS_BEFORE)
    killed = time.monotonic_ns()
    os.kill(found[0][0].pid, signal.SIGKILL)
    cut = [each for each in turns if each.home == 0]
    await asyncio.gather(*(each.cut.wait() for each in cut))
    lost = []
    for each in cut:
        shown = await _call(ports[1], "GET", f"/v1/turns/{each.id}")
        kept = [int(stamp) for stamp in _STAMP.findall(shown["text"])]
        lost.append((killed - kept[-1]) / 1e6)
        each.stamps = each.stamps if each.stamps == kept else []
    wrong = sum(each.stamps != sorted(set(each.stamps)) or not each.stamps for each in turns)
    before = [delay for each in turns for delay in each.delays]
    known = {each.id: len(each.stamps) for each in cut}
    for each in cut:
        await _call(ports[2], "POST", f"/v1/turns/{each.id}/resume", {})
    await asyncio.sleep(_SECONDS_BEFORE)
    on = sum(len(each.stamps) > known[each.id] for each in cut)
    for task in reading:
        task.cancel()
    await asyncio.gather(*reading, return_exceptions=True)
    return [
        alone(
            f"turns of {len(cut)} cut whose text is not what its reader has, or is twice there",
            wrong,
            form="{:.0f}",
            goal=0,
        ),
        alone("age of the last word kept of each, at the most, ms", max(lost), form="{:.0f}", goal=LOST_MS),
        alone(
            "until the last of them is paused elsewhere, s",
            max(each.cut_at - killed for each in cut) / 1e9,
            form="{:.1f}",
            goal=PAUSED_S,
        ),
        alone(f"of {len(cut)}, not gone on with at a third", len(cut) - on, form="{:.0f}", goal=0),
        Row(
            what=f"delay of a word read elsewhere, {TURNS} turns, p50 / p99, ms",
            ours=f"{percentile(before, 50):.0f} / {percentile(before, 99):.0f}",
        ),
    ]


async def _asked(home: int, ports: list[int], room: asyncio.Semaphore) -> Watched:
    async with room:
        body = {"question": _ANSWER.question(), "model": "openai/test"}
        return Watched(home, (await _call(ports[home], "POST", "/v1/turns", body))["id"])


async def _call(port: int, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request(method, path, b"" if body is None else json.dumps(body).encode()))
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head)
        assert length is not None
        return json.loads(await reader.readexactly(int(length[1])))
    finally:
        writer.close()


async def _read(port: int, turn: Watched) -> None:
    """Read a turn, again from where it was where it is told there no more."""
    place = 0
    while True:
        place = await _read_on(port, turn, place)


async def _read_on(port: int, turn: Watched, place: int) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request("GET", f"/v1/turns/{turn.id}/events?after={place}", b""))
        while line := await reader.readline():
            if not line.startswith(b"data: "):
                continue
            event, now = json.loads(line[6:]), time.monotonic_ns()
            place = event["seq"]
            if event["event"] == "TextDelta":
                stamps = [int(stamp) for stamp in _STAMP.findall(event["text"])]
                turn.stamps += stamps
                turn.delays += [(now - stamp) / 1e6 for stamp in stamps]
            elif event["event"] == "Retraction":
                turn.stamps.clear()
            elif event["event"] == "StateChanged" and event["reason"] == "crash":
                turn.cut_at = now
                turn.cut.set()
        return place
    finally:
        writer.close()
