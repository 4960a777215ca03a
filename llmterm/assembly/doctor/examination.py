"""The whole examination, in the order in which people read it."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from llmterm import __version__
from llmterm.assembly.doctor.check import Check
from llmterm.assembly.doctor.reach import reach_checks
from llmterm.assembly.doctor.storage import configuration, storage_checks
from llmterm.assembly.doctor.terminal import terminal_checks
from llmterm.assembly.secrets import known_secrets
from llmterm.config import Settings

_LIBRARIES = ("httpx2", "prompt_toolkit", "rich", "markdown-it-py", "typer", "google-genai")
_EXTRAS = ("xllamacpp", "pynput", "keyring", "socksio")


async def examine(
    settings: Settings | None, environ: Mapping[str, str], *, everybody: bool = False, ask_terminal: bool = True
) -> Sequence[Check]:
    """Look at everything; providers are asked at the same time, for five seconds at most. Raises nothing of ours.

    Without `settings` they are read from the configuration file. `everybody` asks also the providers that are not set
    up. `ask_terminal` is for a program that reads no keys meanwhile: a chat does.
    """
    found, file = configuration(environ)
    used = settings or found
    checks = [
        *_versions(),
        *await terminal_checks(used, environ, ask_terminal=ask_terminal),
        file,
        *storage_checks(environ),
        *await reach_checks(used, environ, everybody=everybody),
    ]
    redact = known_secrets(used, environ, stored=True).redact
    return [replace(check, value=redact(check.value), hint=redact(check.hint)) for check in checks]


def _versions() -> Iterator[Check]:
    yield Check(name="llmterm", state="ok", value=__version__)
    yield Check(name="python", state="ok", value=f"{platform.python_version()} on {platform.platform()}")
    yield Check(name="libraries", state="ok", value=", ".join(map(_version, _LIBRARIES)))
    yield Check(name="extras", state="ok", value=", ".join(map(_version, _EXTRAS)))


def _version(name: str) -> str:
    try:
        return f"{name} {importlib.metadata.version(name)}"
    except importlib.metadata.PackageNotFoundError:
        return f"{name} not installed"
