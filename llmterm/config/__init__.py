"""Settings: what they are, where their file lies, and where keys come from.

The precedence is flag, environment, file, default; flags belong to the command line, which applies them with
`override`. Nothing but the standard library is imported until there is a file to check or a key to wrap.
"""

from llmterm.config.access import Keyring, base_url, choose_provider, secret, store_secret
from llmterm.config.file import config_path, data_dir, key_lines, load
from llmterm.config.settings import (
    PROVIDERS,
    LocalSettings,
    MarkerSettings,
    OpenAISettings,
    ProvidersSettings,
    Settings,
    StreamSettings,
    override,
)

__all__ = [
    "PROVIDERS",
    "Keyring",
    "LocalSettings",
    "MarkerSettings",
    "OpenAISettings",
    "ProvidersSettings",
    "Settings",
    "StreamSettings",
    "base_url",
    "choose_provider",
    "config_path",
    "data_dir",
    "key_lines",
    "load",
    "override",
    "secret",
    "store_secret",
]
