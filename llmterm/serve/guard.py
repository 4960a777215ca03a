"""Who may ask for anything, and how much: pure ASGI, in front of all that is asked for.

Other pages in a browser must not get in (a form, a script, a name that they have rebound to this machine), nor anybody
on the machine without the token.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Collection, Mapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from llmterm.serve.problems import Problem

COOKIE = "llmterm_token"
# Bytes of a request's body: an attachment of 50 MB, as base64.
BODY_LIMIT = 70 * 1024 * 1024
# What a link may lead to; whoever comes by one that has the token is let in for good.
_PAGES = ("/", "/stats")
# What anybody may see: it says nothing of anybody.
_OPEN = ("/healthz",)
# What scripts of the page itself cannot be told to do: no inline code, nothing from elsewhere, in no frame.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "font-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = (
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


class Guard:
    """Lets in whoever has the `token`, by a header, the page's cookie, or once by the link that was printed.

    `hosts` are the names that this service may be called by, any where there are none; `origins` other pages that may
    use it, or the address that a proxy before it is reached at. `refused` is told the code of each refusal.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        token: str,
        hosts: Collection[str],
        origins: Collection[str] = (),
        refused: Callable[[str], None],
    ) -> None:
        self._app = app
        self._refused = refused
        self._token = token
        self._hosts = frozenset(hosts)
        self._origins = frozenset(origins)
        if hosts:
            self._hosts |= {_name(each.partition("://")[2]) for each in origins}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = _headers(scope)
        origin = headers.get("origin", "")
        refusal = self._refusal(scope, headers, origin)
        if refusal is None and _preflight(scope, headers) and origin in self._origins:
            await _answer(send, 204, b"", _cors(origin, headers))
        elif refusal is not None:
            self._refused(refusal.code)
            await _refuse(scope, send, refusal)
        elif scope["type"] == "http" and (cookie := self._by_link(scope)) is not None:
            await _answer(send, 303, b"", [(b"location", scope["path"].encode()), (b"set-cookie", cookie)])
        else:
            own = _cors(origin, headers) if origin in self._origins else []
            await self._app(scope, _limited(receive, headers), _with_headers(send, own))

    def _refusal(self, scope: Scope, headers: Mapping[str, str], origin: str) -> Problem | None:
        host = headers.get("host", "")
        if self._hosts and _name(host) not in self._hosts:
            return _problem(421, "wrong_host", "this service is not called that")
        if origin and origin not in self._origins and not _same(origin, host):
            return _problem(403, "wrong_origin", "no other page may ask for that")
        # A link from elsewhere may open a page, and nothing more.
        elsewhere = not origin and headers.get("sec-fetch-site") in ("cross-site", "same-site")
        if elsewhere and not (scope["path"] in _PAGES and headers.get("sec-fetch-mode") == "navigate"):
            return _problem(403, "wrong_origin", "no other page may ask for that")
        if _preflight(scope, headers) and origin in self._origins:
            return None
        if scope["path"] in _OPEN or self._knows(scope, headers):
            return None
        return _problem(401, "invalid_token", "the token is missing or wrong: llmterm serve prints a link that has it")

    def _knows(self, scope: Scope, headers: Mapping[str, str]) -> bool:
        kind, _, given = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return self._is_token(given.strip())
        if (given := headers.get("x-api-key", "")) and self._is_token(given):
            return True
        return self._is_token(_cookie(headers.get("cookie", ""))) or self._by_link(scope) is not None

    def _by_link(self, scope: Scope) -> bytes | None:
        """Return the cookie for who comes by the link that was printed, None for anybody else."""
        if scope["path"] not in _PAGES or not scope.get("query_string"):
            return None
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if not self._is_token(given):
            return None
        secure = "; Secure" if scope["scheme"] == "https" else ""
        return f"{COOKIE}={given}; HttpOnly; SameSite=Strict; Path=/; Max-Age=31536000{secure}".encode("latin-1")

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self._token.encode())


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def _name(host: str) -> str:
    """Return a host without its port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _same(origin: str, host: str) -> bool:
    """Tell whether a page is of this service: the scheme is that of a proxy before it."""
    parts = origin.partition("://")
    return parts[0] in ("http", "https") and parts[2].lower() == host.lower() and host != ""


def _cookie(given: str) -> str:
    try:
        found = SimpleCookie(given).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found is not None else ""


def _preflight(scope: Scope, headers: Mapping[str, str]) -> bool:
    return scope["type"] == "http" and scope["method"] == "OPTIONS" and "access-control-request-method" in headers


def _cors(origin: str, headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    asked = headers.get("access-control-request-headers", "authorization, content-type, last-event-id")
    return [
        (b"access-control-allow-origin", origin.encode("latin-1")),
        (b"access-control-allow-methods", b"GET, POST, PATCH, DELETE"),
        (b"access-control-allow-headers", asked.encode("latin-1")),
        (b"vary", b"origin"),
    ]


def _problem(status: int, code: str, words: str) -> Problem:
    return Problem(status, "invalid_request_error", code, words)


async def _refuse(scope: Scope, send: Send, refusal: Problem) -> None:
    if scope["type"] == "websocket":
        kind = [(b"content-type", b"application/json")]
        await send({"type": "websocket.http.response.start", "status": refusal.status, "headers": [*kind, *_HEADERS]})
        await send({"type": "websocket.http.response.body", "body": json.dumps(refusal.body).encode()})
        return
    extra = [(b"www-authenticate", b"Bearer")] if refusal.status == 401 else []
    await _answer(send, refusal.status, json.dumps(refusal.body).encode(), extra)


async def _answer(send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    kind = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": [*kind, *_HEADERS, *headers]})
    await send({"type": "http.response.body", "body": body})


class TooLargeError(Exception):
    """A body has more bytes than any that can be answered."""


def _limited(receive: Receive, headers: Mapping[str, str]) -> Receive:
    """Return what gives no more of a body than there may be. It raises TooLargeError then."""
    taken = 0
    told = headers.get("content-length", "")
    announced = int(told) if told.isascii() and told.isdigit() and len(told) < 20 else 0

    async def limited() -> Message:
        nonlocal taken
        if announced > BODY_LIMIT:
            raise TooLargeError
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > BODY_LIMIT:
            raise TooLargeError
        return message

    return limited


def _with_headers(send: Send, own: list[tuple[bytes, bytes]]) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            given: list[Any] = list(message.get("headers", []))
            message = {**message, "headers": [*given, *_HEADERS, *own]}
        await send(message)

    return sent
