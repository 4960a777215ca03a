"""OpenAI's Responses API over WebSockets: which connection a question goes out on, what goes with it, and how it ends.

What it has in common with every other provider is in `tests/contract/test_websocket.py`.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import ssl
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmterm.assembly.roster import registry
from llmterm.config import ProvidersSettings, RemoteSettings, Settings
from llmterm.config.credential import Credential
from llmterm.config.settings import ModelSettings
from llmterm.conversation import Conversation
from llmterm.errors import ConnectError, LimitError, NetworkError, ProtocolError, ProviderError, RequestRefusedError
from llmterm.messages import Attachment, EndReason, Message, StreamLimits
from llmterm.providers import Provider
from llmterm.providers.chain import Chain, fingerprints
from llmterm.turn import Turn, TurnState
from tests.conftest import need
from tests.contract.caller import Answer, InstantProgress, fails
from tests.sockets import SocketExchange, SocketServer
from tests.terminal import LLMTERM, environment
from tests.wire import Exchange, Gate, WireServer

KEY = "sk-contract-0123456789abcdef"
MODEL = "gpt-5"
NOT_IN_HAND = {"type": "invalid_request_error", "code": "previous_response_not_found", "message": "it is gone"}
HOUR_OVER = {"type": "invalid_request_error", "code": "websocket_connection_limit_reached", "message": "60 minutes"}


async def begin(exchange: Exchange, name: str = "resp") -> SocketExchange:
    assert isinstance(exchange, SocketExchange)
    await exchange.event("response.created", response={"id": name, "model": MODEL, "status": "in_progress"})
    return exchange


async def end(exchange: SocketExchange, name: str = "resp") -> None:
    usage = {"input_tokens": 5, "output_tokens": 7}
    await exchange.event("response.completed", response={"id": name, "status": "completed", "usage": usage})


async def text(exchange: SocketExchange, said: str) -> None:
    await exchange.event("response.output_text.delta", item_id="msg", output_index=0, content_index=0, delta=said)


async def answer(exchange: Exchange) -> None:
    """Answer the n-th question on a connection with "answer n", as the response n."""
    assert isinstance(exchange, SocketExchange)
    exchange.socket.answered += 1
    name = f"{exchange.socket.answered}"
    await begin(exchange, f"resp_{name}")
    await text(exchange, "answer ")
    await text(exchange, name)
    await end(exchange, f"resp_{name}")


class Client:
    """A provider of these settings, and what was said so far."""

    def __init__(self, server: WireServer, environ: Mapping[str, str], url: str, model: str = MODEL) -> None:
        remote = RemoteSettings(
            kind="openai",
            base_url=url or server.base_url,
            api="responses",
            transport="websocket",
            key_env="KEY",
            extra_body={"metadata": {"of": "all"}},
            per_model={"gpt-6*": ModelSettings(extra_headers={"x-of-it": Credential("six")})},
        )
        configured = Settings(providers=ProvidersSettings(remotes={"own": replace(remote, allow_http=True)}))
        self.provider: Provider = registry(configured, {"KEY": KEY, **environ}).get("own")
        self.progress = InstantProgress()
        self.said = Conversation(system="be brief")
        self.model = model

    async def open(self, question: str, limits: StreamLimits | None = None) -> Answer:
        request = self.said.ask(question).request(model=self.model)
        return Answer(await self.provider.open(request, limits or StreamLimits(), self.progress))

    async def ask(self, question: str) -> str:
        """Ask, and have both be part of what was said."""
        opened = await self.open(question)
        try:
            await opened.to_end()
        finally:
            await opened.aclose()
        self.said = self.said.ask(question).add(Message(role="assistant", text=opened.text))
        return opened.text


@asynccontextmanager
async def client(server: WireServer, environ: Mapping[str, str] | None = None, url: str = "") -> AsyncIterator[Client]:
    """Yield a client of a server that runs; afterwards it has left nothing behind."""
    tasks = asyncio.all_tasks()
    made = Client(server, environ or {}, url)
    try:
        yield made
    finally:
        await made.provider.aclose()
    assert asyncio.all_tasks() == tasks
    await server.wait_async(lambda: server.open_connections == 0)


def sent(exchange: Exchange) -> list[str]:
    """Return the texts of the messages that went with a question."""
    return [part["text"] for item in exchange.body["input"] for part in item["content"]]


async def test_later_question_goes_alone_behind_the_answer_before_it() -> None:
    """On the same connection, with the system prompt, which no server keeps; what is of HTTP alone is not sent."""
    with SocketServer(answer) as server:
        async with client(server) as me:
            answers = [await me.ask(question) for question in ("one", "two", "three")]

    assert answers == ["answer 1", "answer 2", "answer 3"]
    assert len(server.sockets) == 1
    assert [sent(each) for each in server.exchanges] == [["one"], ["two"], ["three"]]
    assert [each.body.get("previous_response_id") for each in server.exchanges] == [None, "resp_1", "resp_2"]
    assert {each.body["instructions"] for each in server.exchanges} == {"be brief"}
    assert {each.body["type"] for each in server.exchanges} == {"response.create"}
    assert not any({"stream", "background"} & each.body.keys() for each in server.exchanges)


async def test_xai_is_asked_over_a_websocket_too() -> None:
    """Its preset needs no more than the two words; the second question goes alone."""
    with SocketServer(answer) as server:
        remote = RemoteSettings(base_url=server.base_url, api="responses", transport="websocket", allow_http=True)
        configured = Settings(providers=ProvidersSettings(remotes={"xai": remote}))
        provider: Provider = registry(configured, {"XAI_API_KEY": KEY}).get("xai")
        said = Conversation()
        for question in ("one", "two"):
            request = said.ask(question).request(model="grok-4.7")
            opened = Answer(await provider.open(request, StreamLimits(), InstantProgress()))
            await opened.to_end()
            await opened.aclose()
            said = said.ask(question).add(Message(role="assistant", text=opened.text))
        await provider.aclose()

    assert len(server.sockets) == 1
    assert [sent(each) for each in server.exchanges] == [["one"], ["two"]]
    assert [each.body.get("previous_response_id") for each in server.exchanges] == [None, "resp_1"]


async def test_all_is_sent_where_the_server_has_something_else_in_hand() -> None:
    """After an answer that was changed, and to another model; on the same connection, and once: then it has that."""
    with SocketServer(answer) as server:
        async with client(server) as me:
            await me.ask("one")
            me.said = replace(me.said, messages=(me.said.messages[0], Message(role="assistant", text="changed")))
            await me.ask("two")
            await me.ask("three")
            me.model = "gpt-5.5"
            await me.ask("four")

    assert [sent(each) for each in server.exchanges] == [
        ["one"],
        ["one", "changed", "two"],
        ["three"],
        ["one", "changed", "two", "answer 2", "three", "answer 3", "four"],
    ]
    assert len(server.sockets) == 1


async def test_what_is_said_besides_goes_along_and_headers_of_a_model_have_their_own_connection() -> None:
    """They go with the handshake: a question to another model is asked on one that was opened with its own."""
    with SocketServer(answer) as server:
        async with client(server) as me:
            await me.ask("one")
            me.model = "gpt-6"
            await me.ask("two")
            me.model = MODEL
            await me.ask("three")

    assert [each.headers.get("x-of-it") for each in server.sockets] == [None, "six"]
    assert [sent(each) for each in server.exchanges] == [
        ["one"],
        ["one", "answer 1", "two"],
        ["two", "answer 1", "three"],
    ]
    assert server.exchanges[2].body["previous_response_id"] == "resp_1"
    assert {json.dumps(each.body["metadata"]) for each in server.exchanges} == {'{"of": "all"}'}


async def test_all_is_sent_again_where_the_server_has_forgotten() -> None:
    async def script(exchange: Exchange) -> None:
        if exchange.body.get("previous_response_id"):
            assert isinstance(exchange, SocketExchange)
            await exchange.event("error", status=400, error=NOT_IN_HAND)
        else:
            await answer(exchange)

    with SocketServer(script) as server:
        async with client(server) as me:
            await me.ask("one")
            assert await me.ask("two") == "answer 2"

    assert [sent(each) for each in server.exchanges] == [["one"], ["two"], ["one", "answer 1", "two"]]
    assert len(server.sockets) == 1
    assert (me.progress.retries, me.progress.said) == (0, [])


async def test_answer_beside_another_has_a_connection_of_its_own() -> None:
    """Both are kept, each for the conversation that was on it."""
    gate = Gate()

    async def script(exchange: Exchange) -> None:
        if sent(exchange) == ["beside"]:
            await gate.wait()
        await answer(exchange)

    with SocketServer(script) as server:
        async with client(server) as me, asyncio.TaskGroup() as group:
            other = Client(server, {}, "")
            other.provider = me.provider
            asked = group.create_task(other.ask("beside"))
            await server.wait_async(lambda: len(server.exchanges) == 1)
            await me.ask("one")
            gate.open()
            await asked
            await me.ask("two")
            await other.ask("more")

    assert len(server.sockets) == 2
    assert [each.body.get("previous_response_id") for each in server.exchanges[2:]] == ["resp_1", "resp_1"]


@pytest.mark.parametrize("how", ["closed", "dropped", "said"])
async def test_hour_that_is_over_before_an_answer_costs_a_connection_and_no_wait(how: str) -> None:
    """Whether the server has closed it, has dropped it as it was asked, or says that it is too old."""

    async def script(exchange: Exchange) -> None:
        assert isinstance(exchange, SocketExchange)
        if sent(exchange) != ["two"]:
            await answer(exchange)
        elif how == "dropped":
            exchange.drop()
        else:
            await exchange.event("error", status=400, error=HOUR_OVER)

    with SocketServer(script) as server:
        async with client(server) as me:
            await me.ask("one")
            if how == "closed":
                server.call(server.sockets[0].close)
                await server.wait_async(lambda: server.open_connections == 0)
            assert await me.ask("two") == "answer 1"

    assert len(server.sockets) == 2
    assert sent(server.exchanges[-1]) == ["one", "answer 1", "two"]
    assert me.progress.waits == []


@pytest.mark.parametrize("how", ["dropped", "closed", "said"])
async def test_connection_that_is_lost_in_an_answer_is_a_pause_of_it(how: str) -> None:
    """What came is kept, and gone on with on another connection."""

    async def script(exchange: Exchange) -> None:
        asked = await begin(exchange)
        if len(server.exchanges) > 1:
            await text(asked, "and half.")
            await end(asked)
            return
        await text(asked, "half ")
        await gate.wait()
        if how == "dropped":
            asked.drop()
        elif how == "closed":
            await asked.close()
        else:
            await asked.event("error", status=400, error=HOUR_OVER)

    gate = Gate()
    with SocketServer(script) as server:
        async with client(server) as me:
            turn = Turn(me.provider, me.said.ask("one").request(model=MODEL))
            turn.start()
            async for entry in turn.events():
                if turn.reply.text == "half ":
                    gate.open()
                if turn.state is not TurnState.STREAMING and entry.seq > 1:
                    break
            assert (turn.state, turn.reason) == (TurnState.PAUSED, EndReason.NETWORK)
            turn.resume()
            async for _ in turn.events():
                pass

    assert turn.reply.text == "half and half."
    assert sent(server.exchanges[1])[:2] == ["one", "half "]
    assert len(server.sockets) == 2


async def test_pause_closes_the_connection_and_the_rest_is_asked_for_on_another() -> None:
    """There is no other word for a response that is not wanted any more."""

    async def script(exchange: Exchange) -> None:
        asked = await begin(exchange)
        await text(asked, "half ")
        await asked.hung_up()

    with SocketServer(script) as server:
        async with client(server) as me:
            turn = Turn(me.provider, me.said.ask("one").request(model=MODEL))
            turn.start()
            async for _ in turn.events():
                if turn.reply.text:
                    break
            await turn.pause()
            await server.wait_async(lambda: server.sockets[0].gone.is_set())
            server.script = answer
            turn.resume()
            async for _ in turn.events():
                pass

    assert turn.reply.text.startswith("half ")
    assert len(server.sockets) == 2
    assert "previous_response_id" not in server.exchanges[1].body


async def over_http(exchange: Exchange) -> None:
    await exchange.start()
    done = {"status": "completed", "output": [], "usage": {"input_tokens": 1, "output_tokens": 1}}
    for event in ({"type": "response.output_text.delta", "delta": "over HTTP"}, {"type": "response.completed"}):
        await exchange.raw(f"data: {json.dumps({**event, 'response': done})}\n\n".encode())
    await exchange.close()


async def test_without_a_websocket_it_is_asked_over_http() -> None:
    """It is said once, and not tried again; all of the conversation goes along each time."""

    async def script(exchange: Exchange) -> None:
        if exchange.method == "GET":
            await exchange.refuse(404, {"error": {"message": "no such page"}})
        else:
            await over_http(exchange)

    with SocketServer(script, upgrades=False) as server:
        async with client(server) as me:
            answers = [await me.ask("one"), await me.ask("two")]

    assert answers == ["over HTTP", "over HTTP"]
    assert [each.method for each in server.exchanges] == ["GET", "POST", "POST"]
    assert sent(server.exchanges[2]) == ["one", "over HTTP", "two"]
    assert server.exchanges[2].body["stream"] is True
    assert me.progress.said == ["own: no WebSocket (HTTP 404), asking over HTTP"]


async def test_new_connection_that_breaks_is_followed_by_http() -> None:
    """A proxy may let a WebSocket come about, and nothing through it."""

    async def script(exchange: Exchange) -> None:
        if isinstance(exchange, SocketExchange):
            exchange.drop()
        else:
            await over_http(exchange)

    with SocketServer(script) as server:
        async with client(server) as me:
            assert await me.ask("one") == "over HTTP"

    assert (len(server.sockets), me.progress.retries) == (1, 1)
    assert "asking over HTTP" in me.progress.said[0]


async def test_redirect_of_a_websocket_is_not_followed() -> None:
    """The key would go with it."""
    with SocketServer(answer) as elsewhere:

        async def script(exchange: Exchange) -> None:
            await exchange.refuse(307, {}, location=f"{elsewhere.address}/v1/responses")

        with SocketServer(script, upgrades=False) as server:
            async with client(server) as me:
                with fails(ProtocolError, "redirects are not followed"):
                    await me.ask("one")

        assert elsewhere.exchanges == []
        assert elsewhere.sockets == []


async def test_it_goes_through_the_proxy_and_the_key_into_the_handshake() -> None:
    """By CONNECT, with the proxy's own password; the key is in the header of the handshake and in no message."""
    with SocketServer(answer) as proxy:
        through = {"ALL_PROXY": f"http://us%40er:word@127.0.0.1:{proxy.port}"}
        async with client(proxy, through, "http://models.example:8000/v1") as me:
            await me.ask("one")

    connect, question = proxy.exchanges
    assert (connect.method, connect.path) == ("CONNECT", "models.example:8000")
    assert connect.headers["proxy-authorization"].startswith("Basic ")
    assert proxy.sockets[0].headers["authorization"] == f"Bearer {KEY}"
    assert proxy.sockets[0].headers["user-agent"].startswith("llmterm/")
    assert KEY not in json.dumps(question.body)
    assert not any(KEY in value for value in connect.headers.values())


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate of this machine that nobody vouches for, its key beside it."""
    if shutil.which("openssl") is None:
        need("openssl")
    kind = ["openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,DNS:models.example"]
    files = ["-keyout", "key.pem", "-out", "cert.pem"]
    subprocess.run([*kind, *name, *files], cwd=tmp_path, check=True, capture_output=True)
    return tmp_path / "cert.pem"


async def test_it_is_encrypted_and_the_certificate_looked_at(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By what SSL_CERT_FILE names, as over HTTP; where that does not vouch for the server nothing is said to it."""
    shown = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    shown.load_cert_chain(certificate, certificate.with_name("key.pem"))
    with SocketServer(answer, certificate=shown) as server:
        url = f"https://localhost:{server.port}/v1"
        async with client(server, url=url) as stranger:
            with fails(ConnectError, "certificate"):
                await stranger.ask("one")
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        async with client(server, url=url) as me:
            assert await me.ask("two") == "answer 1"

    assert [sent(each) for each in server.exchanges] == [["two"]]


async def test_it_is_encrypted_through_a_proxy_as_well(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which sees no more than where it goes."""

    async def script(exchange: Exchange) -> None:
        await exchange.head(200)
        seen.extend(await exchange.forward(server.port))

    seen: list[bytes] = []
    shown = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    shown.load_cert_chain(certificate, certificate.with_name("key.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with SocketServer(answer, certificate=shown) as server, WireServer(script) as proxy:
        async with client(server, {"HTTPS_PROXY": proxy.address}, "https://models.example/v1") as me:
            assert await me.ask("one") == "answer 1"

    assert [(each.method, each.path) for each in proxy.exchanges] == [("CONNECT", "models.example:443")]
    assert seen
    assert not any(KEY.encode() in data for data in seen)


@pytest.mark.parametrize(("status", "kind"), [(407, RequestRefusedError), (502, ConnectError)])
async def test_proxy_that_refuses_is_named(status: int, kind: type[ProviderError]) -> None:
    """As over HTTP, which is tried where it may be that only a WebSocket is not let through."""

    async def script(exchange: Exchange) -> None:
        await exchange.head(status, content_length="0")

    with WireServer(script) as proxy:
        through = {"ALL_PROXY": f"http://user:word-0123@127.0.0.1:{proxy.port}"}
        async with client(proxy, through, "https://models.example/v1") as me:
            with fails(kind, f"through the proxy http://127.0.0.1:{proxy.port}") as caught:
                await me.ask("one")

    assert caught.value.status in (status, None)
    assert "word-0123" not in repr(vars(caught.value))


async def test_pause_on_the_way_through_a_proxy_leaves_nothing_of_it() -> None:
    """Whatever the proxy says later."""
    loop, complaints = asyncio.get_running_loop(), []
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    asked = Gate()

    async def script(exchange: Exchange) -> None:
        asked.open()
        await exchange.hung_up()

    with WireServer(script) as proxy:
        async with client(proxy, {"ALL_PROXY": proxy.address}, "http://models.example/v1") as me:
            turn = Turn(me.provider, me.said.ask("one").request(model=MODEL))
            turn.start()
            await asked.wait()
            await turn.pause()
            await proxy.wait_async(lambda: proxy.open_connections == 0)

    assert complaints == []


async def test_message_that_is_too_large_is_given_up() -> None:
    async def script(exchange: Exchange) -> None:
        asked = await begin(exchange)
        await text(asked, "begun")
        await text(asked, "x" * 20_000)
        await asked.hung_up()

    with SocketServer(script) as server:
        async with client(server) as me:
            opened = await me.open("one", StreamLimits(max_event_bytes=10_000))
            with fails(LimitError, "larger than 10000 bytes"):
                await opened.to_end()
            await opened.aclose()

    assert opened.text == "begun"


async def test_long_conversation_arrives_whole() -> None:
    """In fragments, as it is sent piece by piece."""
    said = "длинный " * 60_000
    with SocketServer(answer) as server:
        async with client(server) as me:
            await me.ask(said)

    assert sent(server.exchanges[0]) == [said]


async def test_slow_reader_leaves_the_rest_in_the_socket() -> None:
    """The server cannot send all of a long answer before some of it is read."""
    piece, pieces = "x" * 50_000, 300
    given: list[int] = []
    waits = Gate()

    async def script(exchange: Exchange) -> None:
        asked = await begin(exchange)
        for number in range(pieces):
            sending = asyncio.ensure_future(text(asked, piece))
            if sending not in (await asyncio.wait({sending}, timeout=0.5))[0]:
                waits.open()  # as nobody takes it
            await sending
            given.append(number)
        waits.open()
        await end(asked)

    with SocketServer(script) as server:
        async with client(server) as me:
            opened = await me.open("one")
            await opened.read()
            await waits.wait()
            before = len(given)
            await opened.to_end()
            await opened.aclose()

    assert before < pieces
    assert opened.text == piece * pieces


async def test_provider_that_is_closed_closes_what_is_kept_and_what_is_on() -> None:
    async def script(exchange: Exchange) -> None:
        if sent(exchange) == ["kept"]:
            await answer(exchange)
        else:
            await text(await begin(exchange), "half")
            assert isinstance(exchange, SocketExchange)
            await exchange.hung_up()

    with SocketServer(script) as server:
        async with client(server) as me:
            opened = await me.open("on")
            await opened.until("half")
            await me.ask("kept")

            await me.provider.aclose()
            await server.wait_async(lambda: server.open_connections == 0)
            with fails(NetworkError):
                await opened.to_end()
            await opened.aclose()


def test_interrupted_program_leaves_no_connection(tmp_path: Path) -> None:
    """In a pipe: what came is on standard output, and the code is that of a shell."""

    async def script(exchange: Exchange) -> None:
        asked = await begin(exchange)
        await text(asked, "half")
        await asked.hung_up()

    own = tmp_path / "own.toml"
    own.write_text('[providers.openai]\napi = "responses"\ntransport = "websocket"\n')
    with SocketServer(script) as server:
        places = {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": KEY, "LLMTERM_CONFIG": str(own)}
        command = [*LLMTERM, "ask", "--provider", "openai", "--model", MODEL, "why?"]
        streams: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with subprocess.Popen(command, env=environment(tmp_path, **places), **streams) as program:
            assert program.stdout is not None
            assert program.stdout.read(4) == b"half"
            program.send_signal(signal.SIGINT)
            _, complaints = program.communicate(timeout=60)
        server.wait(lambda: server.open_connections == 0)

    assert program.returncode == 130
    assert b"Traceback" not in complaints
    assert len(server.sockets) == 1


async def test_ping_of_the_server_is_a_sign_of_life() -> None:
    """As a comment is over HTTP: a model may think for long before its first event that says anything."""

    async def script(exchange: Exchange) -> None:
        asked = await begin(exchange)
        for _ in range(12):
            await asyncio.sleep(0.1)
            asked.socket.ping()
        await text(asked, "thought")
        await end(asked)

    with SocketServer(script) as server:
        async with client(server) as me:
            opened = await me.open("one", StreamLimits(first_token_timeout=0.8, quiet_timeout=0.8))
            await opened.to_end()
            await opened.aclose()

    assert opened.text == "thought"


# Steering.


async def steered(turn: Turn, word: str, until: str) -> bool:
    """Start a turn, steer it once it has said so much, and read it to its end; return whether that came about."""
    turn.start()
    steering: asyncio.Task[bool] | None = None
    async for _ in turn.events():
        if turn.reply.text.startswith(until) and steering is None:
            steering = asyncio.create_task(turn.steer(word))
        if turn.state is TurnState.PAUSED:
            break
    assert steering is not None
    return await steering


def failed(asked: Mapping[str, Any], code: str, **more: str) -> dict[str, Any]:
    error = {"type": "invalid_request_error", "code": code, "message": "no"}
    return {"error": error, "steer": {"input": asked["input"], "previous_response_id": "resp_1", **more}}


ACCEPTED = {"steer": {"id": "steer_1", "previous_response_id": "resp_1"}}


async def follow(exchange: SocketExchange, said: str) -> None:
    await begin(exchange, "resp_2")
    await text(exchange, said)
    await end(exchange, "resp_2")


@pytest.mark.parametrize("ends", ["steered", "by itself"])
async def test_word_ends_a_response_where_it_is_safe_and_another_one_follows(ends: str) -> None:
    """Without a pause, as the next part of the same answer; also where it had come to its end by itself. The next
    question goes with all of it, as the server has it in hand otherwise."""
    words: list[dict[str, Any]] = []

    async def script(exchange: Exchange) -> None:
        asked = await begin(exchange, "resp_1")
        if len(server.exchanges) > 1:
            await text(asked, "later")
            await end(asked)
            return
        await text(asked, "one two ")
        words.append(await asked.steer())
        await text(asked, "three, ")
        await asked.event("response.steer.accepted", **ACCEPTED)
        if ends == "steered":
            usage = {"input_tokens": 5, "output_tokens": 3}
            about = {"id": "resp_1", "incomplete_details": {"reason": "steered"}, "usage": usage}
            await asked.event("response.incomplete", response=about)
        else:
            await end(asked, "resp_1")
        await follow(asked, "and so on.")

    with SocketServer(script) as server:
        async with client(server) as me:
            turn = Turn(me.provider, me.said.ask("count").request(model=MODEL))
            assert await steered(turn, "briefly", "one two ")
            me.said = me.said.ask("count").add(Message(role="assistant", text=turn.reply.text))
            await me.ask("more")

    assert turn.reply.text == "one two three, and so on."
    first, second = turn.reply.segments
    assert (first.end_reason, second.end_reason) == (EndReason.PAUSE, EndReason.STOP)
    assert (first.guidance, second.guidance, second.mode) == ("", "briefly", "instruct")
    assert turn.reply.text[second.start :] == "and so on."
    assert (second.usage.input_tokens, second.usage.output_tokens) == (5, 7)
    assert words[0].keys() == {"type", "previous_response_id", "input"}
    assert words[0]["previous_response_id"] == "resp_1"
    assert words[0]["input"].endswith("From here on: briefly")
    assert len(server.sockets) == 1
    assert sent(server.exchanges[1]) == ["count", turn.reply.text, "more"]
    assert "previous_response_id" not in server.exchanges[1].body


@pytest.mark.parametrize("how", ["refused", "unknown", "too late", "not committed", "not answered"])
async def test_word_that_is_refused_changes_nothing_of_the_answer(how: str) -> None:
    """Whoever sent it is told; the connection serves the next question, unless it is not clear what it serves."""

    async def script(exchange: Exchange) -> None:
        asked = await begin(exchange, "resp_1")
        await text(asked, "one ")
        word = await asked.steer() if len(server.exchanges) == 1 else None
        if word is not None:
            if how == "refused":
                await asked.event("response.steer.failed", **failed(word, "steering_not_supported"))
            elif how == "unknown":
                error = {"type": "invalid_request_error", "message": "unknown type response.steer"}
                await asked.event("error", status=400, error=error)
            elif how == "not committed":
                await asked.event("response.steer.accepted", **ACCEPTED)
        await text(asked, "two")
        await end(asked, "resp_1")
        if word is None:
            return
        if how == "too late":
            await asked.event("response.steer.failed", **failed(word, "response_already_completed"))
        elif how == "not committed":
            await asked.event("response.steer.failed", **failed(word, "successor_creation_failed", id="steer_1"))

    with SocketServer(script) as server:
        async with client(server) as me:
            turn = Turn(me.provider, me.said.ask("count").request(model=MODEL))
            assert not await steered(turn, "briefly", "one ")
            me.said = me.said.ask("count").add(Message(role="assistant", text=turn.reply.text))
            await me.ask("next")

    assert (turn.reply.text, turn.state, len(turn.reply.segments)) == ("one two", TurnState.DONE, 1)
    assert len(server.sockets) == (2 if how == "not answered" else 1)


async def test_failure_after_a_word_was_refused_is_the_answers() -> None:
    """One error says that there is no steering; the next one is of what was asked."""

    async def script(exchange: Exchange) -> None:
        asked = await begin(exchange, "resp_1")
        await text(asked, "one ")
        await asked.steer()
        for words in ("unknown type response.steer", "the model is gone"):
            await asked.event("error", error={"type": "server_error", "message": words})

    with SocketServer(script) as server:
        async with client(server) as me:
            turn = Turn(me.provider, me.said.ask("count").request(model=MODEL))
            assert not await steered(turn, "briefly", "one ")

    assert (turn.reply.text, turn.state, turn.reason) == ("one ", TurnState.PAUSED, EndReason.ERROR)
    assert "the model is gone" in str(turn.error)


async def test_pause_while_a_word_is_on_its_way_is_a_pause() -> None:
    async def script(exchange: Exchange) -> None:
        asked = await begin(exchange, "resp_1")
        await text(asked, "one ")
        await asked.steer()
        arrived.open()
        await asked.hung_up()

    arrived = Gate()
    with SocketServer(script) as server:
        async with client(server) as me:
            turn = Turn(me.provider, me.said.ask("count").request(model=MODEL))
            steering = asyncio.create_task(steered(turn, "briefly", "one "))
            await arrived.wait()
            await turn.pause()
            assert not await steering

    assert (turn.reply.text, turn.state, turn.reason) == ("one ", TurnState.PAUSED, EndReason.PAUSE)


async def test_connection_that_is_lost_after_a_word_loses_nothing_else() -> None:
    """What it has become of is not known then: it did not come about."""

    async def script(exchange: Exchange) -> None:
        asked = await begin(exchange, "resp_1")
        await text(asked, "one ")
        await asked.steer()
        asked.drop()

    with SocketServer(script) as server:
        async with client(server) as me:
            turn = Turn(me.provider, me.said.ask("count").request(model=MODEL))
            assert not await steered(turn, "briefly", "one ")

    assert (turn.reply.text, turn.state, turn.reason) == ("one ", TurnState.PAUSED, EndReason.NETWORK)


async def test_openais_own_client_agrees_with_the_server() -> None:
    """Which of the tests here all that is said about llmterm rests on: an answer, the next one, and a steered one."""

    async def script(exchange: Exchange) -> None:
        if len(server.exchanges) < 3:
            await answer(exchange)
            return
        asked = await begin(exchange, "resp_1")
        await text(asked, "one ")
        await asked.steer()
        await asked.event("response.steer.accepted", sequence_number=1, **ACCEPTED)
        about = {"id": "resp_1", "incomplete_details": {"reason": "steered"}}
        await asked.event("response.incomplete", response=about)
        await follow(asked, "two")

    said: list[str] = []
    with SocketServer(script) as server:
        async with openai.AsyncOpenAI(base_url=server.base_url, api_key=KEY) as sdk, sdk.responses.connect() as socket:
            for behind in (None, "resp_1"):
                await socket.response.create(model=MODEL, input="q", previous_response_id=behind, store=False)
                async for event in socket:
                    said.append(event.type)
                    if event.type == "response.completed":
                        break
            await socket.response.create(model=MODEL, input="q")
            async for event in socket:
                said.append(event.type)
                if event.type == "response.output_text.delta" and event.delta == "one ":
                    await socket.response.steer(input="briefly", previous_response_id="resp_1")
                if event.type == "response.completed":
                    break

    assert said[:4] == ["response.created", *["response.output_text.delta"] * 2, "response.completed"]
    assert said[8:] == [
        "response.created",
        "response.output_text.delta",
        "response.steer.accepted",
        "response.incomplete",
        "response.created",
        "response.output_text.delta",
        "response.completed",
    ]
    assert server.exchanges[1].body == {
        "type": "response.create",
        "model": MODEL,
        "input": "q",
        "previous_response_id": "resp_1",
        "store": False,
    }


# Whatever comes between.

TOLD = [f"word{number} " for number in range(12)]
WHOLE = "".join(TOLD)
INTERRUPTIONS = ("pause", "dropped", "closed", "hour", "length")


class Teller:
    """Tells the same from wherever its answer stands, over WebSockets and HTTP, each time up to an interruption."""

    def __init__(self, interruptions: list[tuple[str, int]]) -> None:
        self._left = interruptions[::-1]
        self._said: dict[str, str] = {}  # up to the end of a response

    async def __call__(self, exchange: Exchange) -> None:
        behind = exchange.body.get("previous_response_id")
        so_far = self._said[behind] if behind else _so_far(exchange.body)
        assert WHOLE.startswith(so_far)
        # Where there is nothing left to be told, there is nothing to interrupt.
        kind, words = self._left.pop() if self._left and so_far != WHOLE else ("", len(TOLD))
        name = f"resp_{len(self._said)}"
        await exchange.start()
        await exchange.raw(_sse("response.created", response={"id": name, "model": MODEL}))
        for word in TOLD[len(so_far.split()) :][:words]:
            so_far += word
            await exchange.raw(_sse("response.output_text.delta", delta=word))
        self._said[name] = so_far
        await self._end(exchange, name, "" if so_far == WHOLE and kind == "length" else kind)

    async def _end(self, exchange: Exchange, name: str, kind: str) -> None:
        match kind:
            case "":
                await exchange.raw(_sse("response.completed", response={"id": name}))
                await exchange.close()
            case "length":
                details = {"reason": "max_output_tokens"}
                await exchange.raw(_sse("response.incomplete", response={"id": name, "incomplete_details": details}))
                await exchange.close()
            case "hour" if isinstance(exchange, SocketExchange):
                await exchange.event("error", status=400, error=HOUR_OVER)
            case "closed":
                await exchange.close()
            case "pause":
                await exchange.hung_up()
            case _:
                exchange.drop()


def _so_far(asked: Mapping[str, Any]) -> str:
    own = [item for item in asked["input"] if item["role"] == "assistant"]
    return "".join(part["text"] for item in own for part in item["content"])


def _sse(kind: str, **about: Any) -> bytes:
    return f"data: {json.dumps({'type': kind, **about})}\n\n".encode()


async def told(interruptions: list[tuple[str, int]]) -> Turn:
    """Return a turn whose answer was interrupted like that, and gone on with each time."""
    with SocketServer(Teller(interruptions)) as server:
        async with client(server) as me:
            turn = Turn(me.provider, me.said.ask("tell").request(model=MODEL), seam_seconds=0)
            turn.start()
            for kind, words in [*interruptions, ("", len(TOLD))]:
                enough = min(len(TOLD), len(turn.reply.text.split()) + words)
                async for _ in turn.reader(turn.places.stop - 1).streamed():
                    if kind == "pause" and len(turn.reply.text.split()) >= enough:
                        await turn.pause()
                if turn.state is TurnState.PAUSED:
                    turn.resume()
    return turn


@settings(max_examples=int(os.environ.get("LLMTERM_TEST_EXAMPLES", "25")), deadline=None)
@given(st.lists(st.tuples(st.sampled_from(INTERRUPTIONS), st.integers(1, 5)), max_size=5))
def test_answer_is_the_same_whatever_interrupts_it(interruptions: list[tuple[str, int]]) -> None:
    """Pauses, connections that are lost, closed or too old, and limits: no character is lost, or comes twice."""
    turn = asyncio.run(told(interruptions))

    assert (turn.state, turn.reply.text) == (TurnState.DONE, WHOLE)


# What a server has in hand.

WORDS = st.text(max_size=4)
MESSAGES = st.lists(
    st.builds(
        lambda role, said, data: Message(
            role=role, text=said, attachments=[Attachment(name="a", media_type="image/png", data=data)] if data else ()
        ),
        st.sampled_from(["user", "assistant"]),
        WORDS,
        st.binary(max_size=2),
    ),
    max_size=4,
)


@given(MESSAGES.filter(bool), MESSAGES, MESSAGES)
def test_chain_holds_what_begins_with_it_and_nothing_else(
    said: list[Message], others: list[Message], rest: Any
) -> None:
    """Exactly: another text, another file, another side, or nothing new, is another conversation."""
    chain = Chain("resp", MODEL, tuple(fingerprints(said)))

    def plain(messages: list[Message]) -> list[tuple[object, ...]]:
        return [(each.role, each.text, [file.data for file in each.attachments]) for each in messages]

    assert chain.holds(MODEL, fingerprints([*said, *rest])) == bool(rest)
    begins = plain([*others, *rest])[: len(said)] == plain(said) and len(others) + len(rest) > len(said)
    assert chain.holds(MODEL, fingerprints([*others, *rest])) == begins
    assert not chain.holds("another", fingerprints([*said, *rest]))
