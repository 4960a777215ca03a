"""Who gets in: nobody without the token, no other page, and nothing that is larger than it may be."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import httpx2
import pytest

from llmterm.threads import in_thread
from tests.serving import TOKEN, Client, serving
from tests.wire import say


async def asked(client: Client, headers: dict[str, str], path: str = "/v1/sessions", **more: Any) -> httpx2.Response:
    async with httpx2.AsyncClient(base_url=client.url) as http:
        return await http.get(path, headers=headers, **more)


async def test_only_who_has_the_token_gets_in(tmp_path: Path) -> None:
    async with serving(tmp_path, say("x")) as client:
        statuses = {
            str(headers): (await asked(client, headers)).status_code
            for headers in (
                {},
                {"authorization": "Bearer"},
                {"authorization": "Bearer wrong"},
                {"authorization": f"Basic {TOKEN}"},
                {"authorization": f"Bearer {TOKEN}x"},
                {"cookie": f"llmterm_token={TOKEN[:-1]}"},
                {"cookie": "llmterm_token=; =;;"},
            )
        }
        statuses |= {
            f"yes {headers}": (await asked(client, headers)).status_code
            for headers in (
                {"authorization": f"Bearer {TOKEN}"},
                {"authorization": f"bearer {TOKEN}"},
                {"cookie": f"a=b; llmterm_token={TOKEN}"},
                {"x-api-key": TOKEN},
            )
        }
        by_link = await asked(client, {}, f"/?token={TOKEN}")
        elsewhere = await asked(client, {}, f"/v1/sessions?token={TOKEN}")
        health = await asked(client, {}, "/healthz")

        assert {each for name, each in statuses.items() if not name.startswith("yes")} == {401}
        assert {each for name, each in statuses.items() if name.startswith("yes")} == {200}
        assert by_link.status_code == 303
        assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(by_link.headers["set-cookie"].split("; "))
        assert elsewhere.status_code == 401
        assert health.json() == {"status": "ok"}


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": "localhost.evil.example:80"},
        {"host": ""},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:1"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"},
        {"sec-fetch-site": "same-site", "sec-fetch-mode": "cors"},
    ],
    ids=str,
)
async def test_no_other_page_gets_in_with_the_user_s_cookie(tmp_path: Path, headers: dict[str, str]) -> None:
    async with serving(tmp_path, say("x")) as client:
        refused = await asked(client, {"cookie": f"llmterm_token={TOKEN}", **headers})

        assert refused.status_code in (403, 421)
        assert "error" in refused.json()
        assert "access-control-allow-origin" not in refused.headers


async def test_page_that_was_named_may_use_it(tmp_path: Path) -> None:
    async with serving(tmp_path, say("x"), origins=("https://mine.example",)) as client:
        headers = {"origin": "https://mine.example", "access-control-request-method": "POST"}
        async with httpx2.AsyncClient(base_url=client.url) as http:
            preflight = await http.options("/v1/turns", headers=headers)
        used = await asked(client, {"origin": "https://mine.example", "authorization": f"Bearer {TOKEN}"})
        without = await asked(client, {"origin": "https://mine.example"})

        assert preflight.status_code == 204
        assert used.status_code == 200
        assert without.status_code == 401
        assert used.headers["access-control-allow-origin"] == "https://mine.example"


async def test_body_that_is_larger_than_any_is_refused_before_it_is_read(tmp_path: Path) -> None:
    async with serving(tmp_path, say("x")) as client:
        host, port = client.url.removeprefix("http://").split(":")
        head = f"POST /v1/turns HTTP/1.1\r\nhost: {host}:{port}\r\nauthorization: Bearer {TOKEN}\r\n"

        def sent() -> bytes:
            with socket.create_connection((host, int(port)), timeout=60) as connection:
                connection.sendall(f"{head}content-length: {1 << 30}\r\n\r\n".encode())
                return connection.recv(4096)

        answer = await in_thread(sent)

        assert answer.startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    "path",
    [
        "/v1/turns/../../etc/passwd",
        "/page/../app.py",
        "/page/%2e%2e/app.py",
        "/page/..%2f..%2fturns.py",
        "/v1/turns/a.99999999999999999999999",
        "/v1/turns/.1",
        "/v1/turns/%00.1",
        "/v1/turns/x.1'--",
        "/v1/nothing",
    ],
)
async def test_address_of_nothing_says_nothing_of_this_machine(tmp_path: Path, path: str) -> None:
    async with serving(tmp_path, say("x")) as client:
        found = await client.http.get(path)

        assert found.status_code == 404
        assert found.json()["error"]["code"] == "not_found"
        assert str(tmp_path) not in found.text
        assert "Traceback" not in json.dumps(dict(found.headers)) + found.text


async def test_every_answer_has_the_headers_that_keep_a_page_to_itself(tmp_path: Path) -> None:
    async with serving(tmp_path, say("x")) as client:
        for path in ("/", "/healthz", "/v1/sessions", "/v1/nothing"):
            headers = (await client.http.get(path)).headers
            assert "default-src 'none'" in headers["content-security-policy"]
            assert "unsafe" not in headers["content-security-policy"]
            assert headers["x-content-type-options"] == "nosniff"
