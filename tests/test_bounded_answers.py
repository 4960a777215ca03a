"""Answers that are no stream: endless, dribbled or nested ones cost a bounded time and memory, wherever they come."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from llmterm.assembly.probe import tags
from llmterm.errors import AuthError, LimitError, ProtocolError, ProviderError, StreamTimeoutError
from llmterm.messages import StreamLimits
from llmterm.providers.pull import pull_ollama
from llmterm.transport import Call, Transport
from tests.terminal import LLMTERM, environment
from tests.wire import Exchange, Script, WireServer

DEEP = b'{"models": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
LIMITS = StreamLimits(stream_timeout=1.0)


async def endless(exchange: Exchange) -> None:
    await exchange.start(content_type="application/json")
    await exchange.raw(b'{"models": [')
    while True:
        await exchange.raw(b'{"name": "m"},' * 10_000)


async def dribbled(exchange: Exchange) -> None:
    await exchange.start(content_type="application/json")
    while True:
        await exchange.raw(b" ")
        await asyncio.sleep(0.05)


async def dribbled_headers(exchange: Exchange) -> None:
    await exchange.send(b"HTTP/1.1 200 OK\r\nx-long: ")
    while True:
        await exchange.send(b"x")
        await asyncio.sleep(0.05)


async def nested(exchange: Exchange) -> None:
    await exchange.start(content_type="application/json")
    await exchange.raw(DEEP)
    await exchange.close()


async def going_on(exchange: Exchange) -> None:
    while True:
        await exchange.send(b"HTTP/1.1 100 Continue\r\n\r\n")


async def silent(exchange: Exchange) -> None:
    await exchange.hung_up()


SCRIPTS = [endless, dribbled, dribbled_headers, nested, going_on, silent]


def fetched(server: WireServer) -> Call:
    return Call(who="ollama", url=f"{server.address}/api/tags")


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    transport = Transport()
    yield transport
    await transport.aclose()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.__name__)
def test_probe_for_an_ollama_ends_whatever_sits_at_its_port(script: Script) -> None:
    """With nothing found, and the connection closed."""
    with WireServer(script) as server:
        assert tags(server.address, 0.5) is None
        server.wait(lambda: server.open_connections == 0)


def test_probe_finds_an_ollama() -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.refuse(200, {"models": [{"name": "m"}]})

    with WireServer(script) as server:
        assert tags(server.address, 10) == {"models": [{"name": "m"}]}


@pytest.mark.parametrize("url", ["", "http://", "http://[", "ftp://x", "http://127.0.0.1:99999"])
def test_probe_of_no_address_finds_nothing(url: str) -> None:
    assert tags(url, 1) is None


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.__name__)
async def test_listing_ends_with_an_error_of_ours(transport: Transport, script: Script) -> None:
    kinds: dict[Script, type[ProviderError]] = {endless: LimitError, nested: ProtocolError}
    with WireServer(script) as server:
        with pytest.raises(kinds.get(script, StreamTimeoutError)):
            await transport.fetch(fetched(server), replace(LIMITS, stream_timeout=60) if script is endless else LIMITS)

        await server.wait_async(lambda: server.open_connections <= 1)


@pytest.mark.parametrize("script", [endless, dribbled], ids=lambda script: script.__name__)
async def test_refusal_is_told_whatever_its_body_is(transport: Transport, script: Script) -> None:
    """The status says it; no more of the body is waited for than a moment brings."""

    async def refusing(exchange: Exchange) -> None:
        start = exchange.start

        async def start_refused(status: int = 200, content_type: str = "", **headers: str) -> None:
            await start(401, content_type, **headers)

        exchange.start = start_refused  # type: ignore[method-assign]  # the same body, behind another status
        await script(exchange)

    limits = StreamLimits(first_token_timeout=None)
    with WireServer(refusing) as server:
        with pytest.raises(AuthError, match="HTTP 401"):
            await transport.open(Call(who="openai", url=server.base_url, payload={}), limits)

        await server.wait_async(lambda: server.open_connections == 0)


async def test_refusal_whose_body_breaks_is_told(transport: Transport) -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.start(401)
        await exchange.raw(b'{"error": ')
        exchange.drop()

    with WireServer(script) as server, pytest.raises(AuthError, match="HTTP 401"):
        await transport.open(Call(who="openai", url=server.base_url, payload={}), StreamLimits())


@pytest.mark.parametrize("line", [b"{garbage\n", b"\n", DEEP + b"\n", b" "], ids=["garbage", "empty", "deep", "no end"])
async def test_download_of_lines_without_sense_ends(transport: Transport, line: bytes) -> None:
    """They are signs of life, and no progress."""

    async def script(exchange: Exchange) -> None:
        await exchange.start(content_type="application/x-ndjson")
        while True:
            await exchange.raw(line)
            await asyncio.sleep(0.05)

    with WireServer(script) as server, pytest.raises(StreamTimeoutError) as caught:
        await pull_ollama(transport, server.address, "m", lambda _: None, limits=StreamLimits(silence_timeout=1))

    assert caught.value.timer == "silence"


@pytest.mark.parametrize("script", [dribbled_headers, nested], ids=lambda script: script.__name__)
def test_program_starts_whatever_sits_at_the_port_of_an_ollama(tmp_path: Path, script: Script) -> None:
    """With no key and nothing named: it is looked for, and somebody else answers."""
    config = tmp_path / "config.toml"
    config.write_text("[providers.local]\nthreads = 1\n")
    with WireServer(script) as server:
        done = subprocess.run(
            [*LLMTERM, "chat", "--max-tokens", "2"],
            input=b"hi",
            env=environment(tmp_path, OLLAMA_HOST=f"127.0.0.1:{server.port}", LLMTERM_CONFIG=str(config)),
            capture_output=True,
            timeout=60,
            check=False,
        )

    assert b"Traceback" not in done.stderr
    assert b"bug" not in done.stderr
    stats = subprocess.run([*LLMTERM, "stats", "--json"], env=environment(tmp_path), capture_output=True, check=True)
    assert [row["provider"] for row in json.loads(stats.stdout)] in (["local"], [])
