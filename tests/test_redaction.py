"""Secrets: what is taken out of text, in which forms, and what is no secret."""

from __future__ import annotations

import json
import subprocess
from contextlib import closing
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmterm.address import basic, secret_parts
from llmterm.assembly.secrets import known_secrets
from llmterm.chat.plainview import PlainView
from llmterm.chat.queue import MessageQueue
from llmterm.config import ProvidersSettings, RemoteSettings, Settings
from llmterm.redaction import Secrets, redact
from llmterm.sessions import SessionStore
from tests.parts import ScriptedComposer
from tests.terminal import LLMTERM, environment
from tests.wire import Exchange, WireServer, say

KEY = "sk-this-is-a-secret-0123456789"
KEYS = st.text(st.characters(codec="utf-8"), min_size=6, max_size=40)


@given(st.text(max_size=20), KEYS, st.text(max_size=20))
def test_a_secret_is_hidden_in_every_form(before: str, key: str, after: str) -> None:
    """As it is, in a URL, in JSON."""
    for form in (key, quote(key, safe=""), quote(key), quote_plus(key), json.dumps(key)[1:-1]):
        hidden = redact(before + form + after, (key,))

        assert form not in hidden or form in "***" + before + after


@given(st.text(max_size=20), KEYS, st.text(max_size=20))
def test_a_mask_is_as_long_as_what_it_hides(before: str, key: str, after: str) -> None:
    """Offsets into an exported text stay right."""
    text = before + key + after

    assert len(Secrets([key]).mask(text)) == len(text)


def test_longer_secrets_are_hidden_before_those_that_they_begin_with() -> None:
    assert redact("sk-abcdef-2 and sk-abcdef", ("sk-abcdef", "sk-abcdef-2")) == "*** and ***"


@pytest.mark.parametrize("key", ["", "x", "dummy", "12345", "ollama", "lmstudio", "secret", "password"])
def test_what_stands_in_for_a_key_tears_no_words_apart(key: str) -> None:
    """Local servers take anything, and people give them words."""
    secrets = known_secrets(Settings(), {"OPENAI_API_KEY": key, "VLLM_API_KEY": key})
    text = "the secret dummy of ollama, lmstudio and 12345 has no password: x"

    assert secrets.redact(text) == secrets.mask(text) == text


def test_all_keys_of_all_providers_are_known() -> None:
    """Used or not: keys that take turns, keys of presets, passwords of addresses and proxies; versions are none."""
    own = RemoteSettings(
        base_url="https://gateway.example/v1?api-version=2026-01-01&token=tok-0123", keys=("KEY_1", "KEY_2")
    )
    environ = {
        "KEY_1": "sk-one-111",
        "KEY_2": "sk-two-222",
        "GROQ_API_KEY": " gsk-333 ",
        "GEMINI_API_KEY": "AIza-444",
        "GOOGLE_API_KEY": "AIza-555",
        "OPENAI_BASE_URL": "https://user:pa%2Fss-666@proxy.example",
        "https_proxy": "user:word-777@proxy.example:3128",
        "ALL_PROXY": "socks5://user:word-888@proxy.example",
    }
    secrets = known_secrets(Settings(providers=ProvidersSettings(remotes={"own": own})), environ)

    wanted = [
        "sk-one-111",
        "sk-two-222",
        "gsk-333",
        "AIza-444",
        "AIza-555",
        "pa/ss-666",
        "word-777",
        "word-888",
        "tok-0123",
    ]
    assert [each for each in wanted if secrets.redact(f"<{each}>") != "<***>"] == []
    assert (
        secrets.redact("version 2026-01-01 at proxy.example for user") == "version 2026-01-01 at proxy.example for user"
    )
    assert "sk-one" not in repr(secrets)


def test_header_of_a_password_is_as_secret_as_the_password() -> None:
    url = "https://user:pa%3Ass-word@host.example"
    sent = basic(url)["authorization"]

    assert redact(sent, secret_parts(url)) == "Basic ***"


def test_lines_of_the_chat_have_no_secret(tmp_path: Path) -> None:
    """Also where something of no width was put into it."""
    written: list[str] = []
    foot = ScriptedComposer(tmp_path, MessageQueue()).foot
    view = PlainView(write=written.append, foot=foot, redact=Secrets([KEY]).redact)

    view.say(f"it said {KEY[:9]}\u200b{KEY[9:]}", error=True)

    assert "".join(written) == "error: it said ***\r\n"


def test_program_shows_no_key_that_a_server_repeats(tmp_path: Path) -> None:
    """In its errors, its log, its doctor's report and what it exports."""

    async def script(exchange: Exchange) -> None:
        if not exchange.body:
            await exchange.refuse(200, {"data": [{"id": f"gpt-{KEY}"}]})
        elif exchange.question == "say it":
            await say(f"it is {KEY}!")(exchange)
        else:
            await exchange.refuse(404, {"error": {"message": "no such model"}}, x_request_id=KEY)

    with WireServer(script) as server:
        env = environment(tmp_path, OPENAI_API_KEY=KEY, OPENAI_BASE_URL=server.base_url)

        def run(*arguments: str) -> str:
            done = subprocess.run([*LLMTERM, *arguments], env=env, stdin=subprocess.DEVNULL, capture_output=True)
            return (done.stdout + done.stderr).decode()

        failed = run("chat", "-m", "gpt", "--debug-text", "ask me")
        answered = run("chat", "-m", "gpt", "--debug-text", "say it")
        examined = run("doctor", "--json")
        with closing(SessionStore(tmp_path / "data")) as store:
            session = store.latest()
        exported = run("sessions", "export", session or "")

    assert "request ***" in failed
    assert "did you mean gpt-***?" in failed
    assert f"it is {KEY}!" in answered  # an answer is the model's, and comes as it is
    [_, answer] = json.loads(exported)["messages"]
    assert answer["text"] == f"it is {'*' * len(KEY)}!"
    assert answer["segments"][-1]["end"] == len(answer["text"])
    logged = (tmp_path / "data" / "debug.jsonl").read_text("utf-8")
    assert "it is ***!" in logged
    assert KEY not in failed + examined + exported + logged
