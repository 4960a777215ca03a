"""The providers for a program that uses this one as a library.

What it asks for by default is what `llmterm chat` would take: the same configuration file, environment and order.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from llmterm import config
from llmterm.assembly.launch import launch
from llmterm.assembly.roster import registry
from llmterm.config import Settings
from llmterm.providers.registry import ProviderRegistry


def open_registry(settings: Settings | None = None, environ: Mapping[str, str] | None = None) -> ProviderRegistry:
    """Return all providers that can be asked for, to be used in an `async with`, which closes them.

    Settings are those of the configuration file unless given, keys and addresses come from the process's environment
    unless another is. Which provider is the default is found out when `choose` is first asked for it.
    Raises ConfigError.
    """
    environment = os.environ if environ is None else environ
    chosen = config.load(environ=environment) if settings is None else settings

    def default() -> str:
        start = launch(chosen, environment)
        return f"{start.provider}/{start.model}"

    return registry(chosen, environment, default=default)
