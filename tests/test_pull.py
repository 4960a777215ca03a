"""Fetching models from a real server: whole, in parts, cut at any place, wrong; and the line that shows it."""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import json
import os
import re
import sys
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from llmterm.errors import (
    ConfigError,
    ConnectError,
    LlmtermError,
    LocalModelError,
    ModelNotFoundError,
    NetworkError,
    ProtocolError,
    ProviderError,
    ServerError,
    StreamTimeoutError,
    UsageError,
)
from llmterm.messages import StreamLimits
from llmterm.providers.ollama import PullProgress
from llmterm.providers.pull import file_name, pull_file, pull_ollama
from llmterm.providers.weights import default_weights, find_model, pulled
from llmterm.render.bar import bar
from llmterm.render.cells import cell_len
from llmterm.transport import Transport
from llmterm.transport.download import Download, Report, download
from tests.conftest import need
from tests.wire import Exchange, WireServer

MODEL = b"GGUF" + bytes(range(256)) * 12_000  # three megabytes: several writes
OTHER = b"GGUF" + bytes(reversed(range(256))) * 12_000
HASH = hashlib.sha256(MODEL).hexdigest()
LIMITS = StreamLimits()


@dataclass
class FileServer:
    """Serves `content` as a web server does: in parts if asked, and only of the version that was asked for.

    `stop_at` is after how many bytes of a body it hangs; `break_off` has it break the connection then.
    """

    content: bytes = MODEL
    tag: str = '"1"'
    ranges: bool = True
    minds_if_range: bool = True
    stop_at: int | None = None
    break_off: threading.Event | None = None
    asked: list[dict[str, str]] = field(default_factory=list)

    async def __call__(self, exchange: Exchange) -> None:
        self.asked.append(exchange.headers)
        match = re.fullmatch(r"bytes=(\d+)-", exchange.headers.get("range", ""))
        start = int(match[1]) if match and self.ranges and self._unchanged(exchange) else 0
        marks = {"etag": self.tag} if self.tag else {}
        size = len(self.content)
        if start and start >= size:
            await exchange.head(416, content_range=f"bytes */{size}", content_length="0", **marks)
            return
        if start:
            marks["content_range"] = f"bytes {start}-{size - 1}/{size}"
        body = self.content[start:]
        await exchange.head(206 if start else 200, content_length=str(len(body)), **marks)
        if self.stop_at is None:
            await exchange.send(body)
            return
        await exchange.send(body[: self.stop_at])
        if self.break_off is None:
            await exchange.hung_up()
        else:
            await asyncio.to_thread(self.break_off.wait)
            exchange.drop()

    def _unchanged(self, exchange: Exchange) -> bool:
        return not self.minds_if_range or exchange.headers.get("if-range", self.tag) == self.tag


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    transport = Transport()
    yield transport
    await transport.aclose()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "models" / "model.gguf"


def quiet(_done: int, _total: int | None) -> None:
    pass


async def fetch(
    transport: Transport,
    server: WireServer,
    target: Path,
    *,
    sha256: str = "",
    report: Report = quiet,
    limits: StreamLimits = LIMITS,
) -> Download:
    url = f"{server.base_url}/model.gguf"
    return await download(transport, url, target, sha256=sha256, report=report, limits=limits)


async def fetch_until(transport: Transport, server: WireServer, target: Path, amount: int) -> None:
    """Cancel a download as soon as `amount` bytes have come."""
    arrived = asyncio.Event()

    def report(done: int, _total: int | None) -> None:
        if done >= amount:
            arrived.set()

    fetching = asyncio.create_task(fetch(transport, server, target, report=report))
    await arrived.wait()
    fetching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetching


def part_of(target: Path) -> Path:
    return target.with_name(f"{target.name}.part")


def content(path: Path) -> bytes:
    return path.read_bytes()


def files(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


async def test_whole_file_comes_with_its_size_and_hash(transport: Transport, target: Path) -> None:
    """The file is all that is left, and every step on the way was told."""
    steps: list[tuple[int, int | None]] = []

    with WireServer(FileServer()) as server:
        got = await fetch(transport, server, target, sha256=HASH, report=lambda *step: steps.append(step))

    assert got == Download(path=target, size=len(MODEL), sha256=HASH)
    assert content(target) == MODEL
    assert files(target.parent) == ["model.gguf"]
    assert steps[0] == (0, len(MODEL))
    assert steps[-1] == (len(MODEL), len(MODEL))
    assert steps == sorted(steps)


@pytest.mark.parametrize("amount", [1, 1000, 2_000_000, len(MODEL) - 1])
async def test_cancelled_download_keeps_what_came_and_goes_on(transport: Transport, target: Path, amount: int) -> None:
    """Every byte that had come is in the part; the next run asks only for the rest."""
    files_served = FileServer(stop_at=amount)
    with WireServer(files_served) as server:
        await fetch_until(transport, server, target, amount)
        kept = part_of(target).read_bytes()
        files_served.stop_at = None
        got = await fetch(transport, server, target)

    assert kept == MODEL[:amount]
    assert [each.get("range") for each in files_served.asked] == [None, f"bytes={amount}-"]
    assert files_served.asked[1]["if-range"] == '"1"'
    assert got.sha256 == HASH
    assert content(target) == MODEL
    assert files(target.parent) == ["model.gguf"]


async def test_cancel_at_any_step_loses_nothing(transport: Transport, target: Path) -> None:
    """Wherever in its course it is cancelled, what is on the disk is the beginning of the file, and it ends well."""
    with WireServer(FileServer()) as server:
        for turns in range(0, 120, 4):
            fetching = asyncio.create_task(fetch(transport, server, target))
            for _ in range(turns):
                await asyncio.sleep(0)
            fetching.cancel()
            await asyncio.wait({fetching})
            there = part_of(target).read_bytes() if part_of(target).exists() else b""
            assert MODEL.startswith(there)

        await fetch(transport, server, target, sha256=HASH)

    assert files(target.parent) == ["model.gguf"]


async def test_broken_connection_keeps_what_came(transport: Transport, target: Path) -> None:
    """The error says that the same command goes on, and it does."""
    broken = threading.Event()
    served = FileServer(stop_at=100_000, break_off=broken)
    with WireServer(served) as server:

        def report(done: int, _total: int | None) -> None:
            if done == 100_000:
                broken.set()

        with pytest.raises(NetworkError, match="goes on from there"):
            await fetch(transport, server, target, report=report)
        served.stop_at = None
        await fetch(transport, server, target, sha256=HASH)

    assert served.asked[-1]["range"] == "bytes=100000-"


async def test_silent_server_times_out_and_keeps_what_came(transport: Transport, target: Path) -> None:
    """The chunk timer holds for files, too."""
    with WireServer(FileServer(stop_at=1000)) as server:
        with pytest.raises(StreamTimeoutError, match=r"nothing came .* for 1 s .*goes on from there") as caught:
            await fetch(transport, server, target, limits=StreamLimits(chunk_timeout=1))

        await server.wait_async(lambda: server.open_connections == 0)

    assert caught.value.timer == "chunk"
    assert content(part_of(target)) == MODEL[:1000]


@pytest.mark.parametrize("minds_if_range", [True, False])
async def test_file_that_has_changed_begins_anew(transport: Transport, target: Path, minds_if_range: bool) -> None:
    """Half of one version and half of another are never put together, even if the server does not look at If-Range."""
    served = FileServer(stop_at=1000, minds_if_range=minds_if_range)
    with WireServer(served) as server:
        await fetch_until(transport, server, target, 1000)
        served.stop_at, served.content, served.tag = None, OTHER, '"2"'
        await fetch(transport, server, target)

    assert content(target) == OTHER


async def test_file_of_another_size_begins_anew(transport: Transport, target: Path) -> None:
    """Without a mark of its version a part is used only if its hash is known, and the size has to be the same."""
    longer = MODEL + b"more"
    served = FileServer(stop_at=1000, tag="")
    with WireServer(served) as server:
        await fetch_until(transport, server, target, 1000)
        served.stop_at, served.content = None, longer
        await fetch(transport, server, target, sha256=hashlib.sha256(longer).hexdigest())

    assert [each.get("range") for each in served.asked] == [None, "bytes=1000-", None]
    assert content(target) == longer


async def test_without_mark_and_hash_a_part_is_not_trusted(transport: Transport, target: Path) -> None:
    """A change could not be noticed, so it begins anew."""
    served = FileServer(stop_at=1000, tag='W/"weak"')
    with WireServer(served) as server:
        await fetch_until(transport, server, target, 1000)
        served.stop_at = None
        await fetch(transport, server, target)

    assert "range" not in served.asked[1]
    assert content(target) == MODEL


async def test_part_of_another_address_begins_anew(transport: Transport, target: Path) -> None:
    """Two files may have one name."""
    served = FileServer(stop_at=1000)
    with WireServer(served) as server:
        await fetch_until(transport, server, target, 1000)
        served.stop_at = None
        await download(transport, f"{server.base_url}/else/model.gguf", target, report=quiet, limits=LIMITS)

    assert "range" not in served.asked[1]


async def test_server_that_sends_no_parts_begins_anew(transport: Transport, target: Path) -> None:
    """The whole file in answer to a request for its rest is the whole file."""
    served = FileServer(stop_at=1000, ranges=False)
    with WireServer(served) as server:
        await fetch_until(transport, server, target, 1000)
        served.stop_at = None
        await fetch(transport, server, target, sha256=HASH)

    assert served.asked[1]["range"] == "bytes=1000-"
    assert len(served.asked) == 2


async def test_part_that_is_whole_is_taken(transport: Transport, target: Path) -> None:
    """Ended between its last byte and its new name: 416 says that nothing is missing."""
    served = FileServer()
    with WireServer(served) as server:
        await fetch_until(transport, server, target, len(MODEL))
        got = await fetch(transport, server, target)

    assert served.asked[1]["range"] == f"bytes={len(MODEL)}-"
    assert got.sha256 == HASH
    assert len(served.asked) == 2


async def test_part_that_is_longer_than_the_file_begins_anew(transport: Transport, target: Path) -> None:
    """Bytes that nobody sent are not kept."""
    with WireServer(FileServer()) as server:
        await fetch_until(transport, server, target, len(MODEL))
        with part_of(target).open("ab") as file:
            file.write(b"x")
        await fetch(transport, server, target)

    assert content(target) == MODEL


@pytest.mark.parametrize("note", [b"", b"[]", b"\xff", b"[" * 100_000, b'{"address": 1}'])
async def test_unreadable_note_begins_anew(transport: Transport, target: Path, note: bytes) -> None:
    """Whatever became of the file beside the part, the download works."""
    with WireServer(FileServer(stop_at=1000)) as server:
        await fetch_until(transport, server, target, 1000)
        target.with_name("model.gguf.part.json").write_bytes(note)
        server.script = FileServer()
        await fetch(transport, server, target, sha256=HASH)

    assert files(target.parent) == ["model.gguf"]


async def test_wrong_hash_removes_the_part(transport: Transport, target: Path) -> None:
    """A file that is not the one asked for never appears, and is not gone on with."""
    with WireServer(FileServer()) as server, pytest.raises(ProviderError, match=f"SHA-256 is {HASH}, not aaaa"):
        await fetch(transport, server, target, sha256="a" * 64)

    assert files(target.parent) == []


async def test_no_hash_is_refused_before_anything_is_asked(transport: Transport, target: Path) -> None:
    """A slip of the hand shows at once, not after gigabytes."""
    with WireServer(FileServer()) as server:
        with pytest.raises(UsageError, match="64 hexadecimal digits"):
            await fetch(transport, server, target, sha256="abc")

        assert server.exchanges == []


async def test_body_without_length_is_taken_to_its_end(transport: Transport, target: Path) -> None:
    """Chunked: the total is unknown, and the end is the end."""
    steps: list[tuple[int, int | None]] = []

    async def script(exchange: Exchange) -> None:
        await exchange.start(content_type="application/octet-stream")
        await exchange.raw(MODEL)
        await exchange.close()

    with WireServer(script) as server:
        await fetch(transport, server, target, sha256=HASH, report=lambda *step: steps.append(step))

    assert steps[-1] == (len(MODEL), None)


async def test_part_that_is_longer_than_announced_is_an_error(transport: Transport, target: Path) -> None:
    """A server cannot fill the disk with what it did not announce."""
    served = FileServer(stop_at=1000)

    async def endless(exchange: Exchange) -> None:
        await exchange.start(206, "x/y", content_range=f"bytes 1000-{len(MODEL) - 1}/{len(MODEL)}", etag='"1"')
        while True:
            await exchange.raw(bytes(100_000))

    with WireServer(served) as server:
        await fetch_until(transport, server, target, 1000)
        server.script = endless
        with pytest.raises(ProtocolError, match="more than it announced"):
            await fetch(transport, server, target)

    assert files(target.parent) == []


async def test_compressed_file_is_refused(transport: Transport, target: Path) -> None:
    """Its length and its parts would be those of something else."""

    async def script(exchange: Exchange) -> None:
        assert exchange.headers["accept-encoding"] == "identity"
        await exchange.head(200, content_encoding="gzip", content_length="3")
        await exchange.send(b"abc")

    with WireServer(script) as server, pytest.raises(ProtocolError, match="compresses"):
        await fetch(transport, server, target)


async def test_redirects_are_followed_with_the_range(transport: Transport, target: Path) -> None:
    """Large files mostly lie elsewhere; the condition goes along."""
    served = FileServer(stop_at=1000)

    async def script(exchange: Exchange) -> None:
        if exchange.path.startswith("/v1"):
            await exchange.head(302, location="/elsewhere?signed=1", content_length="0")
        else:
            await served(exchange)

    with WireServer(script) as server:
        await fetch_until(transport, server, target, 1000)
        served.stop_at = None
        await fetch(transport, server, target, sha256=HASH)

    assert served.asked[1]["range"] == "bytes=1000-"


@pytest.mark.parametrize(
    ("location", "error", "words"),
    [
        ("/v1/again", ProtocolError, "5 redirects"),
        ("ftp://127.0.0.1/model.gguf", ConfigError, "ftp://127.0.0.1/model.gguf is no address of a file"),
        ("file:///etc/passwd", ConfigError, "no address of a file"),
        ("http://127.0.0.1:x/", ProtocolError, "leads to no address"),
    ],
)
async def test_redirect_to_nowhere_is_an_error(
    transport: Transport, target: Path, location: str, error: type[LlmtermError], words: str
) -> None:
    """Not in circles, not out of the web."""

    async def script(exchange: Exchange) -> None:
        await exchange.head(302, location=location, content_length="0")

    with WireServer(script) as server, pytest.raises(error, match=words):
        await fetch(transport, server, target)

    assert files(target.parent) == []


class Secure(Transport):
    """Where https is answered without a certificate, by `handler`."""

    def __init__(self, handler: Callable[[httpx2.Request], httpx2.Response]) -> None:
        super().__init__()
        self._client = httpx2.AsyncClient(transport=httpx2.MockTransport(handler))


async def test_redirect_from_https_to_http_is_not_followed(target: Path) -> None:
    """Anybody on the way could put another file there; the other direction is fine."""
    asked: list[str] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        asked.append(str(request.url))
        lead = {"http://a/m.gguf": "https://b/m.gguf", "https://b/m.gguf": "http://c/m.gguf"}
        return httpx2.Response(302, headers={"location": lead[asked[-1]]})

    secure = Secure(handler)
    with pytest.raises(ProtocolError, match=r"https://b/m\.gguf leads from https to http"):
        await download(secure, "http://a/m.gguf", target, report=quiet, limits=LIMITS)
    await secure.aclose()

    assert asked == ["http://a/m.gguf", "https://b/m.gguf"]


async def test_kept_connection_that_the_server_has_closed_is_no_failure(transport: Transport, target: Path) -> None:
    """A server may close an idle connection at any moment; then a new one is taken."""
    served = FileServer()

    async def script(exchange: Exchange) -> None:
        if len(server.exchanges) == 2:
            exchange.drop()
        else:
            await served(exchange)

    with WireServer(script) as server:
        for _ in range(2):
            await fetch(transport, server, target, sha256=HASH)

        assert len(server.exchanges) == 3


async def test_killed_process_loses_little(transport: Transport, target: Path) -> None:
    """Nothing could be tidied up, and yet the next run goes on."""
    served = FileServer(stop_at=2_500_000)
    with WireServer(served) as server:
        command = [sys.executable, "-c", FETCH, f"{server.base_url}/model.gguf", str(target)]
        child = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        assert child.stdout is not None
        assert await child.stdout.readline()
        child.kill()
        await child.wait()
        served.stop_at = None
        await fetch(transport, server, target, sha256=HASH)

    start = int(served.asked[1]["range"].removeprefix("bytes=").removesuffix("-"))
    assert 1_000_000 < start <= 2_500_000
    assert files(target.parent) == ["model.gguf"]


FETCH = """
import asyncio, sys
from pathlib import Path
from llmterm.messages import StreamLimits
from llmterm.transport import Transport
from llmterm.transport.download import download

def report(done, total):
    if done == 2_500_000:
        print("there", flush=True)

asyncio.run(download(Transport(), sys.argv[1], Path(sys.argv[2]), report=report, limits=StreamLimits()))
"""


@pytest.mark.parametrize(
    ("status", "words"), [(401, "not public"), (403, "not public"), (404, "check the URL"), (500, "HTTP 500")]
)
async def test_refusal_says_what_to_do(transport: Transport, target: Path, status: int, words: str) -> None:
    """In the words of a download: there is no key to check."""

    async def script(exchange: Exchange) -> None:
        await exchange.refuse(status, {"error": "no"})

    with WireServer(script) as server, pytest.raises(ProviderError, match=words) as caught:
        await fetch(transport, server, target)

    assert caught.value.status == status
    assert files(target.parent) == []


@pytest.mark.parametrize("redirected", [False, True])
async def test_refusal_repeats_no_secret_of_the_url(transport: Transport, target: Path, redirected: bool) -> None:
    """Neither a password in it nor a signature, of the URL that was given or of one that it leads to."""
    signed = "file.gguf?X-Signature=tok%2B-0123456789"

    async def script(exchange: Exchange) -> None:
        if redirected and "file" not in exchange.path:
            await exchange.head(302, location=f"{secret}/{signed}", content_length="0")
            return
        words = f"no {exchange.path} tok+-0123456789 pass-0123456789 {exchange.headers['authorization']}"
        await exchange.refuse(403, {"error": words}, x_request_id="tok+-0123456789")

    with WireServer(script) as server:
        secret = server.address.replace("//", "//user:pass-0123456789@")
        with pytest.raises(ProviderError) as caught:
            await download(
                transport, server.address if redirected else f"{secret}/{signed}", target, report=quiet, limits=LIMITS
            )

    assert "no /file.gguf?X-Signature=*** *** *** Basic ***" in str(caught.value)
    assert "0123456789" not in repr(vars(caught.value))


@pytest.mark.parametrize("url", ["", "model.gguf", "http://", "ftp://x/y", "http://[::1", "http://127.0.0.1:99999/x"])
async def test_url_that_is_none_is_an_error(transport: Transport, target: Path, url: str) -> None:
    """And leaves nothing behind."""
    with pytest.raises(LlmtermError):
        await download(transport, url, target, report=quiet, limits=LIMITS)

    assert files(target.parent) == []


async def test_nobody_there_keeps_the_part(transport: Transport, target: Path) -> None:
    """A network that is down costs nothing of what has come."""
    with WireServer(FileServer(stop_at=1000)) as server:
        await fetch_until(transport, server, target, 1000)

    with pytest.raises(ConnectError):
        await fetch_closed(transport, server, target)

    assert content(part_of(target)) == MODEL[:1000]


async def fetch_closed(transport: Transport, server: WireServer, target: Path) -> None:
    note = json.loads(target.with_name("model.gguf.part.json").read_bytes())
    await download(transport, note["address"], target, report=quiet, limits=LIMITS)


@pytest.mark.skipif(sys.platform == "win32", reason="locks of POSIX")
async def test_second_download_of_one_file_is_refused(transport: Transport, target: Path) -> None:
    """Two that write to one part would ruin it."""
    with WireServer(FileServer(stop_at=1000)) as server:
        arrived = asyncio.Event()
        first = asyncio.create_task(fetch(transport, server, target, report=lambda *_: arrived.set()))
        await arrived.wait()

        with pytest.raises(ConfigError, match="being fetched already"):
            await fetch(transport, server, target)

        first.cancel()
        await asyncio.wait({first})


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device that is always full")
async def test_full_disk_is_a_clear_error(transport: Transport, target: Path) -> None:
    """It is not the provider's fault, and it says what to do."""
    target.parent.mkdir()
    part_of(target).symlink_to("/dev/full")

    with WireServer(FileServer()) as server, pytest.raises(ConfigError, match=r"no room left .*make room"):
        await fetch(transport, server, target)


async def test_folder_that_cannot_be_is_a_clear_error(transport: Transport, tmp_path: Path) -> None:
    """Before anything is asked of the network."""
    (tmp_path / "models").write_text("a file")

    with WireServer(FileServer()) as server:
        with pytest.raises(ConfigError, match="cannot write"):
            await fetch(transport, server, tmp_path / "models" / "model.gguf")

        assert server.exchanges == []


async def test_pulled_file_can_be_named(transport: Transport, tmp_path: Path) -> None:
    """By its file name or without the suffix; the hash is there to be noted."""
    with WireServer(FileServer()) as server:
        got = await pull_file(transport, f"{server.base_url}/Tiny-Q4.gguf?download=true", tmp_path, report=quiet)

    assert got == Download(path=tmp_path / "Tiny-Q4.gguf", size=len(MODEL), sha256=HASH)
    assert pulled(tmp_path) == ["Tiny-Q4"]
    if importlib.util.find_spec("xllamacpp") is None:
        need("llama.cpp (the extra `local`)")
    assert find_model("Tiny-Q4", tmp_path) == find_model("Tiny-Q4.gguf", tmp_path) == got.path
    with pytest.raises(ConfigError, match="or one of Tiny-Q4"):
        find_model("Huge-Q4", tmp_path)
    weights = default_weights()
    if weights is not None:
        assert find_model("", tmp_path) == weights
    else:
        with pytest.raises(LocalModelError, match="--model Tiny-Q4"):
            find_model("", tmp_path)


def test_folder_that_is_not_there_has_no_models(tmp_path: Path) -> None:
    """Nor do parts, hidden files and folders count."""
    (tmp_path / "a.gguf.part").touch()
    (tmp_path / ".b.gguf").touch()
    (tmp_path / "c.gguf").mkdir()

    assert pulled(tmp_path) == []
    assert pulled(tmp_path / "none") == []


async def test_web_page_is_no_model(transport: Transport, tmp_path: Path) -> None:
    """A page about the file, at nearly its address, is the likeliest mistake; nothing of it stays."""
    served = FileServer(content=b"<!doctype html>")

    with WireServer(served) as server, pytest.raises(ProtocolError, match=r"not a GGUF file .*/resolve/"):
        await pull_file(transport, f"{server.base_url}/blob/main/model.gguf", tmp_path, report=quiet)

    assert files(tmp_path) == []


async def test_file_that_is_there_is_left_alone(transport: Transport, tmp_path: Path) -> None:
    """Nothing is asked: it is what was wanted if its hash says so, and somebody's own if not."""
    there = tmp_path / "model.gguf"
    there.write_bytes(MODEL)

    with WireServer(FileServer(content=OTHER)) as server:
        url = f"{server.base_url}/model.gguf"
        got = await pull_file(transport, url, tmp_path, sha256=f"sha256:{HASH.upper()}", report=quiet)
        for sha256 in ("", "a" * 64):
            with pytest.raises(ConfigError, match="there already"):
                await pull_file(transport, url, tmp_path, sha256=sha256, report=quiet)

        assert server.exchanges == []
    assert got == Download(path=there, size=len(MODEL), sha256=HASH)
    assert there.read_bytes() == MODEL


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://host/a/model-Q4_K_M.gguf?download=true#top", "model-Q4_K_M.gguf"),
        ("https://host/a%20b.GGUF", "a b.GGUF"),
        ("https://host/..%2F..%2F.ssh%2Fx.gguf", "x.gguf"),
        ("https://host/..%5Cx.gguf", "x.gguf"),
        ("https://host/...x.gguf", "x.gguf"),
        ("https://host/a%00b%1bc%E2%80%AEd:e.gguf", "a_b_c_d_e.gguf"),
    ],
)
def test_name_of_a_model_file(url: str, name: str) -> None:
    """The last part of the path, without what could lead elsewhere or act on a terminal."""
    assert file_name(url) == name


@given(st.one_of(st.text(), st.from_regex(r"https?://[^/]*/.*\.gguf", fullmatch=True)))
@example("https://host/.gguf")
@example("https://host/gguf")
@example("https://[host/x.gguf")
def test_name_of_any_url_is_safe(url: str) -> None:
    """A name in the folder, or an error of ours."""
    try:
        name = file_name(url)
    except ConfigError:
        return

    assert Path(name).name == name
    assert not name.startswith(".")
    assert name.isprintable()
    assert len(name) > len(".gguf")


def lines(*values: object) -> bytes:
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


async def test_ollama_says_how_far_it_is(transport: Transport) -> None:
    """Each line is told, what is no sense is skipped, and "success" is the end."""
    told: list[PullProgress] = []

    async def script(exchange: Exchange) -> None:
        assert exchange.body == {"model": "tiny", "stream": True}
        await exchange.start(content_type="application/x-ndjson")
        await exchange.raw(lines({"status": "pulling manifest"}) + b"garbage\n")
        await exchange.raw(lines({"status": "pulling a1", "digest": "sha256:a1", "total": 9, "completed": 4}))
        await exchange.raw(lines({"status": "success"}))
        await exchange.close()

    with WireServer(script) as server:
        await pull_ollama(transport, f"http://127.0.0.1:{server.port}/", "tiny", told.append)

        assert [exchange.path for exchange in server.exchanges] == ["/api/pull"]
    assert told == [
        PullProgress(status="pulling manifest"),
        PullProgress(status="pulling a1", digest="sha256:a1", total=9, completed=4),
        PullProgress(status="success"),
    ]


@pytest.mark.parametrize(
    ("said", "error", "words"),
    [
        (lines({"error": "disk quota exceeded"}), ServerError, "disk quota exceeded"),
        (lines({"error": "pull model manifest: file does not exist"}), ModelNotFoundError, "check the name"),
        (b"", NetworkError, "goes on from there"),
    ],
)
async def test_ollama_that_fails_in_the_middle_is_an_error(
    transport: Transport, said: bytes, error: type[ProviderError], words: str
) -> None:
    """The status was 200; what came before was told all the same."""
    told: list[PullProgress] = []

    async def script(exchange: Exchange) -> None:
        await exchange.start(content_type="application/x-ndjson")
        await exchange.raw(lines({"status": "pulling manifest"}) + said)
        await exchange.close()

    with WireServer(script) as server, pytest.raises(error, match=words):
        await pull_ollama(transport, f"http://127.0.0.1:{server.port}", "tiny", told.append)

    assert told == [PullProgress(status="pulling manifest")]


async def test_what_is_no_ollama_is_said(transport: Transport) -> None:
    """A web page at that address is no download that broke off."""

    async def script(exchange: Exchange) -> None:
        await exchange.start(content_type="text/html")
        await exchange.raw(b"<html>\n</html>\n")
        await exchange.close()

    with WireServer(script) as server, pytest.raises(ProtocolError, match="is it an Ollama"):
        await pull_ollama(transport, f"http://127.0.0.1:{server.port}", "tiny", lambda _: None)


async def test_cancelled_pull_hangs_up_on_ollama(transport: Transport) -> None:
    """Which is how Ollama is told to stop; it keeps what it has."""
    begun = asyncio.Event()

    async def script(exchange: Exchange) -> None:
        await exchange.start(content_type="application/x-ndjson")
        await exchange.raw(lines({"status": "pulling manifest"}))
        await exchange.hung_up()

    with WireServer(script) as server:
        url = f"http://127.0.0.1:{server.port}"
        pulling = asyncio.create_task(pull_ollama(transport, url, "tiny", lambda _: begun.set()))
        await begun.wait()

        pulling.cancel()
        await asyncio.wait({pulling})

        await server.wait_async(lambda: server.open_connections == 0)
        assert pulling.cancelled()


def test_bar_shows_amount_speed_and_time_left() -> None:
    """Three digits are enough, and the speed is that of this run."""
    shown = bar("model.gguf", 600_000_000, 1_200_000_000, 10, 100, start=500_000_000)

    assert shown == (
        "model.gguf   50%  [==================>                    ]  600 MB of 1.20 GB  1:00 left  10.0 MB/s"
    )


def test_bar_of_an_unknown_total_shows_what_came() -> None:
    """No share, no time left, nothing drawn."""
    assert bar("model.gguf", 1_500_000, None, 1, 80) == "model.gguf  1.50 MB  1.50 MB/s"


def test_bar_leaves_out_what_does_not_fit() -> None:
    """From the least worth on; the share stays longest."""
    shown = [bar("model.gguf", 50, 100, 1, width) for width in (66, 44, 32, 18, 8)]

    assert shown == [
        "model.gguf   50%  [=====>      ]  50 B of 100 B  0:01 left  50 B/s",
        "model.gguf   50%  50 B of 100 B  0:01 left",
        "model.gguf   50%  50 B of 100 B",
        "model.gguf   50%",
        "model.g…",
    ]


anything = st.integers(-10, 10**40)


@given(st.text(), anything, st.none() | anything, st.floats(), st.integers(-5, 200), anything)
def test_bar_is_never_wider_than_asked_for(
    label: str, done: int, total: int | None, seconds: float, width: int, start: int
) -> None:
    """Whatever a server or a clock says; and nothing in it acts on the terminal."""
    line = bar(label, done, total, seconds, width, start=start)

    assert cell_len(line) <= max(0, width)
    assert "\n" not in line
    assert "\x1b" not in line


@given(st.integers(0, 10**12), st.integers(1, 10**12), st.integers(0, 120))
def test_bar_says_100_percent_only_at_the_end(done: int, total: int, width: int) -> None:
    """Nearly there is 99%."""
    if "100%" in bar("", done, total, 1, width):
        assert done >= total


def test_home_of_nobody_is_no_model_file(tmp_path: Path) -> None:
    """A tilde means a home, where there is that user; otherwise it is a name like any other."""
    with pytest.raises(ConfigError, match="cannot read the model file ~no-such-user/x"):
        find_model("~no-such-user/x.gguf", tmp_path)
