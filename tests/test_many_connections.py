"""Many answers at once over one transport: as many connections as there are answers, made a few at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Literal

import pytest

from llmterm.errors import ConnectError
from llmterm.messages import StreamLimits
from llmterm.transport import Call, FrameStream, Transport
from llmterm.transport.reuse import CONNECTING
from tests.clock import instant
from tests.wire import Exchange, Gate, WireServer, say

MANY = 300
# Connections that a pool keeps for later, and that it has before there is another one.
KEPT, IN_A_POOL = 8, 16


class Counted(asyncio.Semaphore):
    """A semaphore that says how often it was held at the same time, at the most, and by how many it is waited for."""

    held = most = 0

    def __init__(self, value: int) -> None:
        super().__init__(value)
        self._asked = 0
        self._enough = 0
        self._come = asyncio.Event()

    async def asked(self, times: int) -> None:
        """Wait until it was asked for so many times more."""
        self._enough = self._asked + times
        self._come.clear()
        await self._come.wait()

    async def acquire(self) -> Literal[True]:
        self._asked += 1
        if self._asked == self._enough:
            self._come.set()
        await super().acquire()
        self.held += 1
        self.most = max(self.most, self.held)
        return True

    def release(self) -> None:
        self.held -= 1
        super().release()


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    transport = Transport()
    yield transport
    await transport.aclose()


async def opened(transport: Transport, server: WireServer) -> FrameStream:
    call = Call(who="test", url=f"{server.base_url}/chat/completions", payload={"messages": []})
    return await transport.open(call, StreamLimits())


async def answered(transport: Transport, server: WireServer) -> str:
    stream = await opened(transport, server)
    try:
        frames = []
        while batch := await stream.read():
            frames += batch
        await stream.drain()
        return frames[-1].data
    finally:
        await stream.aclose()


async def test_hundreds_of_answers_are_under_way_at_once(transport: Transport) -> None:
    """None fails or waits for another; their connections are made a few at a time, over pools that become more."""
    gate = Gate()
    transport.connecting = counted = Counted(CONNECTING)

    async def script(exchange: Exchange) -> None:
        await gate.wait()
        await say("fine.")(exchange)

    with WireServer(script) as server:
        asking = [asyncio.create_task(answered(transport, server)) for _ in range(MANY)]
        await server.wait_async(lambda: len(server.exchanges) == MANY)
        assert (server.open_connections, transport.connections) == (MANY, MANY)
        assert CONNECTING // 2 < counted.most <= CONNECTING
        gate.open()

        assert await asyncio.gather(*asking) == ["[DONE]"] * MANY
        pools = -(-MANY // IN_A_POOL)
        assert transport.connections <= pools * KEPT
        assert transport.connections > (pools - 1) * KEPT
        kept = transport.connections
        assert await answered(transport, server) == "[DONE]"
        assert (transport.connections, counted.held) == (kept, 0)


@instant
async def test_wait_for_a_turn_to_connect_is_no_silence_of_the_server_s() -> None:
    transport = Transport()
    transport.connecting = asyncio.Semaphore(0)
    call = Call(who="test", url="http://127.0.0.1:9/v1", payload={})
    limits = StreamLimits(first_token_timeout=5.0, stream_timeout=10.0)
    opening = asyncio.create_task(transport.open(call, limits))
    await asyncio.sleep(600)

    assert not opening.done()
    opening.cancel()
    await asyncio.wait({opening})
    await transport.aclose()


async def test_connections_that_cannot_be_made_take_nobody_s_turn(transport: Transport) -> None:
    """Nor do those that are given up while they wait for theirs."""
    transport.connecting = counted = Counted(2)
    with WireServer(say("fine.")) as gone:
        nowhere = Call(who="test", url=gone.base_url, payload={})
    failed = await asyncio.gather(*(transport.open(nowhere, StreamLimits()) for _ in range(10)), return_exceptions=True)
    assert [type(each) for each in failed] == [ConnectError] * 10

    with WireServer(say("fine.")) as server:
        await counted.acquire()
        await counted.acquire()
        waiting = [asyncio.create_task(answered(transport, server)) for _ in range(5)]
        await counted.asked(len(waiting))
        for task in waiting[:4]:
            task.cancel()
        await asyncio.wait(waiting[:4])
        counted.release()
        counted.release()

        assert await waiting[4] == "[DONE]"
        assert (server.open_connections, counted.held) == (1, 0)
