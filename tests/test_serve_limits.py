"""How much the service does at once, and for how long it waits for whoever says or takes nothing."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.serving import TOKEN, Client, reply_of, serving
from tests.test_serve_metrics import scraped
from tests.wire import Exchange, Script

AUTH = f"Host: localhost\r\nAuthorization: Bearer {TOKEN}\r\n"


async def endless(exchange: Exchange) -> None:
    await exchange.start()
    await exchange.text("some words")
    await exchange.hung_up()


@asynccontextmanager
async def limited(folder: Path, script: Script, **limits: float) -> AsyncIterator[Client]:
    """Serve with these limits."""
    config = folder / "config.toml"
    config.write_text("[serve]\n" + "".join(f"{name} = {value}\n" for name, value in limits.items()), "utf-8")
    async with serving(folder, script, LLMTERM_CONFIG=str(config)) as client:
        yield client


async def connected(client: Client, sent: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect, and send what may be no whole request."""
    address = urlsplit(client.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(sent.encode())
    return reader, writer


async def test_answers_that_are_made_at_once_are_so_many_in_all(tmp_path: Path) -> None:
    asked = {"model": "openai/test", "messages": [{"role": "user", "content": "And now?"}]}
    async with limited(tmp_path, endless, max_turns=2) as client:
        first, second = [(await client.ask())["id"] for _ in range(2)]
        refused = await client.post("/v1/turns", {"question": "Why?", "model": "openai/test"}, 429)
        await client.post("/v1/chat/completions", asked, 429)
        await client.post(f"/v1/turns/{first}/pause")
        third = (await client.ask())["id"]
        await client.post(f"/v1/turns/{first}/resume", status=429)
        for turn in (second, third):
            await client.post(f"/v1/turns/{turn}/cancel")
        resumed = await client.post(f"/v1/turns/{first}/resume")

    assert refused["error"]["code"] == "too_many_turns"
    assert resumed["state"] == "streaming"


async def test_answers_that_are_made_for_one_client_are_so_many(tmp_path: Path) -> None:
    """Behind a proxy on this machine a client is who that says it is."""
    async with limited(tmp_path, endless, turns_per_client=1) as client:
        statuses = []
        for address in ("192.0.2.1", "192.0.2.1", "192.0.2.2"):
            body = {"question": "Why?", "model": "openai/test"}
            asked = await client.http.post("/v1/turns", json=body, headers={"x-forwarded-for": address})
            statuses.append(asked.status_code)

    assert statuses == [201, 429, 201]


async def test_readers_are_so_many(tmp_path: Path) -> None:
    async with limited(tmp_path, endless, max_readers=1) as client:
        turn = (await client.ask())["id"]
        async with client.told(turn) as told:
            await anext(told)
            refused = await client.get(f"/v1/turns/{turn}/events", status=429)
        while (await scraped(client)).value("llmterm_readers"):
            pass
        async with client.told(turn) as told:
            await anext(told)

    assert refused["error"]["code"] == "too_many_readers"


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "GET /v1/sessions HTTP/1.1\r\nHost: local",
        f"POST /v1/turns HTTP/1.1\r\n{AUTH}Content-Length: 1000\r\n\r\n{{",
        f"GET /healthz HTTP/1.1\r\n{AUTH}\r\nGET /v1",
    ],
    ids=["nothing", "half a head", "half a body", "half of a second request"],
)
async def test_connection_on_which_nothing_comes_is_closed(tmp_path: Path, sent: str) -> None:
    async with limited(tmp_path, endless, request_timeout=0.1) as client:
        connections = [await connected(client, sent) for _ in range(50)]
        for reader, writer in connections:
            with suppress(ConnectionResetError):
                while await reader.read(1000):
                    pass
            writer.close()
        assert (await client.get("/healthz")) == {"status": "ok"}


async def test_reader_that_waits_for_an_answer_is_not_one_that_says_nothing(tmp_path: Path) -> None:
    async with limited(tmp_path, endless, request_timeout=0.1) as client:
        turn = (await client.ask())["id"]
        async with client.told(turn) as told:
            await anext(told)
            idle, writer = await connected(client, "")
            assert await idle.read() == b""  # so long it takes
            writer.close()
            await client.post(f"/v1/turns/{turn}/cancel")
            assert (await reply_of(told)).text == "some words"


async def test_reader_that_takes_nothing_is_let_go_of_and_slows_nobody(tmp_path: Path) -> None:
    size, pieces = 100_000, 120

    async def script(exchange: Exchange) -> None:
        await exchange.start()
        for _ in range(pieces):
            await exchange.text("x" * size)
        await exchange.end()

    async with limited(tmp_path, script, reader_timeout=0.2) as client:
        turn = (await client.ask())["id"]
        address = urlsplit(client.url)
        with socket.socket() as lazy:
            lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            lazy.setblocking(False)
            await asyncio.get_running_loop().sock_connect(lazy, (address.hostname, address.port))
            lazy.send(f"GET /v1/turns/{turn}/events HTTP/1.1\r\n{AUTH}\r\n".encode())
            async with client.told(turn) as told:
                reply = await reply_of(told)
            while (await scraped(client)).value("llmterm_readers"):
                pass

    assert len(reply.text) == size * pieces


async def test_head_of_a_request_has_an_end(tmp_path: Path) -> None:
    """Nobody has to know the token to send one."""
    async with limited(tmp_path, endless) as client:
        reader, writer = await connected(client, "GET / HTTP/1.1\r\nHost: localhost\r\nX: ")
        writer.write(b"x" * 1_000_000)
        answer = await reader.read(1000)
        writer.close()

    assert answer.startswith(b"HTTP/1.1 400")
