"""Asks a provider about jobs: JSON there and back, files, and lines of results.

What only looks, or brings a file that nobody has to use, is tried again as any request is. What makes a job is sent
once: where the answer to it is lost, it may have been accepted.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from llmterm.address import joined
from llmterm.errors import (
    ConnectError,
    LlmtermError,
    ModelNotFoundError,
    ProtocolError,
    ProviderError,
    QuotaError,
    RateLimitError,
)
from llmterm.messages import StreamLimits
from llmterm.redaction import redact
from llmterm.transport import Call, Endpoint, Transport
from llmterm.transport.content import FileContent
from llmterm.untrusted import parsed

_ASKING = StreamLimits(first_token_timeout=60.0, stream_timeout=120.0)
# A parcel of hundreds of MB has its time; the connection may still not be silent for long.
_SENDING = StreamLimits(first_token_timeout=None, stream_timeout=3_600.0, chunk_timeout=60.0)
_RECEIVING = StreamLimits(first_token_timeout=120.0, chunk_timeout=60.0, max_event_bytes=64 * 1024 * 1024)
# What a provider may call a job or a file: it becomes a part of an address that the key is sent to.
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)*", re.ASCII)
_LONGEST_NAME = 300
_MOST_WORDS = 300
# Statuses in the range of refusals that say nothing of what has become of a request.
_UNDECIDED = frozenset({408, 409, 425})


class JobApi:
    """`headers` are by the key; `model_headers` come on top, where a request is about a model."""

    def __init__(
        self,
        transport: Transport,
        endpoint: Endpoint,
        *,
        base_url: str,
        headers: Callable[[str], Mapping[str, str]],
        model_headers: Callable[[str], Mapping[str, str]],
        secrets: Iterable[str],
    ) -> None:
        self._transport = transport
        self._endpoint = endpoint
        self._base_url = base_url
        self._headers = headers
        self._model_headers = model_headers
        self._secrets = secrets

    @property
    def who(self) -> str:
        return self._endpoint.name

    async def get(self, path: str) -> Mapping[str, Any]:
        """Return the object that is at a path."""
        return await self._endpoint.manage(lambda key: self._fetch(self._call(path, key), _ASKING))

    async def post(self, path: str, payload: Mapping[str, Any], *, model: str = "") -> Mapping[str, Any]:
        """Return what a request is answered with that is sent again only where it was certainly not accepted."""
        return await self._endpoint.manage(
            lambda key: self._fetch(replace(self._call(path, key, model), payload=payload), _SENDING, once=True),
            again=_again,
        )

    async def send(
        self, path: str, content: FileContent, headers: Mapping[str, str], *, model: str = "", once: bool = False
    ) -> Mapping[str, Any]:
        """Return what a file is answered with; `once` as with `post`."""

        def attempt(key: str) -> Awaitable[Mapping[str, Any]]:
            call = self._call(path, key, model)
            sent = replace(call, content=content, headers={**call.headers, **headers})
            return self._fetch(sent, _SENDING, once=once)

        return await (self._endpoint.manage(attempt, again=_again) if once else self._endpoint.manage(attempt))

    async def lines(self, path: str) -> AsyncGenerator[Mapping[str, Any]]:
        """Yield the objects in a file of JSON, a line each; what is none, such as half a line, is left out."""
        frames = await self._endpoint.manage(
            lambda key: self._transport.open(replace(self._call(path, key), framing="ndjson"), _RECEIVING)
        )
        try:
            while some := await frames.read():
                frames.content_came()
                for frame in some:
                    if (value := _object(frame.data)) is not None:
                        yield value
        finally:
            await frames.aclose()

    def named(self, value: object, what: str) -> str:
        """Return what the provider calls something. Raises ProtocolError for what is no name."""
        if isinstance(value, str) and len(value) <= _LONGEST_NAME and _NAME.fullmatch(value):
            return value
        raise ProtocolError(
            f"{self.who}: no {what} came from {self._call('', '').address}",
            hint="check the base URL: does it have the interface for batches?",
            provider=self.who,
        )

    def said(self, words: object) -> str:
        """Return what the provider says of a failure, fit to be kept."""
        text = " ".join(words.split()) if isinstance(words, str) else ""
        secrets = (*self._secrets, self._endpoint.first_key)
        return redact(text, secrets)[:_MOST_WORDS] or "it does not say why"

    def path_of(self, url: object) -> str | None:
        """Return the path of a URL below the base URL; None for one elsewhere, where no key is sent to."""
        if not isinstance(url, str):
            return None
        try:
            base, given = urlsplit(self._base_url), urlsplit(url)
        except ValueError:
            return None
        root = base.path.rstrip("/")
        if (given.scheme, given.netloc) != (base.scheme, base.netloc.rpartition("@")[2]):
            return None
        if not given.path.startswith(f"{root}/") or not _NAME.fullmatch(given.path.removeprefix("/")):
            return None
        return given.path.removeprefix(root) + (f"?{given.query}" if given.query else "")

    async def _fetch(self, call: Call, limits: StreamLimits, *, once: bool = False) -> Mapping[str, Any]:
        try:
            answer = await self._transport.fetch(call, limits, once=once)
        except ModelNotFoundError as error:
            error.hint = "check the model's name, and whether the base URL has the interface for batches"
            raise
        return answer if isinstance(answer, dict) else {}

    def _call(self, path: str, key: str, model: str = "") -> Call:
        return Call(
            who=self.who,
            model=model,
            url=joined(self._base_url, path),
            headers={**self._headers(key), **self._model_headers(model)},
            secrets=(key, *self._secrets),
        )


def never_accepted(error: LlmtermError) -> bool:
    """Tell whether what was sent has certainly not become a job."""
    match error:
        case ConnectError() | RateLimitError():
            return True
        case ProviderError(status=int(status)):
            return 300 <= status < 500 and status not in _UNDECIDED
        case ProviderError():
            return False
        case _:
            return True  # it was not sent


def _again(error: ProviderError) -> bool:
    return isinstance(error, ConnectError | RateLimitError) and not isinstance(error, QuotaError)


def _object(text: str) -> Mapping[str, Any] | None:
    try:
        value = parsed(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
