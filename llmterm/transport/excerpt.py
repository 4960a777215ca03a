"""The body of a response that is no stream: so much of it, for so long, and no more, whatever a server sends."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress

import httpx2

_MAX_ERROR_BYTES = 64 * 1024
_ERROR_SECONDS = 3.0


async def beginning(response: httpx2.Response, most: int) -> bytearray:
    """Return the body, or at least `most` bytes of it where it has more. Raises as httpx2 does."""
    body = bytearray()
    async with aclosing(response.aiter_bytes()) as pieces:
        async for piece in pieces:
            body += piece
            if len(body) >= most:
                break
    return body


async def explanation(response: httpx2.Response) -> bytes:
    """Return what a refusal says, as far as that comes in time, and close the response.

    The status is there already: a body that dribbles, or breaks, is no reason not to tell it.
    """
    body = bytearray()
    try:
        with suppress(OSError, httpx2.HTTPError, httpx2.StreamError):
            async with asyncio.timeout(_ERROR_SECONDS), aclosing(response.aiter_bytes()) as pieces:
                async for piece in pieces:
                    body += piece
                    if len(body) >= _MAX_ERROR_BYTES:
                        break
    finally:
        await response.aclose()
    return bytes(body[:_MAX_ERROR_BYTES])
