"""The settings, with all their defaults in one place, and what each of them may be.

Plain dataclasses of the standard library: neither a start without a configuration file nor one with a right one needs
anything else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Literal, Self, TypeAlias, TypeVar

from llmterm.config.checks import (
    address_check,
    attachments_check,
    checked,
    keep_alive_check,
    key_check,
    marker_check,
    style_check,
    texts_check,
    thinking_check,
    tier_check,
    variable_check,
    variables_check,
    version_key_check,
    within,
)
from llmterm.config.credential import Credential
from llmterm.config.endpoints import BUILT_IN, KNOWN, PRESETS, Continuation, Endpoint, Kind
from llmterm.errors import UsageError
from llmterm.marker import DEFAULT_MARKER
from llmterm.messages import Effort, StreamLimits, Usage, Verbosity

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Environ: TypeAlias = Mapping[str, str]
KeyPath: TypeAlias = tuple[str, ...]
T = TypeVar("T")
AnySettings = TypeVar("AnySettings", bound="DataclassInstance")

DAY = 86_400.0
# Flags that are not called like their setting.
# Of a model that is not known to be quiet.
_FIRST_TOKEN_SECONDS = 60.0
_FLAGS = {"chunk_timeout": "timeout", "asked_effort": "effort"}
_MILLION = 1_000_000
_MOST_MONEY = 1_000_000
# The metadata of a key that means something to one kind of provider only.
KIND = "kind"
# And of one that no file has.
GIVEN = "given"
# The themes there are without a configuration.
THEMES = ("dark", "light", "high-contrast")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatSettings:
    keys: Literal["terminal", "global"] = "terminal"
    chord: str = "<ctrl>+<alt>+<space>"
    plain: bool = False
    pause_mode: Literal["cut", "hold"] = "cut"
    hold_limit: float = field(default=60.0, metadata=within(1, DAY))
    auto_resume: int = field(default=0, metadata=within(0, 1000))
    editing: Literal["emacs", "vi"] = "emacs"
    theme: str = "auto"
    thinking: Literal["line", "full"] = "line"
    notify: Literal["off", "bell", "osc9", "osc777"] = "bell"
    notify_after: float = field(default=10.0, metadata=within(0, DAY))


@dataclass(frozen=True, slots=True, kw_only=True)
class ThemeSettings:
    """A theme of the user's: what is not said, "", is as in `base`. `syntax` is by pygments' names of tokens."""

    base: Literal["dark", "light", "high-contrast"] = "dark"
    code: str = field(default="", metadata=checked(style_check))
    marker: str = field(default="", metadata=checked(style_check))
    question: str = field(default="", metadata=checked(style_check))
    error: str = field(default="", metadata=checked(style_check))
    chosen: str = field(default="", metadata=checked(style_check))
    strong: str = field(default="", metadata=checked(style_check))
    em: str = field(default="", metadata=checked(style_check))
    s: str = field(default="", metadata=checked(style_check))
    link: str = field(default="", metadata=checked(style_check))
    h1: str = field(default="", metadata=checked(style_check))
    h2: str = field(default="", metadata=checked(style_check))
    heading: str = field(default="", metadata=checked(style_check))
    th: str = field(default="", metadata=checked(style_check))
    faint: str = field(default="", metadata=checked(style_check))
    syntax: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def styles(self) -> dict[str, str]:
        """What is said, by what it is for."""
        names = (item.name for item in fields(self) if item.name not in ("base", "syntax"))
        return {name: style for name in names if (style := getattr(self, name))}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysSettings:
    """The keys of the commands of a pause, and, at the prompt, those to the version before and after."""

    edit: str = field(default="Alt-E", metadata=checked(key_check))
    back: str = field(default="Alt-B", metadata=checked(key_check))
    on: str = field(default="Alt-M", metadata=checked(key_check))
    again: str = field(default="Alt-R", metadata=checked(key_check))
    previous: str = field(default="Alt-Left", metadata=checked(version_key_check))
    next: str = field(default="Alt-Right", metadata=checked(version_key_check))


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkerSettings:
    enabled: bool = True
    text: str = field(default=DEFAULT_MARKER, metadata=checked(marker_check))


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSettings:
    """`StreamLimits` as people write them: 0 is no limit, except for `connect_timeout` and `buffer_size`.

    Without a `first_token_timeout` it depends on the model: one that is known to be quiet has `silence_timeout`.
    """

    connect_timeout: float = field(default=10.0, metadata=within(0.1, DAY))
    first_token_timeout: float | None = field(default=None, metadata=within(0, DAY))
    chunk_timeout: float = field(default=30.0, metadata=within(0, DAY))
    silence_timeout: float = field(default=600.0, metadata=within(0, DAY))
    stream_timeout: float = field(default=0.0, metadata=within(0, DAY))
    max_chunks: int = field(default=0, metadata=within(0, 1_000_000_000))
    buffer_size: int = field(default=1024, metadata=within(1, 1_000_000))

    def limits(self) -> StreamLimits:
        first, quiet = _FIRST_TOKEN_SECONDS, self.silence_timeout
        if self.first_token_timeout is not None:
            first = quiet = self.first_token_timeout
        return StreamLimits(
            connect_timeout=self.connect_timeout,
            first_token_timeout=first or None,
            quiet_timeout=quiet or None,
            chunk_timeout=self.chunk_timeout or None,
            silence_timeout=self.silence_timeout or None,
            stream_timeout=self.stream_timeout or None,
            max_chunks=self.max_chunks or None,
            buffer_size=self.buffer_size,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrySettings:
    """`attempts` counts the first one; `max_wait` is in seconds, before any one of the others."""

    attempts: int = field(default=3, metadata=within(1, 100))
    max_wait: float = field(default=60.0, metadata=within(0, DAY))


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeSettings:
    """How much the service does at once. 0 `turns_per_client` are as many as for all together.

    Seconds: how long a request may say nothing before it is whole, and how long whoever reads may take nothing.
    """

    max_turns: int = field(default=1_000, metadata=within(1, 100_000))
    turns_per_client: int = field(default=0, metadata=within(0, 100_000))
    max_readers: int = field(default=10_000, metadata=within(1, 1_000_000))
    request_timeout: float = field(default=30.0, metadata=within(0.1, DAY))
    reader_timeout: float = field(default=120.0, metadata=within(0.1, DAY))


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """In any currency, for a million tokens.

    `cached` is for input that the provider's cache has, `cache_write` for input that is written to it; None is as for
    any other. A request with more than `above` tokens of input, 0 for no such number, costs `input_above` and
    `output_above`, all of it, where they are set; what the cache has is dearer then by as much as other input.
    """

    input: float = field(metadata=within(0, _MOST_MONEY))
    output: float = field(metadata=within(0, _MOST_MONEY))
    cached: float | None = field(default=None, metadata=within(0, _MOST_MONEY))
    cache_write: float | None = field(default=None, metadata=within(0, _MOST_MONEY))
    above: int = field(default=0, metadata=within(0, 1_000_000_000))
    input_above: float | None = field(default=None, metadata=within(0, _MOST_MONEY))
    output_above: float | None = field(default=None, metadata=within(0, _MOST_MONEY))

    def cost(self, usage: Usage) -> float:
        """Return what so many tokens cost, whatever the provider says itself."""
        asked = usage.uncached_tokens * self.input
        asked += usage.cached_tokens * _either(self.cached, self.input)
        asked += usage.cache_write_tokens * _either(self.cache_write, self.input)
        written = self.output
        if self.above and usage.input_tokens > self.above:
            asked *= _either(self.input_above, self.input) / self.input if self.input else 1.0
            written = _either(self.output_above, self.output)
        return (asked + usage.output_tokens * written) / _MILLION

    def __str__(self) -> str:
        """Return it in a few words: what there is to know before a model is chosen."""
        words = [f"{self.input:g} in", f"{self.output:g} out"]
        words += [f"{self.cached:g} cached"] if self.cached is not None else []
        return f"{', '.join(words)} for a million tokens"


def _either(price: float | None, usual: float) -> float:
    return usual if price is None else price


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSettings:
    """What goes for some models of a provider, on top of what goes for all of them."""

    effort: Effort | None = None
    num_ctx: int | None = field(default=None, metadata={KIND: "ollama", **within(256, 10_000_000)})
    extra_body: Mapping[str, object] = field(default_factory=dict, hash=False)
    extra_headers: Mapping[str, Credential] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteSettings:
    """One provider that has an address.

    `base_url` and `api_key` are what the file says; the environment wins over both. `key_env`, or `keys` for several to
    take turns, name the variables that are read instead of the usual ones. 0 is no limit of `requests_per_minute` and
    `tokens_per_minute`; of `thinking` it is none, and None leaves it to the model. `models` are offered besides those
    that the provider lists. `extra_body` and `extra_headers` go with every request, on top of what llmterm says.
    `attachments` are what all of its models take, "image" and "pdf"; None is what is known of each.
    """

    kind: Kind = "openai"
    base_url: str = field(default="", metadata=checked(address_check))
    key_env: str = field(default="", metadata=checked(variable_check))
    keys: tuple[str, ...] = field(default=(), metadata=checked(variables_check))
    api_key: Credential | None = None
    model: str = ""
    models: tuple[str, ...] = field(default=(), metadata=checked(texts_check))
    continuation: Continuation = ""
    attachments: tuple[str, ...] | None = field(default=None, metadata=checked(attachments_check))
    api: Literal["", "chat", "responses"] = field(default="", metadata={KIND: "openai"})
    transport: Literal["http", "websocket"] = field(default="http", metadata={KIND: "openai"})
    client: Literal["sdk", "wire"] = field(default="sdk", metadata={KIND: "gemini"})
    interactions: bool = field(default=False, metadata={KIND: "gemini"})
    version: Literal["v2", "v1"] = field(default="v2", metadata={KIND: "cohere"})
    thinking: int | None = field(default=None, metadata={KIND: "anthropic", **checked(thinking_check)})
    requests_per_minute: int = field(default=0, metadata=within(0, 1_000_000))
    tokens_per_minute: int = field(default=0, metadata=within(0, 1_000_000_000))
    max_concurrent: int = field(default=10, metadata=within(1, 10_000))
    allow_http: bool = False
    prices: Mapping[str, Price] = field(default_factory=dict, hash=False)
    num_ctx: int | None = field(default=None, metadata={KIND: "ollama", **within(256, 10_000_000)})
    keep_alive: str = field(default="", metadata={KIND: "ollama", **checked(keep_alive_check)})
    extra_body: Mapping[str, object] = field(default_factory=dict, hash=False)
    extra_headers: Mapping[str, Credential] = field(default_factory=dict, hash=False)
    per_model: Mapping[str, ModelSettings] = field(default_factory=dict, hash=False)

    @classmethod
    def of(cls, endpoint: Endpoint) -> Self:
        """Return the settings of a known provider about which the file says nothing."""
        return cls(kind=endpoint.kind, model=endpoint.model, continuation=endpoint.continuation)

    @property
    def headers(self) -> tuple[Credential, ...]:
        """The values of all headers that are added: any of them may be a secret."""
        tables = (self.extra_headers, *(each.extra_headers for each in self.per_model.values()))
        return tuple(value for table in tables for value in table.values())

    @property
    def variables(self) -> tuple[str, ...]:
        """The variables with keys that the user has named; none are the usual ones."""
        return tuple(filter(None, (self.key_env, *self.keys)))

    def price(self, model: str) -> Price | None:
        """Return the price of that very name, else of the first pattern (`*`, `?`) that it fits."""
        return _fitting(self.prices, model)

    def window(self, model: str) -> int | None:
        """Return how many tokens an Ollama is told to have a model read at once, None where it is told nothing."""
        return self.model_settings(model).num_ctx or self.num_ctx

    def model_settings(self, model: str) -> ModelSettings:
        """Return what goes for a model: by its very name, else by the first pattern (`*`, `?`) that it fits."""
        return _fitting(self.per_model, model) or ModelSettings()


def _fitting(tables: Mapping[str, T], model: str) -> T | None:
    return tables.get(model) or next((each for name, each in tables.items() if fnmatchcase(model, name)), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalSettings:
    """`model` is the path of a GGUF file, "" the one of the weights package; 0 `threads` are as many as fit."""

    model: str = ""
    threads: int = field(default=0, metadata=within(0, 1024))
    context: int = field(default=8192, metadata=within(256, 10_000_000))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvidersSettings:
    """The embedded model, and by name those with an address: the built-in ones always, others where configured."""

    local: LocalSettings = field(default_factory=LocalSettings)
    remotes: Mapping[str, RemoteSettings] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        built_in = {name: RemoteSettings.of(endpoint) for name, endpoint in BUILT_IN.items()}
        object.__setattr__(self, "remotes", {**built_in, **self.remotes})

    @property
    def names(self) -> tuple[str, ...]:
        """All that can be asked for, in the order in which one is looked for: a preset needs no configuration."""
        return tuple(dict.fromkeys((*self.remotes, *PRESETS, "local")))

    def remote(self, name: str) -> RemoteSettings | None:
        """Return the settings of a provider that has an address, `None` for any other name."""
        if name in self.remotes:
            return self.remotes[name]
        return RemoteSettings.of(PRESETS[name]) if name in PRESETS else None

    def endpoint(self, name: str) -> Endpoint | None:
        """Return what is known about a provider that has an address; of one's own that is its kind and address."""
        if name in KNOWN:
            return KNOWN[name]
        own = self.remotes.get(name)
        return Endpoint(kind=own.kind, base_url=own.base_url, needs_key=False) if own else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The whole configuration; "" and `None` leave a choice to the program or the provider.

    `fallback` names a provider, or a provider/model, each: who is asked in turn where one cannot begin an answer.
    `effort` is that of models of which the file says no other; `asked_effort`, of a flag or a role, is that of all.
    """

    provider: str = ""
    model: str = ""
    system: str = ""
    temperature: float | None = field(default=None, metadata=within(0, 2))
    max_tokens: int | None = field(default=None, metadata=within(1, 10_000_000))
    seed: int | None = field(default=None, metadata=within(0, 2**32 - 1))
    effort: Effort | None = None
    top_p: float | None = field(default=None, metadata=within(0, 1))
    verbosity: Verbosity | None = None
    service_tier: str | None = field(default=None, metadata=checked(tier_check))
    web_search: bool = False
    asked_effort: Effort | None = field(default=None, metadata={GIVEN: True})
    fallback: tuple[str, ...] = ()
    cache: bool = False
    debug: bool = False
    chat: ChatSettings = field(default_factory=ChatSettings)
    keys: KeysSettings = field(default_factory=KeysSettings)
    themes: Mapping[str, ThemeSettings] = field(default_factory=dict, hash=False)
    marker: MarkerSettings = field(default_factory=MarkerSettings)
    stream: StreamSettings = field(default_factory=StreamSettings)
    retry: RetrySettings = field(default_factory=RetrySettings)
    serve: ServeSettings = field(default_factory=ServeSettings)
    providers: ProvidersSettings = field(default_factory=ProvidersSettings)

    @property
    def theme_names(self) -> tuple[str, ...]:
        """What may be chosen as a theme."""
        return ("auto", *THEMES, *self.themes)


def override(settings: AnySettings, **flags: object) -> AnySettings:
    """Return `settings` with those flags that are not `None`; raise UsageError for a value out of range."""
    given = {name: value for name, value in flags.items() if value is not None}
    checks = {item.name: item.metadata.get("check") for item in fields(settings)}
    for name, value in given.items():
        check = checks.get(name)
        if check and (complaint := check(value)):
            raise UsageError(f"--{_FLAGS.get(name, name).replace('_', '-')} {complaint}")
    return replace(settings, **given)
