"""A provider that remembers: the same question, to the same model with the same options, is answered from the cache.

Only an answer that came whole, from its beginning to an end that the model chose, is kept; one that was paused,
stopped, cut by a limit or refused never is, nor is one without text, or one that names sources, which are more than its
text. A question that is already answered in part is
not looked up. A cache that fails is as good as none.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from dataclasses import asdict
from functools import partial
from typing import TypeVar, assert_never

from llmterm import log
from llmterm.errors import SessionError
from llmterm.messages import (
    Attachment,
    Cited,
    EndReason,
    Finished,
    Part,
    Reply,
    Request,
    Rope,
    StreamEvent,
    StreamLimits,
    TextDelta,
    TextPart,
    ThinkingDelta,
    ThinkingPart,
    ToolCall,
    ToolResult,
    Usage,
    UsageReport,
)
from llmterm.progress import Progress
from llmterm.providers import EventStream, Provider
from llmterm.providers.around import ProviderAround
from llmterm.sessions import SessionStore
from llmterm.sessions.cache import AnswerCache, CachedAnswer
from llmterm.threads import in_thread

T = TypeVar("T")

# Characters, with the thinking; a longer answer is not held in memory for the sake of the cache.
LONGEST_ANSWER = Rope.LARGEST
_WHOLE = (EndReason.STOP, EndReason.STOP_SEQUENCE)


def answer_key(provider: str, request: Request, told: object = None) -> str:
    """Return the SHA-256 of all that the answer may depend on, as hexadecimal digits.

    `told` is what goes along with every request to its model.
    """
    messages = [
        [message.role, message.text, message.provider_data, *filter(None, map(_beside, message.parts))]
        for message in request.messages
    ]
    asked = [provider, request.model, messages, asdict(request.options), *([told] if told else [])]
    # Not escaped: two lone surrogates would read as one character. Nor can the encoding fail on one.
    text = json.dumps(asked, ensure_ascii=False, sort_keys=True, default=dict)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _beside(part: Part) -> list[str]:
    """Return what a part says that is neither text nor opaque; nothing for one that says no such thing."""
    match part:
        case TextPart() | ThinkingPart():
            return []
        case Attachment(name=name, media_type=media_type, data=data):
            return [name, media_type, hashlib.sha256(data).hexdigest()]
        case ToolCall(id=name, name=called, arguments=arguments):
            return ["tool call", name, called, arguments]
        case ToolResult(id=name, text=text, failed=failed):
            return ["tool result", name, text, "failed" if failed else ""]
        case _:
            assert_never(part)


def _nothing(_model: str) -> None:
    """What goes along where nothing is configured."""


class CachedProvider(ProviderAround):
    """Asks `provider` only what the cache of `store` does not know."""

    def __init__(self, provider: Provider, store: SessionStore, *, told: Callable[[str], object] = _nothing) -> None:
        """`told` is what else goes along with every request to a model."""
        super().__init__(provider)
        self._told = told
        self._store = store

    async def open(self, request: Request, limits: StreamLimits, progress: Progress) -> EventStream:
        if request.continuation is not None:
            return await self._provider.open(request, limits, progress)
        key = await in_thread(answer_key, self.name, request, self._told(request.model))
        try:
            answer = await in_thread(self._use, lambda cache: cache.get(key))
        except SessionError as error:
            log.event("cache failure", error=str(error))
            return await self._provider.open(request, limits, progress)
        if answer is not None:
            log.event("cache hit", key=key)
            return PlayedStream(answer)
        return KeptStream(await self._provider.open(request, limits, progress), partial(self._keep, key))

    def _use(self, use: Callable[[AnswerCache], T]) -> T:
        with closing(self._store.another()) as store:
            return use(store.answers())

    async def _keep(self, key: str, answer: CachedAnswer) -> None:
        try:
            await in_thread(self._use, lambda cache: cache.put(key, answer))
        except SessionError as error:
            log.event("cache failure", error=str(error))


class PlayedStream:
    """An `EventStream` of an answer that is there already, and takes no tokens."""

    def __init__(self, answer: CachedAnswer) -> None:
        self._events: list[StreamEvent] = [UsageReport(Usage()), Finished(answer.finish)]
        if answer.text:
            self._events.insert(0, TextDelta(answer.text))
        if answer.thinking:
            self._events.insert(0, ThinkingDelta(answer.thinking))

    async def read(self) -> Sequence[StreamEvent]:
        return self.rest()

    def rest(self) -> Sequence[StreamEvent]:
        events, self._events = self._events, []
        return events

    async def aclose(self) -> None:
        self._events = []

    async def detach(self) -> None:
        await self.aclose()

    async def steer(self, word: str) -> None:
        pass  # what follows is no answer to the question that is kept


class KeptStream:
    """An `EventStream` as it comes from `stream`; `keep` gets the answer if it was read to a good end."""

    def __init__(self, stream: EventStream, keep: Callable[[CachedAnswer], Awaitable[None]]) -> None:
        self._stream = stream
        self._keep = keep
        self._reply: Reply | None = Reply()
        # What came with the end, while the answer is being kept.
        self._last: Sequence[StreamEvent] = ()

    async def read(self) -> Sequence[StreamEvent]:
        self._last = await self._stream.read()
        for event in self._last:
            await self._take(event)
        events, self._last = self._last, ()
        return events

    def rest(self) -> Sequence[StreamEvent]:
        self._reply = None  # a pause, whatever came meanwhile
        last, self._last = self._last, ()
        return (*last, *self._stream.rest())

    async def aclose(self) -> None:
        self._reply = None
        await self._stream.aclose()

    async def detach(self) -> None:
        self._reply = None
        await self._stream.detach()

    async def steer(self, word: str) -> None:
        pass  # what follows is no answer to the question that is kept

    async def _take(self, event: StreamEvent) -> None:
        if self._reply is None:
            return
        if isinstance(event, Cited):
            self._reply = None
            return
        reply = self._reply = self._reply.add(event)
        if len(reply.body) + len(reply.thoughts) > LONGEST_ANSWER:
            self._reply = None
        elif reply.finish is not None:
            self._reply = None
            if reply.finish in _WHOLE and reply.text.strip():
                usage = reply.usage or Usage()
                answer = CachedAnswer(text=reply.text, thinking=reply.thinking, finish=reply.finish, usage=usage)
                await self._keep(answer)
