"""A wire: one provider's protocol, as data and pure functions.

`payload` says a `Request` in the provider's words, `parse` understands a frame of the answer; neither does any I/O or
keeps any state. What needs memory over several frames (the last usage, blocks to send back) is `WireStream`'s.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from llmterm.errors import ProviderError, ServerError
from llmterm.framing import Frame, Framing
from llmterm.messages import Attachment, Cited, Continuation, Request, StreamEvent, TextDelta, ThinkingDelta
from llmterm.providers.attachments import Kind
from llmterm.transport import Embedded
from llmterm.untrusted import parsed

_DONE = re.compile(r"\s*(data:\s*)?\[DONE\]\s*\Z")
# What servers put where nothing belongs as long as an answer goes on; the last is what google's APIs have for it.
_NO_REASON = frozenset({"", "null", "none", "nil", "undefined", "nan", "n/a", "false", "finish_reason_unspecified"})

_URL = re.compile(r"https?://[^\s\x00-\x20\x7f-\x9f]{1,2040}", re.IGNORECASE)
_LONGEST_TITLE = 200
_MOST_SOURCES = 100


@dataclass(frozen=True, slots=True)
class Opaque:
    """Part of a block that must be sent back later: text to append under each name, to the block of that index.

    `ready` tells that the block is whole, and that all as they are by then go back also with an answer that breaks off.
    """

    index: int
    parts: Mapping[str, str]
    ready: bool = False


@dataclass(frozen=True, slots=True)
class Break:
    """What comes next is set off from what came before it, by a blank line if there was anything."""


@dataclass(frozen=True, slots=True)
class Failure:
    """The provider reports a failure inside a stream that began well, in the JSON of `words`; `error` is what it is."""

    words: str
    error: type[ProviderError] = ServerError


@dataclass(frozen=True, slots=True)
class Whole:
    """An answer in one piece: of a server that does not stream, or that says all of it again at the end.

    Of its text, its thinking and its blocks those count of which nothing has come in parts. Of several in one stream
    each is the next piece of the answer, or all of it so far.
    """

    events: Sequence[TextDelta | ThinkingDelta | Opaque]


@dataclass(frozen=True, slots=True)
class Placed:
    """How far a generation has come that can be read on: what of its place is another than before."""

    parts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Choice:
    """What the answer of that index says, where there may be several; events that are in none are those of index 0.

    `beside` tells that there are others in the same chunk.
    """

    index: int
    events: Sequence[WireEvent]
    beside: bool = False


WireEvent: TypeAlias = StreamEvent | Opaque | Break | Failure | Whole | Placed | Choice


# What an end is that waits for the result of a tool.
TOOL_WANTED = "the model wants to use a tool, and has none here"


class MalformedFrameError(ValueError):
    """A frame is not what this wire should say. It is skipped as long as the stream goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """How an answer goes on at the provider without its reader, where the request asks for that.

    `parse` tells besides how far the generation has come (`Placed`). A GET of `path` reads on behind a place, a POST of
    `stop_path` ends it; "" for what is no place.
    """

    parse: Callable[[Frame], Iterable[WireEvent]]
    path: Callable[[Mapping[str, Any]], str]
    stop_path: Callable[[Mapping[str, Any]], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """`name` is that of its blocks beside the parts of a message; paths go behind the base URL.

    `known` are names of which every object of an answer has one: what has none is no answer of this API.

    `continuation` says how a model is asked to go on with an answer; `says_stop` whether its end tells that a stop
    sequence matched; `attachments` what it has words for, whatever the model. `models_path` is asked for the list of
    models that `models` then reads. `quiet`: whether a model may send nothing at all before its first word, as it is
    being loaded, or thinks unseen.
    `schemas`: whether a model's answer is kept to a JSON Schema by the API itself.
    `headers` are by the key; `model_headers` come on top of them in a request for an answer of a model, and
    `headers_of` in just that request.
    `host` is the provider by whose words a model is told how much to think, None where it cannot be told; `takes` are
    the options that it has words for, of those that not every wire has.
    `plain` is the same without summaries of what a model thought, for accounts that may not have them.
    `background` is None where no answer goes on without its reader.
    """

    name: str
    known: frozenset[str]
    framing: Framing = "sse"
    path: Callable[[Request], str]
    payload: Callable[[Request], dict[str, Any]]
    parse: Callable[[Frame], Iterable[WireEvent]]
    headers: Callable[[str], Mapping[str, str]]
    model_headers: Callable[[str], Mapping[str, str]] = lambda _: {}
    headers_of: Callable[[Request], Mapping[str, str]] = lambda _: {}
    continuation: Callable[[str], Continuation]
    says_stop: bool = False
    quiet: Callable[[str], bool] = lambda _: False
    attachments: frozenset[Kind] = frozenset()
    schemas: Callable[[str], bool] = lambda _: False
    plain: Wire | None = None
    background: Background | None = None
    host: str | None = ""
    takes: frozenset[str] = frozenset()
    models_path: str
    models: Callable[[Any], Sequence[str]]


def bearer(key: str) -> dict[str, str]:
    """Return the header that most providers want the key in; none for an empty one."""
    return {"authorization": f"Bearer {key}"} if key else {}


def data_url(attachment: Attachment) -> Embedded:
    """Return the attachment as a URL that holds it: https://www.rfc-editor.org/rfc/rfc2397."""
    return Embedded(attachment.data, f"data:{attachment.media_type};base64,")


def decoded(frame: Frame) -> dict[str, Any]:
    """Return the JSON object in a frame; an empty one for other JSON. Raises MalformedFrameError for what is none."""
    try:
        value = parsed(frame.data)
    except ValueError:
        value = _glued(frame.data)
    return value if isinstance(value, dict) else {}


def _glued(data: str) -> Any:
    """Return the JSON in what has a byte order mark before it, or the word of the end glued on."""
    try:
        return parsed(_DONE.sub("", data.lstrip("\ufeff")))
    except ValueError:
        raise MalformedFrameError(data[:100]) from None


def whole(events: Iterable[TextDelta | ThinkingDelta | Opaque]) -> Iterator[Whole]:
    """Yield these events as a whole answer, if there are any."""
    if parts := tuple(events):
        yield Whole(parts)


def cited(sources: object, *, url: str = "url") -> Iterator[Cited]:
    """Yield the sources in a list: of objects with a URL and perhaps a title, or of bare URLs.

    What is no URL of the web, or too long for one, is left out.
    """
    for source in sources[:_MOST_SOURCES] if isinstance(sources, list) else ():
        about = source if isinstance(source, Mapping) else {url: source}
        address, title = about.get(url), about.get("title")
        if isinstance(address, str) and _URL.fullmatch(address):
            yield Cited(address, " ".join(title[:_LONGEST_TITLE].split()) if isinstance(title, str) else "")


def details(*words: object) -> str:
    """Return what a server says of an end, as one text; what is no text is left out."""
    return ": ".join(each.strip() for each in words if isinstance(each, str) and each.strip())


def reason(value: object) -> str:
    """Return why an answer has ended, as a server says it; "" where it says that it has not, in whatever way."""
    word = value.strip() if isinstance(value, str) else ""
    return "" if word.lower() in _NO_REASON else word
