"""The first lines of a chat with the model that comes along: a toy, and the way to a real one."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from llmterm.assembly.launch import launch
from llmterm.assembly.welcome import advice
from llmterm.config import Settings
from llmterm.providers.weights import available, default_model
from tests.conftest import need
from tests.terminal import LLMTERM, Program, environment


@pytest.fixture(autouse=True)
def _model() -> None:
    if not available():
        need("embedded model (the extra `local` and the weights)")


@contextmanager
def ollama(*models: str) -> Iterator[str]:
    """What an Ollama says of its models; the address of it."""

    class Tags(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            said = json.dumps({"models": [{"name": name} for name in models]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Tags) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def said(environ: dict[str, str], model: str = "") -> str:
    launched = launch(Settings(), environ, provider="local", at_once=True)
    return advice(launched, model or default_model())


def test_chat_with_the_toy_says_so_in_a_line_of_80_columns_and_how_to_get_at_a_real_model(tmp_path: Path) -> None:
    with Program([*LLMTERM, "chat"], environment(tmp_path), columns=80) as program:
        program.wait_for(r"(?m)^.*SPACE pauses")
        line = next(line for line in program.lines if "toy" in line)
        assert line.endswith("a toy model; for a real one set ANTHROPIC_API_KEY, or run llmterm config init")
        assert "local/SmolLM2" in program.lines[program.lines.index(line) - 1]


def test_an_ollama_with_a_model_is_offered_where_the_toy_was_asked_for(tmp_path: Path) -> None:
    with ollama("llama3.2") as host:
        assert "/provider ollama" in said(environment(tmp_path, OLLAMA_HOST=host))


def test_an_ollama_without_a_model_is_to_be_given_one(tmp_path: Path) -> None:
    with ollama() as host:
        assert "llmterm models pull llama3.2" in said(environment(tmp_path, OLLAMA_HOST=host))


def test_a_provider_with_a_key_is_offered(tmp_path: Path) -> None:
    assert "/provider anthropic " in said(environment(tmp_path, ANTHROPIC_API_KEY="sk-x"))


def test_an_address_that_is_none_is_no_trouble_where_the_toy_is_asked_for(tmp_path: Path) -> None:
    assert "ANTHROPIC_API_KEY" in said(environment(tmp_path, OLLAMA_HOST="http://a b"))


def test_another_file_is_no_toy(tmp_path: Path) -> None:
    assert said(environment(tmp_path), "another") == ""
