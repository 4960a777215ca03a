"""Settings out of parsed TOML, and everything that is wrong with it, by key.

TOML has few types and the settings are plain: a value is right if it has exactly the type of its field's annotation.
No library is asked, so that a start with a configuration file is as quick as one without.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass, replace
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from llmterm.config.checks import body_check, choice, header_check, quote, style_check, suggestion
from llmterm.config.credential import Credential
from llmterm.config.endpoints import KNOWN
from llmterm.config.settings import (
    GIVEN,
    KIND,
    THEMES,
    AnySettings,
    KeyPath,
    LocalSettings,
    ModelSettings,
    Price,
    ProvidersSettings,
    RemoteSettings,
    Settings,
    ThemeSettings,
)

_EXPECTED: Mapping[object, str] = {
    str: "text",
    Credential: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    tuple: "a list of texts",
}
_KINDS = {
    str: "text",
    bool: "a boolean",
    int: "a whole number",
    float: "a decimal number",
    list: "a list",
    dict: "a table",
}


class Reader:
    """Reads one file; what is wrong with it is in `complaints` afterwards, and the settings are then not to be used."""

    def __init__(self) -> None:
        self.complaints: list[tuple[KeyPath, str]] = []
        # How tables are read whose keys are names.
        self._own_readers: Mapping[object, Callable[[object, KeyPath], object]] = {
            ProvidersSettings: self._providers,
            Mapping[str, Price]: self._prices,
            Mapping[str, ModelSettings]: self._per_model,
            Mapping[str, object]: self._body,
            Mapping[str, Credential]: self._headers,
            Mapping[str, ThemeSettings]: self._themes,
            Mapping[str, str]: self._syntax,
        }

    def settings(self, data: object) -> Settings:
        settings = self._table(Settings(), data, ())
        names = settings.providers.names
        if settings.provider and settings.provider not in names:
            self._complain(("provider",), f"provider must be {_one_of(names)}{suggestion(settings.provider, names)}")
        if settings.chat.theme not in settings.theme_names:
            known = settings.theme_names
            said = f"theme in [chat] must be {_one_of(known)}{suggestion(settings.chat.theme, known)}"
            self._complain(("chat", "theme"), said)
        for item in settings.fallback:
            name, slash, model = item.partition("/")
            if name not in names or bool(slash) != bool(model):
                expected = f'each "provider" or "provider/model", with a provider that is {_one_of(names)}'
                self._complain(("fallback",), f"fallback must be {expected}{suggestion(name, names)}")
        return settings

    def _table(self, base: AnySettings, table: object, path: KeyPath) -> AnySettings:
        """Return `base` with what the table says."""
        if not isinstance(table, dict):
            self._complain(path, f"{_label(path)} must be a table, not {_kind(table)}")
            return base
        hints = get_type_hints(type(base))
        known = {item.name: item for item in fields(base) if GIVEN not in item.metadata}
        values: dict[str, Any] = {}
        for key, value in table.items():
            here = (*path, key)
            if key not in known:
                self._complain(here, _unknown_key(here, value, tuple(known)))
            elif read := self._own_readers.get(hints[key]):
                values[key] = read(value, here)
            elif is_dataclass(hints[key]):
                values[key] = self._table(getattr(base, key), value, here)
            else:
                try:
                    values[key] = _accepted(hints[key], value)
                except _WrongTypeError as error:
                    self._complain(here, f"{_label(here)} must be {error}")
                    continue
                if (check := known[key].metadata.get("check")) and (complaint := check(values[key])):
                    self._complain(here, f"{_label(here)} {complaint}")
        return replace(base, **values)

    def _providers(self, table: object, path: KeyPath) -> ProvidersSettings:
        if not isinstance(table, dict):
            self._complain(path, f"{_label(path)} must be a table, not {_kind(table)}")
            return ProvidersSettings()
        local, remotes = LocalSettings(), {}
        for name, value in table.items():
            here = (*path, name)
            if name == "local":
                local = self._table(local, value, here)
            elif name in KNOWN:
                remotes[name] = self._known(name, value, here)
            elif isinstance(value, dict):
                remotes[name] = self._own(name, value, here)
            else:
                self._complain(here, _unknown_key(here, value, (*KNOWN, "local")))
        return ProvidersSettings(local=local, remotes=remotes)

    def _known(self, name: str, table: object, path: KeyPath) -> RemoteSettings:
        kind = KNOWN[name].kind
        remote = self._remote(RemoteSettings.of(KNOWN[name]), table, path)
        if remote.kind != kind:
            self._complain((*path, "kind"), f"kind in {_header(path)} must be {quote(kind)}")
        return remote

    def _own(self, name: str, table: Mapping[str, object], path: KeyPath) -> RemoteSettings:
        """Read a provider that is not known, which has to say what it is."""
        missing = [key for key in ("kind", "base_url") if not table.get(key)]
        if not re.fullmatch(r"[\w-]+", name, re.ASCII):
            self._complain(path, f"the name of a provider must be of letters, digits, - and _, unlike {quote(name)}")
        elif len(missing) == 2:
            near = suggestion(name, (*KNOWN, "local"))
            self._complain(path, f"unknown provider {quote(name)}{near} (one of your own needs kind and base_url)")
        elif missing:
            self._complain(path, f"{_header(path)} needs {missing[0]}")
        return self._remote(RemoteSettings(), table, path)

    def _remote(self, base: RemoteSettings, table: object, path: KeyPath) -> RemoteSettings:
        remote = self._table(base, table, path)
        if isinstance(table, dict):
            self._check_kind(remote.kind, remote, table, path)
            for model, settings in remote.per_model.items():
                if isinstance(own := table["per_model"][model], dict):
                    self._check_kind(remote.kind, settings, own, (*path, "per_model", model))
        if remote.transport == "websocket" and remote.api != "responses":
            where = (*path, "transport")
            self._complain(where, f'{_label(where)} is only for api = "responses"')
        return remote

    def _check_kind(
        self, kind: str, settings: RemoteSettings | ModelSettings, table: Mapping[str, object], path: KeyPath
    ) -> None:
        """Complain of what means something to another kind of provider only."""
        for item in fields(settings):
            only = item.metadata.get(KIND, kind)
            if only != kind and item.name in table:
                self._complain((*path, item.name), f"{_label((*path, item.name))} is only for kind {quote(only)}")

    def _prices(self, table: object, path: KeyPath) -> dict[str, Price]:
        if not isinstance(table, dict):
            self._complain(path, f"{_label(path)} must be a table, not {_kind(table)}")
            return {}
        prices = {}
        for model, value in table.items():
            here = (*path, model)
            prices[model] = self._table(Price(input=0.0, output=0.0), value, here)
            required = (item.name for item in fields(Price) if item.default is MISSING)
            missing = [key for key in required if isinstance(value, dict) and key not in value]
            if missing:
                self._complain(here, f"{_header(here)} needs {' and '.join(missing)}")
        return prices

    def _per_model(self, table: object, path: KeyPath) -> dict[str, ModelSettings]:
        if not isinstance(table, dict):
            self._complain(path, f"{_label(path)} must be a table, not {_kind(table)}")
            return {}
        return {model: self._table(ModelSettings(), value, (*path, model)) for model, value in table.items()}

    def _body(self, table: object, path: KeyPath) -> dict[str, object]:
        return self._added(table, path, body_check)

    def _headers(self, table: object, path: KeyPath) -> dict[str, Credential]:
        """Read headers. What is in one may be a secret, and is handled as a key is."""
        added = self._added(table, path, header_check)
        return {name: Credential(value) for name, value in added.items() if isinstance(value, str)}

    def _added(self, table: object, path: KeyPath, check: Callable[[str, object], str]) -> dict[str, object]:
        if not isinstance(table, dict):
            self._complain(path, f"{_label(path)} must be a table, not {_kind(table)}")
            return {}
        for name, value in table.items():
            if complaint := check(name, value):
                self._complain((*path, name), f"{_label((*path, name))} {complaint}")
        return table

    def _themes(self, table: object, path: KeyPath) -> dict[str, ThemeSettings]:
        if not isinstance(table, dict):
            self._complain(path, f"{_label(path)} must be a table, not {_kind(table)}")
            return {}
        for name in table:
            if name in ("auto", *THEMES) or not re.fullmatch(r"[\w-]+", name, re.ASCII):
                unlike = f"letters, digits, - and _, and none of {', '.join(('auto', *THEMES))}"
                self._complain((*path, name), f"the name of a theme must be of {unlike}")
        return {name: self._table(ThemeSettings(), value, (*path, name)) for name, value in table.items()}

    def _syntax(self, table: object, path: KeyPath) -> dict[str, str]:
        """Read styles by names of tokens, which have points: in TOML they stand in quotes then."""
        if not isinstance(table, dict):
            self._complain(path, f"{_label(path)} must be a table, not {_kind(table)}")
            return {}
        for name, value in table.items():
            if not re.fullmatch(r"[A-Z][A-Za-z]*(\.[A-Z][A-Za-z]*)*", name):
                self._complain((*path, name), f"{_label((*path, name))} must be a kind of token, such as Name.Function")
            elif not isinstance(value, str):
                instead = ": put a name with points into quotes" if isinstance(value, dict) else ""
                self._complain((*path, name), f"{_label((*path, name))} must be text, not {_kind(value)}{instead}")
            elif complaint := style_check(value):
                self._complain((*path, name), f"{_label((*path, name))} {complaint}")
        return table

    def _complain(self, path: KeyPath, complaint: str) -> None:
        self.complaints.append((path, complaint))


class _WrongTypeError(Exception):
    """`str()` is what the value has to be, and what it is instead."""


def _accepted(hint: Any, value: object) -> object:
    """Return `value` as a field with that annotation holds it. Raises _WrongTypeError."""
    [wanted] = [each for each in _alternatives(hint) if each is not NoneType]
    if get_origin(wanted) is Literal:
        choices = get_args(wanted)
        if type(value) is str and value in choices:
            return value
        raise _WrongTypeError(choice(choices) + (suggestion(value, choices) if isinstance(value, str) else ""))
    wanted = get_origin(wanted) or wanted
    if wanted is tuple and type(value) is list and all(type(each) is str for each in value):
        return tuple(value)
    if wanted is Credential and type(value) is str:
        return Credential(value)
    if wanted is float and type(value) is int:
        return _decimal(value)
    if type(value) is wanted and wanted is not tuple:
        return value
    instead = "with nothing else in it" if wanted is tuple and type(value) is list else f"not {_kind(value)}"
    raise _WrongTypeError(f"{_EXPECTED[wanted]}, {instead}")


def _alternatives(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)


def _decimal(number: int) -> float:
    try:
        return float(number)
    except OverflowError:
        return float("inf") if number > 0 else float("-inf")


def _one_of(names: tuple[str, ...]) -> str:
    return f"one of {', '.join(names)}"


def _kind(value: object) -> str:
    return _KINDS.get(type(value), "a date or time")


def _label(path: KeyPath) -> str:
    *table, key = path
    return f"{_part(key)} in {_header(tuple(table))}" if table else _part(key)


def _header(path: KeyPath) -> str:
    return f"[{'.'.join(map(_part, path))}]"


def _part(key: str) -> str:
    # What is no bare key of TOML may hold anything, even what moves a terminal's cursor.
    return key if re.fullmatch(r"[\w-]+", key, re.ASCII) else quote(key)


def _unknown_key(path: KeyPath, value: object, known: tuple[str, ...]) -> str:
    *table, key = path
    noun = "table" if isinstance(value, dict) else "key"
    place = f" in {_header(tuple(table))}" if table else ""
    return f"unknown {noun} {quote(key)}{place}{suggestion(key, known)}"
