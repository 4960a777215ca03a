"""Gemini, asked through google-genai.

https://ai.google.dev/api/generate-content. `payload` speaks the SDK's words, `parse` understands an event of the
answer as the server sends it; what lies between the two is `genai.py`'s. A prompt that is blocked and an answer that
is withheld are ends like any other, and thoughts are shown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, assert_never, cast

from llmterm.errors import (
    AuthError,
    ModelNotFoundError,
    ProviderError,
    RateLimitError,
    RequestRefusedError,
    ServerError,
)
from llmterm.messages import (
    Attachment,
    Cited,
    Continuation,
    EndReason,
    Finished,
    Message,
    Part,
    Request,
    TextDelta,
    TextPart,
    ThinkingDelta,
    ThinkingPart,
    ToolCall,
    ToolResult,
    Usage,
    UsageReport,
    blocks,
)
from llmterm.providers.genai import Genai
from llmterm.providers.http import HttpProvider, ModelFacts
from llmterm.providers.learned import Learned
from llmterm.providers.wire import (
    Choice,
    Failure,
    Opaque,
    Wire,
    WireEvent,
    cited,
    decoded,
    details,
    reason,
)
from llmterm.transport import Call, Endpoint, Transport
from llmterm.untrusted import count

NAME = "gemini"

# The first match counts; names as the API lists them, without "models/".
_CONTINUATION: tuple[tuple[str, Continuation], ...] = (
    (r"gemini-3\.5-flash-lite", "instruct"),
    (r"gemini-3\.5-flash", "prefill"),
    (r"gemini-([12](\.\d+)?|3(\.[01])?)(-|$)", "prefill"),
    (r"", "instruct"),
)
# https://ai.google.dev/gemini-api/docs/thinking; asking for the thoughts of a model that has none is a 400.
_THINKS: tuple[tuple[str, bool], ...] = (
    (r"gemini-.*(image|tts|audio|live|embedding)", False),
    (r"gemini-(2\.5|[3-9]|\d\d)", True),
    (r"gemini-(pro|flash|flash-lite)-latest", True),
    (r"", False),
)
# https://ai.google.dev/api/generate-content#FinishReason
_FINISH = {
    "STOP": EndReason.STOP,
    "MAX_TOKENS": EndReason.LENGTH,
    "CONTINUATION": EndReason.CONTINUATION,
    **dict.fromkeys(
        (
            "SAFETY",
            "RECITATION",
            "BLOCKLIST",
            "PROHIBITED_CONTENT",
            "SPII",
            "ESCALATION",
            "MODEL_ARMOR",
            "IMAGE_SAFETY",
            "IMAGE_PROHIBITED_CONTENT",
            "IMAGE_RECITATION",
        ),
        EndReason.REFUSAL,
    ),
}
# https://ai.google.dev/gemini-api/docs/troubleshooting
_ERRORS: Mapping[int, type[ProviderError]] = {
    400: RequestRefusedError,
    401: AuthError,
    403: AuthError,
    404: ModelNotFoundError,
    429: RateLimitError,
}
_SIGNATURE = "thoughtSignature"
_BASE64 = re.compile(r"(?:[\w-]{4})*(?:[\w-]{2}==|[\w-]{3}=)?", re.ASCII)


def wire(api_version: str = "v1") -> Wire:
    """Return the wire, whose payload is for `Genai` to send."""
    return Wire(
        name=NAME,
        known=frozenset({"candidates", "promptFeedback", "usageMetadata", "modelVersion", "responseId", "error"}),
        path=lambda request: f"/{api_version}/models/{_bare(request.model)}:streamGenerateContent",
        payload=payload,
        parse=lambda frame: parse(decoded(frame)),
        headers=lambda key: {"x-goog-api-key": key} if key else {},
        continuation=continuation,
        attachments=frozenset({"image", "pdf"}),
        schemas=lambda _: True,
        models_path=f"/{api_version}/models",
        models=models,
    )


def continuation(model: str) -> Continuation:
    return next(mode for pattern, mode in _CONTINUATION if re.match(pattern, _bare(model)))


def _bare(model: str) -> str:
    return model.removeprefix("models/")


def payload(request: Request) -> dict[str, Any]:
    """Return the arguments of google-genai's `generate_content_stream` for `request`.

    Messages with nothing in them are left out: a part without content would be a 400.
    """
    options = request.options
    system = "\n\n".join(each.text for each in request.messages if each.role == "system" and each.text)
    config: dict[str, Any] = {
        "system_instruction": system or None,
        "temperature": options.temperature,
        "max_output_tokens": request.left(),
        "seed": options.seed,
        "stop_sequences": list(options.stop) or None,
        # https://ai.google.dev/gemini-api/docs/structured-output
        "response_mime_type": None if options.schema is None else "application/json",
        "response_json_schema": options.schema,
        "thinking_config": {"include_thoughts": True} if _thinks(request.model) else None,
        # One request for one answer: what goes on with it, and when, is not the SDK's to decide.
        "automatic_continuation": False,
        "automatic_function_calling": {"disable": True},
    }
    contents = [_content(each) for each in request.messages if each.role != "system"]
    return {
        "model": request.model,
        "contents": [content for content in contents if content["parts"]],
        "config": {name: value for name, value in config.items() if value is not None},
    }


def _thinks(model: str) -> bool:
    return next(thinks for pattern, thinks in _THINKS if re.match(pattern, _bare(model)))


def _content(message: Message) -> dict[str, Any]:
    # Images before the text that is about them (https://ai.google.dev/gemini-api/docs/image-understanding), and what a
    # thought was signed with behind it.
    own = message.role == "assistant"
    parts = sorted(message.parts, key=lambda part: {Attachment: 0, TextPart: 1}.get(type(part), 2))
    return {"role": "model" if own else "user", "parts": [each for part in parts for each in _parts(part, own=own)]}


def _parts(part: Part, *, own: bool) -> Iterator[dict[str, Any]]:
    """Yield what a part is in the SDK's words; `Genai` encodes the bytes. With its `own` go the model's signatures."""
    match part:
        case TextPart(text):
            if text:
                yield {"text": str(text)}
        case Attachment(media_type=media_type, data=data):
            yield {"inline_data": {"mime_type": media_type, "data": data}}
        case ThinkingPart() | ToolCall() | ToolResult():
            pass  # thoughts stay here, and no request offers a tool yet
        case _:
            assert_never(part)
    if own:
        yield from ({"text": "", "thought_signature": signature} for signature in _signatures(part))


def _signatures(part: Part) -> Iterator[str]:
    """Yield what the model signed its thoughts with, as far as it is base64: all else would break the request."""
    for block in blocks(part, NAME):
        kept = block.get(_SIGNATURE)
        for signature in kept.split() if isinstance(kept, str) else ():
            safe = signature.replace("+", "-").replace("/", "_")
            if _BASE64.fullmatch(safe):
                yield safe


def parse(chunk: Mapping[str, Any]) -> Iterator[WireEvent]:
    """Return the events of one `GenerateContentResponse`, in the form it has in JSON."""
    error = chunk.get("error")
    if error:
        code = error.get("code") if isinstance(error, Mapping) else None
        yield Failure(json.dumps({"error": error}), _ERRORS.get(count(code), ServerError))
        return
    listed = chunk.get("candidates")
    candidates = [each for each in listed if isinstance(each, Mapping)] if isinstance(listed, list) else []
    if len(candidates) == 1 and not candidates[0].get("index"):
        yield from _candidate(candidates[0])
    elif candidates:
        for each in candidates:
            yield Choice(count(each.get("index")), tuple(_candidate(each)), beside=len(candidates) > 1)
    elif isinstance(blocked := chunk.get("promptFeedback"), Mapping):
        # There is no answer, and no failure either.
        words = details(blocked.get("blockReason"), blocked.get("blockReasonMessage"))
        yield Finished(EndReason.REFUSAL, words=words)
    usage = chunk.get("usageMetadata")
    if isinstance(usage, Mapping):
        yield UsageReport(_usage(usage))


def _candidate(candidate: Mapping[str, Any]) -> Iterator[WireEvent]:
    content = candidate.get("content")
    parts = content.get("parts") if isinstance(content, Mapping) else None
    for part in parts if isinstance(parts, list) else ():
        if isinstance(part, Mapping):
            yield from _part(part)
    yield from _cited(candidate)
    if ended := reason(candidate.get("finishReason")):
        end = _FINISH.get(ended, EndReason.OTHER)
        named = ended if end in (EndReason.OTHER, EndReason.REFUSAL) else ""
        yield Finished(end, words=details(named, candidate.get("finishMessage")))


def _part(part: Mapping[str, Any]) -> Iterator[WireEvent]:
    text, signature = part.get("text"), part.get(_SIGNATURE)
    if isinstance(text, str) and text:
        yield ThinkingDelta(text) if part.get("thought") is True else TextDelta(text)
    if isinstance(signature, str) and signature:
        # There may be several in one answer, which `Opaque` puts one behind the other: a line each.
        yield Opaque(0, {_SIGNATURE: f"{signature}\n"})


def _cited(candidate: Mapping[str, Any]) -> Iterator[Cited]:
    """Yield the pages that a search found for the answer, and those that it repeats."""
    match candidate:
        case {"groundingMetadata": {"groundingChunks": list(chunks)}}:
            yield from cited([each.get("web") for each in chunks if isinstance(each, Mapping)], url="uri")
    match candidate:
        case {"citationMetadata": {"citationSources": sources} | {"citations": sources}}:
            yield from cited(sources, url="uri")


def _usage(usage: Mapping[str, Any]) -> Usage:
    return Usage(
        input_tokens=count(usage.get("promptTokenCount")) + count(usage.get("toolUsePromptTokenCount")),
        output_tokens=count(usage.get("candidatesTokenCount")) + count(usage.get("thoughtsTokenCount")),
    )


def models(body: Any) -> Sequence[str]:
    """Return the names in a list of models, of those that answer."""
    listed = body.get("models") if isinstance(body, Mapping) else None
    return [
        _bare(each["name"])
        for each in (listed if isinstance(listed, list) else ())
        if isinstance(each, Mapping) and isinstance(each.get("name"), str) and _answers(each)
    ]


def _answers(model: Mapping[str, Any]) -> bool:
    methods = model.get("supportedGenerationMethods")
    return isinstance(methods, list) and "generateContent" in methods


class GeminiProvider(HttpProvider):
    """An `HttpProvider` whose transport is google-genai over the real one."""

    def __init__(self, transport: Transport, genai: Genai, wire: Wire, endpoint: Endpoint, **about: Any) -> None:
        # It has what a provider needs of a transport: `open`, `fetch` and `aclose`.
        super().__init__(cast(Transport, genai), wire, endpoint, **about)
        self._below = transport
        self._genai = genai

    @property
    def _plain(self) -> Transport:
        return self._below

    async def _body(self, payload: Mapping[str, Any], request: Request) -> Mapping[str, Any]:
        return await self._genai.body(Call(who=self.name, model=request.model, url=self._base_url, payload=payload))


def provider(
    transport: Transport,
    endpoint: Endpoint,
    *,
    base_url: str,
    needs_key: str = "",
    facts: ModelFacts | None = None,
    learned: Learned | None = None,
    secrets: Iterable[str] = (),
    api_version: str = "v1",
) -> HttpProvider:
    """Return the provider.

    `api_version` is that of GOOGLE_GENAI_API_VERSION, in which the SDK calls v1beta by a short name, too.
    """
    version = "v1beta" if api_version == "beta" else api_version
    return GeminiProvider(
        transport,
        Genai(transport, base_url=base_url, api_version=version),
        wire(version),
        endpoint,
        base_url=base_url,
        needs_key=needs_key,
        facts=facts,
        learned=learned,
        secrets=secrets,
    )
