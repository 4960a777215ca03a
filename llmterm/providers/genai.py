"""google-genai as the one that words our requests: it takes what the API is to be told, and says what is to be sent.

It is called as anybody would call it, with an HTTP client whose transport is a door: what it would send is kept there,
and goes out through `Transport`, with our timeouts, limits, errors and key, which the SDK never sees. The answer is not
taken to it. It would decode and validate an event in 0.15 ms and be understood no better: `gemini.py` reads what the
server sends in a fifteenth of that, and where the SDK drops something, or breaks at it, there is nothing to repair.

What is attached stays on this side of the door: the SDK would encode it all at once, and so would the way back, while
no key is answered. Importing it takes half a second and 25 MB: it is imported, in a thread, with the first answer.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import ssl
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import httpx2

from llmterm.errors import ConfigError, RequestRefusedError
from llmterm.transport import Embedded

_MAX_WORDS = 200
# What the SDK takes for the address.
_ADDRESS = "https://gemini.invalid"
# One request for one answer: what goes on with it, and when, is not the SDK's to decide.
_ALONE = {"automaticContinuation": False, "automaticFunctionCalling": {"disable": True}}


@dataclass(slots=True)
class _Letter:
    """What goes through the door.

    `attached` is what the SDK sees only stand-ins of, by the base64 that it makes of those.
    """

    body: bytes = b""
    attached: dict[str, Embedded] = field(default_factory=dict)

    def light(self, part: dict[str, Any]) -> dict[str, Any]:
        """Return a part of a message with a stand-in for what is attached."""
        blob = part.get("inlineData")
        if blob is None:
            return part
        name = os.urandom(16)
        self.attached[base64.urlsafe_b64encode(name).decode()] = blob["data"]
        return {"inlineData": {**blob, "data": name}}

    def whole(self, found: dict[str, Any]) -> dict[str, Any]:
        """Return an object of the body with what is attached in its place again."""
        data = found.get("data")
        return {**found, "data": self.attached[data]} if isinstance(data, str) and data in self.attached else found


_LETTER: ContextVar[_Letter] = ContextVar("llmterm-genai-letter")


class _Door(httpx2.BaseTransport):
    """Takes a request of the SDK's, and answers it with nothing."""

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        _LETTER.get().body = request.read()
        return httpx2.Response(200)


class Genai:
    """google-genai, loaded once. `who` is named where it refuses something."""

    def __init__(self, who: str) -> None:
        self._who = who
        self._client: Any = None
        self._loading = asyncio.Lock()

    async def load(self) -> None:
        """Have the SDK be there. Raises ConfigError where it is not."""
        async with self._loading:
            if self._client is None:
                self._client = await asyncio.to_thread(_client)

    def worded(self, model: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the SDK would send to have `body` answered; it is loaded by then. In any thread.

        Raises RequestRefusedError for what it would not send.
        """
        letter = _Letter()
        token = _LETTER.set(letter)
        try:
            for _ in self._client.models.generate_content_stream(**_arguments(model, body, letter)):
                pass
        except Exception as error:  # whatever it is that the SDK has against it
            raise RequestRefusedError(
                f"{self._who}: google-genai does not send this: {_words(error)}", provider=self._who, model=model
            ) from None
        finally:
            _LETTER.reset(token)
        worded: dict[str, Any] = json.loads(letter.body, object_hook=letter.whole)
        return worded


def _arguments(model: str, body: Mapping[str, Any], letter: _Letter) -> dict[str, Any]:
    """Return what the SDK is to be called with: all that stands beside the contents is its configuration."""
    beside = {name: value for name, value in body.items() if name not in ("contents", "generationConfig")}
    if token := beside.get("continuationToken"):
        beside["continuationToken"] = base64.b64decode(token, altchars=b"-_")
    contents = [{**each, "parts": [letter.light(part) for part in each["parts"]]} for each in body["contents"]]
    return {"model": model, "contents": contents, "config": {**body.get("generationConfig", {}), **beside, **_ALONE}}


def _client() -> Any:
    try:
        from google import genai  # half of the start-up time of a chat that never needs it
        from google.genai import types

        return genai.Client(
            vertexai=False,
            api_key="none",  # it wants one; the real one is put in beyond the door
            http_options=types.HttpOptions(
                base_url=_ADDRESS,
                httpx_client=httpx2.Client(transport=_Door(), trust_env=False),
                # Neither is ever used; it would make its own, with certificates, and fail at a proxy nobody needs.
                httpx_async_client=httpx2.AsyncClient(transport=httpx2.AsyncBaseTransport(), trust_env=False),
                async_client_args={"ssl": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)},
                retry_options=types.HttpRetryOptions(attempts=1),
            ),
        )
    except ImportError as error:
        raise ConfigError(f"gemini needs google-genai: {error}", hint="pip install google-genai") from None
    except Exception as error:
        raise ConfigError(f"google-genai does not start: {_words(error)}", hint="check the base URL") from None


def _words(error: Exception) -> str:
    first, *_ = str(error).splitlines() or [""]
    return first[:_MAX_WORDS] or type(error).__name__
