"""The settings in force, and where each comes from. Of a key it is said whether it is set, never what it is."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import NamedTuple

from llmterm.address import shown
from llmterm.config.access import Keyring, base_url, key_origin, system_keyring
from llmterm.config.credential import Credential
from llmterm.config.endpoints import BUILT_IN
from llmterm.config.settings import GIVEN, Environ, KeyPath, Settings

# A key of the file, or a table of it, and the line on which it first stands.
Lines = Mapping[KeyPath, int]
_DEFAULT = "default"


class Setting(NamedTuple):
    """`value` is written as the file would have it."""

    name: str
    value: str
    origin: str


def settings_in_force(
    settings: Settings,
    lines: Lines,
    file: Path,
    environ: Environ,
    flags: Mapping[KeyPath, str],
    *,
    keyring: Callable[[], Keyring] = system_keyring,
) -> list[Setting]:
    """Return them all; `flags` are those that have been laid over the file, by the setting that they change.

    Of the providers there are the built-in ones, and those that the file or the environment sets up.
    Raises ConfigError.
    """

    def origin(path: KeyPath) -> str:
        if path in flags:
            return f"flag {flags[path]}"
        return f"{file.name}:{lines[path]}" if path in lines else _DEFAULT

    found = [Setting(".".join(path), value, origin(path)) for path, value in _leaves(settings, ())]
    for name in settings.providers.names:
        remote, endpoint = settings.providers.remote(name), settings.providers.endpoint(name)
        place: KeyPath = ("providers", name)
        if remote is None or endpoint is None:  # the embedded model
            leaves = _leaves(settings.providers.local, place)
            found += [Setting(".".join(path), value, origin(path)) for path, value in leaves]
            continue
        key = key_origin(name, settings, environ, keyring=keyring)
        if name not in BUILT_IN and place not in lines and key in ("", "keyring"):
            continue
        said = {path: value for path, value in _leaves(remote, place) if path in lines or path[-1] == "model"}
        found += [
            Setting(".".join(path), value, origin(path)) for path, value in said.items() if path[-1] != "base_url"
        ]
        variable = next((each for each in endpoint.base_url_variables if environ.get(each, "").strip()), "")
        where = f"environment {variable}" if variable else origin((*place, "base_url"))
        address = shown(base_url(name, settings, environ))
        found.append(Setting(f"providers.{name}.base_url", _value(address), where))
        if key or endpoint.kind != "ollama":
            where = origin((*place, "api_key")) if key == "file" else key
            found.append(Setting(f"providers.{name}.key", "set" if key else "not set", where))
    return found


def _leaves(table: object, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    """Yield every setting of a table but the providers, which have sources of their own, and but keys."""
    if is_dataclass(table):
        named = [(item.name, getattr(table, item.name)) for item in fields(table) if GIVEN not in item.metadata]
    else:
        assert isinstance(table, Mapping)
        named = list(table.items())
    for name, value in named:
        here = (*path, str(name))
        if name in ("providers", "api_key"):
            continue
        if is_dataclass(value) or isinstance(value, Mapping):
            yield from _leaves(value, here)
        else:
            yield here, _value(value)


def _value(value: object) -> str:
    if value is None:
        return "not set"
    if isinstance(value, Credential):
        return "set"
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)
