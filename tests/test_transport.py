"""The transport against a real server: timeouts, closing, and an error of ours for every error of the client."""

from __future__ import annotations

import asyncio
import base64
import gc
import inspect
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmterm.errors import (
    AuthError,
    ConfigError,
    ConnectError,
    LimitError,
    LlmtermError,
    ModelNotFoundError,
    NetworkError,
    ProtocolError,
    RateLimitError,
    RequestRefusedError,
    ServerError,
    StaleConnectionError,
    StreamTimeoutError,
)
from llmterm.framing import Frame
from llmterm.messages import StreamLimits
from llmterm.providers.openai import wire
from llmterm.providers.stream import WireStream
from llmterm.transport import Call, Embedded, FrameStream, Transport, error_words, redact
from llmterm.transport.failures import translate
from tests.wire import Exchange, WireServer, say

KEY = "sk-very-secret"
IMAGE = bytes(range(256)) * 64 * 1024  # 16 MB
SHORT = StreamLimits(connect_timeout=5, chunk_timeout=0.2)


def call(url: str) -> Call:
    return Call(
        who="test", url=url, payload={"messages": []}, headers={"authorization": f"Bearer {KEY}"}, secrets=(KEY,)
    )


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    transport = Transport()
    yield transport
    await transport.aclose()


async def open_stream(transport: Transport, server: WireServer, limits: StreamLimits | None = None) -> FrameStream:
    return await transport.open(call(f"{server.base_url}/chat/completions"), limits or StreamLimits())


async def read_all(stream: FrameStream) -> list[Frame]:
    frames = []
    while batch := await stream.read():
        frames += batch
    return frames


async def test_frames_arrive_and_the_connection_is_used_again(transport: Transport) -> None:
    """A body that was read to its end leaves its connection to the next call."""
    with WireServer(say("a", "b")) as server:
        for _ in range(3):
            stream = await open_stream(transport, server)
            frames = await read_all(stream)
            await stream.aclose()

            assert len(frames) == 5  # two deltas, finish, usage, [DONE]
            assert frames[-1].data == "[DONE]"

        assert server.open_connections == 1


async def test_close_in_the_middle_hangs_up(transport: Transport) -> None:
    """Closing a stream that is not over closes its socket: the server sees it."""

    async def script(exchange: Exchange) -> None:
        await exchange.start()
        await exchange.text("a")
        await exchange.hung_up()

    with WireServer(script) as server:
        stream = await open_stream(transport, server)
        await stream.read()

        await stream.aclose()

        await server.wait_async(lambda: server.open_connections == 0)
        assert transport.connections == 0


async def test_double_cancel_leaves_no_connection(transport: Transport) -> None:
    """A read that is cancelled, and cancelled again while it cleans up, leaks nothing."""

    async def script(exchange: Exchange) -> None:
        await exchange.start()
        await exchange.text("a")
        await exchange.hung_up()

    async def read_and_close() -> None:
        stream = await open_stream(transport, server)
        try:
            await read_all(stream)
        finally:
            await stream.aclose()

    with WireServer(script) as server:
        for number in range(8):
            reading = asyncio.create_task(read_and_close())
            await server.wait_async(lambda wanted=number: len(server.exchanges) > wanted)  # type: ignore[misc]
            reading.cancel()
            await asyncio.sleep(0)
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading

        await server.wait_async(lambda: server.open_connections == 0)
        assert transport.connections == 0


async def test_silence_of_the_socket_times_out(transport: Transport) -> None:
    """A server that stops sending trips the chunk timer, which the error names."""

    async def script(exchange: Exchange) -> None:
        await exchange.start()
        await exchange.text("a")
        await exchange.hung_up()

    with WireServer(script) as server:
        stream = await open_stream(transport, server, SHORT)
        await stream.read()
        stream.content_came()

        with pytest.raises(StreamTimeoutError, match=r"nothing came from .* for 0.2 s") as caught:
            await stream.read()

        assert caught.value.timer == "chunk"
        await stream.aclose()


async def test_slow_reader_does_not_time_out(transport: Transport) -> None:
    """The chunk timer runs only while the socket is read: taking longer over a chunk is no silence."""
    with WireServer(say(*["x" * 10_000] * 50)) as server:
        stream = await open_stream(transport, server, StreamLimits(chunk_timeout=1))
        frames = await stream.read()
        stream.content_came()

        # Longer than the chunk timer; the reader is what is slow here, so this is the arrangement, not an ordering.
        await asyncio.sleep(1.5)
        frames += await read_all(stream)

        assert len(frames) == 53
        await stream.aclose()


async def test_silence_before_the_headers_times_out(transport: Transport) -> None:
    """A server that takes the request and says nothing is an error as well."""

    async def script(exchange: Exchange) -> None:
        await exchange.hung_up()

    limits = StreamLimits(first_token_timeout=0.2)
    with WireServer(script) as server, pytest.raises(StreamTimeoutError, match=r"no answer began within 0.2 s"):
        await open_stream(transport, server, limits)


async def test_pings_are_life_but_no_answer(transport: Transport) -> None:
    """A server that keeps the connection alive and says nothing trips the timer of silence, and no other."""

    async def script(exchange: Exchange) -> None:
        await exchange.start()
        while True:
            await exchange.raw(b": ping\n\n")
            await asyncio.sleep(0.05)

    with WireServer(script) as server:
        stream = await open_stream(transport, server, StreamLimits(chunk_timeout=1, silence_timeout=2))

        with pytest.raises(StreamTimeoutError, match=r"signs of life, but no answer for 2 s") as caught:
            await stream.read()

        assert caught.value.timer == "silence"
        await stream.aclose()
        await server.wait_async(lambda: server.open_connections == 0)


async def test_stream_timeout_limits_the_whole_answer(transport: Transport) -> None:
    """A server that goes on and on is cut at the total time."""

    async def script(exchange: Exchange) -> None:
        await exchange.start()
        while True:
            await exchange.text("on and on")
            await asyncio.sleep(0)

    with WireServer(script) as server:
        stream = await open_stream(transport, server, StreamLimits(stream_timeout=1))

        with pytest.raises(StreamTimeoutError, match=r"longer than 1 s in all") as caught:
            await read_all(stream)

        assert caught.value.timer == "stream"
        await stream.aclose()


async def test_broken_connection_is_a_network_error(transport: Transport) -> None:
    """A connection that breaks in the middle of a body never looks like its end."""

    async def script(exchange: Exchange) -> None:
        await exchange.start()
        await exchange.text("a")
        exchange.drop()

    with WireServer(script) as server:
        stream = await open_stream(transport, server)

        with pytest.raises(NetworkError, match="broke"):
            await read_all(stream)

        await stream.aclose()


async def test_nobody_listening_is_a_connect_error(transport: Transport) -> None:
    """The error names the address and what to look at."""
    with WireServer(say("a")) as server:
        url = server.base_url

    with pytest.raises(ConnectError, match=r"cannot reach http://127.0.0.1:\d+/v1.*is the server running"):
        await transport.open(call(url), StreamLimits())


async def test_proxy_of_the_environment_is_asked(transport: Transport, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a proxy is set, the request goes there, with the address that is meant."""
    with WireServer(say("a")) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("NO_PROXY", "")
        monkeypatch.setenv("no_proxy", "")
        stream = await transport.open(call("http://models.example/v1/chat/completions"), StreamLimits())
        await read_all(stream)
        await stream.aclose()

        assert proxy.exchanges[0].path == "http://models.example/v1/chat/completions"


@pytest.mark.parametrize(
    "words", ["The model 'x' does not exist", "unknown model x", "{'code': 'model_not_found'}", "model x not found"]
)
async def test_unknown_model_is_one_whatever_the_status(transport: Transport, words: str) -> None:
    """One API says 400 where the others say 404."""

    async def script(exchange: Exchange) -> None:
        await exchange.refuse(400, {"error": {"message": words}})

    with WireServer(script) as server, pytest.raises(ModelNotFoundError):
        await open_stream(transport, server)


async def test_hostile_line_is_a_limit_error(transport: Transport) -> None:
    """An event larger than allowed ends the stream, not the memory."""

    async def script(exchange: Exchange) -> None:
        await exchange.start()
        while True:
            await exchange.raw(b"data: " + b"x" * 65536)

    with WireServer(script) as server:
        stream = await open_stream(transport, server, StreamLimits(max_event_bytes=1_000_000))

        with pytest.raises(LimitError, match="1000000 bytes"):
            await read_all(stream)

        await stream.aclose()


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, RequestRefusedError),
        (401, AuthError),
        (403, AuthError),
        (404, ModelNotFoundError),
        (422, RequestRefusedError),
        (429, RateLimitError),
        (500, ServerError),
        (529, ServerError),
        (302, ProtocolError),
    ],
)
async def test_status_becomes_an_error_with_the_servers_words(
    transport: Transport, status: int, kind: type[LlmtermError]
) -> None:
    """Each HTTP status has its error; what the server says is in it, and a repeated key is not."""

    async def script(exchange: Exchange) -> None:
        await exchange.refuse(status, {"error": {"message": f"no, {KEY} will not do"}}, retry_after="7")

    said = rf"no, \*\*\* will not do \(HTTP {status}\)"
    with WireServer(script) as server, pytest.raises(kind, match=said) as caught:
        await open_stream(transport, server)

    assert KEY not in repr(caught.value)
    if isinstance(caught.value, RateLimitError):
        assert caught.value.retry_after == 7
        assert "try again in 7 s" in str(caught.value)


def _httpx_errors() -> list[type[Exception]]:
    found = [
        value
        for _, value in inspect.getmembers(httpx2, inspect.isclass)
        if issubclass(value, Exception) and not issubclass(value, Warning)
    ]
    assert len(found) > 20
    return found


@pytest.mark.parametrize("kind", _httpx_errors())
def test_none_of_the_clients_errors_escapes(kind: type[Exception]) -> None:
    """Whatever httpx2 may raise is translated into one of our errors."""
    error = kind.__new__(kind)
    Exception.__init__(error, "details")
    assert isinstance(error, httpx2.HTTPError | httpx2.StreamError | httpx2.InvalidURL | httpx2.CookieConflict)

    assert isinstance(translate(error, call("http://example.invalid/"), StreamLimits()), LlmtermError)


@pytest.mark.parametrize("url", ["ftp://x/", "nonsense", "http://[", "http://x:99999/", "", "http://a b/"])
async def test_useless_address_is_a_configuration_error(transport: Transport, url: str) -> None:
    """A base URL that is none is the user's to mend, and is told apart from a server that is down."""
    with pytest.raises((ConfigError, ConnectError)):
        await transport.open(call(url), StreamLimits())


@pytest.mark.parametrize("key", ["sk-ä", "sk-\n1", "sk-€"])
async def test_key_with_odd_characters_is_a_configuration_error(transport: Transport, key: str) -> None:
    """A key that was pasted wrongly is named as that, and not shown."""
    headers = {"authorization": f"Bearer {key}"}

    with pytest.raises(ConfigError, match="characters that no key has") as caught:
        await transport.open(Call(who="test", url="http://127.0.0.1:1/", payload={}, headers=headers), StreamLimits())

    assert key not in str(caught.value)


def test_address_keeps_no_secret() -> None:
    """User, password and query of a URL never reach an error."""
    assert call(f"http://user:{KEY}@host/v1?key={KEY}").address == "http://host/v1"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"error": {"message": "m", "code": 1}}', "m"),
        ('{"type": "error", "error": {"type": "t", "message": "m"}, "request_id": "r"}', "m"),
        ('{"error": {"code": 400, "message": "m", "status": "S", "details": []}}', "m"),
        ('{"id": "x", "message": "m"}', "m"),
        ('{"detail": "m"}', "m"),
        ('{"detail": [{"msg": "m"}]}', "m"),
        ('{"code": "c", "error": "m"}', "m"),
        ('[{"error": {"message": "m"}}]', "m"),
        ("<html>", ""),
        ("", ""),
        ("[" * 100_000, ""),
        ('{"error": {}}', ""),
    ],
)
def test_error_bodies_of_all_shapes_are_understood(body: str, words: str) -> None:
    """The shapes that real providers use."""
    assert error_words(body) == words


@given(st.text(), st.text(min_size=6))
def test_redacted_text_has_no_secret(text: str, secret: str) -> None:
    """Whatever is around it."""
    redacted = redact(text + secret + text, (secret,))

    assert secret not in redacted or secret in "***"


async def test_no_unawaited_leftovers(transport: Transport) -> None:
    """A stream that is closed before it is read leaves nothing for the garbage collector to complain about."""
    with WireServer(say("a")) as server:
        stream = await open_stream(transport, server)
        await stream.aclose()
        del stream
        gc.collect()

    assert transport.connections == 0


@given(st.integers(0, 600), st.text(alphabet="abcdef0123456789", min_size=20, max_size=60))
def test_key_across_the_cut_of_a_long_error_is_hidden(before: int, key: str) -> None:
    """Words are cut to a length only when the key is out of them: half a key is a secret, too."""
    words = error_words('{"error": "' + "x" * before + key + "y" * 600 + '"}', (key,))

    assert key[:10] not in words


async def test_what_was_received_and_not_read_is_not_lost(transport: Transport) -> None:
    """A reader that is stopped can still have what the socket had brought by then."""

    async def script(exchange: Exchange) -> None:
        await exchange.start()
        for number in range(1000):
            await exchange.text(f"{number} ")
        await exchange.close()

    with WireServer(script) as server:
        stream = await open_stream(transport, server)
        frames = await stream.read()
        # The body is read on while nobody asks for it, to its end: its bound is far from here.
        (body,) = [task for task in asyncio.all_tasks() if task.get_name() == "llmterm-body"]
        await asyncio.wait_for(body, 60)
        frames += stream.rest()
        await stream.aclose()

    assert len(frames) == 1000


async def test_cancel_while_the_end_is_awaited_leaves_no_connection(transport: Transport) -> None:
    """A server that says [DONE] and keeps the body open: a pause just then closes it all the same."""

    async def script(exchange: Exchange) -> None:
        await exchange.start()
        await exchange.raw(b"data: [DONE]\n\n")
        await exchange.hung_up()

    with WireServer(script) as server:
        stream = WireStream(await open_stream(transport, server), wire())
        await stream.read()
        closing = asyncio.create_task(stream.aclose())
        await asyncio.sleep(0)

        closing.cancel()
        await asyncio.wait({closing})

        await server.wait_async(lambda: server.open_connections == 0)
        assert transport.connections == 0


# A connection that was kept


class Closing:
    """A script that answers, and ends the first connection at the second request on it, after `said`."""

    def __init__(self, said: bytes = b"", content_type: str = "text/event-stream") -> None:
        self.requests = 0
        self._said = said
        self._type = content_type
        self._first: Exchange | None = None

    async def __call__(self, exchange: Exchange) -> None:
        self.requests += 1
        if self._first is not None and exchange._writer is self._first._writer:
            if self._said:
                await exchange.send(self._said)
            exchange._writer.close()
            return
        self._first = self._first or exchange
        await exchange.start(content_type=self._type)
        await exchange.raw(b"{}")
        await exchange.close()


async def asked_and_read(transport: Transport, call: Call) -> None:
    stream = await transport.open(call, StreamLimits())
    await read_all(stream)
    await stream.aclose()


async def test_stream_on_a_connection_that_was_closed_says_so_and_is_sent_once() -> None:
    """Whether it is sent again is for whoever counts the tries."""
    script, transport = Closing(), Transport()
    with WireServer(script) as server:
        await asked_and_read(transport, call(server.base_url))

        with pytest.raises(StaleConnectionError):
            await asked_and_read(transport, call(server.base_url))

        assert script.requests == 2
        await asked_and_read(transport, call(server.base_url))
        await transport.aclose()


async def test_plain_request_on_a_connection_that_was_closed_is_sent_again(transport: Transport) -> None:
    """Once, and on another connection; nobody else would."""
    script = Closing(content_type="application/json")
    with WireServer(script) as server:
        for _ in range(2):
            assert await transport.fetch(call(server.base_url), StreamLimits()) == {}

        assert script.requests == 3


@pytest.mark.parametrize("said", [b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"])
async def test_plain_request_that_was_answered_is_not_sent_again(transport: Transport, said: bytes) -> None:
    """However the answer looks: something has heard it."""
    script = Closing(said, content_type="application/json")
    with WireServer(script) as server:
        await transport.fetch(call(server.base_url), StreamLimits())

        with pytest.raises(NetworkError) as caught:
            await transport.fetch(call(server.base_url), StreamLimits())

        assert not isinstance(caught.value, StaleConnectionError)
        assert script.requests == 2


async def test_plain_request_on_a_new_connection_is_sent_once(transport: Transport) -> None:
    """Also where another connection is open: that one has nothing to do with it."""

    async def script(exchange: Exchange) -> None:
        if exchange.path.endswith("stream"):
            await exchange.start()
            await exchange.text("a")
            await exchange.hung_up()
        exchange.drop()

    with WireServer(script) as server:
        stream = await transport.open(call(f"{server.base_url}/stream"), StreamLimits())
        assert await stream.read()

        with pytest.raises(NetworkError):
            await transport.fetch(call(server.base_url), StreamLimits())

        assert len(server.exchanges) == 2
        await stream.aclose()


# What is attached


def attaching(url: str) -> Call:
    """Return a call with more in it than sockets hold back."""
    return replace(call(url), payload={"text": "q", "image": Embedded(IMAGE, "data:image/png;base64,"), "last": 1})


async def test_large_attachment_arrives_whole(transport: Transport) -> None:
    """With its length said before: some servers take nothing else."""
    with WireServer(say("a")) as server:
        stream = await transport.open(attaching(server.base_url), StreamLimits())
        await stream.aclose()

        [exchange] = server.exchanges
        text = f"data:image/png;base64,{base64.b64encode(IMAGE).decode()}"
        assert exchange.body == {"text": "q", "image": text, "last": 1}
        assert "transfer-encoding" not in exchange.headers


async def test_attachment_is_sent_again_on_a_new_connection(transport: Transport) -> None:
    """All of it, however much had been sent on the one that was closed."""
    script = Closing(content_type="application/json")
    with WireServer(script) as server:
        for _ in range(2):
            await transport.fetch(attaching(server.base_url), StreamLimits())

        first, _closed, second = server.exchanges
        assert first.body == second.body


async def test_cancel_while_an_attachment_is_sent_hangs_up(transport: Transport) -> None:
    """A pause does not wait until megabytes are through."""
    began = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        began.set()  # and no more is read: what follows is stuck
        await ended.wait()
        writer.close()

    ended = asyncio.Event()
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        asking = asyncio.create_task(transport.open(attaching(f"http://127.0.0.1:{port}/"), StreamLimits()))
        await began.wait()

        asking.cancel()
        await asyncio.wait({asking})

        assert asking.cancelled()
        assert transport.connections == 0
        ended.set()


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: -5",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5x",
        b"HTTP/1.1 200 OK\r\ncontent-length: " + b"9" * 5000,
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: nonsense",
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2",
        b"HTTP/1.1 200 OK\r\nset-cookie: \xff=\xfe; max-age=" + b"9" * 400,
        b"HTTP/1.1 99 X",
        b"HTTP/1.1 1000 X",
        b"HTTP/9.9 200 OK",
        b"\x00\xff",
        b"HTTP/1.1 429 X\r\nretry-after: \xff\xfe\r\nx-request-id: \xff\x01\r\ncontent-length: 2",
        b"HTTP/1.1 301 X\r\nlocation: http://[\xff\r\ncontent-length: 2",
    ],
    ids=lambda head: head[:60].decode("latin-1"),
)
async def test_absurd_headers_raise_nothing_but_errors_of_ours(transport: Transport, head: bytes) -> None:
    """Some of them are none: what can be understood is."""

    async def script(exchange: Exchange) -> None:
        await exchange.send(head + b"\r\n\r\n{}")
        exchange.drop()

    with WireServer(script) as server, suppress(LlmtermError):
        stream = await transport.open(call(server.base_url), StreamLimits(first_token_timeout=5))
        try:
            await read_all(stream)
        finally:
            await stream.aclose()
