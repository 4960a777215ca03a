"""Gemini's API: https://ai.google.dev/api/generate-content.

A prompt that is blocked and an answer that is withheld are ends like any other, and thoughts are shown. The request is
worded by google-genai (`genai.py`), which takes the payload in the words of the API and says what is to be sent; or it
is that payload, where the SDK is not wanted. The events of the answer are read here in either case.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, assert_never

from llmterm.errors import (
    AuthError,
    CursorRefusedError,
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
    CursorMoved,
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
from llmterm.providers import efforts
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
from llmterm.transport import Embedded
from llmterm.untrusted import count

NAME = "gemini"

# The first match counts; names as the API lists them, without "models/".
_CONTINUATION: tuple[tuple[str, Continuation], ...] = (
    (r"gemini-3\.5-flash-lite", "instruct"),
    (r"gemini-3\.5-flash", "prefill"),
    (r"gemini-([12](\.\d+)?|3(\.[01])?)(-|$)", "prefill"),
    (r"", "instruct"),
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
# Where models are listed, as many at once as there can be.
LIST = "models?pageSize=1000"
_SIGNATURE = "thoughtSignature"
_TOKEN = "continuationToken"
_LONGEST_TOKEN = 256 * 1024
_BASE64 = re.compile(r"(?:[\w-]{4})*(?:[\w-]{2}==|[\w-]{3}=)?", re.ASCII)


def wire(api_version: str = "v1") -> Wire:
    """Return the wire as the API has it, in that version."""
    return Wire(
        name=NAME,
        known=frozenset({"candidates", "promptFeedback", "usageMetadata", "modelVersion", "responseId", "error"}),
        path=lambda request: f"/{api_version}/{_named(request.model)}:streamGenerateContent?alt=sse",
        payload=payload,
        parse=lambda frame: parse(decoded(frame)),
        headers=key_header,
        continuation=continuation,
        attachments=frozenset({"image", "pdf"}),
        host=NAME,
        takes=frozenset({"service_tier", "web_search"}),
        schemas=lambda _: True,
        models_path=f"/{api_version}/{LIST}",
        models=models,
    )


def key_header(key: str) -> dict[str, str]:
    """Return the header that the key is wanted in; none for an empty one."""
    return {"x-goog-api-key": key} if key else {}


def continuation(model: str) -> Continuation:
    return next(mode for pattern, mode in _CONTINUATION if re.match(pattern, bare(model)))


def bare(model: str) -> str:
    """Return the name of a model as the lists of others have it."""
    return model.removeprefix("models/")


def _named(model: str) -> str:
    """Return the name of a model as a path. Raises RequestRefusedError for what would be another path."""
    if not model or ".." in model or not set("?&#").isdisjoint(model):
        raise RequestRefusedError(f"{NAME}: invalid model {model!r}", provider=NAME, model=model)
    return model if model.startswith(("models/", "tunedModels/")) else f"models/{model}"


def payload(request: Request) -> dict[str, Any]:
    """Return the body of `request`. Messages with nothing in them are left out: a part without content is a 400."""
    options = request.options
    system = "\n\n".join(each.text for each in request.messages if each.role == "system" and each.text)
    generation: dict[str, Any] = {
        "temperature": options.temperature,
        "maxOutputTokens": request.left(),
        "seed": options.seed,
        "stopSequences": list(options.stop) or None,
        # https://ai.google.dev/gemini-api/docs/structured-output
        "responseMimeType": None if options.schema is None else "application/json",
        "responseJsonSchema": options.schema,
        "thinkingConfig": _thinking(request),
        "topP": options.top_p,
    }
    return {
        "contents": [content for content in map(_content, _said(request)) if content["parts"]],
        **({"systemInstruction": {"parts": [{"text": system}]}} if system else {}),
        "generationConfig": {name: value for name, value in generation.items() if value is not None},
        **({"serviceTier": options.service_tier} if options.service_tier is not None else {}),
        # https://ai.google.dev/gemini-api/docs/google-search
        **({"tools": [{"googleSearch": {}}]} if options.web_search else {}),
        **({_TOKEN: token} if (token := checkpoint(request)) else {}),
    }


def _said(request: Request) -> Iterator[Message]:
    return (each for each in request.messages if each.role != "system")


def _thinking(request: Request) -> dict[str, Any] | None:
    """Return how the model is told to think. Asking for the thoughts of one that has none is a 400."""
    effort = request.options.effort
    shown = {"includeThoughts": True} if efforts.thinks(NAME, request.model) and effort != "off" else {}
    return {**shown, **efforts.gemini(request.model, effort)} or None


def _content(message: Message) -> dict[str, Any]:
    # Images before the text that is about them (https://ai.google.dev/gemini-api/docs/image-understanding), and what a
    # thought was signed with behind it.
    own = message.role == "assistant"
    parts = sorted(message.parts, key=lambda part: {Attachment: 0, TextPart: 1}.get(type(part), 2))
    return {"role": "model" if own else "user", "parts": [each for part in parts for each in _parts(part, own=own)]}


def _parts(part: Part, *, own: bool) -> Iterator[dict[str, Any]]:
    """Yield what a part is in the API's words. With its `own` go the model's signatures."""
    match part:
        case TextPart(text):
            if text:
                yield {"text": str(text)}
        case Attachment(media_type=media_type, data=data):
            yield {"inlineData": {"mimeType": media_type, "data": Embedded(data)}}
        case ThinkingPart() | ToolCall() | ToolResult():
            pass  # thoughts stay here, and no request offers a tool yet
        case _:
            assert_never(part)
    if own:
        yield from ({"text": "", _SIGNATURE: signature} for signature in _signatures(part))


def _signatures(part: Part) -> Iterator[str]:
    for block in blocks(part, NAME):
        kept = block.get(_SIGNATURE)
        yield from filter(None, map(signature, kept.split() if isinstance(kept, str) else ()))


def signature(kept: str) -> str:
    """Return what the model signed its thoughts with as it goes back; "" for what is no base64: it would be refused."""
    safe = kept.replace("+", "-").replace("/", "_")
    if not _BASE64.fullmatch(safe):
        return ""
    return base64.urlsafe_b64encode(base64.urlsafe_b64decode(safe)).decode()  # the SDK takes no other form


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
    token = candidate.get(_TOKEN)
    if isinstance(token, str) and signature(token):
        yield from checkpoints(token)
    if ended := reason(candidate.get("finishReason")).upper():
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


def checkpoints(token: object) -> Iterator[CursorMoved]:
    """Yield the place behind what has come, if there is one: the same request with `token` goes on from there."""
    if isinstance(token, str) and 0 < len(token) <= _LONGEST_TOKEN:
        yield CursorMoved({"token": token}, runs=False)


def checkpoint(request: Request) -> str:
    """Return the token of where a request goes on, "" for one that begins. Raises CursorRefusedError for another's."""
    if request.cursor is None:
        return ""
    token = request.cursor.place.get("token")
    if not isinstance(token, str) or not token:
        raise CursorRefusedError(f"{NAME}: this is no place to go on from", provider=NAME, model=request.model)
    return token


def _cited(candidate: Mapping[str, Any]) -> Iterator[Cited]:
    """Yield the pages that a search found for the answer, and those that it repeats."""
    match candidate:
        case {"groundingMetadata": {"groundingChunks": list(chunks)}}:
            yield from cited([each.get("web") for each in chunks if isinstance(each, Mapping)], url="uri")
    match candidate:
        case {"citationMetadata": {"citationSources": sources} | {"citations": sources}}:
            yield from cited(sources, url="uri")


def _usage(usage: Mapping[str, Any]) -> Usage:
    """Return the tokens: what came out of the cache is part of the prompt, what was thought stands beside the text."""
    return Usage(
        input_tokens=count(usage.get("promptTokenCount")) + count(usage.get("toolUsePromptTokenCount")),
        output_tokens=count(usage.get("candidatesTokenCount")) + count(usage.get("thoughtsTokenCount")),
        cached_tokens=count(usage.get("cachedContentTokenCount")),
    )


def models(body: Any) -> Sequence[str]:
    """Return the names in a list of models, of those that answer."""
    listed = body.get("models") if isinstance(body, Mapping) else None
    return [
        bare(each["name"])
        for each in (listed if isinstance(listed, list) else ())
        if isinstance(each, Mapping) and isinstance(each.get("name"), str) and _answers(each)
    ]


def _answers(model: Mapping[str, Any]) -> bool:
    methods = model.get("supportedGenerationMethods")
    return isinstance(methods, list) and "generateContent" in methods
