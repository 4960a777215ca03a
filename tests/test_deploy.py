"""The examples of docs/deploy.md: a service that stands behind the proxies that are written there."""

from __future__ import annotations

import re
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from llmterm.messages import TextDelta
from tests.serving import TOKEN, entries, serving
from tests.terminal import PATIENCE
from tests.wire import Exchange, Gate
from tests.x11 import require

PAGE = (Path(__file__).parent.parent / "docs" / "deploy.md").read_text("utf-8")
HOST = "chat.example.org"


def example(kind: str) -> str:
    found = re.search(rf"(?ms)^```{kind}\n(.*?)^```$", PAGE)
    assert found is not None
    return found[1]


def nginx(folder: Path, port: int, upstream: str) -> list[str]:
    """Write what nginx reads, with this machine's ports and paths in the example; return its command."""
    names = ["-keyout", "key.pem", "-out", "cert.pem", "-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}"]
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    subprocess.run(["openssl", "req", "-x509", "-nodes", *curve, *names], cwd=folder, check=True, capture_output=True)
    server = example("nginx").replace("listen 443 ssl", f"listen 127.0.0.1:{port} ssl")
    server = server.replace("127.0.0.1:8484", upstream)
    server = server.replace(f"/etc/ssl/{HOST}.pem", "cert.pem").replace(f"/etc/ssl/{HOST}.key", "key.pem")
    paths = "".join(
        f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    whole = (
        f"daemon off; master_process off; pid nginx.pid;\nevents {{}}\nhttp {{\naccess_log off;\n{paths}{server}}}\n"
    )
    (folder / "nginx.conf").write_text(whole, "utf-8")
    return ["nginx", "-p", str(folder), "-c", "nginx.conf", "-e", "stderr"]


@contextmanager
def proxy(command: list[str]) -> Iterator[None]:
    with subprocess.Popen(command) as program:
        try:
            yield
        finally:
            program.kill()


@pytest.fixture
def port() -> int:
    """A port that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        number: int = free.getsockname()[1]
    return number


async def test_answers_come_through_nginx_as_they_are_made(tmp_path: Path, port: int) -> None:
    """Neither is a word held back, nor is the page under the proxy's name taken for another site's."""
    require("nginx", "openssl")
    gate = Gate()

    async def script(exchange: Exchange) -> None:
        await exchange.start()
        await exchange.text("one ")
        await gate.wait()
        await exchange.text("two")
        await exchange.end()

    origin = f"https://{HOST}:{port}"
    folder = tmp_path / "nginx"
    folder.mkdir()
    async with serving(tmp_path, script, origins=(origin,)) as client:
        command = nginx(folder, port, client.url.removeprefix("http://"))
        transport = httpx2.AsyncHTTPTransport(verify=ssl.create_default_context(cafile=folder / "cert.pem"), retries=5)
        headers = {"host": f"{HOST}:{port}"}
        with proxy(command):
            async with httpx2.AsyncClient(transport=transport, headers=headers, timeout=PATIENCE) as browser:
                named: dict[str, Any] = {"extensions": {"sni_hostname": HOST}}
                address = f"https://127.0.0.1:{port}"
                page = await browser.get(f"{address}/?token={TOKEN}", **named)
                cookie = {"cookie": page.headers["set-cookie"].partition(";")[0], "origin": origin}
                question = {"question": "x" * 2_000_000, "model": "openai/test"}
                asked = await browser.post(f"{address}/v1/turns", json=question, headers=cookie, **named)
                events = f"{address}/v1/turns/{asked.json()['id']}/events"
                seen = []
                async with browser.stream("GET", events, headers=cookie, **named) as response:
                    async for entry in entries(response):
                        if isinstance(entry.event, TextDelta):
                            seen.append(entry.event.text)
                            gate.open()

    assert page.status_code == 303
    assert page.headers["location"] == "/"
    assert "Secure" in page.headers["set-cookie"].split("; ")
    assert seen == ["one ", "two"]
