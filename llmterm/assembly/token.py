"""The token of this user's own service: made once, and kept where nobody else can read it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from llmterm import config, files
from llmterm.errors import ConfigError

_FILE = "serve-token"


def kept_token(environ: Mapping[str, str]) -> str:
    """Return the token that was made, "" where none was. Raises ConfigError."""
    try:
        path = config.data_dir(environ) / _FILE
        return path.read_text("ascii").strip() if path.is_file() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable(error) from None


def own_token(environ: Mapping[str, str]) -> str:
    """Return the token, made where none was. Raises ConfigError."""
    if kept := kept_token(environ):
        return kept
    path, token = config.data_dir(environ) / _FILE, secrets.token_urlsafe(32)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        files.write(path, f"{token}\n", private=True)
    except OSError as error:
        raise _unusable(error) from None
    return token


def _unusable(error: OSError | UnicodeDecodeError) -> ConfigError:
    words = getattr(error, "strerror", None) or "its file is damaged"
    return ConfigError(
        f"the token cannot be kept: {words}", hint="llmterm serve --token TEXT, or LLMTERM_TOKEN, takes one"
    )
