"""What a chat says in its first lines of the model that comes along: that it is a toy, and how to get at a real one."""

from __future__ import annotations

from llmterm import config
from llmterm.assembly.launch import Launch
from llmterm.config import Keyring
from llmterm.providers.weights import default_model


def advice(launch: Launch, model: str) -> str:
    """Return a line on an embedded `model`, "" where it is not the toy."""
    if not model or model != default_model():
        return ""
    return f"a toy model; {_way_on(launch)}"


def _way_on(launch: Launch) -> str:
    with_key = config.usable(launch.settings, launch.environ, keyring=_no_keyring)
    if with_key:
        return f"/provider {with_key[0]} has a real one answer"
    match launch.ollama:
        case "ready":
            return "Ollama is running: /provider ollama has a real one answer"
        case "empty":
            return "Ollama is running: llmterm models pull llama3.2 gets a real one"
        case "unseen":
            return "for a real one set ANTHROPIC_API_KEY, or run llmterm config init"


def _no_keyring() -> Keyring:
    # It may ask for a password, and take its time: the one who chose the toy has not asked for it.
    raise ImportError
