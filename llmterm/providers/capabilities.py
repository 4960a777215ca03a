"""What is known about models that take more than text, and about how much of it their providers take.

Facts only, from the documentation named beside each, in November 2026. A model is known by its name, so a new one may
be missing here: `attachments` in the configuration wins over all of it, but for what a wire has no words for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from llmterm.providers.attachments import MB, PDF, Accepts, Kind
from llmterm.providers.wire import Wire

_PNG, _JPEG, _GIF, _WEBP = "image/png", "image/jpeg", "image/gif", "image/webp"
_USUAL = frozenset({_PNG, _JPEG, _GIF, _WEBP})
_ALL = r""
_NONE = r"(?!)"
# What a request has besides its attachments, as a rule, has room in this.
_WORDS = MB // 2

# Models that anybody may serve, and those that OpenRouter passes on.
_SEEING = "|".join(
    (
        r"llava|moondream|minicpm-?[vo]|pixtral|qvq|smolvlm|internvl|molmo|cogvlm|idefics|paligemma|medgemma",
        r"gemma-?[3-9]\b|llama-?4\b|qwen[^/]*(vl|omni)|qwen-?3\.[5-9]|glm-?\d(\.\d)?v|kimi-(vl|k2\.[5-9]|k[3-9])",
        r"mistral-small-?(3\.[1-9]|250[3-9])|mistral-(medium|large)-?3|ministral-?3(?!b)",
        r"phi-?[34].*(vision|multimodal)",
        r"gpt-(4o|4\.\d|4-turbo|[5-9])|claude-(?!instant|[12]\b)|gemini|grok-[4-9]|openrouter/auto",
        r"(^|[^a-z])(vl|vlm|vision)([^a-z]|$)",
    )
)
_BLIND = r"embed|gemma-?3n|gemma-?3.*(270m|\b1b)"
# Models that are known to have no eyes; of the families above, those that are not named there.
_TEXT_ONLY = "|".join(
    (
        r"gpt-(2|3|4(?!\d|[.ov]|-turbo|-vision)|oss)|\bo[13]-(mini|preview)|davinci|babbage|claude-(instant|[12]\b)",
        r"llama-?[123](?!\d)|codellama|tinyllama|mistral-?(7b|nemo|tiny)|mixtral|codestral|ministral-?3b|qwen|qwq",
        r"deepseek|phi-?[1-4]|gemma-?[127](?!\d)|codegemma|starcoder|granite|command-|olmo|falcon|smollm|glm-|kimi-k2",
        r"minimax-m|vicuna|zephyr|stablelm|whisper|rerank|\bbge\b|guard",
    )
)


class _Host(NamedTuple):
    """Which models take images and which PDFs, by patterns that are searched for in their names, and the limits.

    `never` are models that take neither.
    """

    image: str = _SEEING
    pdf: str = _NONE
    never: str = _BLIND
    types: frozenset[str] = _USUAL
    max_image: int | None = None
    max_pdf: int | None = None
    max_total: int | None = None


def _file(encoded: int) -> int:
    """Return how large a file may be that has `encoded` bytes in base64."""
    return encoded * 3 // 4


_HOSTS: Mapping[str, _Host] = {
    # https://developers.openai.com/api/docs/guides/images-vision, .../file-inputs
    "openai": _Host(
        image=r"gpt-(4o|4\.\d|4-turbo|4-vision|[5-9])|chatgpt|\bo[1-9]\b|codex|computer-use",
        pdf=r"gpt-(4o|4\.\d|[5-9])|chatgpt|\bo[1-9]\b|codex",
        never=r"gpt-4-turbo-preview|\bo1-(mini|preview)|\bo3-mini|audio|realtime|search-preview|transcribe|tts",
        max_pdf=50 * MB,
        max_total=50 * MB,
    ),
    # https://docs.x.ai/developers/model-capabilities/images/understanding
    "xai": _Host(image=r"grok-([4-9]|\d\d)|vision", types=frozenset({_PNG, _JPEG}), max_image=20 * MB),
    # https://api-docs.deepseek.com/guides/vision
    "deepseek": _Host(image=r"flash", max_total=_file(48 * MB - _WORDS)),
    # https://docs.mistral.ai/capabilities/vision
    "mistral": _Host(
        image=r"pixtral|(mistral|magistral)-(large|medium|small)|ministral",
        never=r"-(23|24)\d\d|small-2501|magistral.*-250[67]",
        max_image=10 * MB,
    ),
    # https://console.groq.com/docs/vision: the limit is that of a request with images in base64.
    "groq": _Host(max_total=_file(4 * MB - _WORDS)),
    # https://openrouter.ai/docs/features/multimodal/pdfs: for a model that takes no PDF it is read by OpenRouter.
    "openrouter": _Host(pdf=_ALL),
    # https://github.com/ggml-org/llama.cpp/blob/master/docs/multimodal.md: decoded by stb_image, which has no WebP.
    "llamacpp": _Host(types=frozenset({_PNG, _JPEG, _GIF})),
    # https://lmstudio.ai/docs/typescript/llm-prediction/image-input
    "lmstudio": _Host(types=frozenset({_PNG, _JPEG, _WEBP})),
}

# https://ai.google.dev/gemini-api/docs/file-input-methods, .../image-understanding
_GEMINI = _Host(
    pdf=r"gemini",
    never=rf"tts|native-audio|live|{_BLIND}",
    types=frozenset({_PNG, _JPEG, _WEBP, "image/heic", "image/heif"}),
    max_pdf=50 * MB,
    max_total=_file(100 * MB - _WORDS),
)
# Any provider of these protocols that is not named above.
_WIRES: Mapping[str, _Host] = {
    # https://platform.claude.com/docs/en/build-with-claude/vision, .../pdf-support
    "anthropic": _Host(
        pdf=r"claude(?!-3-(opus|sonnet|haiku))",
        never=rf"claude-(instant|[12]\b)|{_BLIND}",
        max_image=_file(10 * MB),
        max_total=_file(32 * MB - _WORDS),
    ),
    "gemini": _GEMINI,
    "interactions": _GEMINI,
    # https://docs.cohere.com/docs/image-inputs
    "cohere": _Host(image=r"vision", max_total=20 * MB),
    # https://docs.ollama.com/capabilities/vision
    "ollama": _Host(types=frozenset({_PNG, _JPEG, _WEBP})),
}
_ANY = _Host()


def accepted(
    provider: str, wire: Wire, model: str, configured: Sequence[str] | None = None, *, own: bool = False
) -> Accepts:
    """Return what `model` of a provider takes; `configured` is what its settings say of that, None for nothing.

    `own` is a server of somebody's own: of a model that nothing is known of, it knows better whether that takes images.
    """
    host = _HOSTS.get(provider) or _WIRES.get(wire.name) or _ANY
    given = _known(host, model.lower()) if configured is None else configured
    unheard = own and configured is None and not given and not re.search(f"{host.never}|{_TEXT_ONLY}", model.lower())
    assumed: frozenset[Kind] = wire.attachments & {"image"} if unheard else frozenset()
    kinds = wire.attachments.intersection(given) | assumed
    return Accepts(
        types=(host.types if "image" in kinds else frozenset()) | ({PDF} if "pdf" in kinds else frozenset()),
        max_image=host.max_image,
        max_pdf=host.max_pdf,
        max_total=host.max_total,
        settable=wire.attachments,
        assumed=assumed,
    )


def _known(host: _Host, model: str) -> set[Kind]:
    if re.search(host.never, model):
        return set()
    patterns: Mapping[Kind, str] = {"image": host.image, "pdf": host.pdf}
    return {kind for kind, pattern in patterns.items() if re.search(pattern, model)}
