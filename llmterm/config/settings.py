"""The settings, with all their defaults in one place, and what each of them may be.

Plain dataclasses of the standard library: a start without a configuration file needs nothing else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypeAlias, TypeVar

from llmterm.errors import UsageError
from llmterm.marker import DEFAULT_MARKER, check_marker
from llmterm.messages import StreamLimits

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
    from pydantic import SecretStr

Environ: TypeAlias = Mapping[str, str]
KeyPath: TypeAlias = tuple[str, ...]
Check: TypeAlias = Callable[[Any], str]
AnySettings = TypeVar("AnySettings", bound="DataclassInstance")

DAY = 86_400.0


def _checked(check: Check) -> Mapping[str, Check]:
    """Return the metadata of a field whose value `check` may complain about; "" is no complaint."""
    return {"check": check}


def _range(low: float, high: float) -> Mapping[str, Check]:
    # Turned around, the comparison would let NaN pass.
    return _checked(lambda value: "" if low <= value <= high else f"must be from {low:,} to {high:,}")


def _provider_check(name: str) -> str:
    return "" if not name or name in PROVIDERS else f"must be {choice(PROVIDERS)}"


def _marker_check(text: str) -> str:
    try:
        check_marker(text)
    except UsageError as error:
        return f"must be {error.hint}"
    return ""


def _variable_check(name: str) -> str:
    # People put the key itself here; refusing it keeps it out of `repr`.
    return "" if re.fullmatch(r"(?:[A-Za-z_]\w*)?", name, re.ASCII) else "must be the name of an environment variable"


def address_check(url: str) -> str:
    return "" if re.match(r"https?://[^/\s]", url) or not url else "must begin with http:// or https://"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatSettings:
    keys: Literal["terminal", "global"] = "terminal"
    chord: str = "<ctrl>+<alt>+<space>"
    plain: bool = False


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

    base_url: str = field(default="", metadata=_checked(address_check))
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


def suggestion(word: str, known: tuple[str, ...]) -> str:
    near = get_close_matches(word, known, n=1)
    return f': did you mean "{near[0]}"?' if near else ""


def quote(word: str) -> str:
    return json.dumps(word, ensure_ascii=not word.isprintable())


def choice(words: tuple[str, ...]) -> str:
    return " or ".join(map(quote, words))
