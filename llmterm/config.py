"""Settings: what they are, where their file lies, and where keys come from.

All defaults stand in the dataclasses here. A configuration file is TOML and is checked as a whole: a `ConfigError`
lists everything wrong with it, by file and line, and never repeats a value, which might be a key. The precedence is
flag, environment, file, default; flags belong to the command line, which applies them with `override`.

The environment is a parameter everywhere. pydantic, tomllib, platformdirs and keyring are imported where they are
needed, so that a start without a configuration file does not pay for them.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypeAlias, TypeVar, get_type_hints

from llmterm.errors import ConfigError, UsageError
from llmterm.marker import DEFAULT_MARKER, check_marker
from llmterm.messages import StreamLimits

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
    from pydantic import SecretStr

Environ: TypeAlias = Mapping[str, str]
KeyPath: TypeAlias = tuple[str, ...]
Check: TypeAlias = Callable[[Any], str]
AnySettings = TypeVar("AnySettings", bound="DataclassInstance")

APP = "llmterm"
DAY = 86_400.0


def _checked(check: Check) -> Mapping[str, Check]:
    """Return the metadata of a field whose value `check` may complain about; "" is no complaint."""
    return {"check": check}


def _range(low: float, high: float) -> Mapping[str, Check]:
    # Turned around, the comparison would let NaN pass.
    return _checked(lambda value: "" if low <= value <= high else f"must be from {low:,} to {high:,}")


def _provider_check(name: str) -> str:
    return "" if not name or name in PROVIDERS else f"must be {_choice(PROVIDERS)}"


def _marker_check(text: str) -> str:
    try:
        check_marker(text)
    except UsageError as error:
        return f"must be {error.hint}"
    return ""


def _variable_check(name: str) -> str:
    # People put the key itself here; refusing it keeps it out of `repr`.
    return "" if re.fullmatch(r"(?:[A-Za-z_]\w*)?", name, re.ASCII) else "must be the name of an environment variable"


def _address_check(url: str) -> str:
    return "" if re.match(r"https?://[^/\s]", url) or not url else "must begin with http:// or https://"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatSettings:
    keys: Literal["terminal", "global"] = "terminal"
    chord: str = "<ctrl>+<alt>+<space>"
    plain: bool = False
    pause_mode: Literal["cut"] = "cut"


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkerSettings:
    enabled: bool = True
    text: str = field(default=DEFAULT_MARKER, metadata=_checked(_marker_check))


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSettings:
    """`StreamLimits` as people write them: 0 is no limit, except for `connect_timeout` and `buffer_size`."""

    connect_timeout: float = field(default=10.0, metadata=_range(0.1, DAY))
    chunk_timeout: float = field(default=30.0, metadata=_range(0, DAY))
    stream_timeout: float = field(default=0.0, metadata=_range(0, DAY))
    max_chunks: int = field(default=0, metadata=_range(0, 1_000_000_000))
    buffer_size: int = field(default=1024, metadata=_range(1, 1_000_000))

    def limits(self) -> StreamLimits:
        return StreamLimits(
            connect_timeout=self.connect_timeout,
            chunk_timeout=self.chunk_timeout or None,
            stream_timeout=self.stream_timeout or None,
            max_chunks=self.max_chunks or None,
            buffer_size=self.buffer_size,
        )


class RemoteSettings(Protocol):
    """What a provider with an address and a key has: facts about it, and what the file says."""

    KEY_VARIABLES: ClassVar[tuple[str, ...]]
    BASE_URL_VARIABLES: ClassVar[tuple[str, ...]]
    BASE_URL: ClassVar[str]

    @property
    def base_url(self) -> str: ...
    @property
    def key_env(self) -> str: ...
    @property
    def api_key(self) -> SecretStr | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAISettings:
    """`key_env` names the variable that is read instead of `KEY_VARIABLES`."""

    KEY_VARIABLES: ClassVar[tuple[str, ...]] = ("OPENAI_API_KEY",)
    BASE_URL_VARIABLES: ClassVar[tuple[str, ...]] = ("OPENAI_BASE_URL",)
    BASE_URL: ClassVar[str] = "https://api.openai.com/v1"

    base_url: str = field(default="", metadata=_checked(_address_check))
    key_env: str = field(default="", metadata=_checked(_variable_check))
    api_key: SecretStr | None = None
    model: str = "gpt-5-mini"


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalSettings:
    """`model` is the path of a GGUF file, "" the one of the weights package; 0 `threads` are as many as fit."""

    model: str = ""
    threads: int = field(default=0, metadata=_range(0, 1024))
    context: int = field(default=8192, metadata=_range(256, 10_000_000))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvidersSettings:
    """One field for each provider, in the order in which one is looked for."""

    openai: OpenAISettings = field(default_factory=OpenAISettings)
    local: LocalSettings = field(default_factory=LocalSettings)

    def remote(self, provider: str) -> RemoteSettings | None:
        """Return the settings of a provider that has an address and a key, `None` for any other name."""
        match provider:
            case "openai":
                return self.openai
            case _:
                return None


PROVIDERS = tuple(provider.name for provider in fields(ProvidersSettings))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The whole configuration; "" and `None` leave a choice to the program or the provider."""

    provider: str = field(default="", metadata=_checked(_provider_check))
    model: str = ""
    system: str = ""
    temperature: float | None = field(default=None, metadata=_range(0, 2))
    max_tokens: int | None = field(default=None, metadata=_range(1, 10_000_000))
    seed: int | None = field(default=None, metadata=_range(0, 2**32 - 1))
    chat: ChatSettings = field(default_factory=ChatSettings)
    marker: MarkerSettings = field(default_factory=MarkerSettings)
    stream: StreamSettings = field(default_factory=StreamSettings)
    providers: ProvidersSettings = field(default_factory=ProvidersSettings)


def override(settings: AnySettings, **flags: object) -> AnySettings:
    """Return `settings` with those flags that are not `None`; raise UsageError for a value out of range."""
    given = {name: value for name, value in flags.items() if value is not None}
    checks = {item.name: item.metadata.get("check") for item in fields(settings)}
    for name, value in given.items():
        check = checks.get(name)
        if check and (complaint := check(value)):
            raise UsageError(f"{name.replace('_', '-')} {complaint}")
    return replace(settings, **given)


def config_path(environ: Environ) -> Path:
    if named := environ.get("LLMTERM_CONFIG"):
        return Path(named)
    if folder := _xdg_dir("XDG_CONFIG_HOME", environ):
        return folder / "config.toml"
    from platformdirs import user_config_path

    return user_config_path(APP, appauthor=False) / "config.toml"


def data_dir(environ: Environ) -> Path:
    if named := environ.get("LLMTERM_DATA_DIR"):
        return Path(named)
    if folder := _xdg_dir("XDG_DATA_HOME", environ):
        return folder
    from platformdirs import user_data_path

    return user_data_path(APP, appauthor=False)


def _xdg_dir(variable: str, environ: Environ) -> Path | None:
    """Return our folder under an XDG variable; a relative one is to be ignored, says the XDG specification."""
    root = Path(environ.get(variable, ""))
    return root / APP if sys.platform != "win32" and root.is_absolute() else None


def load(path: Path | None = None, *, environ: Environ) -> Settings:
    """Return the settings of `path`, or of `config_path`; only the default file may be missing."""
    named = path is not None or bool(environ.get("LLMTERM_CONFIG"))
    path = path or config_path(environ)
    try:
        # Some editors begin a file with a byte order mark, which TOML does not allow.
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        if not named:
            return Settings()
        raise ConfigError(f"{path}: no such file", hint="create it, or name another one") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}: not UTF-8", hint="save the file as UTF-8") from None
    return _parse(text, path)


def _parse(text: str, path: Path) -> Settings:
    import tomllib

    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(_syntax_error(str(error), text, path)) from None
    except (ValueError, RecursionError):
        raise ConfigError(f"{path}: not valid TOML: a number too long, or lists nested too deep") from None
    reader = _Reader()
    settings = reader.table(Settings, data)
    if reader.complaints:
        lines = key_lines(text)
        located = sorted((lines[where], complaint) for where, complaint in reader.complaints)
        raise ConfigError("\n".join(f"{path}:{line}: {complaint}" for line, complaint in located))
    return settings


def _syntax_error(message: str, text: str, path: Path) -> str:
    what, _, place = message.rpartition(" (at ")
    if match := re.fullmatch(r"line (\d+), column (\d+)\)", place):
        line, column = match.groups()
        return f"{path}:{line}: not valid TOML: {what} (column {column})"
    last = text.rstrip().count("\n") + 1
    return f"{path}:{last}: not valid TOML: {what} (at the end of the file)"


class _Reader:
    """Makes settings of parsed TOML, and keeps what is wrong with it, by key.

    One adapter for each value, not one for the tree: in strict mode pydantic makes no dataclass of a `dict`.
    """

    def __init__(self) -> None:
        self.complaints: list[tuple[KeyPath, str]] = []

    def table(self, kind: type[AnySettings], table: object, path: KeyPath = ()) -> AnySettings:
        from pydantic import SecretStr

        if not isinstance(table, dict):
            self._complain(path, f"{_name(path)} must be a table, not {_kind(table)}")
            return kind()
        hints = get_type_hints(kind, localns={"SecretStr": SecretStr})
        known = {item.name: item.metadata.get("check") for item in fields(kind)}
        values = {}
        for key, value in table.items():
            here = (*path, key)
            if key not in known:
                self._complain(here, _unknown_key(here, value, tuple(known)))
            elif isinstance(hint := hints[key], type) and is_dataclass(hint):
                values[key] = self.table(hint, value, here)
            else:
                values[key] = self._value(hint, known[key], value, here)
        return kind(**values)

    def _value(self, hint: Any, check: Check | None, value: object, path: KeyPath) -> Any:
        from pydantic import TypeAdapter, ValidationError

        try:
            result = TypeAdapter[Any](hint).validate_python(value, strict=True)
        except ValidationError as error:
            [problem] = error.errors(include_input=False, include_url=False)
            choices = str(problem.get("ctx", {}).get("expected", "")).replace("'", '"')
            expected = choices or f"{_EXPECTED.get(problem['type'], 'something else')}, not {_kind(value)}"
            self._complain(path, f"{_name(path)} must be {expected}")
            return None
        if check and (complaint := check(result)):
            self._complain(path, f"{_name(path)} {complaint}")
        return result

    def _complain(self, path: KeyPath, complaint: str) -> None:
        self.complaints.append((path, complaint))


_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
}
_KINDS = {
    str: "text",
    bool: "a boolean",
    int: "a whole number",
    float: "a decimal number",
    list: "a list",
    dict: "a table",
}


def _kind(value: object) -> str:
    return _KINDS.get(type(value), "a date or time")


def _name(path: KeyPath) -> str:
    *table, key = path
    return f"{key} in [{'.'.join(table)}]" if table else key


def _unknown_key(path: KeyPath, value: object, known: tuple[str, ...]) -> str:
    *table, key = path
    noun = "table" if isinstance(value, dict) else "key"
    place = f" in [{'.'.join(table)}]" if table else ""
    return f"unknown {noun} {_quote(key)}{place}{_suggestion(key, known)}"


def _suggestion(word: str, known: tuple[str, ...]) -> str:
    near = get_close_matches(word, known, n=1)
    return f': did you mean "{near[0]}"?' if near else ""


def _quote(word: str) -> str:
    return json.dumps(word, ensure_ascii=not word.isprintable())


def _choice(words: tuple[str, ...]) -> str:
    return " or ".join(map(_quote, words))


def key_lines(text: str) -> dict[KeyPath, int]:
    """Return the line, from 1, on which each key and table of a valid TOML text first begins.

    tomllib gives no positions, but the shortest run of lines that it parses is one statement.
    """
    import tomllib

    lines = text.replace("\r\n", "\n").split("\n")
    found: dict[KeyPath, int] = {}
    table: KeyPath = ()
    start = 0
    for end in range(1, len(lines) + 1):
        try:
            statement = tomllib.loads("\n".join(lines[start:end]))
        except tomllib.TOMLDecodeError:
            continue
        if header := lines[start].lstrip().startswith("["):
            table = ()
        paths = [(*table, *path) for path in _paths(statement)]
        for path in paths:
            found.setdefault(path, start + 1)
        if header:
            table = paths[-1]
        start = end
    return found


def _paths(table: Mapping[str, Any]) -> Iterator[KeyPath]:
    """Yield the path of every key, each table before what is in it."""
    tables: list[tuple[KeyPath, Mapping[str, Any]]] = [((), table)]
    # Not recursive: a dotted key may be longer than the stack is deep.
    while tables:
        path, table = tables.pop()
        for key, value in table.items():
            yield (*path, key)
            if isinstance(value, dict):
                tables.append(((*path, key), value))


class Keyring(Protocol):
    """The part of the keyring package that is used here."""

    def get_password(self, service: str, username: str, /) -> str | None: ...
    def set_password(self, service: str, username: str, password: str, /) -> None: ...


def system_keyring() -> Keyring:
    """Return the keyring package; raise ImportError where the extra is not installed."""
    import keyring

    backend: Keyring = keyring
    return backend


def secret(
    provider: str, settings: Settings, environ: Environ, *, keyring: Callable[[], Keyring] = system_keyring
) -> SecretStr | None:
    """Return the key of `provider` from the environment, else the file, else the keyring."""
    key = _key(provider, settings, environ, keyring)
    if not key:
        return None
    from pydantic import SecretStr

    return SecretStr(key)


def _key(provider: str, settings: Settings, environ: Environ, keyring: Callable[[], Keyring]) -> str:
    remote = settings.providers.remote(provider)
    if not remote:
        return ""
    variables = (remote.key_env,) if remote.key_env else remote.KEY_VARIABLES
    if key := _first(variables, environ):
        return key
    if remote.api_key and (key := remote.api_key.get_secret_value().strip()):
        return key
    try:
        return (keyring().get_password(APP, provider) or "").strip()
    except Exception:
        # Whatever a backend raises (a locked keychain, no D-Bus), it has no key for us.
        return ""


def store_secret(provider: str, value: str, *, keyring: Callable[[], Keyring] = system_keyring) -> None:
    """Put a key into the keyring of the system, where `secret` finds it."""
    remote = ProvidersSettings().remote(provider)
    if not remote:
        raise UsageError(f"{_quote(provider)} is not a provider that needs a key{_suggestion(provider, PROVIDERS)}")
    if not (value := value.strip()):
        raise ConfigError(f"the key for {provider} is empty")
    instead = f"set {remote.KEY_VARIABLES[0]}"
    try:
        keyring().set_password(APP, provider, value)
    except ImportError:
        hint = f"pip install 'llmterm[keyring]', or {instead}"
        raise ConfigError("keys cannot be stored without the keyring package", hint=hint) from None
    except Exception as error:
        # Not the error's own text: a backend may repeat what it was given.
        raise ConfigError(f"the keyring did not take the key: {type(error).__name__}", hint=instead) from None


def base_url(provider: str, settings: Settings, environ: Environ) -> str:
    """Return the address of `provider` in the sense of its own SDK, "" for one that has none."""
    remote = settings.providers.remote(provider)
    return (_own_base_url(remote, environ) or remote.BASE_URL) if remote else ""


def _own_base_url(remote: RemoteSettings, environ: Environ) -> str:
    url = _first(remote.BASE_URL_VARIABLES, environ)
    if complaint := _address_check(url):
        raise ConfigError(f"{' or '.join(remote.BASE_URL_VARIABLES)} {complaint}")
    return url or remote.base_url


def _first(variables: tuple[str, ...], environ: Environ) -> str:
    """Return the first of the variables that is not empty; white space around it is a slip of the shell."""
    return next(filter(None, (environ.get(name, "").strip() for name in variables)), "")


def choose_provider(
    flag: str | None,
    settings: Settings,
    environ: Environ,
    *,
    available: Callable[[str], bool],
    keyring: Callable[[], Keyring] = system_keyring,
) -> str:
    """Return the provider asked for, else the first one with a key or an own address, else `local` if available."""
    if name := flag or settings.provider:
        if name not in PROVIDERS:
            hint = f"known: {', '.join(PROVIDERS)}"
            raise UsageError(f"unknown provider {_quote(name)}{_suggestion(name, PROVIDERS)}", hint=hint)
        return name
    for name in PROVIDERS:
        remote = settings.providers.remote(name)
        if remote and (_own_base_url(remote, environ) or _key(name, settings, environ, keyring)):
            return name
    if available("local"):
        return "local"
    raise ConfigError(
        "no model to talk to",
        hint="set OPENAI_API_KEY; or install 'llmterm[local]' with its weights, or use --model path.gguf; "
        f"or set base_url in [providers.openai] of {config_path(environ)} to an OpenAI-compatible server",
    )
