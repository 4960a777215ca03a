"""Why something cannot be done, as HTTP and OpenAI's clients have it: a status, and an object that says why.

https://platform.openai.com/docs/guides/error-codes
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from llmterm.errors import (
    AuthError,
    CircuitOpenError,
    ConfigError,
    ConnectError,
    ContextTooLongError,
    LlmtermError,
    ModelNotFoundError,
    ProviderError,
    QuotaError,
    RateLimitError,
    RequestRefusedError,
    SessionError,
    StoreError,
    StreamTimeoutError,
    TurnStateError,
    UsageError,
)
from llmterm.serve.readers import CrowdedError
from llmterm.serve.refusals import (
    ConflictError,
    DrainingError,
    FullError,
    NoSuchModelError,
    NoSuchTurnError,
    PeersLostError,
)


class Problem(NamedTuple):
    """`status` is that of HTTP, `kind` and `code` as OpenAI's clients know them."""

    status: int
    kind: str
    code: str
    words: str
    param: str | None = None
    retry_after: float | None = None

    @property
    def body(self) -> dict[str, Any]:
        return {"error": {"message": self.words, "type": self.kind, "param": self.param, "code": self.code}}

    @property
    def headers(self) -> Mapping[str, str]:
        return {} if self.retry_after is None else {"retry-after": f"{max(1, round(self.retry_after))}"}


class BadRequestError(UsageError):
    """A field of a request is not what it has to be; `param` is its name."""

    def __init__(
        self, message: str, *, param: str | None = None, status: int = 400, code: str = "invalid_value"
    ) -> None:
        super().__init__(message)
        self.param = param
        self.status = status
        self.code = code


class ToldError(UsageError):
    """Something cannot be done, as another instance of the service says."""

    def __init__(self, told: Problem) -> None:
        super().__init__(told.words)
        self.told = told


_INVALID, _UPSTREAM = "invalid_request_error", "api_error"
# The first that fits.
_KINDS: tuple[tuple[type[LlmtermError], int, str, str], ...] = (
    (NoSuchTurnError, 404, _INVALID, "not_found"),
    (ConflictError, 409, _INVALID, "conflict"),
    (DrainingError, 503, "server_error", "draining"),
    (PeersLostError, 503, "server_error", "instance_unavailable"),
    (FullError, 429, "rate_limit_error", "too_many_turns"),
    (CrowdedError, 429, "rate_limit_error", "too_many_readers"),
    (NoSuchModelError, 404, _INVALID, "model_not_found"),
    (ModelNotFoundError, 404, _INVALID, "model_not_found"),
    (ContextTooLongError, 400, _INVALID, "context_length_exceeded"),
    (RequestRefusedError, 400, _INVALID, "request_refused"),
    (QuotaError, 429, "insufficient_quota", "insufficient_quota"),
    (RateLimitError, 429, "rate_limit_error", "rate_limit_exceeded"),
    (AuthError, 502, _UPSTREAM, "provider_refused_key"),
    (StreamTimeoutError, 504, _UPSTREAM, "timeout"),
    (CircuitOpenError, 503, _UPSTREAM, "provider_unavailable"),
    (ConnectError, 502, _UPSTREAM, "provider_unreachable"),
    (ProviderError, 502, _UPSTREAM, "provider_error"),
    (ConfigError, 503, _UPSTREAM, "provider_not_configured"),
    (TurnStateError, 409, _INVALID, "conflict"),
    (SessionError, 404, _INVALID, "not_found"),
    (UsageError, 400, _INVALID, "invalid_value"),
)
BUG = Problem(500, "server_error", "internal_error", "something went wrong here; it is in the service's own log")


def problem(error: LlmtermError) -> Problem:
    """Return what an error is to a client. Nothing of this machine is in it."""
    if isinstance(error, BadRequestError):
        return Problem(error.status, _INVALID, error.code, error.message, error.param)
    if isinstance(error, ToldError):
        return error.told
    if isinstance(error, StoreError):
        return Problem(503, "server_error", "store_unavailable", "the store cannot be used now")
    for kind, status, name, code in _KINDS:
        if isinstance(error, kind):
            after = error.retry_after if isinstance(error, ProviderError) else None
            return Problem(status, name, code, str(error), retry_after=after)
    return BUG
