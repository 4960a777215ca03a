"""`llmterm serve`: the real program, from its link to its end."""

from __future__ import annotations

import signal
import socket
import stat
import subprocess
from pathlib import Path

import httpx2

from tests.chatting import until_hung_up
from tests.serving import served
from tests.terminal import LLMTERM, PATIENCE, environment
from tests.wire import WireServer


def refused(env: dict[str, str], *arguments: str) -> str:
    """Run it where it cannot be; return why not."""
    done = subprocess.run([*LLMTERM, "serve", *arguments], env=env, capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("llmterm: ")
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_token_is_made_once_and_nobody_else_can_read_it(tmp_path: Path) -> None:
    env = environment(tmp_path)
    tokens = set()
    for _ in range(2):
        with served(env) as (program, url, token):
            headers = {"authorization": f"Bearer {token}"}
            assert httpx2.get(f"{url}/v1/sessions", headers=headers).json() == {"sessions": []}
            assert httpx2.get(f"{url}/v1/sessions").status_code == 401
            program.send_signal(signal.SIGINT)
            assert program.wait(PATIENCE) == 0
            assert program.stdout is not None
            assert program.stdout.read() == ""
        tokens.add(token)

    assert len(tokens) == 1
    assert stat.S_IMODE((tmp_path / "data" / "serve-token").stat().st_mode) == 0o600


def test_end_pauses_what_streams_and_lets_its_readers_go(tmp_path: Path) -> None:
    with WireServer(until_hung_up("some words", then="never")) as upstream:
        env = environment(tmp_path, OPENAI_BASE_URL=upstream.base_url, OPENAI_API_KEY="sk-test", LLMTERM_TOKEN="t0ken")
        with served(env) as (program, url, token):
            assert token == "t0ken"
            headers = {"authorization": f"Bearer {token}"}
            with httpx2.Client(base_url=url, headers=headers, timeout=PATIENCE) as client:
                turn = client.post("/v1/turns", json={"question": "Why?", "model": "openai/test"}).json()["id"]
                with client.stream("GET", f"/v1/turns/{turn}/events") as response:
                    lines = response.iter_lines()
                    assert any("some words" in line for line in lines)
                    program.send_signal(signal.SIGTERM)
                    rest = [*lines]
            assert program.wait(PATIENCE) == 0

        assert any('"state":"paused","reason":"crash"' in line for line in rest)
        assert rest[-2:] == ["retry: 1000", ""]


def test_what_cannot_be_served_says_why(tmp_path: Path) -> None:
    env = environment(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"nothing can listen at 127.0.0.1 port {port}: Address already in use" in refused(
            env, "--port", str(port)
        )
    assert "--token" in refused(env, "--host", "0.0.0.0")
    assert "no name of a host" in refused(env, "--host", "a..b", "--token", "x")
    for origin in ("https://chat.example.org/", "chat.example.org", "*"):
        assert f"--origin {origin!r} is no address of a page" in refused(env, "--origin", origin)
    assert "--workers need --state" in refused(env, "--workers", "2")
    assert "no address of a Redis" in refused(env, "--state", "localhost:6379")
    assert "--token is empty" in refused(env, "--token", " ")
