"""What is known about each provider: where it answers, which variables its SDK reads, where a key is to be had.

Facts only, and the one rule for an address that is no URL, `OLLAMA_HOST`; what people set is in `settings`, and wins.
Taken from the documentation named beside each, in November 2026. The models are something to begin with, and the first
thing here to go out of date; "" is whatever the server has.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal, NamedTuple, TypeAlias

Kind: TypeAlias = Literal["openai", "anthropic", "gemini", "cohere", "ollama"]
Continuation: TypeAlias = Literal["", "prefill", "prefix", "continue_final_message", "instruct", "cursor"]


class Endpoint(NamedTuple):
    """`kind` is the protocol. Of the variables the first that is set counts; `key_page` is a page, without scheme.

    `base_url` is what the provider's SDK would take. `continuation` "" is what the protocol says for the model.
    `slashed` tells whether names of its models have a slash in them, as in openai/gpt-oss-120b; `own_models` are those
    with its own name before the slash.
    """

    base_url: str
    kind: Kind = "openai"
    base_url_variables: tuple[str, ...] = ()
    key_variables: tuple[str, ...] = ()
    key_page: str = ""
    needs_key: bool = True
    model: str = ""
    continuation: Continuation = ""
    slashed: Literal["", "some", "all"] = ""
    own_models: tuple[str, ...] = ()


# In the order in which one is looked for.
BUILT_IN: Mapping[str, Endpoint] = {
    # https://platform.openai.com/docs/api-reference, https://developers.openai.com/api/docs/deprecations
    "openai": Endpoint(
        base_url="https://api.openai.com/v1",
        base_url_variables=("OPENAI_BASE_URL",),
        key_variables=("OPENAI_API_KEY",),
        key_page="platform.openai.com/api-keys",
        model="gpt-6.1-terra",
    ),
    # https://platform.claude.com/docs/en/get-api-key
    "anthropic": Endpoint(
        kind="anthropic",
        base_url="https://api.anthropic.com",
        base_url_variables=("ANTHROPIC_BASE_URL",),
        key_variables=("ANTHROPIC_API_KEY",),
        key_page="platform.claude.com/settings/keys",
        model="claude-sonnet-5-5",
    ),
    # https://ai.google.dev/gemini-api/docs/models; google-genai prefers GOOGLE_API_KEY where both are set.
    "gemini": Endpoint(
        kind="gemini",
        base_url="https://generativelanguage.googleapis.com",
        base_url_variables=("GOOGLE_GEMINI_BASE_URL",),
        key_variables=("GOOGLE_API_KEY", "GEMINI_API_KEY"),
        key_page="aistudio.google.com/apikey",
        model="gemini-3.8-flash",
    ),
    # https://docs.cohere.com/docs/create-client; its SDK prefers CO_API_KEY where both are set.
    "cohere": Endpoint(
        kind="cohere",
        base_url="https://api.cohere.com",
        base_url_variables=("CO_API_URL",),
        key_variables=("CO_API_KEY", "COHERE_API_KEY"),
        key_page="dashboard.cohere.com/api-keys",
        model="command-a-plus-05-2026",
    ),
    # https://docs.ollama.com/faq
    "ollama": Endpoint(
        kind="ollama",
        base_url="http://127.0.0.1:11434",
        base_url_variables=("OLLAMA_HOST",),
        key_variables=("OLLAMA_API_KEY",),
        key_page="ollama.com/settings/keys",
        needs_key=False,
    ),
}

PRESETS: Mapping[str, Endpoint] = {
    # https://console.groq.com/docs/openai
    "groq": Endpoint(
        base_url="https://api.groq.com/openai/v1",
        key_variables=("GROQ_API_KEY",),
        key_page="console.groq.com/keys",
        model="openai/gpt-oss-120b",
        slashed="some",
        own_models=("groq/compound", "groq/compound-mini"),
    ),
    # https://openrouter.ai/docs/quickstart
    "openrouter": Endpoint(
        base_url="https://openrouter.ai/api/v1",
        key_variables=("OPENROUTER_API_KEY",),
        key_page="openrouter.ai/settings/keys",
        model="openrouter/auto",
        slashed="all",
    ),
    # https://api-docs.deepseek.com/guides/chat_prefix_completion: the flag is only taken under /beta.
    "deepseek": Endpoint(
        base_url="https://api.deepseek.com/beta",
        key_variables=("DEEPSEEK_API_KEY",),
        key_page="platform.deepseek.com/api_keys",
        model="deepseek-flash",
        continuation="prefix",
    ),
    # https://docs.mistral.ai/api
    "mistral": Endpoint(
        base_url="https://api.mistral.ai/v1",
        key_variables=("MISTRAL_API_KEY",),
        key_page="console.mistral.ai/api-keys",
        model="mistral-medium-latest",
        continuation="prefix",
    ),
    # https://docs.x.ai/developers/models
    "xai": Endpoint(
        base_url="https://api.x.ai/v1",
        key_variables=("XAI_API_KEY",),
        key_page="console.x.ai",
        model="grok-4.7",
    ),
    # https://docs.together.ai/docs/inference/openai-compatibility
    "together": Endpoint(
        base_url="https://api.together.ai/v1",
        key_variables=("TOGETHER_API_KEY",),
        key_page="api.together.ai/settings/api-keys",
        model="openai/gpt-oss-20b",
        slashed="all",
    ),
    # https://docs.fireworks.ai/tools-sdks/openai-compatibility
    "fireworks": Endpoint(
        base_url="https://api.fireworks.ai/inference/v1",
        key_variables=("FIREWORKS_API_KEY",),
        key_page="fireworks.ai/account/api-keys",
        model="accounts/fireworks/models/gpt-oss-120b",
        slashed="all",
    ),
    # https://sdk.airefinery.accenture.com; its SDK reads no variable for the key, these are what people use.
    "airefinery": Endpoint(
        base_url="https://api.airefinery.accenture.com/v1",
        key_variables=("AIREFINERY_API_KEY", "AIR_API_KEY"),
        key_page="sdk.airefinery.accenture.com",
        model="openai/gpt-oss-120b",
        slashed="some",
    ),
    # https://docs.vllm.ai/en/latest/serving/openai_compatible_server
    "vllm": Endpoint(
        base_url="http://localhost:8000/v1",
        key_variables=("VLLM_API_KEY",),
        needs_key=False,
        continuation="continue_final_message",
        slashed="some",
    ),
    # https://github.com/ggml-org/llama.cpp/tree/master/tools/server
    "llamacpp": Endpoint(
        base_url="http://localhost:8080/v1",
        key_variables=("LLAMA_API_KEY",),
        needs_key=False,
        continuation="prefill",
    ),
    # https://lmstudio.ai/docs/developer/openai-compat
    "lmstudio": Endpoint(
        base_url="http://localhost:1234/v1", key_variables=("LM_API_TOKEN",), needs_key=False, slashed="some"
    ),
}

KNOWN: Mapping[str, Endpoint] = {**BUILT_IN, **PRESETS}

_OLLAMA_PORT = "11434"


def ollama_url(host: str) -> str:
    """Return the URL of the server that `OLLAMA_HOST` says in one of its ways.

    The rule is Ollama's own: https://github.com/ollama/ollama/blob/main/envconfig/config.go. The port is 11434, or that
    of the scheme where one is given; one that is none counts as not given. Of a server that listens on all addresses
    a client asks the nearest.
    """
    host = host.strip().strip("\"'").strip()
    scheme, separator, rest = host.rpartition("://")
    if not separator:
        scheme = "https" if host == "ollama.com" else "http"
    given = separator or host == "ollama.com"
    standard = {"http": "80", "https": "443"}.get(scheme, _OLLAMA_PORT) if given else _OLLAMA_PORT
    # Not in Ollama's rule: a user, and a query, for whatever stands before the server.
    head, question, query = rest.partition("?")
    place, _, path = head.partition("/")
    user, at, place = place.rpartition("@")
    name, port = _name_and_port(place)
    if not re.fullmatch(r"0*[1-9][0-9]{0,4}", port) or int(port) > 65535:
        port = standard
    name = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(name, name)
    # A name with colons is an address of IPv6, or else nothing that could be asked.
    name = f"[{name}]" if ":" in name else name
    return f"{scheme}://{user}{at}{name}:{port}/{path.strip('/')}".rstrip("/") + question + query


def _name_and_port(place: str) -> tuple[str, str]:
    """Split `host:port`; an address of IPv6 has its colons to itself, unless it is in brackets."""
    if in_brackets := re.fullmatch(r"\[(.*)\](?::(.*))?", place):
        return in_brackets[1], in_brackets[2] or ""
    if place.count(":") > 1:
        return place, ""
    name, _, port = place.partition(":")
    return name, port
