"""Fetches a file over HTTP, goes on where an earlier try stopped, and checks what has come.

Interrupted at any instant, what has come stays; the next run asks for the rest, on the condition that the file is
still the same one (https://www.rfc-editor.org/rfc/rfc9110#field.if-range), and begins anew where it is not, where the
server cannot tell, or where it sends no parts. No key is sent, so redirects are followed, but not from https to http.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

import httpx2

from llmterm import __version__
from llmterm.address import secret_parts, shown
from llmterm.errors import (
    ConfigError,
    NetworkError,
    ProtocolError,
    ProviderError,
    StreamTimeoutError,
    UsageError,
)
from llmterm.messages import StreamLimits
from llmterm.transport.call import Call
from llmterm.transport.client import Transport
from llmterm.transport.excerpt import explanation
from llmterm.transport.failures import refusal, translated
from llmterm.transport.part import Origin, Part
from llmterm.transport.reuse import ConnectingTurn, again_if_stale, sent

Report: TypeAlias = Callable[[int, int | None], None]

_WHO = "download"
_MAX_REDIRECTS = 5
# A slow download is written more often than its amount asks for, or a killed process would lose minutes of it.
_FLUSH_SECONDS = 1.0
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LENGTH = re.compile(r"[0-9]{1,18}")
_RANGE = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18}|\*)")
_NO_RANGE = re.compile(r"bytes \*/([0-9]{1,18})")
_GOES_ON = "what has come is kept; the same command goes on from there"
_HINTS = {
    401: "the file is not public; get it with a browser, and give its path as the model",
    403: "the file is not public; get it with a browser, and give its path as the model",
    404: "check the URL",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A file that has come whole: where it is, its size in bytes, and its SHA-256 in hexadecimal."""

    path: Path
    size: int
    sha256: str


async def download(
    transport: Transport, url: str, target: Path, *, sha256: str = "", report: Report, limits: StreamLimits
) -> Download:
    """Fetch `url` into `target`, which appears when it is whole, and replaces what was there.

    `report` is called with the bytes that have come, and those of the whole file if known, at each piece. Of `limits`
    those of connecting and of silence hold: `connect_timeout`, `chunk_timeout`. Raises ProviderError, or ConfigError
    for a URL that is none and for a disk that is full or not writable.
    """
    expected = checked_sha256(sha256)
    # An argument of the command line may have what no URL can.
    url = url.encode("utf-8", "replace").decode()
    source = Call(who=_WHO, url=url, secrets=secret_parts(url))
    with Part(target) as part:
        fetch = _Fetch(transport, source, part, report, limits)
        try:
            await fetch.complete(checked=bool(expected))
        except (NetworkError, StreamTimeoutError) as error:
            if part.received and _can_resume(part.origin(), source.address, checked=bool(expected)):
                error.hint = error.hint or _GOES_ON
            raise
        found = Download(path=target, size=part.size, sha256=part.sha256)
        if expected not in ("", found.sha256):
            part.clear()
            raise ProviderError(
                f"{_WHO}: {target.name} is not the file it should be: its SHA-256 is {found.sha256}, not {expected}",
                hint="it was removed; check the URL and the SHA-256",
                provider=_WHO,
            )
        await asyncio.to_thread(part.finish)
        return found


def checked_sha256(text: str) -> str:
    """Return a SHA-256 as `hexdigest` writes it, "" for none. Raises UsageError for what is no SHA-256."""
    value = text.strip().lower().removeprefix("sha256:")
    if value and not _SHA256.fullmatch(value):
        raise UsageError(f"{text!r} is no SHA-256", hint="it has 64 hexadecimal digits")
    return value


def _can_resume(origin: Origin | None, address: str, *, checked: bool) -> bool:
    """Tell whether the rest of a part may be asked for: whether a file that has changed would be noticed."""
    return origin is not None and origin.address == address and bool(origin.validator or checked)


class _Fetch:
    """Brings one part to its full length."""

    def __init__(self, transport: Transport, source: Call, part: Part, report: Report, limits: StreamLimits) -> None:
        self._transport = transport
        self._source = source
        self._part = part
        self._report = report
        self._limits = limits

    async def complete(self, *, checked: bool) -> None:
        """Fetch the rest, or else everything; `checked` is whether the whole will be."""
        origin = self._part.origin()
        if origin is not None and _can_resume(origin, self._source.address, checked=checked):
            while await asyncio.to_thread(self._part.reread):
                pass
            if self._part.size and await self._resume(origin):
                return
        async with self._answer({}, (200,)) as response:
            await self._take_whole(response)

    async def _resume(self, origin: Origin) -> bool:
        """Fetch what is missing; False if that cannot be."""
        part = self._part
        headers = {"range": f"bytes={part.size}-"} | ({"if-range": origin.validator} if origin.validator else {})
        async with self._answer(headers, (200, 206, 416)) as response:
            if response.status_code == 200:
                await self._take_whole(response)
                return True
            if not _same(response, origin):
                return False
            given = response.headers.get("content-range", "")
            if response.status_code == 416:
                nothing_left = _NO_RANGE.fullmatch(given)
                return part.size == (int(nothing_left[1]) if nothing_left else origin.size)
            match = _RANGE.fullmatch(given)
            if match is None or int(match[1]) != part.size:
                return False
            total = origin.size if match[2] == "*" else int(match[2])
            if origin.size not in (None, total):
                return False
            await self._take(response, total)
            return True

    async def _take_whole(self, response: httpx2.Response) -> None:
        given = response.headers.get("content-length", "")
        # Where both are given, the length is not that of the body.
        known = _LENGTH.fullmatch(given) and "transfer-encoding" not in response.headers
        total = int(given) if known else None
        origin = Origin(address=self._source.address, validator=_validator(response), size=total)
        await asyncio.to_thread(self._part.begin, origin)
        await self._take(response, total)

    async def _take(self, response: httpx2.Response, total: int | None) -> None:
        """Write the body to the part, and see that with it the part is `total` bytes long."""
        part, loop = self._part, asyncio.get_running_loop()
        due = loop.time() + _FLUSH_SECONDS
        self._report(part.received, total)
        async with aclosing(response.aiter_raw()) as pieces:
            async for piece in pieces:
                full = part.add(piece)
                self._report(part.received, total)
                if total is not None and part.received > total:
                    part.clear()
                    raise self._error(ProtocolError, response, "sends more than it announced")
                if full or loop.time() >= due:
                    await asyncio.to_thread(part.flush)
                    due = loop.time() + _FLUSH_SECONDS
        await asyncio.to_thread(part.flush)
        if total not in (None, part.size):
            raise self._error(NetworkError, response, f"sent {part.size} of {total} bytes")

    @asynccontextmanager
    async def _answer(self, headers: Mapping[str, str], statuses: tuple[int, ...]) -> AsyncIterator[httpx2.Response]:
        """Ask for the file; give the response if it has one of `statuses`, and an error if not."""
        response = await self._ask(headers)
        call = self._hop(response.request)
        try:
            with translated(call, self._limits):
                status = response.status_code
                if 300 <= status < 400:
                    raise self._error(ProtocolError, response, f"leads to no address (HTTP {status})")
                if status not in statuses:
                    error = refusal(call, response, await explanation(response))
                    error.hint = _HINTS.get(status, error.hint)
                    raise error
                if response.headers.get("content-encoding", "identity").lower() != "identity":
                    raise self._error(ProtocolError, response, "compresses the file, though asked not to")
                yield response
        finally:
            with translated(call, self._limits):
                await response.aclose()

    async def _ask(self, headers: Mapping[str, str]) -> httpx2.Response:
        """Send the request, and follow where it leads."""
        limits = self._limits
        with translated(self._source, limits):
            request: httpx2.Request | None = self._transport.client().build_request(
                "GET",
                self._source.url,
                headers={
                    "accept": "*/*",
                    "accept-encoding": "identity",  # lengths and ranges are those of what is sent
                    "user-agent": f"llmterm/{__version__}",
                    **headers,
                },
                timeout=httpx2.Timeout(
                    limits.chunk_timeout, connect=limits.connect_timeout, pool=limits.connect_timeout
                ),
            )
        assert request is not None
        for _ in range(_MAX_REDIRECTS + 1):
            self._check(request)
            with translated(self._hop(request), limits):
                response = await again_if_stale(partial(self._sent, request))
                request = response.next_request
                if request is None:
                    return response
                await response.aclose()
            if response.url.scheme == "https" and request.url.scheme != "https":
                raise self._error(
                    ProtocolError, response, "leads from https to http, where anybody can change the file"
                )
        raise self._error(ProtocolError, response, f"is the end of {_MAX_REDIRECTS} redirects, and leads on")

    async def _sent(self, request: httpx2.Request) -> httpx2.Response:
        async with ConnectingTurn(self._transport.connecting) as turn:
            return await sent(self._transport.client(), request, self._hop(request), turn)

    def _check(self, request: httpx2.Request) -> None:
        """Raise an error for an address that is not one of the web."""
        url = request.url
        if url.scheme not in ("http", "https") or not url.host or not 0 <= (url.port or 0) < 65536:
            raise ConfigError(f"{_WHO}: {shown(str(url))} is no address of a file", hint="give an https:// URL")

    def _hop(self, request: httpx2.Request) -> Call:
        """Return the call that a request is, for the words of its errors."""
        url = str(request.url)
        return self._transport.routed(Call(who=_WHO, url=url, secrets=(*self._source.secrets, *secret_parts(url))))

    def _error(self, kind: type[ProviderError], response: httpx2.Response, what: str) -> ProviderError:
        return kind(f"{_WHO}: {self._hop(response.request).way} {what}", provider=_WHO)


def _validator(response: httpx2.Response) -> str:
    """Return what tells this version of the file from others. A weak entity tag must not stand in If-Range."""
    tag: str = response.headers.get("etag", "")
    date: str = response.headers.get("last-modified", "")
    return tag if tag.startswith('"') else date


def _same(response: httpx2.Response, origin: Origin) -> bool:
    """Tell whether a response may be of the same version: some servers send a part without looking at If-Range."""
    now, then = _validator(response), origin.validator
    comparable = now and then and now.startswith('"') == then.startswith('"')
    return now == then if comparable else True
