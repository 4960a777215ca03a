"""The variables of the official SDKs, and nothing else, decide where a question goes and with which key."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from llmterm.assembly.roster import registry
from llmterm.config import BUILT_IN, Settings
from llmterm.errors import ConfigError, ModelNotFoundError
from llmterm.messages import Message, Request, StreamLimits
from tests.contract.caller import KEY, Caller, InstantProgress, answering, environment, fails, refuse, settings_of
from tests.contract.dialects import REMOTE, Dialect, configured, label, whole
from tests.wire import Exchange, Script, WireServer

WORD = "pass:word/@0123"
QUOTED = quote(WORD, safe="")
KEYED = [pytest.param(dialect, id=label(dialect)) for dialect in REMOTE if dialect.key_variables]
KEY_VARIABLES = [
    pytest.param(dialect, variable, id=variable) for dialect in REMOTE for variable in dialect.key_variables
]
LOOPBACK = ["http://127.0.0.1:1", "http://127.8.9.10:1", "http://localhost:1", "http://[::1]:1"]
ELSEWHERE = [
    "http://10.0.0.1:8080",
    "http://proxy.example.org",
    "http://user:word@proxy.example.org/base",
    "http://0.0.0.0:8080",
    "http://[2001:db8::1]:8080",
    # What only looks like this machine.
    "http://127.0.0.1.example.org",
    "http://127.example.org",
    "http://localhost.example.org",
    "http://localhost@proxy.example.org",
]


def greeting(dialect: Dialect) -> Script:
    return answering(dialect, *whole(dialect, "hello"))


async def test_variables_of_the_sdk_are_all_it_takes(remote: Dialect) -> None:
    """Address and key go where that SDK would have put them, the key into its header only."""
    async with Caller(remote, greeting(remote)) as caller:
        answer = await caller.ask("a question")

    (exchange,) = caller.server.exchanges
    assert answer.text == "hello"
    assert exchange.path == remote.path
    assert remote.key(exchange.headers) == (KEY if remote.key_variables else "")
    assert remote.question(exchange.body) == "a question"
    assert KEY not in exchange.path + json.dumps(exchange.body)
    assert sum(KEY in value for value in exchange.headers.values()) == bool(remote.key_variables)


async def test_address_may_end_in_a_slash(remote: Dialect) -> None:
    """It is written both ways; the path has one slash all the same."""
    with WireServer(greeting(remote)) as server:
        environ = {each: f"{value}/" if "//" in value else value for each, value in environment(remote, server).items()}
        await ask(remote, Settings(), environ)

    assert server.exchanges[0].path == remote.path


@pytest.mark.parametrize(
    ("behind", "query"),
    [
        ("?api-version=2026-01-01", "api-version=2026-01-01"),
        ("/?token=a%2Fb&x=/", "token=a%2Fb&x=/"),
        ("//?token=t", "token=t"),
        ("?token=t#fragment", "token=t"),
        ("/#fragment", ""),
        ("?", ""),
    ],
)
async def test_query_of_an_address_stays_behind_the_path(remote: Dialect, behind: str, query: str) -> None:
    """A gateway's token, a version of the API: for a question, and for the list of models."""

    async def script(exchange: Exchange) -> None:
        if exchange.body:
            await greeting(remote)(exchange)
        else:
            await exchange.refuse(200, remote.listing("one"))

    with WireServer(script) as server:
        base = f"{server.address}/gateway{remote.url_path}"
        environ = {**environment(remote, server), remote.url_variable: f"{base}{behind}"}
        await ask(remote, Settings(), environ)
        provider = registry(settings_of(remote), environ).get(remote.name)
        assert list(await provider.models()) == ["one"]
        await provider.aclose()

    asked, listed = (urlsplit(exchange.path) for exchange in server.exchanges)
    own = urlsplit(remote.path).query
    assert asked.path == f"/gateway{urlsplit(remote.path).path}"
    assert asked.query == "&".join(filter(None, (query, own)))
    assert listed.path.startswith("/gateway/")
    assert listed.query.startswith(query)
    assert listed.path.rpartition("/")[2] in ("models", "tags")


@pytest.mark.parametrize("key", [KEY, ""])
async def test_user_of_an_address_is_named_where_there_is_no_key(remote: Dialect, key: str) -> None:
    """A key is never replaced by it."""
    expected = KEY if key and remote.key_variables else ""

    async def script(exchange: Exchange) -> None:
        await (greeting(remote)(exchange) if exchange.body else exchange.refuse(200, remote.listing("one")))

    with WireServer(script) as server:
        url = f"http://us%40er:{QUOTED}@127.0.0.1:{server.port}{remote.url_path}"
        environ = {remote.url_variable: url, **dict.fromkeys(remote.key_variables[:1], key)}
        await ask(remote, Settings(), environ)
        provider = registry(settings_of(remote), environ).get(remote.name)
        await provider.models()
        await provider.aclose()

    basic = f"Basic {base64.b64encode(f'us@er:{WORD}'.encode()).decode()}"
    for exchange in server.exchanges:
        if expected:
            assert remote.key(exchange.headers) == expected
            assert "Basic" not in exchange.headers.get("authorization", "")
        else:
            assert exchange.headers["authorization"] == basic


async def test_password_of_an_address_is_not_sent_in_the_clear_either(remote: Dialect) -> None:
    environ = {remote.url_variable: f"http://user:{QUOTED}@models.example"}

    with pytest.raises(ConfigError, match=r"the password for .* in the clear to models\.example") as caught:
        registry(settings_of(remote), environ).get(remote.name)

    assert "0123" not in str(caught.value)


async def test_host_of_ollama_needs_no_scheme() -> None:
    """OLLAMA_HOST is mostly just a host and a port."""
    ollama = REMOTE[-1]
    with WireServer(greeting(ollama)) as server:
        await ask(ollama, Settings(), {"OLLAMA_HOST": f"127.0.0.1:{server.port}"})

    assert server.exchanges[0].path == ollama.path
    assert "authorization" not in server.exchanges[0].headers


async def ask(dialect: Dialect, settings: Settings, environ: Mapping[str, str]) -> None:
    """Ask with these settings and variables, and read the answer."""
    provider = registry(settings_of(dialect, settings), environ).get(dialect.name)
    request = Request(model=dialect.model, messages=(Message(role="user", text="q"),))
    try:
        stream = await provider.open(request, StreamLimits(), InstantProgress())
        try:
            while await stream.read():
                pass
        finally:
            await stream.aclose()
    finally:
        await provider.aclose()


@pytest.mark.parametrize(("keyed", "variable"), KEY_VARIABLES)
async def test_key_is_read_from_each_of_its_variables(keyed: Dialect, variable: str) -> None:
    """Also where an SDK knows two names; white space around it is a slip of the shell."""
    with WireServer(greeting(keyed)) as server:
        await ask(keyed, Settings(), {**environment(keyed, server), keyed.key_variables[0]: "", variable: f" {KEY}\n"})

    assert keyed.key(server.exchanges[0].headers) == KEY


async def test_one_providers_key_never_goes_to_another(remote: Dialect) -> None:
    """With all keys of all providers set, each server sees its own."""
    others = {variable: f"{KEY}-{variable}" for dialect in REMOTE for variable in dialect.key_variables}
    with WireServer(greeting(remote)) as server:
        await ask(remote, Settings(), {**others, **environment(remote, server)})

    sent = " ".join(server.exchanges[0].headers.values())
    strangers = [variable for variable in others if variable not in remote.key_variables]
    assert not [variable for variable in strangers if variable in sent]


@pytest.mark.parametrize("keyed", KEYED)
async def test_missing_key_names_its_variable_and_where_to_get_one(keyed: Dialect) -> None:
    """Before anything is sent anywhere."""
    with fails(ConfigError, f"no key for {keyed.name}") as caught:
        await ask(keyed, Settings(), {})

    hint = caught.value.hint
    assert all(variable in hint for variable in keyed.key_variables)
    assert f"get one at {BUILT_IN[keyed.name].key_page}" in hint


@pytest.mark.parametrize("keyed", KEYED)
async def test_server_of_ones_own_needs_no_key(keyed: Dialect) -> None:
    """Where the address is given, whether it wants a key is between it and the user."""
    with WireServer(greeting(keyed)) as server:
        environ = {keyed.url_variable: environment(keyed, server)[keyed.url_variable]}
        await ask(keyed, Settings(), environ)

    assert keyed.key(server.exchanges[0].headers) == ""


@pytest.mark.parametrize("address", ELSEWHERE)
@pytest.mark.parametrize("keyed", KEYED)
def test_key_is_not_sent_in_the_clear(keyed: Dialect, address: str) -> None:
    """Not without being told to, by name."""
    environ = {keyed.url_variable: address, keyed.key_variables[0]: KEY}

    with fails(ConfigError, "in the clear") as caught:
        registry(settings_of(keyed), environ).get(keyed.name)

    assert f"allow_http = true in [providers.{keyed.name}]" in caught.value.hint
    assert "word" not in str(caught.value)


@pytest.mark.parametrize("address", [*LOOPBACK, "https://proxy.example.org"])
@pytest.mark.parametrize("keyed", KEYED)
async def test_key_may_go_to_this_machine_or_over_tls(keyed: Dialect, address: str) -> None:
    """Neither can be overheard."""
    provider = registry(settings_of(keyed), {keyed.url_variable: address, keyed.key_variables[0]: KEY}).get(keyed.name)

    await provider.aclose()


async def test_clear_text_can_be_allowed_or_has_no_key_to_lose(remote: Dialect) -> None:
    """By the setting that the refusal names; without a key there is nothing to refuse."""
    settings = settings_of(remote, allow_http=True)
    address = {remote.url_variable: "http://10.0.0.1:8080"}

    with_key = registry(settings, {**address, **dict.fromkeys(remote.key_variables, KEY)}).get(remote.name)
    without = registry(settings_of(remote), address).get(remote.name)

    await with_key.aclose()
    await without.aclose()


async def test_models_are_asked_for_at_the_same_place(remote: Dialect) -> None:
    """With the same key."""

    async def script(exchange: Exchange) -> None:
        await exchange.refuse(200, remote.listing("one", "two"))

    async with Caller(remote, script) as caller:
        listed = await caller.provider.models()

    (exchange,) = caller.server.exchanges
    assert list(listed) == ["one", "two"]
    assert remote.key(exchange.headers) == (KEY if remote.key_variables else "")
    assert KEY not in exchange.path


async def test_list_of_models_that_is_refused_is_no_second_failure(remote: Dialect) -> None:
    """An unknown model is what was wrong, and stays it."""

    async def script(exchange: Exchange) -> None:
        if exchange.body:
            await refuse(exchange, remote, 404, "unknown")
        else:
            await refuse(exchange, remote, 500, "no list today")

    async with Caller(remote, script) as caller:
        with fails(ModelNotFoundError, "unknown"):
            await caller.ask()


def test_program_answers_from_the_server_of_the_variables(remote: Dialect, tmp_path: Path) -> None:
    """The whole program, as a user of the SDK would start it: the answer is on standard output."""
    said = "".join(f"{name} = {json.dumps(value)}\n" for name, value in configured(remote).items())
    configuration = tmp_path / "config.toml"
    configuration.write_text(f"[providers.{remote.name}]\n{said}", encoding="utf-8")
    with WireServer(greeting(remote)) as server:
        done = subprocess.run(
            [sys.executable, "-m", "llmterm", "chat", "--provider", remote.name, "--model", remote.model],
            input=b"a question",
            env={**home(tmp_path), **environment(remote, server), "LLMTERM_CONFIG": str(configuration)},
            capture_output=True,
            timeout=60,
        )

    assert (done.stdout, done.returncode) == (b"hello\n", 0)
    assert remote.question(server.exchanges[0].body) == "a question"


def home(folder: Path) -> dict[str, str]:
    """Return what the program needs of an environment: where things are, and a home of its own."""
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    places = {"HOME": "", "LLMTERM_DATA_DIR": "data", "XDG_CONFIG_HOME": "config", "APPDATA": "config"}
    return {**kept, **{name: str(folder / place) for name, place in places.items()}}
