"""What goes through a proxy, what never does, and what an error behind one says."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from llmterm.assembly.roster import registry
from llmterm.errors import ConfigError, ConnectError, LlmtermError, ProviderError
from llmterm.messages import Message, Request, StreamLimits
from llmterm.transport import Proxies, Transport
from llmterm.transport.download import download
from tests.conftest import need
from tests.contract.caller import KEY, Answer, Caller, InstantProgress, answering, fails, settings_of
from tests.contract.dialects import REMOTE, Dialect, whole
from tests.terminal import LLMTERM, environment
from tests.wire import Exchange, WireServer

VARIABLES = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]
PASSWORD = "pass-word-0123"
UNUSABLE = [
    "socks://127.0.0.1:1/",
    "socks5://127.0.0.1:1",
    "socks4://127.0.0.1:1",
    "http://[",
    "http://u:p#q@h:1",
    "::",
]


@contextmanager
def counted() -> Iterator[tuple[list[str], Mapping[str, str]]]:
    """Yield the requests that a proxy sees, and the variables that name it."""
    seen: list[str] = []

    async def script(exchange: Exchange) -> None:
        seen.append(exchange.path)
        await exchange.refuse(502, {"error": "this is the proxy"})

    with WireServer(script) as proxy:
        yield seen, dict.fromkeys(VARIABLES, proxy.address)


async def ask(dialect: Dialect, environ: Mapping[str, str], *, allow_http: bool = False, key: str = KEY) -> str:
    """Return the answer of a provider at these variables."""
    settings = settings_of(dialect, allow_http=allow_http)
    keys = dict.fromkeys(dialect.key_variables[:1], key)
    provider = registry(settings, {**keys, **environ}).get(dialect.name)
    request = Request(model=dialect.model, messages=(Message(role="user", text="q"),))
    try:
        answer = Answer(await provider.open(request, StreamLimits(), InstantProgress()))
        try:
            return (await answer.to_end()).text
        finally:
            await answer.aclose()
    finally:
        await provider.aclose()


@pytest.mark.parametrize("no_proxy", ["", "10.0.0.0/8, example.org"])
async def test_this_machine_is_asked_directly(dialect: Dialect, no_proxy: str) -> None:
    """Neither the key nor a word goes through a proxy, and neither does the question for the models."""
    with counted() as (seen, environ):
        async with Caller(
            dialect, answering(dialect, *whole(dialect, "hello")), environ={**environ, "NO_PROXY": no_proxy}
        ) as caller:
            answer = await caller.ask()

    assert answer.text == "hello"
    assert seen == []


async def test_models_of_this_machine_are_asked_for_directly(remote: Dialect) -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.refuse(200, remote.listing("one"))

    with counted() as (seen, environ):
        async with Caller(remote, script, environ=environ) as caller:
            assert list(await caller.provider.models()) == ["one"]

    assert seen == []


async def test_a_proxy_that_is_not_needed_breaks_nothing(dialect: Dialect) -> None:
    """Nor does what is no proxy at all: each variable names another that cannot be used."""
    environ = {**dict(zip(VARIABLES, UNUSABLE, strict=True)), "NO_PROXY": "a.example, 10.0.0.0/8 [::1"}
    async with Caller(dialect, answering(dialect, *whole(dialect, "hello")), environ=environ) as caller:
        assert (await caller.ask()).text == "hello"


async def test_what_is_far_goes_through_the_proxy(remote: Dialect) -> None:
    """With the address that is meant; a key in the clear has to be allowed there as on a direct way."""
    far = {remote.url_variable: f"http://models.example:8000{remote.url_path}"}
    with WireServer(answering(remote, *whole(remote, "hello"))) as proxy:
        through = {**far, "ALL_PROXY": f"http://user:{PASSWORD}@127.0.0.1:{proxy.port}"}
        assert await ask(remote, through, allow_http=True) == "hello"
        if remote.key_variables:
            with fails(ConfigError, "in the clear to models.example"):
                await ask(remote, through)

    [exchange] = proxy.exchanges
    assert exchange.path == f"http://models.example:8000{remote.path}"
    assert exchange.headers["proxy-authorization"].startswith("Basic ")


async def test_a_proxy_that_refuses_is_named(remote: Dialect) -> None:
    """By its address, without its password; in the clear it answers itself, and to CONNECT before TLS begins."""

    async def script(exchange: Exchange) -> None:
        await exchange.head(407 if "needs-word" in exchange.path else 502, content_length="6")
        await exchange.send(b"<html>")

    async def refused(proxy: WireServer, url: str, status: int) -> None:
        environ = {remote.url_variable: url, "ALL_PROXY": f"http://user:{PASSWORD}@127.0.0.1:{proxy.port}"}
        with fails(ProviderError, f"through the proxy http://127.0.0.1:{proxy.port}") as caught:
            await ask(remote, environ, allow_http=True)
        assert caught.value.status == status
        assert PASSWORD not in repr(vars(caught.value))
        assert ("user:password" in caught.value.hint) == (status == 407)

    with WireServer(script) as proxy:
        await asyncio.gather(
            refused(proxy, "http://needs-word.example", 407),
            refused(proxy, "https://needs-word.example", 407),
            refused(proxy, "http://is-down.example", 502),
            refused(proxy, "https://is-down.example", 502),
        )

    hosts = Counter(urlsplit(f"//{each.path.rpartition('//')[2]}").netloc for each in proxy.exchanges)
    assert hosts == {
        "needs-word.example": 1,
        "needs-word.example:443": 1,
        "is-down.example": 3,
        "is-down.example:443": 3,
    }


async def test_a_proxy_that_is_not_there_is_named(remote: Dialect) -> None:
    with WireServer(answering(remote)) as gone:
        address = f"127.0.0.1:{gone.port}"

    async def missed(scheme: str) -> None:
        proxy = {"HTTPS_PROXY": f"{scheme}://user:{PASSWORD}@{address}"}
        words = f"cannot reach https://models.example.* through the proxy {scheme}://{address}"
        with fails(ConnectError, words) as caught:
            await ask(remote, {remote.url_variable: "https://models.example", **proxy})
        assert PASSWORD not in repr(vars(caught.value))
        assert "proxy" in caught.value.hint

    await asyncio.gather(missed("http"), missed("https"))
    need_socks()
    await missed("socks5")


def need_socks() -> None:
    if find_spec("socksio") is None:
        need("socksio")


@pytest.mark.parametrize("kind", ["socks", "socks5", "socks5h"])
async def test_a_socks_proxy_is_gone_through(kind: str) -> None:
    """`socks://`, as desktops write it, is the fifth version."""
    need_socks()
    asked: list[bytes] = []
    done = asyncio.Event()
    openai = REMOTE[0]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # https://www.rfc-editor.org/rfc/rfc1928: methods, then a request, which is answered by the server behind.
        await reader.readexactly(3)
        writer.write(b"\x05\x00")
        head = await reader.readexactly(5)
        asked.append(await reader.readexactly(head[4] + 2))
        writer.write(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50")
        behind = await asyncio.open_connection("127.0.0.1", server.port)
        await asyncio.gather(_copy(reader, behind[1]), _copy(behind[0], writer))
        done.set()

    with WireServer(answering(openai, *whole(openai, "hello"))) as server:
        proxy = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with proxy:
            port = proxy.sockets[0].getsockname()[1]
            environ = {openai.url_variable: "http://models.example/v1", "ALL_PROXY": f"{kind}://127.0.0.1:{port}"}
            assert await ask(openai, environ, key="") == "hello"
            await done.wait()

    assert asked == [b"models.example\x00\x50"]


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()
    await writer.wait_closed()


async def test_a_proxy_that_is_needed_and_none_is_an_error_of_the_configuration(remote: Dialect) -> None:
    """By the name of its variable, and the other way out."""
    environ = {remote.url_variable: "https://models.example", "HTTPS_PROXY": "socks4://127.0.0.1:1"}

    with fails(ConfigError, "HTTPS_PROXY") as caught:
        await ask(remote, environ)

    assert "NO_PROXY" in caught.value.hint
    assert not isinstance(caught.value, ProviderError)


def test_socks_without_its_package_names_the_extra() -> None:
    """In an interpreter that does not have it."""
    code = """if True:
        import sys
        sys.modules["socksio"] = None
        from llmterm.errors import ConfigError
        from llmterm.transport import Proxies
        proxies = Proxies.of({"ALL_PROXY": "socks://user:word@proxy.example:1080"})
        assert proxies.proxy("http://localhost:1") is None
        try:
            proxies.proxy("https://models.example").require()
        except ConfigError as error:
            print(error)
    """
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout

    assert "socks5://proxy.example:1080 in ALL_PROXY needs socksio" in said
    assert "pip install 'llmterm[socks]'" in said
    assert "word" not in said


def test_running_ollama_is_found_without_a_proxy(tmp_path: Path) -> None:
    """By the whole program, which nobody has told whom to ask."""
    ollama = REMOTE[-1]

    async def script(exchange: Exchange) -> None:
        if exchange.path == "/api/tags":
            await exchange.refuse(200, ollama.listing("gemma3"))
        else:
            await answering(ollama, *whole(ollama, "hello"))(exchange)

    with counted() as (seen, variables), WireServer(script) as server:
        done = subprocess.run(
            [*LLMTERM, "chat"],
            input=b"a private question",
            env=environment(tmp_path, **{**variables, "OLLAMA_HOST": server.address}),
            capture_output=True,
            timeout=60,
        )

    assert (done.stdout.strip(), done.returncode) == (b"hello", 0), done.stderr
    assert seen == []


async def test_download_of_this_machine_is_direct_and_others_name_the_proxy(tmp_path: Path) -> None:
    """Each hop by itself: what is redirected to another machine is asked for through the proxy."""

    async def script(exchange: Exchange) -> None:
        if exchange.path == "/m.gguf":
            await exchange.head(200, content_length="4")
            await exchange.send(b"GGUF")
        else:
            await exchange.head(302, location="http://files.example/m.gguf", content_length="0")

    with counted() as (seen, variables), WireServer(script) as server:
        transport = Transport(proxies=Proxies.of(variables))
        ask = partial(download, transport, target=tmp_path / "m", report=lambda *_: None, limits=StreamLimits())
        try:
            await ask(f"{server.address}/m.gguf")
            assert seen == []
            with fails(ProviderError, f"through the proxy {variables['ALL_PROXY']}"):
                await ask(f"{server.address}/elsewhere")
        finally:
            await transport.aclose()

    assert seen == ["http://files.example/m.gguf"]


async def test_an_excluded_address_needs_no_proxy(remote: Dialect) -> None:
    """Nobody listens there, which is found out directly."""
    environ = {
        remote.url_variable: "https://models.localhost.invalid",
        "HTTPS_PROXY": "socks4://nowhere",
        "NO_PROXY": "a.example .invalid, 10.0.0.0/8",
    }

    with pytest.raises(LlmtermError) as caught:
        await ask(remote, environ)

    assert "proxy" not in str(caught.value).lower()


async def test_certificates_are_read_only_where_something_is_encrypted(
    remote: Dialect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a direct way and through a proxy, also where an SDK would read some for itself; elsewhere none can hinder."""
    broken = tmp_path / "certificates.pem"
    broken.write_text("none")
    monkeypatch.setenv("SSL_CERT_FILE", str(broken))

    async with Caller(remote, answering(remote, *whole(remote, "hello"))) as caller:
        assert (await caller.ask()).text == "hello"
    with counted() as (seen, proxies):
        with fails(ProviderError, "this is the proxy"):
            await ask(remote, {remote.url_variable: "http://models.example", **proxies}, allow_http=True)
        assert seen
    for environ in (
        {remote.url_variable: "https://127.0.0.1:1"},
        {remote.url_variable: "http://models.example", "HTTP_PROXY": "https://127.0.0.1:1"},
    ):
        with fails(ConfigError, "the certificates cannot be read"):
            await ask(remote, environ, allow_http=True)
