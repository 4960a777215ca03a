"""The text of a new configuration file: what was chosen, and beside it, as comments, what else is often wanted."""

from __future__ import annotations

import json
from dataclasses import dataclass

_HEAD = """\
# llmterm's configuration. `llmterm config show` lists every setting that is in force and where it comes from,
# `llmterm config edit` opens this file and checks it. A flag wins over a variable, and that over this file.
# Take the "#" away from a line to change what it says.

# Who answers: a provider's name ("anthropic", "openai", "gemini", "ollama", "groq", "local" ...). "" is the first one
# with a key, else a running Ollama, else the small model that comes along.
"""
_KEY = '# The environment variable with the key; "" is the usual one. A key in the system\'s keyring needs no line.\n'
_ADDRESS = "# Where it is.\n"
_MODEL = '# The model; "" is the first that the provider has, or the one that comes along.\n'


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What a new file is to say; "" and what else is the default becomes a comment."""

    provider: str = ""
    base_url: str = ""
    key_env: str = ""
    model: str = ""
    theme: str = "auto"
    editing: str = "emacs"
    pause_mode: str = "cut"


def text(chosen: Chosen) -> str:
    """Return the file, as TOML."""
    standard = Chosen()

    def line(name: str, value: str, default: str) -> str:
        return f"{'#' if value == default else ''}{name} = {_quoted(value)}\n"

    parts = [
        _HEAD,
        line("provider", chosen.provider, standard.provider),
        "\n# What the model is told before the conversation.\n",
        '#system = ""\n',
        "\n# Who is asked instead when a provider cannot begin an answer.\n",
        '#fallback = ["local"]\n',
        "\n\n[chat]\n",
        '# The colours: "dark", "light" or "high-contrast", or "auto" for what fits the terminal\'s background.\n',
        line("theme", chosen.theme, standard.theme),
        '\n# The keys of the line: "emacs" or "vi".\n',
        line("editing", chosen.editing, standard.editing),
        '\n# What a pause does: "cut" ends the stream, and going on asks for the rest; "hold" only holds the screen.\n',
        line("pause_mode", chosen.pause_mode, standard.pause_mode),
    ]
    if chosen.provider:
        parts.append(f"\n\n[providers.{chosen.provider}]\n")
        if chosen.base_url:
            parts += [_ADDRESS, line("base_url", chosen.base_url, ""), "\n"]
        if chosen.provider not in ("local", "ollama"):
            parts += [_KEY, line("key_env", chosen.key_env, ""), "\n"]
        parts += [_MODEL, line("model", chosen.model, "")]
    return "".join(parts)


def _quoted(value: str) -> str:
    # JSON's texts are TOML's, but that TOML wants DEL written in numbers.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
