"""Jobs: whole batches of requests that a provider answers within a day, at half its price.

Each provider's interface has its own file, and `api` does the asking. A job is made of a `Parcel`, under a mark of
ours by which it is found again where nobody has heard whether it was accepted.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

from llmterm.transport.content import FileContent

# What an answer costs of what it would cost at once:
# https://developers.openai.com/api/docs/guides/batch, https://platform.claude.com/docs/en/build-with-claude/batch-processing,
# https://ai.google.dev/gemini-api/docs/batch-api
SHARE = 0.5
# Why there is no answer to a request.
EXPIRED = "the provider did not come to it within a day"
CANCELED = "it was canceled before it was answered"
NO_ANSWER = "the provider has no answer to it"


class Bounds(NamedTuple):
    """How many requests a job may have, and how many bytes they may be in all."""

    requests: int
    bytes: int


class Sealed(Protocol):
    """A parcel of requests: their lines lie in a file."""

    @property
    def mark(self) -> str:
        """Ours, and no other parcel's: 16 hexadecimal digits."""
        ...

    @property
    def model(self) -> str: ...

    @property
    def path(self) -> str:
        """Where each of its requests would go by itself, behind the base URL."""
        ...

    def content(self, *, head: bytes = b"", tail: bytes = b"") -> FileContent:
        """Return the lines, with something before and behind them."""
        ...


class Found(NamedTuple):
    """A job that may be the one looked for; it is not `sure` where only its results will tell."""

    id: str
    sure: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """How far a job is. `why` says what has ended all of it; `results` are where its results lie, as paths."""

    id: str
    state: Literal["running", "ended"]
    total: int = 0
    done: int = 0
    failed: int = 0
    why: str = ""
    results: tuple[str, ...] = ()


class Result(NamedTuple):
    """What became of a request: the `body` of its answer, which may tell of an error, or why there is none."""

    key: str
    body: str = ""
    why: str = ""
    kind: str = ""


class Jobs(Protocol):
    """One provider's interface. All of it raises our errors only.

    `between` is what stands between two lines of a parcel. A key has at most 64 characters of [a-zA-Z0-9_-].
    """

    @property
    def bounds(self) -> Bounds: ...

    @property
    def between(self) -> bytes: ...

    def line(self, key: str, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a request, which would go to `path` by itself, as a line of a parcel."""
        ...

    async def deliver(self, parcel: Sealed) -> str:
        """Have the parcel at the provider, before it is a job; return what it is called there."""
        ...

    async def create(self, parcel: Sealed, delivered: str) -> str:
        """Make a job of a parcel, and return its id. Asked once: see `never_accepted` for what an error says."""
        ...

    async def find(self, mark: str, *, since: float, size: int) -> Found | None:
        """Return the job of so many requests that was made under a mark, at `since` or later."""
        ...

    async def look(self, job: str) -> Job: ...

    async def cancel(self, job: str) -> None:
        """Have it end soon, with what is answered by then."""
        ...

    def results(self, job: Job) -> AsyncGenerator[Result]:
        """Yield what became of its requests, in any order. Whoever is cut off asks for all of them again."""
        ...
