"""The error table: what the HTTP client raises, and what an HTTP status says, as errors of ours.

None of httpx2's exceptions escapes, and no error carries a secret. What a provider says of a failure is quoted, in
whichever of the shapes of error bodies it comes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx2

from llmterm.errors import (
    AuthError,
    ConfigError,
    ConnectError,
    ContextTooLongError,
    LlmtermError,
    ModelNotFoundError,
    NetworkError,
    PrefillRefusedError,
    ProtocolError,
    ProviderError,
    QuotaError,
    RateLimitError,
    RequestRefusedError,
    ServerError,
    StreamTimeoutError,
    SummaryRefusedError,
)
from llmterm.messages import StreamLimits
from llmterm.redaction import redact
from llmterm.transport.call import Call
from llmterm.transport.quota import codes, used_up
from llmterm.untrusted import MOST_SECONDS, parsed, seconds

_MAX_ERROR_WORDS = 500
_LONGEST_ID = 100
_LONGEST_HOST = 100
# Where providers put the name of a request for their support.
_REQUEST_IDS = ("x-request-id", "request-id", "x-goog-request-id", "x-debug-trace-id", "cf-ray")
_TOO_LONG = re.compile(
    r"context.{0,20}(length|window|size)|maximum.{0,30}tokens|too many (input )?tokens|prompt is too long"
    r"|exceeds? the (available )?(context|limit|maximum)|token count.{0,40}exceeds",
    re.IGNORECASE,
)
_NO_MODEL = re.compile(r"model.{0,80}not (found|exist)|unknown model|model_not_found", re.IGNORECASE)
_NO_PREFILL = re.compile(r"prefill|end with a user message|ending with a model turn|last message", re.IGNORECASE)
_NO_SUMMARY = re.compile(
    r"reasoning.{0,3}summar|organi[sz]ation.{0,60}\bverif|\bverif.{0,60}organi[sz]ation", re.IGNORECASE
)
_BAD_KEY = re.compile(r"api[ _-]?key", re.IGNORECASE)


@contextmanager
def translated(call: Call, limits: StreamLimits | None = None) -> Iterator[None]:
    """Turn every failure of the client into one of ours."""
    try:
        yield
    except TimeoutError:
        raise  # a timer of ours, an OSError by inheritance only
    except (httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL, httpx2.CookieConflict) as error:
        raise translate(error, call, limits or StreamLimits()) from None
    except OSError as error:
        what = error.strerror or type(error).__name__
        raise NetworkError(f"{call.who}: {what} at {call.way}", provider=call.who, model=call.model) from None


def translate(error: Exception, call: Call, limits: StreamLimits) -> LlmtermError:
    """Return our error for one of httpx2's (https://www.python-httpx.org/exceptions/)."""
    who, where = call.who, call.way
    about: dict[str, Any] = {"provider": who, "model": call.model}
    detail = redact(str(error), call.secrets) or type(error).__name__
    match error:
        case httpx2.ConnectTimeout() | httpx2.PoolTimeout():
            what = f"{who}: no connection to {where} within {limits.connect_timeout:g} s"
            return StreamTimeoutError(what, timer="connect", **about)
        case httpx2.TimeoutException():
            return silence(call, limits.chunk_timeout)
        case httpx2.ConnectError() | httpx2.ProxyError():
            return unreached(call, detail)
        case httpx2.UnsupportedProtocol() | httpx2.InvalidURL():
            return ConfigError(f"{who}: {where} is no address of an API: {detail}", hint="check the base URL")
        case httpx2.NetworkError() | httpx2.RemoteProtocolError():
            return NetworkError(f"{who}: the connection to {where} broke: {detail}", **about)
        case httpx2.HTTPError() | httpx2.StreamError() | httpx2.CookieConflict():
            return ProtocolError(f"{who}: unusable answer from {where}: {detail}", **about)
        case _:
            raise error


def unreached(call: Call, detail: str) -> ProviderError:
    """Return the error for a server, or a proxy before it, that cannot be reached; `detail` says why."""
    what = f"{call.who}: cannot reach {call.way}: {detail}"
    about: dict[str, Any] = {"provider": call.who, "model": call.model}
    if not call.proxy:
        return ConnectError(what, hint="is the server running?", **about)
    # A proxy that does not let a request pass says so with a status of HTTP.
    status = int(match[1]) if (match := re.match(r"([45]\d\d)\b", detail)) else None
    kind = RequestRefusedError if status is not None and status < 500 else ConnectError
    return kind(what, hint=_PROXY_AUTH if status == 407 else _PROXY, status=status, **about)


def silence(call: Call, seconds: float | None) -> StreamTimeoutError:
    """Return the error for a socket that has said nothing for so long."""
    what = f"{call.who}: nothing came from {call.way} for {seconds or 0:g} s"
    return StreamTimeoutError(what, timer="chunk", provider=call.who, model=call.model)


def too_silent(call: Call, seconds: float | None) -> StreamTimeoutError:
    """Return the error for a stream that lived, but had nothing of an answer for so long."""
    what = f"{call.who}: {call.address} gave signs of life, but no answer for {seconds or 0:g} s"
    hint = "a larger silence_timeout waits longer"
    return StreamTimeoutError(what, timer="silence", hint=hint, provider=call.who, model=call.model)


def no_token(call: Call, seconds: float | None, *, heard: bool = False) -> StreamTimeoutError:
    """Return the error for an answer that did not begin in time; `heard` is whether there was a sign of life before."""
    since = " of the last sign of life" if heard else ""
    what = f"{call.who}: no answer began within {seconds or 0:g} s{since}"
    hint = "a larger first_token_timeout waits longer"
    return StreamTimeoutError(what, timer="first token", hint=hint, provider=call.who, model=call.model)


def too_slow(call: Call, seconds: float | None) -> StreamTimeoutError:
    """Return the error for an answer that took too long in all."""
    what = f"{call.who}: the answer took longer than {seconds or 0:g} s in all"
    return StreamTimeoutError(what, timer="stream", provider=call.who, model=call.model)


def refusal(call: Call, response: httpx2.Response, body: bytes) -> ProviderError:
    """Return the error that an HTTP status stands for, with the server's own words where it has any."""
    status = response.status_code
    said = error_words(body, call.secrets)
    request = request_id(response.headers, call.secrets) or _request_id(body, call.secrets)
    reason = redact(response.reason_phrase, call.secrets)[:_MAX_ERROR_WORDS]
    words = said or _page(body) or reason or "no reason given"
    about = ", ".join(
        [f"HTTP {status}"]
        + ([f"model {call.model}"] if call.model else [])
        + ([f"request {request}"] if request else [])
        + ([f"through the proxy {call.proxy}"] if call.proxy else [])
    )
    wait = retry_after(response, body)
    named = codes(body)
    kind, hint = (QuotaError, QUOTA_HINT) if used_up(status, said, named) else _kind(status, said, named)
    if 300 <= status < 400 and (elsewhere := _elsewhere(call, response)):
        hint = f"it points to {redact(elsewhere, call.secrets)}; {hint}"
    if kind is RateLimitError and wait is not None:
        hint = (
            f"try again in {wait:.0f} s" if wait < 120 else f"try again in {wait / 60:.0f} min, or use another provider"
        )
    return kind(
        f"{call.who}: {words} ({about})",
        hint=hint,
        provider=call.who,
        model=call.model,
        status=status,
        request_id=request,
        retry_after=None if kind is QuotaError else wait,  # some name the wait of another limit
    )


def refused(call: Call, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
    """Return the error for a refusal that was no response of the client's."""
    return refusal(call, httpx2.Response(status, headers=headers), body)


def _elsewhere(call: Call, response: httpx2.Response) -> str:
    """Return where a redirect points to, without what may be secret in that: the host, "" for none."""
    location = response.headers.get("location", "")
    if not location:
        return ""
    try:
        parts = urlsplit(urljoin(call.url, location))
        place = parts.hostname if parts.port is None else f"{parts.hostname}:{parts.port}"
    except ValueError:
        return ""
    found = f"{parts.scheme}://{place}" if parts.hostname else ""
    return found if found.isascii() and found.isprintable() and len(found) <= _LONGEST_HOST else ""


_PROXY = "is the proxy running? NO_PROXY names what needs none"
_PROXY_AUTH = "the proxy wants a user and a password: http://user:password@host:port in its variable"
QUOTA_HINT = "the quota or the credit is used up; see the account at the provider, or use another"
_OVERLOADED = "the provider is overloaded; wait, or use another"
_KINDS: dict[int, tuple[type[ProviderError], str]] = {
    401: (AuthError, "check the key"),
    403: (AuthError, "the key is not allowed this; check what it is for, or use another"),
    404: (ModelNotFoundError, "check the model's name and the base URL"),
    407: (RequestRefusedError, _PROXY_AUTH),
    429: (RateLimitError, "too many requests or no credit; wait, or use another provider"),
    503: (ServerError, _OVERLOADED),
    529: (ServerError, _OVERLOADED),
}


def _kind(status: int, words: str, named: str = "") -> tuple[type[ProviderError], str]:
    """Return the error for a status, and what to do next; `named` are codes and names in the server's words."""
    if status == 400 and _NO_SUMMARY.search(f"{words} {named}"):
        return SummaryRefusedError, "see what the provider wants of an account that is shown a model's thoughts"
    if status in _KINDS:
        return _KINDS[status]
    if status >= 500:
        return ServerError, "the provider has a problem; try again, or use another"
    if status < 400:
        redirected = "redirects are not followed, a key would go with them; " if status >= 300 else ""
        return ProtocolError, f"{redirected}check the base URL"
    if status == 400 and _NO_PREFILL.search(words):
        return PrefillRefusedError, "/resume-mode instruct asks for the rest in words"
    if _TOO_LONG.search(words):
        return ContextTooLongError, "/clear begins a new conversation; a model with a longer context may take this one"
    if status == 400 and _BAD_KEY.search(words):
        return AuthError, "check the key"  # Gemini and xAI say 400 where others say 401
    if status == 400 and _NO_MODEL.search(words):
        return _KINDS[404]  # OpenAI's Responses say 400 where the rest says 404
    return RequestRefusedError, ""


def retry_after(response: httpx2.Response, body: bytes = b"") -> float | None:
    """Return how many seconds the server wants to be left alone, from any of the places where servers say it.

    https://www.rfc-editor.org/rfc/rfc9110#field.retry-after; `retry-after-ms` is Azure's, the durations in
    `x-ratelimit-reset-*` OpenAI's and Groq's, `retryDelay` in the body Gemini's.
    """
    headers = response.headers
    exact = seconds(headers.get("retry-after-ms", ""))
    if exact:
        return exact / 1000
    given = headers.get("retry-after", "")
    if given and (wait := seconds(given)) is not None:
        return wait
    if given and (wait := _until(given)) is not None:
        return wait
    match = re.search(rb'"retryDelay"\s*:\s*"([\d.]+)s"', body)
    return seconds(match[1].decode()) if match else None


def _until(date: str) -> float | None:
    try:
        moment = parsedate_to_datetime(date)
    except (ValueError, OverflowError, TypeError, IndexError):  # the parser lets its own slips through
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max(0.0, (moment - datetime.now(UTC)).total_seconds()), MOST_SECONDS)


def error_words(body: bytes | str, secrets: Iterable[str] = ()) -> str:
    """Return what an error body says, in any of the shapes that providers use; "" if it says nothing readable.

    The secrets go before the length is cut: half a key is a secret, too.
    """
    try:
        value = parsed(body)
    except ValueError:
        return ""
    return redact(_words(value), secrets)[:_MAX_ERROR_WORDS]


def _words(value: object) -> str:
    # Not recursive: a stranger's JSON may be nested deeper than the stack.
    while True:
        match value:
            case str():
                return " ".join(value.split())
            case {"error": inner} | {"message": inner} | {"detail": inner} | [inner, *_] | {"msg": inner}:
                value = inner
            case _:
                return ""


def _page(body: bytes) -> str:
    """Say what a body is that is no JSON: mostly the page of a proxy."""
    return "a web page came instead of an answer" if body.lstrip()[:1] == b"<" else ""


def request_id(headers: Mapping[str, str], secrets: Iterable[str] = ()) -> str:
    """Return the name that the provider gave a request, "" where it gave none that can be shown."""
    found = redact(next(filter(None, map(headers.get, _REQUEST_IDS)), ""), secrets)
    return found if found.isprintable() and len(found) <= _LONGEST_ID else ""


def _request_id(body: bytes, secrets: Iterable[str]) -> str:
    try:
        value = parsed(body)
    except ValueError:
        return ""
    given = value.get("request_id") if isinstance(value, dict) else None
    found = redact(given, secrets) if isinstance(given, str) else ""
    return found if found.isprintable() and len(found) <= _LONGEST_ID else ""
