"""Settings: what they are, where their file lies, and where addresses and keys come from.

The precedence is flag, environment, file, default; flags belong to the command line, which applies them with
`override`. Nothing but the standard library is imported until there is a key to wrap or a keyring to ask.
"""

from llmterm.config.access import (
    Keyring,
    base_url,
    choose_provider,
    has_model,
    key_hint,
    key_origin,
    missing_key,
    secret,
    secrets,
    store_secret,
    usable,
)
from llmterm.config.endpoints import BUILT_IN, KNOWN, PRESETS, Continuation, Endpoint, Kind, ollama_url
from llmterm.config.file import ROLES, config_path, data_dir, key_lines, lines, load, parse
from llmterm.config.settings import (
    ChatSettings,
    LocalSettings,
    MarkerSettings,
    ModelSettings,
    Price,
    ProvidersSettings,
    RemoteSettings,
    RetrySettings,
    ServeSettings,
    Settings,
    StreamSettings,
    ThemeSettings,
    override,
)

__all__ = [
    "BUILT_IN",
    "KNOWN",
    "PRESETS",
    "ROLES",
    "ChatSettings",
    "Continuation",
    "Endpoint",
    "Keyring",
    "Kind",
    "LocalSettings",
    "MarkerSettings",
    "ModelSettings",
    "Price",
    "ProvidersSettings",
    "RemoteSettings",
    "RetrySettings",
    "ServeSettings",
    "Settings",
    "StreamSettings",
    "ThemeSettings",
    "base_url",
    "choose_provider",
    "config_path",
    "data_dir",
    "has_model",
    "key_hint",
    "key_lines",
    "key_origin",
    "lines",
    "load",
    "missing_key",
    "ollama_url",
    "override",
    "parse",
    "secret",
    "secrets",
    "store_secret",
    "usable",
]
