"""Every error llmterm raises on purpose.

LlmtermError
├── UsageError                 exit code 2: the command line
│   ├── ConfigError            the configuration file, a setting, a missing key
│   └── WishRefusedError       an option of a question that its model or provider cannot have
├── ProviderError              exit code 3: the model's side
│   ├── AuthError              the key was refused (401, 403)
│   ├── ModelNotFoundError     no such model, or no such address (404)
│   ├── RequestRefusedError    the request itself was refused (other 4xx)
│   │   ├── CursorRefusedError     the provider has no such generation, or has it no more
│   │   ├── ContextTooLongError    the conversation does not fit the model
│   │   ├── PrefillRefusedError    the model takes no beginning of its answer
│   │   └── SummaryRefusedError    what the model thought may not be shown to this account
│   ├── RateLimitError         too many requests (429)
│   │   └── QuotaError             the quota or the credit is used up: waiting for a moment does not help
│   ├── ServerError            a failure on the provider's side (5xx, or an error inside the stream)
│   ├── ConnectError           nothing answers at that address
│   ├── CircuitOpenError       not asked: it has failed too often just now
│   ├── NetworkError           the connection broke in the middle of an answer
│   │   └── StaleConnectionError   a kept connection had been closed: the request never reached anybody
│   ├── StreamTimeoutError     a time of `StreamLimits` ran out; `timer` says which
│   ├── ProtocolError          the answer is not what this wire should say
│   ├── LimitError             a limit of `StreamLimits` was reached
│   └── LocalModelError        the embedded model cannot be loaded or run
├── SessionError               exit code 4: the store, or a session in it
│   └── StoreError             the store cannot be used now: locked, full, read-only, damaged, or another file
└── TurnStateError             exit code 1: a transition that the turn's table does not have; a bug of the caller

Messages say what happened and where; `hint` says what to do next. No error carries a key or a header.
"""

from __future__ import annotations

from typing import ClassVar, Literal

Timer = Literal["connect", "first token", "chunk", "silence", "stream"]


class LlmtermError(Exception):
    """Base of all errors that are part of the contract; `str()` is one line fit for people."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class UsageError(LlmtermError):
    """What was asked for cannot be: a name, a value or a file that is none."""

    exit_code = 2


class ConfigError(UsageError):
    """The configuration file, a setting, or a key that is missing."""


class WishRefusedError(UsageError):
    """An option of a question, such as its effort, that its model or provider cannot have: nothing was sent."""


class ProviderError(LlmtermError):
    """`status` is that of HTTP, `request_id` the provider's own, `retry_after` in seconds; where they are known."""

    exit_code = 3

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        provider: str = "",
        model: str = "",
        status: int | None = None,
        request_id: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.provider = provider
        self.model = model
        self.status = status
        self.request_id = request_id
        self.retry_after = retry_after


class AuthError(ProviderError):
    pass


class ModelNotFoundError(ProviderError):
    pass


class RequestRefusedError(ProviderError):
    pass


class ContextTooLongError(RequestRefusedError):
    pass


class CursorRefusedError(RequestRefusedError):
    pass


class PrefillRefusedError(RequestRefusedError):
    pass


class SummaryRefusedError(RequestRefusedError):
    pass


class RateLimitError(ProviderError):
    pass


class QuotaError(RateLimitError):
    pass


class ServerError(ProviderError):
    pass


class ConnectError(ProviderError):
    pass


class CircuitOpenError(ProviderError):
    pass


class NetworkError(ProviderError):
    pass


class StaleConnectionError(NetworkError):
    pass


class StreamTimeoutError(ProviderError):
    def __init__(self, message: str, *, timer: Timer, hint: str = "", provider: str = "", model: str = "") -> None:
        super().__init__(message, hint=hint, provider=provider, model=model)
        self.timer = timer


class ProtocolError(ProviderError):
    pass


class LimitError(ProviderError):
    pass


class LocalModelError(ProviderError):
    pass


class SessionError(LlmtermError):
    exit_code = 4


class StoreError(SessionError):
    """`lasting`: no waiting helps, the file is not one that this program can use."""

    def __init__(self, message: str, *, hint: str = "", lasting: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.lasting = lasting


class TurnStateError(LlmtermError):
    """A turn cannot do that in the state it is in: a bug of whoever calls it."""
