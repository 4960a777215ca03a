"""OpenAI's Responses API.

https://platform.openai.com/docs/api-reference/responses-streaming. Nothing is stored on the other side: what a model
has thought travels with the answer, encrypted, and goes back before it, to the same model only. What an event is, the
`type` in its data says; events of other kinds are skipped. The end is an event, there is no `[DONE]`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, assert_never

from llmterm.framing import Frame
from llmterm.messages import (
    Attachment,
    Cited,
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
)
from llmterm.providers import efforts
from llmterm.providers.attachments import PDF, text_first
from llmterm.providers.openai import failed, failure, json_schema, models, quiet, refused, stated_cost, thinks
from llmterm.providers.wire import (
    Background,
    Break,
    Opaque,
    Placed,
    Whole,
    Wire,
    WireEvent,
    bearer,
    cited,
    data_url,
    decoded,
    details,
    whole,
)
from llmterm.untrusted import count

NAME = "responses"

_TEXT = frozenset({"response.output_text.delta", "response.refusal.delta"})
_THINKING = frozenset({"response.reasoning_summary_text.delta", "response.reasoning_text.delta"})
_END = frozenset({"response.completed", "response.incomplete"})
_INCOMPLETE = {
    "max_output_tokens": EndReason.LENGTH,
    "content_filter": EndReason.REFUSAL,
    "steered": EndReason.CONTINUATION,
}
_LEAST_TOKENS = 16  # a smaller `max_output_tokens` is refused
_ITEM = frozenset({"response.output_item.added", "response.output_item.done"})
_GAP = "\n\n"
# https://developers.openai.com/api/docs/guides/tools-web-search, https://docs.x.ai/developers/tools/web-search
_SEARCH = {"type": "web_search"}
_MOST_DIGITS = 10
_MODEL = -1  # the place of the model's name among the blocks
_CARRIED = ("id", "encrypted_content", "model")
# What a response may be called: its name becomes part of an address that the key is sent to.
_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,299}", re.ASCII)
# A model answers under the name of its snapshot: gpt-5 as gpt-5-2025-08-07.
_SNAPSHOT = re.compile(r"-\d{4}-\d\d-\d\d\Z")


def wire(*, official: bool = False, summaries: bool = True, host: str = "", background: bool = False) -> Wire:
    """Return the wire of OpenAI itself (`official`), or of a server that resembles it.

    `host` is the provider by whose words a model is told how much to think, "" for those of most servers.
    `summaries` asks for what a thinking model thought; OpenAI gives it to verified organisations, and others an error.
    `background` is whether answers can go on without their reader.
    """
    return Wire(
        name=NAME,
        known=frozenset({"type", "output", "error"}),
        path=lambda _: "/responses",
        payload=partial(payload, official=official, summaries=summaries, host=host),
        parse=parse,
        headers=bearer,
        continuation=lambda _: "instruct",
        quiet=quiet,
        attachments=frozenset({"image", "pdf"}),
        host="openai" if official else host,
        takes=frozenset({"verbosity", "service_tier", "web_search"}),
        schemas=lambda _: True,
        plain=wire(official=official, summaries=False, host=host, background=background) if summaries else None,
        background=Background(parse=parse_on, path=_path_on, stop_path=_stop_path) if background else None,
        models_path="/models",
        models=models,
    )


def payload(request: Request, *, official: bool = False, summaries: bool = True, host: str = "") -> dict[str, Any]:
    """Return the JSON body for `request`. This API knows neither a seed nor stop sequences.

    Raises WishRefusedError for an effort that the model cannot make.
    """
    options = request.options
    thinking = official and thinks(request.model, options.effort)
    instructions = [message.text for message in request.messages if message.role == "system"]
    body: dict[str, Any] = {
        "model": request.model,
        "input": [item for message in request.messages for item in _items(message, request.model if thinking else "")],
        "stream": True,
        "store": False,
    }
    if instructions:
        body["instructions"] = "\n\n".join(instructions)
    if (left := request.left(least=_LEAST_TOKENS)) is not None:
        body["max_output_tokens"] = left
    if options.schema is not None:
        body["text"] = {"format": {"type": "json_schema", **json_schema(options.schema)}}
    if options.verbosity is not None:
        body["text"] = {**body.get("text", {}), "verbosity": options.verbosity}
    if request.background:
        # OpenAI keeps it for ten minutes all the same: https://developers.openai.com/api/docs/guides/background. Others
        # want it to be stored, and encrypted thoughts are for what is not.
        body |= {"background": True, "store": not official}
    if thinking:
        body["include"] = ["reasoning.encrypted_content"]
    reasoning = efforts.responses("openai" if official else host, request.model, options.effort)
    if thinking and summaries:
        reasoning["summary"] = "auto"
    wishes = {
        "temperature": options.temperature,
        "top_p": options.top_p,
        "service_tier": options.service_tier,
        "tools": [_SEARCH] if options.web_search else None,
        "reasoning": reasoning or None,
    }
    left_out = refused(request.model, options.effort) if official else ()
    return body | {name: value for name, value in wishes.items() if value is not None and name not in left_out}


def _items(message: Message, thinker: str) -> Iterator[dict[str, Any]]:
    """Yield the input items that a message is; `thinker` is the model that may see its own thoughts again, or ""."""
    if message.role == "system":
        return
    if message.role == "user":
        parts = text_first(message.parts)
        content = [each for part in parts for each in _content(part)]
        yield {"role": "user", "content": content or [{"type": "input_text", "text": ""}]}
        return
    blocks = list(message.blocks(NAME))
    author = next((block["model"] for block in blocks if block.get("model")), "")
    own = bool(thinker) and _SNAPSHOT.sub("", author) == _SNAPSHOT.sub("", thinker)
    yield from _own_items(message.text, blocks if own else [])


def _own_items(text: str, blocks: Sequence[Mapping[str, str]]) -> Iterator[dict[str, Any]]:
    """Yield the items that an answer came in: its thoughts, and its text in the phases that it was said in."""
    phases = [block for block in blocks if block.get("phase") and block.get("length") != "0"]
    for block in blocks:
        if block.get("encrypted_content") and text:  # a thought that nothing follows is refused
            cipher = {"id": block.get("id", ""), "encrypted_content": block["encrypted_content"]}
            yield {"type": "reasoning", **cipher, "summary": []}
        elif block in phases and text:
            said, text = (text, "") if block is phases[-1] else _cut(text, block.get("length", ""))
            yield {**_said_by_it(said), "phase": block["phase"]}
    if text or not phases:
        yield _said_by_it(text)


def _cut(text: str, length: str) -> tuple[str, str]:
    """Return the first item of a text of several, and the others: all is one where the text is not as it came."""
    size = int(length) if length.isdecimal() and len(length) < _MOST_DIGITS else 0
    return (text[:size], text[size + len(_GAP) :]) if size and text.startswith(_GAP, size) else (text, "")


def _said_by_it(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": [{"type": "output_text", "text": text}]}


def _content(part: Part) -> Iterator[dict[str, Any]]:
    """Yield what a part is: https://developers.openai.com/api/docs/guides/images-vision, .../file-inputs."""
    match part:
        case TextPart(text):
            if text:
                yield {"type": "input_text", "text": str(text)}
        case Attachment(name=name, media_type=media_type):
            if media_type == PDF:
                yield {"type": "input_file", "filename": name, "file_data": data_url(part)}
            else:
                yield {"type": "input_image", "image_url": data_url(part)}
        case ThinkingPart() | ToolCall() | ToolResult():
            pass  # a question has none
        case _:
            assert_never(part)


def parse_on(frame: Frame) -> Iterator[WireEvent]:
    """Return the events of one frame of an answer that goes on without its reader, and the place behind it."""
    if frame.event == "error":
        yield failed(frame)
        return
    event = decoded(frame)
    yield from _told(event, frame)
    number, name = event.get("sequence_number"), _object(event, "response").get("id")
    parts: dict[str, Any] = {"after": number} if isinstance(number, int) else {}
    if isinstance(name, str) and _ID.fullmatch(name):
        parts["response"] = name
    if parts:
        yield Placed(parts)


def _path_on(place: Mapping[str, Any]) -> str:
    after = place.get("after")
    query = f"&starting_after={after}" if isinstance(after, int) else ""
    return f"{found}?stream=true{query}" if (found := _path_of(place)) else ""


def _stop_path(place: Mapping[str, Any]) -> str:
    return f"{found}/cancel" if (found := _path_of(place)) else ""


def _path_of(place: Mapping[str, Any]) -> str:
    name = place.get("response")
    return f"/responses/{name}" if isinstance(name, str) and _ID.fullmatch(name) else ""


def parse(frame: Frame) -> Iterator[WireEvent]:
    """Return the events of one frame. Raises MalformedFrameError for what is no JSON."""
    if frame.event == "error":
        yield failed(frame)
    else:
        yield from _told(decoded(frame), frame)


def _told(event: dict[str, Any], frame: Frame) -> Iterator[WireEvent]:
    kind = event.get("type")
    if not isinstance(kind, str):
        kind = frame.event
    if kind == "error" or (event.get("error") and not kind.startswith("response.") and "output" not in event):
        yield failed(frame)
    elif kind:
        yield from _event(kind, event, frame)
    else:
        yield from _answer(event, frame)


def _event(kind: str, event: dict[str, Any], frame: Frame) -> Iterator[WireEvent]:
    delta = event.get("delta")
    if (kind in _TEXT or kind in _THINKING) and isinstance(delta, str) and delta:
        yield TextDelta(delta) if kind in _TEXT else ThinkingDelta(delta)
    elif kind == "response.reasoning_summary_part.added":
        if count(event.get("summary_index")):
            yield ThinkingDelta("\n\n")
    elif kind in _ITEM:
        yield from _item(
            count(event.get("output_index")), _object(event, "item"), done=kind == "response.output_item.done"
        )
    elif kind == "response.output_text.annotation.added":
        yield from cited([event.get("annotation")])
    elif kind == "response.created":
        model = _object(event, "response").get("model")
        if isinstance(model, str):
            yield Whole((Opaque(_MODEL, {"model": model}),))
    elif kind == "response.failed":
        yield failure(_object(event, "response").get("error"), frame.data)
    elif kind in _END:
        yield from _end(_object(event, "response"), complete=kind == "response.completed")


def _item(index: int, item: dict[str, Any], *, done: bool) -> Iterator[WireEvent]:
    """Yield what is kept of an item for the next request, of a thought as soon as it is whole; items stand apart."""
    kept = {name: text for name in ("id", "encrypted_content") if isinstance(text := item.get(name), str) and text}
    phase = item.get("phase")
    if not done:
        yield Break()
    elif item.get("type") == "reasoning" and len(kept) > 1:
        yield Opaque(index, kept, ready=True)
    yield from _cited(item)
    if item.get("type") != "message" or not isinstance(phase, str):
        return
    yield Whole((Opaque(index, {"phase": phase}),))
    if done:
        yield Opaque(index, {"length": str(sum(map(len, _texts(item, "content"))))}, ready=True)


def _answer(response: dict[str, Any], frame: Frame) -> Iterator[WireEvent]:
    """Yield the answer of a server that does not stream."""
    if not isinstance(response.get("output"), list):
        return
    if response.get("status") == "failed":
        yield failure(response.get("error"), frame.data)
    else:
        yield from _end(response, complete=response.get("status") != "incomplete")


def _end(response: dict[str, Any], *, complete: bool) -> Iterator[WireEvent]:
    yield from whole((*_said(response), *_thoughts(response)))
    for item in _objects(response.get("output")):
        yield from _cited(item)
    usage = response.get("usage")
    if isinstance(usage, dict):
        yield UsageReport(_usage(usage))
    reason = _object(response, "incomplete_details").get("reason")
    ended = _INCOMPLETE.get(reason, EndReason.OTHER) if isinstance(reason, str) else EndReason.OTHER
    words = details(reason) if ended is EndReason.OTHER else ""
    yield Finished(EndReason.STOP) if complete else Finished(ended, words=words)


def _usage(usage: dict[str, Any]) -> Usage:
    details = _object(usage, "input_tokens_details")
    return Usage(
        input_tokens=count(usage.get("input_tokens")),
        output_tokens=count(usage.get("output_tokens")),
        cached_tokens=count(details.get("cached_tokens")),
        cache_write_tokens=count(details.get("cache_write_tokens")),
        cost=stated_cost(usage),
    )


def _said(response: dict[str, Any]) -> Iterator[TextDelta | ThinkingDelta]:
    """Yield the thinking and the text of a whole response, their items a blank line apart."""
    items = _objects(response.get("output"))
    thoughts = ["\n\n".join(_texts(item, "summary", "content")) for item in items if item.get("type") == "reasoning"]
    texts = ["".join(_texts(item, "content")) for item in items if item.get("type") == "message"]
    if thinking := "\n\n".join(filter(None, thoughts)):
        yield ThinkingDelta(thinking)
    if text := "\n\n".join(filter(None, texts)):
        yield TextDelta(text)


def _cited(item: dict[str, Any]) -> Iterator[Cited]:
    """Yield the sources that an item names."""
    for part in _objects(item.get("content")):
        yield from cited(part.get("annotations"))


def _texts(item: dict[str, Any], *names: str) -> Iterator[str]:
    for name in names:
        for part in _objects(item.get(name)):
            text = part.get("text") or part.get("refusal")
            if isinstance(text, str):
                yield text


def _thoughts(response: dict[str, Any]) -> Iterator[Opaque]:
    """Yield what must go back of the reasoning items: the cipher is bound to the item's id, and to the model."""
    output = response.get("output")
    for index, item in enumerate(output if isinstance(output, list) else ()):
        if isinstance(item, dict) and item.get("type") == "reasoning":
            parts = {**item, "model": response.get("model")}
            texts = {name: parts.get(name) for name in _CARRIED}
            kept = {name: text for name, text in texts.items() if isinstance(text, str) and text}
            if len(kept) == len(_CARRIED):
                yield Opaque(index, kept)


def _objects(value: object) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _object(parent: dict[str, Any], name: str) -> dict[str, Any]:
    value = parent.get(name)
    return value if isinstance(value, dict) else {}
