"""The configuration file: where it is, and settings out of it.

It is checked as a whole: a `ConfigError` lists everything wrong with it, by file and line, and never repeats a value,
which might be a key. tomllib is imported only when there is a file.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from llmterm.config.reader import Reader
from llmterm.config.settings import Environ, KeyPath, Settings
from llmterm.errors import ConfigError

APP = "llmterm"
# The folder beside the configuration file.
ROLES = "roles"


def config_path(environ: Environ) -> Path:
    if named := environ.get("LLMTERM_CONFIG"):
        return _expanded(named, environ)
    if folder := _xdg_dir("XDG_CONFIG_HOME", environ):
        return folder / "config.toml"
    from platformdirs import user_config_path

    return user_config_path(APP, appauthor=False) / "config.toml"


def data_dir(environ: Environ) -> Path:
    if named := environ.get("LLMTERM_DATA_DIR"):
        return _expanded(named, environ)
    if folder := _xdg_dir("XDG_DATA_HOME", environ):
        return folder
    from platformdirs import user_data_path

    return user_data_path(APP, appauthor=False)


def _expanded(path: str, environ: Environ) -> Path:
    """Return a path whose "~" no shell has expanded: in quotes, or in a file of variables."""
    first, slash, rest = path.partition("/")
    home = environ.get("HOME") if first == "~" else None
    return Path(home + slash + rest if home else os.path.expanduser(path))


def _xdg_dir(variable: str, environ: Environ) -> Path | None:
    """Return our folder under an XDG variable; a relative one is to be ignored, says the XDG specification."""
    root = Path(environ.get(variable, ""))
    return root / APP if sys.platform != "win32" and root.is_absolute() else None


def load(path: Path | None = None, *, environ: Environ) -> Settings:
    """Return the settings of `path`, or of `config_path`; only the default file may be missing."""
    named = path is not None or bool(environ.get("LLMTERM_CONFIG"))
    path = path or config_path(environ)
    text = _read(path)
    if text is not None:
        return parse(text, path)
    if named:
        raise ConfigError(f"{path}: no such file", hint="llmterm config init makes it, or name another one")
    return Settings()


def lines(environ: Environ) -> dict[KeyPath, int]:
    """Return the line, from 1, of each key and table of `config_path`, which `load` takes; none where there is none."""
    return key_lines(_read(config_path(environ)) or "")


def _read(path: Path) -> str | None:
    """Return the text of a file, None where there is none. Raises ConfigError."""
    try:
        # Some editors begin a file with a byte order mark, which TOML does not allow.
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}: not UTF-8", hint="save the file as UTF-8") from None


def parse(text: str, path: Path) -> Settings:
    """Return the settings of a text; `path` is what an error names. Raises ConfigError."""
    import tomllib

    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(_syntax_error(str(error), text, path)) from None
    except (ValueError, RecursionError):
        raise ConfigError(f"{path}: not valid TOML: a number too long, or lists nested too deep") from None
    reader = Reader()
    settings = reader.settings(data)
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
