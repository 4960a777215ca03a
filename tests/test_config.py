"""Settings: one file checked as a whole, directories, keys; the environment is a dict and the keyring a fake."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmterm.config import (
    BUILT_IN,
    PRESETS,
    Keyring,
    LocalSettings,
    MarkerSettings,
    Price,
    ProvidersSettings,
    RemoteSettings,
    RetrySettings,
    Settings,
    StreamSettings,
    ThemeSettings,
    base_url,
    choose_provider,
    config_path,
    data_dir,
    key_hint,
    key_lines,
    load,
    ollama_url,
    override,
    secret,
    secrets,
    store_secret,
)
from llmterm.config.credential import Credential
from llmterm.config.reader import Reader
from llmterm.config.settings import GIVEN
from llmterm.errors import ConfigError, UsageError
from llmterm.messages import StreamLimits

EXAMPLE = Path(__file__).parent.parent / "config.example.toml"
KEY = "sk-very-secret"
MODEL = BUILT_IN["openai"].model

NAMES = ", ".join((*BUILT_IN, *PRESETS, "local"))

Written = Callable[[str], Path]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    def write(text: str) -> Path:
        path = tmp_path / "config.toml"
        path.write_bytes(text.encode())
        return path

    return write


class FakeKeyring:
    """A keyring in a dict."""

    def __init__(self, **keys: str) -> None:
        self.keys = {("llmterm", name): key for name, key in keys.items()}

    def get_password(self, service: str, username: str, /) -> str | None:
        return self.keys.get((service, username))

    def set_password(self, service: str, username: str, password: str, /) -> None:
        self.keys[service, username] = password


class LockedKeyring:
    """A keyring that refuses, and repeats what it was given."""

    def get_password(self, service: str, username: str, /) -> str | None:
        raise OSError("no D-Bus")

    def set_password(self, service: str, username: str, password: str, /) -> None:
        raise OSError(f"cannot store {password}")


def no_keyring() -> Keyring:
    raise ImportError("No module named 'keyring'")


def remote(name: str, **values: Any) -> Settings:
    """Return settings that say something about one provider."""
    known = {**BUILT_IN, **PRESETS}.get(name)
    base = RemoteSettings.of(known) if known else RemoteSettings()
    return Settings(providers=ProvidersSettings(remotes={name: replace(base, **values)}))


def openai(**values: Any) -> Settings:
    return remote("openai", **values)


def complaints(path: Path) -> list[str]:
    """Load a file that is wrong and return what is said about it, without the file's name."""
    with pytest.raises(ConfigError) as caught:
        load(path, environ={})
    lines = caught.value.message.split("\n")
    assert all(line.startswith(f"{path}:") for line in lines)
    return [line.removeprefix(f"{path}:") for line in lines]


# --- the file


def test_every_setting_of_a_file_arrives(written: Written) -> None:
    """What the file says is in the settings, what it leaves out has its default."""
    path = written(
        """
        provider = "local"
        model = "m"
        temperature = 1
        max_tokens = 100
        fallback = ["mine/big", "groq"]
        cache = true
        debug = true
        [chat]
        keys = "global"
        plain = true
        [marker]
        text = "<STOP>"
        [stream]
        chunk_timeout = 0
        first_token_timeout = 5
        [retry]
        attempts = 1
        max_wait = 2.5
        [providers.openai]
        base_url = "http://localhost:8000/v1"
        key_env = "MY_KEY"
        [providers.anthropic]
        thinking = 2048
        [providers.mine]
        kind = "cohere"
        base_url = "https://example.com"
        keys = ["A", "B"]
        models = ["m1", "m2"]
        version = "v1"
        allow_http = true
        prices = { "m*" = { input = 1, output = 2.5 } }
        [providers.local]
        threads = 4
        """
    )

    settings = load(path, environ={})

    assert settings.provider == "local"
    assert settings.model == "m"
    assert settings.temperature == 1.0
    assert settings.max_tokens == 100
    assert settings.seed is None
    assert settings.chat.keys == "global"
    assert settings.chat.plain
    assert settings.marker == MarkerSettings(text="<STOP>")
    assert settings.fallback == ("mine/big", "groq")
    assert settings.cache
    assert settings.debug
    assert settings.stream == StreamSettings(chunk_timeout=0.0, first_token_timeout=5.0)
    assert settings.retry == RetrySettings(attempts=1, max_wait=2.5)
    assert dict(settings.providers.remotes) == {
        **ProvidersSettings().remotes,
        "openai": RemoteSettings(model=MODEL, base_url="http://localhost:8000/v1", key_env="MY_KEY"),
        "anthropic": RemoteSettings(kind="anthropic", model=BUILT_IN["anthropic"].model, thinking=2048),
        "mine": RemoteSettings(
            kind="cohere",
            base_url="https://example.com",
            keys=("A", "B"),
            models=("m1", "m2"),
            version="v1",
            allow_http=True,
            prices={"m*": Price(input=1.0, output=2.5)},
        ),
    }
    assert settings.providers.local == LocalSettings(threads=4)


@pytest.mark.parametrize("text", ["", "# nothing\n", "[chat]\n", "\ufeffmodel = ''\r\n[providers]\r\n"])
def test_a_file_without_settings_gives_the_defaults(written: Written, text: str) -> None:
    """Empty tables, a byte order mark and Windows line ends change nothing."""
    assert load(written(text), environ={}) == Settings()


@pytest.mark.skipif(sys.platform == "win32", reason="the default place cannot be moved there")
def test_a_missing_default_file_gives_the_defaults(tmp_path: Path) -> None:
    """Nobody has to write a configuration file."""
    assert load(environ={"XDG_CONFIG_HOME": str(tmp_path)}) == Settings()


def test_llmterm_config_names_the_file(written: Written) -> None:
    """LLMTERM_CONFIG is read when no path is given."""
    path = written("model = 'named'")

    settings = load(environ={"LLMTERM_CONFIG": str(path)})

    assert settings.model == "named"


def test_a_missing_named_file_is_an_error(tmp_path: Path) -> None:
    """A file that somebody asked for must be there."""
    path = tmp_path / "absent.toml"

    for arguments in ({"path": path, "environ": {}}, {"path": None, "environ": {"LLMTERM_CONFIG": str(path)}}):
        with pytest.raises(ConfigError, match=r"absent\.toml: no such file"):
            load(**arguments)


def test_a_directory_is_an_error(tmp_path: Path) -> None:
    """What cannot be read is named, with the reason."""
    with pytest.raises(ConfigError, match="cannot be read: ") as caught:
        load(tmp_path, environ={})

    assert str(tmp_path) in caught.value.message


def test_text_that_is_not_utf8_is_an_error_with_its_line(tmp_path: Path) -> None:
    """A file in another encoding is refused, at the line where that shows."""
    path = tmp_path / "config.toml"
    path.write_bytes("model = 'a'\nsystem = 'grüß'\n".encode("latin-1"))

    assert complaints(path) == ["2: not UTF-8"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("model = 'a'\nsystem = oops\n", r"2: not valid TOML: .+ \(column 10\)"),
        ("model = 'a'\nmodel = 'b'\n", r"2: not valid TOML: .+ \(column 12\)"),
        ("model = 'a'\nseed = [1,\n\n", r"2: not valid TOML: .+ \(at the end of the file\)"),
        ("seed = " + "9" * 5000, " not valid TOML: a number too long, or lists nested too deep"),
        ("seed = " + "[" * 5000, " not valid TOML: a number too long, or lists nested too deep"),
    ],
    ids=["value", "twice", "end", "long", "deep"],
)
def test_a_syntax_error_has_its_line(written: Written, text: str, expected: str) -> None:
    """What is not TOML is reported with line and column, where there are any; the words between are tomllib's."""
    [complaint] = complaints(written(text))

    assert re.fullmatch(expected, complaint)


# --- what is wrong with a file


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[providers.local]\nmodle = 'x'", '2: unknown key "modle" in [providers.local]: did you mean "model"?'),
        ("\nchatt.keys = 'x'", '2: unknown table "chatt": did you mean "chat"?'),
        (
            "[providers.opnai]\nmodel='x'",
            '1: unknown provider "opnai": did you mean "openai"? (one of your own needs kind and base_url)',
        ),
        ("[providers.x]\n", '1: unknown provider "x" (one of your own needs kind and base_url)'),
        ("\n[providers.x]\nkind = 'openai'", "2: [providers.x] needs base_url"),
        ("[providers.x]\nbase_url = 'http://x'", "1: [providers.x] needs kind"),
        ("[providers]\nopnai = 'x'", '2: unknown key "opnai" in [providers]: did you mean "openai"?'),
        (
            "providers.'a/b' = { kind = 'openai', base_url = 'http://x' }",
            '1: the name of a provider must be of letters, digits, - and _, unlike "a/b"',
        ),
        (
            "[providers.x]\nbase_url = 'http://x'\nkind = 'opnai'",
            '3: kind in [providers.x] must be "openai" or "anthropic" or "gemini" or "cohere" or "ollama"'
            ': did you mean "openai"?',
        ),
        ("[providers.groq]\nkind = 'gemini'", '2: kind in [providers.groq] must be "openai"'),
        ("[providers.groq]\nmodle = 'x'", '2: unknown key "modle" in [providers.groq]: did you mean "model"?'),
        ("[providers.cohere]\napi = 'chat'", '2: api in [providers.cohere] is only for kind "openai"'),
        (
            "[providers.openai]\ntransport = 'websocket'",
            '2: transport in [providers.openai] is only for api = "responses"',
        ),
        ("[providers.groq]\nthinking = 2000", '2: thinking in [providers.groq] is only for kind "anthropic"'),
        ("[providers.groq]\nkeys = 'K'", "2: keys in [providers.groq] must be a list of texts, not text"),
        (
            "[providers.groq]\nmodels = ['a', 1]",
            "2: models in [providers.groq] must be a list of texts, with nothing else in it",
        ),
        ("[providers.groq]\nprices = 1", "2: prices in [providers.groq] must be a table, not a whole number"),
        (
            "[providers.groq.prices]\n'a.b' = 1",
            '2: "a.b" in [providers.groq.prices] must be a table, not a whole number',
        ),
        (
            '[providers.groq.prices."a\\u007f"]\ninput = 1',
            '1: [providers.groq.prices."a\\u007f"] needs output',
        ),
        ("[providers.groq.prices.m]", "1: [providers.groq.prices.m] needs input and output"),
        ("fallback = 'local'", "1: fallback must be a list of texts, not text"),
        ("[retry]\nattempt = 1", '2: unknown key "attempt" in [retry]: did you mean "attempts"?'),
        ("zzz = 1", '1: unknown key "zzz"'),
        ('"a\\u001b[2J" = 1', '1: unknown key "a\\u001b[2J"'),
        ("\n\ntemperature = 'hot'", "3: temperature must be a number, not text"),
        ("temperature = true", "1: temperature must be a number, not a boolean"),
        ("max_tokens = 1.5", "1: max_tokens must be a whole number, not a decimal number"),
        ("model = 5", "1: model must be text, not a whole number"),
        ("model = ['x']", "1: model must be text, not a list"),
        ("model = {a=1}", "1: model must be text, not a table"),
        ("model = 2026-01-01", "1: model must be text, not a date or time"),
        ("chat = 5", "1: chat must be a table, not a whole number"),
        ("[[stream]]", "1: stream must be a table, not a list"),
        ("[providers]\nopenai = 'x'", "2: openai in [providers] must be a table, not text"),
        ("[chat]\nplain = 'yes'", "2: plain in [chat] must be true or false, not text"),
        ("[chat]\nkeys = 'x'", '2: keys in [chat] must be "terminal" or "global"'),
        ("provider = 'x'", f"1: provider must be one of {NAMES}"),
        ("provider = 'opnai'", f'1: provider must be one of {NAMES}: did you mean "openai"?'),
    ],
)
def test_a_mistake_is_named_with_its_line(written: Written, text: str, expected: str) -> None:
    """An unknown key comes with the nearest known one, a wrong type with the right one."""
    assert complaints(written(text)) == [expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("temperature = 2.1", "1: temperature must be from 0 to 2"),
        ("temperature = nan", "1: temperature must be from 0 to 2"),
        (
            "effort = 'much'",
            '1: effort must be "off" or "minimal" or "low" or "medium" or "high" or "max"',
        ),
        ("asked_effort = 'low'", '1: unknown key "asked_effort": did you mean "effort"?'),
        ("top_p = 1.1", "1: top_p must be from 0 to 1"),
        ("service_tier = 'Very fast'", '1: service_tier must be a provider\'s word, such as "flex"'),
        (
            "[providers.openai.per_model.'gpt-*']\neffort = 3",
            '2: effort in [providers.openai.per_model."gpt-*"] must be '
            '"off" or "minimal" or "low" or "medium" or "high" or "max"',
        ),
        ("max_tokens = 0", "1: max_tokens must be from 1 to 10,000,000"),
        ("seed = -1", "1: seed must be from 0 to 4,294,967,295"),
        (f"seed = 0x{'f' * 5000}", "1: seed must be from 0 to 4,294,967,295"),
        ("stream.connect_timeout = 0", "1: connect_timeout in [stream] must be from 0.1 to 86,400.0"),
        ("stream.chunk_timeout = -1", "1: chunk_timeout in [stream] must be from 0 to 86,400.0"),
        ("stream.stream_timeout = inf", "1: stream_timeout in [stream] must be from 0 to 86,400.0"),
        ("stream.max_chunks = -1", "1: max_chunks in [stream] must be from 0 to 1,000,000,000"),
        ("stream.buffer_size = 0", "1: buffer_size in [stream] must be from 1 to 1,000,000"),
        ("providers.local.threads = -1", "1: threads in [providers.local] must be from 0 to 1,024"),
        ("providers.local.context = 1", "1: context in [providers.local] must be from 256 to 10,000,000"),
        ("marker.text = '``'", "1: text in [marker] must be three or more characters, without white space, ` or ~"),
        ("marker.text = 'a b c'", "1: text in [marker] must be three or more characters, without white space, ` or ~"),
        (
            "providers.openai.base_url = 'localhost:8000'",
            "1: base_url in [providers.openai] must begin with http:// or https://",
        ),
        (
            "providers.openai.base_url = 'http://x:port'",
            "1: base_url in [providers.openai] must be an address, such as http://localhost:8000/v1",
        ),
        ("retry.attempts = 0", "1: attempts in [retry] must be from 1 to 100"),
        ("serve.max_turns = 0", "1: max_turns in [serve] must be from 1 to 100,000"),
        ("serve.reader_timeout = 0", "1: reader_timeout in [serve] must be from 0.1 to 86,400.0"),
        ("retry.max_wait = inf", "1: max_wait in [retry] must be from 0 to 86,400.0"),
        (f"temperature = {10**400}", "1: temperature must be from 0 to 2"),
        (
            'providers.openai.attachments = ["image", "video"]',
            '1: attachments in [providers.openai] must be a list of "image" and "pdf"',
        ),
        (
            "providers.openai.attachments = true",
            "1: attachments in [providers.openai] must be a list of texts, not a boolean",
        ),
        (
            "providers.anthropic.thinking = 5",
            "1: thinking in [providers.anthropic] must be 0, or from 1,024 to 1,000,000",
        ),
        ("providers.groq.max_concurrent = 0", "1: max_concurrent in [providers.groq] must be from 1 to 10,000"),
        ("providers.groq.keys = ['A B']", "1: keys in [providers.groq] must be names of environment variables"),
        ("providers.groq.models = ['']", "1: models in [providers.groq] must not have empty texts in it"),
        (
            "providers.groq.prices.m = { input = -1, output = 0 }",
            "1: input in [providers.groq.prices.m] must be from 0 to 1,000,000",
        ),
    ],
)
def test_a_value_out_of_range_is_named_with_its_line(written: Written, text: str, expected: str) -> None:
    """A range is checked like a type."""
    assert complaints(written(text)) == [expected]


def test_all_mistakes_are_reported_at_once_in_the_order_of_the_file(written: Written) -> None:
    """One look at the message is enough to put the file right, even where a table is taken up again."""
    path = written(
        "chat.plain = 1\ntemprature = 1\nchat.keys = 'x'\n[stream]\nchunk_timeout = -1\n[providers]\nlocal = 1"
    )

    found = complaints(path)

    assert [line.partition(":")[0] for line in found] == ["1", "2", "3", "5", "7"]


@pytest.mark.parametrize(
    "text",
    [
        f"providers.openai.api_key = {{ a = '{KEY}' }}",
        f"providers.openai.api_key = ['{KEY}']",
        f"providers.openai.apikey = '{KEY}'",
        f"providers.openai.key_env = '{KEY}'",
        f"providers.openai.keys = ['{KEY}']",
        f"providers.openai.keys = '{KEY}'",
        f"providers.openai.kind = '{KEY}'",
        f"providers.openai.continuation = '{KEY}'",
        f"providers.x = {{ kind = '{KEY}', base_url = '{KEY}' }}",
        f"fallback = ['{KEY}/m', '{KEY}']",
        f"providers.openai.base_url = '{KEY}'",
        f"providers.openai.api_key = {KEY}",
        f"provider = '{KEY}'",
    ],
)
def test_an_error_does_not_repeat_a_key(written: Written, text: str) -> None:
    """A key in the wrong place, or without its quotes, stays out of the message and its causes."""
    with pytest.raises(ConfigError) as caught:
        load(written(text), environ={})

    assert KEY not in f"{caught.value} {caught.value!r} {caught.value.__cause__}"


def test_settings_do_not_show_a_key(written: Written) -> None:
    """Printing the settings, whole or in part, is safe; the key is still there."""
    settings = load(written(f"[providers.openai]\napi_key = '{KEY}'"), environ={})

    kept = settings.providers.remotes["openai"]
    assert KEY not in f"{settings} {settings!r} {kept}"
    assert kept.api_key == Credential(KEY)


# --- the lines of keys

bare = st.from_regex(r"[A-Za-z0-9_-]{1,8}", fullmatch=True)
comments = st.from_regex(r"#[ -~]{0,10}", fullmatch=True)
noise = st.one_of(comments, st.sampled_from(["", "  ", "\t", "# [x]", "#a = 1"]))
values = st.sampled_from(
    [
        "1",
        "'a = 1'",
        '"# [x]"',
        "[1, 2]",
        "[\n  1, # x = 1\n  2,\n]",
        '"""\n[x]\na = 1\n"""',
        "'''\n# no\n[[y]]'''",
        "{ in = 1, side = { b = 2 } }",
        "2026-01-01",
    ]
)
spelled = st.sampled_from(["{}", '"{}"', "'{}'", ' "{}" '])
statements = st.tuples(spelled, values, st.lists(noise, max_size=3), st.booleans())


@given(
    st.dictionaries(
        bare, st.tuples(st.lists(noise, max_size=3), st.dictionaries(bare, statements, max_size=3)), max_size=3
    ),
    st.sampled_from(["\n", "\r\n"]),
)
def test_key_lines_finds_every_key(
    document: Mapping[str, tuple[list[str], Mapping[str, tuple[str, str, list[str], bool]]]], newline: str
) -> None:
    """Every key is found on the line where its statement begins, whatever stands around it."""
    lines: list[str] = []
    expected: dict[tuple[str, ...], int] = {}
    for table, (before, keys) in document.items():
        lines += [*before, f" [ top.'{table}' ] # x"]
        expected["top", table] = len(lines)
        for key, (spelling, value, above, dotted) in keys.items():
            lines += above
            expected["top", table, key] = len(lines) + 1
            if dotted:
                expected["top", table, key, "leaf"] = len(lines) + 1
            lines += f"{spelling.format(key)}{'. leaf' if dotted else ''} = {value}".split("\n")
    text = newline.join(lines)
    tomllib.loads(text)

    found = key_lines(text)

    assert {path: found[path] for path in expected} == expected


def test_key_lines_finds_keys_of_inline_tables_and_long_dotted_ones() -> None:
    """A key inside a value has the line of its statement, however deep it is."""
    deep = ".".join(["a"] * 2000)

    found = key_lines(f"\nx = {{ y = {{ z = 1 }} }}\n{deep} = 1\nc.d = 1\nc.e = 1\n[[list]]\nb = 1\n")

    assert found["x", "y", "z"] == 2
    assert found[("a",) * 2000] == 3
    assert (found["c",], found["c", "d"], found["c", "e"]) == (4, 4, 5)
    assert found["list",] == 6


@given(st.text(alphabet="abchat=.[]{}'\"# \n1\\", max_size=40))
def test_any_text_is_settings_or_a_config_error(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """No file, however broken, ends in another error."""
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_text(text, encoding="utf-8")

    try:
        outcome: object = load(path, environ={})
    except ConfigError as error:
        outcome = error

    assert isinstance(outcome, Settings) or str(outcome).startswith(str(path))


scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.sampled_from(["openai", "http://x"])
)
words = "provider fallback seed providers groq mine local kind base_url keys prices api input retry api_key"
keys = st.sampled_from(words.split()) | st.text(max_size=3)
documents = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=5), max_leaves=15
)


@given(st.dictionaries(keys, documents, max_size=5))
def test_any_document_is_settings_or_complaints(data: dict[str, Any]) -> None:
    """No key and no value, wherever they stand, end in an error while they are read."""
    reader = Reader()

    settings = reader.settings(data)

    assert reader.complaints or isinstance(settings, Settings)
    assert all("\x1b" not in complaint and "\n" not in complaint for _, complaint in reader.complaints)


# --- the example


def uncommented() -> str:
    return re.sub(r"^#(?=\w+ = |\"[A-Z]|\[)", "", EXAMPLE.read_text(encoding="utf-8"), flags=re.MULTILINE)


def names(kind: Any) -> dict[str, Any]:
    """Return the tree of the names of all fields."""
    found = {}
    for item in fields(kind):
        if GIVEN in item.metadata:
            continue  # of a flag, and of no file
        value = getattr(kind, item.name)
        found[item.name] = names(value) if is_dataclass(value) else None
    return found


def shape(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: shape(value) if isinstance(value, dict) else None for key, value in table.items()}


def test_the_example_names_every_setting() -> None:
    """The example is the whole list, in the order of the code: a new setting has to be written down there."""
    documented = shape(tomllib.loads(uncommented()))
    [(_, theme)] = documented.pop("themes").items()
    remotes = documented.pop("providers")
    local = remotes.pop("local")
    expected = names(Settings())
    expected.pop("providers")
    expected.pop("themes")

    assert list(documented) == list(expected)
    assert documented == expected
    assert local == names(LocalSettings())
    assert theme.pop("syntax")
    assert theme == {name: None for name in names(ThemeSettings()) if name != "syntax"}
    assert list(remotes) == [*BUILT_IN, "mine"]
    assert {key for table in remotes.values() for key in table} == {item.name for item in fields(RemoteSettings)}
    assert remotes["openai"]["prices"] == {MODEL: {item.name: None for item in fields(Price)}}


def test_the_example_shows_the_defaults(written: Written) -> None:
    """What the example calls the default is the default; settings without one show some valid value."""
    settings = load(written(uncommented()), environ={})

    remotes = dict(settings.providers.remotes)
    shown = remotes["openai"]
    assert None not in (shown.api_key, shown.attachments)
    assert remotes.pop("mine").base_url
    assert shown.model_settings(MODEL).effort == "low"
    assert (shown.extra_body, list(shown.extra_headers)) == ({"metadata": {"team": "a"}}, ["X-Team"])
    added: dict[str, Any] = {"prices": {}, "per_model": {}, "extra_body": {}, "extra_headers": {}}
    remotes["openai"] = replace(shown, api_key=None, attachments=None, **added)
    assert remotes["ollama"].num_ctx
    remotes["ollama"] = replace(remotes["ollama"], num_ctx=None)
    assert remotes["anthropic"].thinking is not None
    remotes["anthropic"] = replace(remotes["anthropic"], thinking=None)
    providers = replace(settings.providers, remotes=remotes)
    assert settings.stream.limits().first_token_timeout == StreamLimits().first_token_timeout
    stream = replace(settings.stream, first_token_timeout=None)
    assert settings.themes["mine"].styles
    names_of_options = ["temperature", "max_tokens", "seed", "effort", "top_p", "verbosity", "service_tier"]
    options: dict[str, Any] = dict.fromkeys(names_of_options)
    assert None not in (getattr(settings, name) for name in options)
    unset = replace(settings, stream=stream, providers=providers, themes={}, **options)
    assert unset == Settings()


def test_a_theme_of_ones_own_can_be_chosen(written: Written) -> None:
    """By its name, as far as it says something."""
    path = written('[chat]\ntheme = "mine"\n[themes.mine]\ncode = "bold #ff8800"\n[themes.mine.syntax]\n"A.B" = "red"')

    settings = load(path, environ={})

    assert settings.theme_names == ("auto", "dark", "light", "high-contrast", "mine")
    assert (settings.themes["mine"].styles, settings.themes["mine"].syntax) == (
        {"code": "bold #ff8800"},
        {"A.B": "red"},
    )


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('[chat]\ntheme = "drak"', r'2: theme in \[chat\] must be one of auto, .*: did you mean "dark"\?'),
        ('[themes.x]\ncode = "blood"', r'2: code in \[themes\.x\] must be a style, such as "bold"'),
        ('[themes.x]\nbase = "x"', r'2: base in \[themes\.x\] must be "dark" or "light"'),
        ('[themes.x]\ncole = "bold"', r'2: unknown key "cole" in \[themes\.x\]: did you mean "code"\?'),
        ("[themes.dark]", "1: the name of a theme must be of letters"),
        ("themes = 1", "1: themes must be a table"),
        ("[themes.x]\nsyntax = 1", r"2: syntax in \[themes\.x\] must be a table"),
        (
            '[themes.x.syntax]\nName.Tag = "red"',
            r"Name in \[themes\.x\.syntax\] must be text, .*: put a name with points",
        ),
        ('[themes.x.syntax]\nname = "red"', "must be a kind of token"),
        ('[themes.x.syntax]\nName = "rot"', r"2: Name in \[themes\.x\.syntax\] must be a style"),
    ],
)
def test_what_is_wrong_with_a_theme_is_said(written: Written, text: str, complaint: str) -> None:
    """Where it stands, and what it should be."""
    with pytest.raises(ConfigError, match=complaint):
        load(written(text), environ={})


def test_the_example_names_every_provider() -> None:
    """Nobody has to look into the code for what can be asked for."""
    text = EXAMPLE.read_text(encoding="utf-8")

    assert all(f'"{name}"' in text for name in ProvidersSettings().names)


def test_the_example_as_it_stands_changes_nothing() -> None:
    """Copying the example is safe."""
    assert load(EXAMPLE, environ={}) == Settings()


# --- flags


def test_override_applies_only_the_flags_that_are_given() -> None:
    """A flag wins over the file; an absent one leaves it alone."""
    settings = Settings(model="file", temperature=0.5)

    changed = override(settings, model="flag", temperature=None, seed=0)

    assert changed == Settings(model="flag", temperature=0.5, seed=0)


@pytest.mark.parametrize(
    ("settings", "flags", "message"),
    [
        (Settings(), {"temperature": math.nan}, "--temperature must be from 0 to 2"),
        (StreamSettings(), {"chunk_timeout": -1}, "--timeout must be from 0 to 86,400.0"),
        (Settings(), {"max_tokens": 0}, "--max-tokens must be from 1 to 10,000,000"),
        (MarkerSettings(), {"text": "x"}, "text must be three or more characters"),
    ],
)
def test_override_refuses_what_the_file_may_not_say_either(
    settings: Any, flags: dict[str, object], message: str
) -> None:
    """The rules of a setting do not depend on where it comes from."""
    with pytest.raises(UsageError, match=message):
        override(settings, **flags)


def test_limits_of_zero_are_no_limits() -> None:
    """0 switches a limit off, and the defaults here are those of the stream."""
    unlimited = StreamSettings(
        first_token_timeout=0, chunk_timeout=0, stream_timeout=0, max_chunks=0, connect_timeout=3, buffer_size=5
    )

    assert StreamSettings().limits() == StreamLimits()
    assert unlimited.limits() == StreamLimits(
        connect_timeout=3, first_token_timeout=None, quiet_timeout=None, chunk_timeout=None, buffer_size=5
    )
    assert StreamSettings(silence_timeout=0).limits() == StreamLimits(silence_timeout=None, quiet_timeout=None)
    assert StreamSettings(stream_timeout=9, max_chunks=7).limits() == StreamLimits(stream_timeout=9, max_chunks=7)


@pytest.mark.parametrize("seconds", [5, 60])
def test_limit_of_the_first_token_that_is_set_is_that_of_every_model(seconds: float) -> None:
    """Also where it is set to what it would be otherwise."""
    limits = StreamSettings(first_token_timeout=seconds, silence_timeout=700).limits()

    assert (limits.first_token_timeout, limits.quiet_timeout) == (seconds, seconds)
    assert StreamSettings(silence_timeout=700).limits() == StreamLimits(silence_timeout=700, quiet_timeout=700)


# --- places


def test_the_environment_names_the_places(tmp_path: Path) -> None:
    """LLMTERM_CONFIG is a file, LLMTERM_DATA_DIR a folder; both win over everything."""
    environ = {
        "LLMTERM_CONFIG": str(tmp_path / "c.toml"),
        "LLMTERM_DATA_DIR": str(tmp_path / "d"),
        "XDG_CONFIG_HOME": "/x",
        "XDG_DATA_HOME": "/x",
    }

    assert config_path(environ) == tmp_path / "c.toml"
    assert data_dir(environ) == tmp_path / "d"


@pytest.mark.parametrize(("given", "meant"), [("~/x y", "x y"), ("~", ""), ("~no-such-user-of-this/x", None)])
def test_home_is_meant_where_no_shell_has_said_so(tmp_path: Path, given: str, meant: str | None) -> None:
    """A tilde in quotes; what is nobody's home stays as it is."""
    environ = {"LLMTERM_CONFIG": given, "LLMTERM_DATA_DIR": given, "HOME": str(tmp_path)}
    expected = Path(given) if meant is None else tmp_path / meant

    assert config_path(environ) == expected
    assert data_dir(environ) == expected


@pytest.mark.skipif(sys.platform == "win32", reason="XDG is not for Windows")
def test_xdg_directories_are_honoured(tmp_path: Path) -> None:
    """The environment given counts, not that of the process."""
    environ = {"XDG_CONFIG_HOME": str(tmp_path / "c"), "XDG_DATA_HOME": str(tmp_path / "d"), "LLMTERM_CONFIG": ""}

    assert config_path(environ) == tmp_path / "c" / "llmterm" / "config.toml"
    assert data_dir(environ) == tmp_path / "d" / "llmterm"


@pytest.mark.parametrize("environ", [{}, {"XDG_CONFIG_HOME": "relative", "XDG_DATA_HOME": "relative"}])
def test_without_a_word_from_the_environment_the_platform_decides(environ: Mapping[str, str]) -> None:
    """Both places are the user's own; a relative XDG directory is ignored, as its specification says."""
    places = [config_path(environ), data_dir(environ)]

    assert all(place.is_absolute() and "llmterm" in place.parts for place in places)
    assert not any("relative" in place.parts for place in places)


# --- keys


def test_a_key_comes_from_the_environment_then_the_file_then_the_keyring() -> None:
    """Each place is asked only when those before it have nothing."""
    settings = openai(api_key=Credential("file"))
    ring = FakeKeyring(openai="ring")

    from_environment = secret("openai", settings, {"OPENAI_API_KEY": " env\n"}, keyring=no_keyring)
    from_file = secret("openai", settings, {"OPENAI_API_KEY": ""}, keyring=lambda: ring)
    from_keyring = secret("openai", openai(api_key=Credential("")), {"OPENAI_API_KEY": " "}, keyring=lambda: ring)

    assert from_environment == Credential("env")
    assert from_file == Credential("file")
    assert from_keyring == Credential("ring")


@pytest.mark.parametrize("keyring", [no_keyring, LockedKeyring, FakeKeyring, lambda: FakeKeyring(openai=" ")])
def test_a_keyring_without_an_answer_is_no_key(keyring: Callable[[], Keyring]) -> None:
    """A keyring that is absent, locked or empty is no reason to fail."""
    assert secret("openai", Settings(), {}, keyring=keyring) is None


def test_key_env_names_another_variable() -> None:
    """With an own variable the usual one is not read: its key is for another server."""
    settings = openai(key_env="MY_KEY")

    mine = secret("openai", settings, {"MY_KEY": "mine", "OPENAI_API_KEY": "theirs"}, keyring=no_keyring)
    none = secret("openai", settings, {"OPENAI_API_KEY": "theirs"}, keyring=no_keyring)

    assert mine == Credential("mine")
    assert none is None


def test_a_provider_without_keys_has_none() -> None:
    """The embedded model needs no key, so none is looked for."""
    assert secret("local", Settings(), {"OPENAI_API_KEY": KEY}, keyring=lambda: FakeKeyring(local=KEY)) is None


def test_several_keys_are_named_by_their_variables() -> None:
    """Each variable that is set gives a key, in the order of the file and once; one key is the first of them."""
    settings = remote("groq", keys=("A", "B", "C", "D"), api_key=Credential("file"))
    environ = {"A": "", "B": "b", "C": " c ", "D": "b", "GROQ_API_KEY": "usual"}

    assert secrets("groq", settings, environ, keyring=no_keyring) == [Credential("b"), Credential("c")]
    assert secret("groq", settings, environ, keyring=no_keyring) == Credential("b")
    assert secrets("groq", settings, {"GROQ_API_KEY": "usual"}, keyring=no_keyring) == [Credential("file")]
    assert secrets("nobody", settings, environ, keyring=no_keyring) == []


@pytest.mark.parametrize(
    ("provider", "variables"),
    [(name, endpoint.key_variables) for name, endpoint in {**BUILT_IN, **PRESETS}.items() if endpoint.key_variables],
)
def test_every_known_provider_has_its_usual_variables(provider: str, variables: tuple[str, ...]) -> None:
    """A key in any of its variables is its key, without configuration; of several the first that is set counts."""
    for number, variable in enumerate(variables):
        environ = dict.fromkeys(variables[number:], "later") | {variable: KEY, "OLLAMA_HOST": "ollama.com"}

        assert secrets(provider, Settings(), environ, keyring=no_keyring) == [Credential(KEY)]


def test_the_variables_are_those_of_the_sdks() -> None:
    """What works for a provider's own SDK works here; google-genai prefers GOOGLE_API_KEY, Cohere's CO_API_KEY."""
    assert BUILT_IN["openai"].key_variables == ("OPENAI_API_KEY",)
    assert BUILT_IN["anthropic"].key_variables == ("ANTHROPIC_API_KEY",)
    assert BUILT_IN["gemini"].key_variables == ("GOOGLE_API_KEY", "GEMINI_API_KEY")
    assert BUILT_IN["cohere"].key_variables == ("CO_API_KEY", "COHERE_API_KEY")
    assert BUILT_IN["ollama"].key_variables == ("OLLAMA_API_KEY",)


def test_ollama_is_not_looked_up_in_the_keyring() -> None:
    """It has no keys, so a question to it does not wait for the keyring; a key in the file is for a proxy before it."""
    ring = FakeKeyring(ollama=KEY)

    assert secrets("ollama", Settings(), {}, keyring=lambda: ring) == []
    assert secrets("ollama", remote("ollama", api_key=Credential("p")), {}, keyring=no_keyring) == [Credential("p")]


@pytest.mark.parametrize(
    ("provider", "settings", "environ", "hint"),
    [
        (
            "anthropic",
            Settings(),
            {},
            "set ANTHROPIC_API_KEY; get one at platform.claude.com/settings/keys",
        ),
        (
            "groq",
            remote("groq", key_env="MINE"),
            {},
            "set MINE; get one at console.groq.com/keys",
        ),
        ("mine", remote("mine", key_env="MINE"), {}, "set MINE"),
        (
            "openai",
            remote("openai", base_url="http://x/v1", key_env="K"),
            {},
            "set K",
        ),
        ("openai", remote("openai", base_url="http://x/v1"), {}, ""),
        ("openai", Settings(), {"OPENAI_BASE_URL": "http://x/v1"}, ""),
        ("mine", remote("mine", base_url="http://x/v1"), {}, ""),
        ("vllm", Settings(), {}, ""),
        ("ollama", Settings(), {}, ""),
        ("local", Settings(), {}, ""),
        ("nobody", Settings(), {}, ""),
    ],
)
def test_the_hint_for_a_missing_key_says_where_to_get_and_where_to_put_it(
    provider: str, settings: Settings, environ: Mapping[str, str], hint: str
) -> None:
    """Who needs no key is not asked for one, nor is a server at an address of one's own."""
    assert key_hint(provider, settings, environ) == hint


def test_a_hint_names_all_variables_of_a_provider() -> None:
    """Either variable will do."""
    assert key_hint("gemini", Settings()).startswith("set GOOGLE_API_KEY or GEMINI_API_KEY; ")


def test_a_key_is_stored_for_a_provider_of_ones_own() -> None:
    """With the settings, a provider that they name can have its key in the keyring too."""
    ring = FakeKeyring()
    settings = remote("mine", kind="openai", base_url="http://x/v1")

    store_secret("mine", lambda: KEY, settings=settings, keyring=lambda: ring)

    assert secret("mine", settings, {}, keyring=lambda: ring) == Credential(KEY)
    with pytest.raises(UsageError, match='"mine" is not a provider that needs a key'):
        store_secret("mine", lambda: KEY, keyring=lambda: ring)


def test_a_provider_without_variables_is_told_to_name_one() -> None:
    """Where the keyring cannot help, the file can."""
    with pytest.raises(ConfigError, match=r"name its variable in key_env of \[providers.mine\]"):
        store_secret("mine", lambda: KEY, settings=remote("mine", base_url="http://x"), keyring=no_keyring)


def test_a_stored_key_is_found_again() -> None:
    """`store_secret` puts a key where `secret` looks for it."""
    ring = FakeKeyring()

    store_secret("openai", lambda: f" {KEY}\n", keyring=lambda: ring)

    assert secret("openai", Settings(), {}, keyring=lambda: ring) == Credential(KEY)


@pytest.mark.parametrize(
    ("keyring", "message", "hint"),
    [
        (no_keyring, "without the keyring package", "pip install 'llmterm[keyring]', or set OPENAI_API_KEY"),
        (LockedKeyring, "the keyring did not take the key: OSError", "set OPENAI_API_KEY"),
    ],
)
def test_a_key_that_cannot_be_stored_is_an_error_with_a_way_out(
    keyring: Callable[[], Keyring], message: str, hint: str
) -> None:
    """The message says what else can be done, and does not repeat the key."""
    with pytest.raises(ConfigError) as caught:
        store_secret("openai", lambda: KEY, keyring=keyring)

    assert message in caught.value.message
    assert caught.value.hint == hint
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("provider", "value", "message"),
    [
        ("openai", " \n", "the key for openai is empty"),
        ("opnai", KEY, 'did you mean "openai"?'),
        ("local", KEY, "local"),
        ("ollama", KEY, "ollama"),
    ],
)
def test_only_a_key_for_a_provider_that_takes_one_is_stored(provider: str, value: str, message: str) -> None:
    """An empty key, or one for nobody, is refused before the keyring is asked."""
    ring = FakeKeyring()

    with pytest.raises(UsageError, match=re.escape(message)):
        store_secret(provider, lambda: value, keyring=lambda: ring)

    assert ring.keys == {}


# --- providers


def test_the_base_url_is_that_of_the_environment_then_the_file_then_openai() -> None:
    """OPENAI_BASE_URL means what it means to the provider's own SDK."""
    settings = openai(base_url="http://file/v1")

    assert base_url("openai", settings, {"OPENAI_BASE_URL": "http://env/v1"}) == "http://env/v1"
    assert base_url("openai", settings, {"OPENAI_BASE_URL": ""}) == "http://file/v1"
    assert base_url("openai", Settings(), {}) == "https://api.openai.com/v1"
    assert base_url("local", Settings(), {"OPENAI_BASE_URL": "http://env/v1"}) == ""


@pytest.mark.parametrize(
    ("provider", "variable", "default"),
    [
        ("openai", "OPENAI_BASE_URL", "https://api.openai.com/v1"),
        ("anthropic", "ANTHROPIC_BASE_URL", "https://api.anthropic.com"),
        ("gemini", "GOOGLE_GEMINI_BASE_URL", "https://generativelanguage.googleapis.com"),
        ("cohere", "CO_API_URL", "https://api.cohere.com"),
        ("ollama", "OLLAMA_HOST", "http://127.0.0.1:11434"),
    ],
)
def test_each_built_in_provider_is_pointed_elsewhere_by_its_variable(
    provider: str, variable: str, default: str
) -> None:
    """The variable of the SDK wins over the file, and the file over the SDK's default."""
    settings = remote(provider, base_url="http://file:1")

    assert base_url(provider, settings, {variable: "http://env:2"}) == "http://env:2"
    assert base_url(provider, settings, {}) == "http://file:1"
    assert base_url(provider, Settings(), {}) == default


def test_a_preset_has_its_address_and_ones_own_provider_that_of_the_file() -> None:
    """A preset needs no configuration, but takes one; nobody else has an address."""
    assert base_url("groq", Settings(), {}) == "https://api.groq.com/openai/v1"
    assert base_url("groq", remote("groq", base_url="http://x/v1"), {}) == "http://x/v1"
    assert base_url("mine", remote("mine", base_url="http://y/v1"), {}) == "http://y/v1"
    assert base_url("mine", Settings(), {}) == ""


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_a_whole_provider(name: str) -> None:
    """Every preset speaks OpenAI's protocol, has an address, and a model and a page for keys unless it runs here."""
    preset = PRESETS[name]

    assert preset.kind == "openai"
    assert preset.base_url.startswith("https://" if preset.needs_key else "http://localhost:")
    assert bool(preset.model) == bool(preset.key_page) == preset.needs_key
    assert ProvidersSettings().remote(name) == RemoteSettings.of(preset)


def test_the_built_in_providers_are_always_there() -> None:
    """Settings about one provider do not take away the others."""
    providers = remote("groq").providers

    assert list(providers.remotes) == [*BUILT_IN, "groq"]
    assert providers.names == (*BUILT_IN, "groq", *(name for name in PRESETS if name != "groq"), "local")
    assert providers.endpoint("groq") is PRESETS["groq"]
    assert providers.endpoint("local") is None


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("", "http://127.0.0.1:11434"),
        ("example.com", "http://example.com:11434"),
        ("example.com:8080", "http://example.com:8080"),
        (":8080", "http://127.0.0.1:8080"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:8080", "http://127.0.0.1:8080"),
        ("http://example.com:8080", "http://example.com:8080"),
        ("http://example.com", "http://example.com:80"),
        ("https://example.com/", "https://example.com:443"),
        ("https://example.com:8443/ollama/", "https://example.com:8443/ollama"),
        ("http://0.0.0.0:11434", "http://127.0.0.1:11434"),
        ("::1", "http://[::1]:11434"),
        ("[::1]", "http://[::1]:11434"),
        ("[::1]:8080", "http://[::1]:8080"),
        ("[::]:8080", "http://[::1]:8080"),
        ("example.com:port", "http://example.com:11434"),
        ("example.com:99999", "http://example.com:11434"),
        (' "example.com:8080" ', "http://example.com:8080"),
        ("example.com:0", "http://example.com:11434"),
        ("ollama.com", "https://ollama.com:443"),
        ("example.com?token=a/b", "http://example.com:11434?token=a/b"),
        ("https://user:word@example.com/ollama/?token=a", "https://user:word@example.com:443/ollama?token=a"),
        ("user:word@example.com:8080", "http://user:word@example.com:8080"),
    ],
)
def test_ollama_host_is_understood_as_ollama_does(host: str, url: str) -> None:
    """All the ways in which it is said to the server and its client."""
    assert ollama_url(host) == url
    assert base_url("ollama", Settings(), {"OLLAMA_HOST": host}) == url


@given(st.text(max_size=20) | st.from_regex(r"[a-z:/\[\]@.0-9]{0,20}", fullmatch=True))
def test_any_ollama_host_is_an_address_or_a_config_error(host: str) -> None:
    """Whatever the variable holds, no other error comes of it, and the message does not repeat it."""
    try:
        outcome = base_url("ollama", Settings(), {"OLLAMA_HOST": host})
    except ConfigError as error:
        outcome = error.message

    assert re.match(r"https?://[^/\s]", outcome) or outcome in (
        "OLLAMA_HOST must begin with http:// or https://",
        "OLLAMA_HOST must be an address, such as http://localhost:8000/v1",
    )


def test_a_price_is_that_of_the_name_or_of_the_first_pattern() -> None:
    """An exact name wins over any pattern, and case matters."""
    exact, pattern, rest = (Price(input=float(each), output=1.0) for each in range(3))
    settings = RemoteSettings(prices={"gpt-*": pattern, "gpt-5": exact, "g*": rest})

    assert settings.price("gpt-5") == exact
    assert settings.price("gpt-6") == pattern
    assert settings.price("gemma") == rest
    assert settings.price("GPT-5") is None


def test_a_base_url_that_is_no_address_names_its_variable() -> None:
    """A slip in the environment is reported like one in the file, without repeating it."""
    with pytest.raises(ConfigError, match="OPENAI_BASE_URL must begin with http") as caught:
        base_url("openai", Settings(), {"OPENAI_BASE_URL": KEY})

    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("flag", "settings", "environ", "local", "expected"),
    [
        ("local", Settings(provider="openai"), {"OPENAI_API_KEY": "k"}, False, "local"),
        ("openai", Settings(), {}, True, "openai"),
        (None, Settings(provider="local"), {"OPENAI_API_KEY": "k"}, True, "local"),
        (None, Settings(), {"OPENAI_API_KEY": "k"}, True, "openai"),
        (None, openai(api_key=Credential("k")), {}, True, "openai"),
        (None, openai(base_url="http://x/v1"), {}, True, "openai"),
        (None, Settings(), {"OPENAI_BASE_URL": "http://x/v1"}, True, "openai"),
        (None, Settings(), {"OPENAI_API_KEY": " "}, True, "local"),
        (None, Settings(), {"CO_API_KEY": "k", "GEMINI_API_KEY": "k"}, True, "gemini"),
        (None, Settings(), {"GROQ_API_KEY": "k", "COHERE_API_KEY": "k"}, True, "cohere"),
        (None, Settings(), {"GROQ_API_KEY": "k"}, True, "groq"),
        (None, remote("xai"), {"GROQ_API_KEY": "k", "XAI_API_KEY": "k"}, True, "xai"),
        (None, remote("mine", base_url="http://x"), {"GROQ_API_KEY": "k"}, True, "mine"),
        (None, remote("llamacpp"), {}, True, "llamacpp"),
        (None, remote("ollama", base_url="http://x"), {}, True, "ollama"),
        (None, Settings(), {"OLLAMA_HOST": "0.0.0.0", "VLLM_API_KEY": "k"}, True, "local"),
        ("groq", Settings(), {}, True, "groq"),
        ("mine", remote("mine", base_url="http://x"), {"OPENAI_API_KEY": "k"}, True, "mine"),
    ],
    ids=[
        *("flag", "flag-without-key", "setting", "key", "file-key", "own-server", "own-server-env", "local"),
        *("built-in-order", "built-in-before-preset", "preset", "configured-before-preset", "own-provider"),
        *("configured-local-preset", "ollama-elsewhere", "variables-of-servers", "preset-flag", "own-flag"),
    ],
)
def test_the_provider_is_flag_then_setting_then_key_then_local(
    flag: str | None, settings: Settings, environ: Mapping[str, str], local: bool, expected: str
) -> None:
    """A choice is respected; without one, the first provider that can answer is taken."""
    chosen = choose_provider(flag, settings, environ, available=lambda _: local, keyring=no_keyring)

    assert chosen == expected


def test_a_key_in_the_keyring_chooses_its_provider() -> None:
    """A stored key counts like one in the environment."""
    ring = FakeKeyring(openai="k")

    assert choose_provider(None, Settings(), {}, available=lambda _: True, keyring=lambda: ring) == "openai"


def test_a_key_in_the_environment_spares_the_keyring() -> None:
    """The keyring may be slow or ask for a password: it comes after every variable, and is asked once."""
    asked: list[str] = []

    class Ring(FakeKeyring):
        def get_password(self, service: str, username: str, /) -> str | None:
            asked.append(username)
            raise OSError("locked")

    def choose(environ: Mapping[str, str]) -> str:
        return choose_provider(None, Settings(), environ, available=lambda _: True, keyring=Ring)

    assert choose({"XAI_API_KEY": "k"}) == "xai"
    assert asked == []
    assert choose({}) == "local"
    assert asked == ["openai"]


def test_a_running_ollama_comes_before_the_embedded_model() -> None:
    """It is only asked for when nothing else is set up."""

    def runs() -> bool:
        asked.append(True)
        return True

    asked: list[bool] = []

    def choose(environ: Mapping[str, str]) -> str:
        return choose_provider(
            None, Settings(), environ, available=lambda _: True, ollama_runs=runs, keyring=no_keyring
        )

    assert choose({"OPENAI_API_KEY": "k"}) == "openai"
    assert asked == []
    assert choose({}) == "ollama"
    assert asked == [True]


def test_without_any_provider_the_error_names_the_ways_to_get_one() -> None:
    """The first thing a new user may see says what to do."""
    environ = {"LLMTERM_CONFIG": "/my/config.toml"}

    with pytest.raises(ConfigError) as caught:
        choose_provider(None, Settings(), environ, available=lambda _: False, keyring=no_keyring)

    for way in ("OPENAI_API_KEY", "Ollama", "llmterm[local]", "--model", "base_url", "config.toml"):
        assert way in str(caught.value)


def test_an_unknown_provider_comes_with_the_nearest_known_one() -> None:
    """A slip of the finger is a usage error, not a configuration error."""
    with pytest.raises(UsageError, match=r'unknown provider "opnai": did you mean "openai"\?') as caught:
        choose_provider("opnai", Settings(), {}, available=lambda _: True, keyring=no_keyring)

    assert not isinstance(caught.value, ConfigError)


@given(st.text(max_size=10).filter(lambda name: name and name not in ProvidersSettings().names))
def test_no_other_name_is_a_provider(name: str) -> None:
    """Whatever is asked for, only known names come out."""
    with pytest.raises(UsageError, match="unknown provider"):
        choose_provider(name, Settings(), {}, available=lambda _: True, keyring=no_keyring)


# --- a key as a value


@given(st.text(min_size=1), st.text())
def test_a_credential_is_its_text_and_shows_none_of_it(text: str, other: str) -> None:
    """In whichever way it gets into words, also inside of other values; JSON and copies as a dict have it closed."""
    credential = Credential(text)
    settings = RemoteSettings(api_key=credential)

    assert credential.reveal() == text
    assert (credential == Credential(other)) is (text == other)
    assert hash(credential) == hash(Credential(text))
    assert {str(credential), repr(credential), f"{credential}", f"{credential!s:>1}"} == {"Credential('***')"}
    assert repr(settings) == repr(RemoteSettings(api_key=Credential("another")))
    assert asdict(settings)["api_key"] == credential
    with pytest.raises(TypeError):
        json.dumps(credential)


# --- start-up


@pytest.mark.skipif(sys.platform == "win32", reason="the default place cannot be moved there")
def test_a_start_without_a_file_imports_nothing_heavy(tmp_path: Path) -> None:
    """Loading the defaults and choosing a provider by its key costs no third-party import."""
    script = (
        "import sys\n"
        "from llmterm.config import Settings, choose_provider, load\n"
        f"environ = {{'XDG_CONFIG_HOME': {str(tmp_path)!r}, 'OPENAI_API_KEY': 'k'}}\n"
        "assert load(environ=environ) == Settings()\n"
        "choose_provider(None, Settings(), environ, available=lambda _: False)\n"
        "print(*(name for name in ('pydantic', 'tomllib', 'keyring') if name in sys.modules))\n"
    )

    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert result.stdout.strip() == ""


def test_a_start_with_a_file_imports_no_library(written: Written) -> None:
    """A file costs no more than reading it, also one with a key in it."""
    path = written(uncommented().replace("keys = []", "keys = ['A']").replace("[]", "['local']"))
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from llmterm.config import choose_provider, load\n"
        f"settings = load(Path({str(path)!r}), environ={{}})\n"
        "assert settings.fallback == ('local',)\n"
        "choose_provider(None, settings, {'OPENAI_API_KEY': 'k'}, available=lambda _: False)\n"
        "print(*(name for name in ('pydantic', 'keyring', 'platformdirs', 'difflib') if name in sys.modules))\n"
    )

    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert result.stdout.strip() == ""


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("extra_body = 3", "must be a table, not a whole number"),
        ("extra_body.day = 2026-01-01", "day in [providers.ollama.extra_body] must be what JSON has, too"),
        ("extra_body.a = [{ b = nan }]", "a in [providers.ollama.extra_body] must be what JSON has, too"),
        ("extra_headers.'a b' = 'x'", '"a b" in [providers.ollama.extra_headers] is no name of a header'),
        ('extra_headers.a = "x\\r\\nb: c"', "a in [providers.ollama.extra_headers] must be text on one line, in ASCII"),
        ("extra_headers.a = 3", "a in [providers.ollama.extra_headers] must be text on one line, in ASCII"),
        ("keep_alive = 'long'", "keep_alive in [providers.ollama] must be a time, such as"),
        ("num_ctx = 1", "num_ctx in [providers.ollama] must be from 256 to 10,000,000"),
        ("per_model = 3", "per_model in [providers.ollama] must be a table, not a whole number"),
        ("per_model.m = 3", "m in [providers.ollama.per_model] must be a table, not a whole number"),
    ],
)
def test_what_cannot_be_added_to_requests_is_named(written: Written, text: str, complaint: str) -> None:
    [found] = complaints(written(f"[providers.ollama]\n{text}"))

    assert found.startswith("2: ")
    assert complaint in found


def test_a_window_of_ollamas_is_refused_elsewhere(written: Written) -> None:
    [found] = complaints(written('[providers.openai.per_model."gpt-*"]\nnum_ctx = 8192'))

    assert found == '2: num_ctx in [providers.openai.per_model."gpt-*"] is only for kind "ollama"'


@pytest.mark.parametrize(
    ("host", "said", "keys"),
    [
        ("ollama.com", {}, [KEY]),
        ("https://gpu.example", {}, [KEY]),
        ("http://192.168.1.5", {}, []),
        ("", {}, []),
        ("http://192.168.1.5", {"key_env": "OLLAMA_API_KEY"}, [KEY]),
    ],
)
def test_the_key_of_ollama_goes_nowhere_in_the_clear_unless_it_is_named(
    host: str, said: dict[str, Any], keys: list[str]
) -> None:
    """It is that of ollama.com, and stands in the environment of those who also have a server at home."""
    environ = {"OLLAMA_HOST": host, "OLLAMA_API_KEY": KEY}

    found = secrets("ollama", remote("ollama", **said), environ, keyring=no_keyring)

    assert [each.reveal() for each in found] == keys
