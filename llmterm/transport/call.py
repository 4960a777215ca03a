"""A call: one HTTP request as a value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias
from urllib.parse import urlsplit

from llmterm.address import shown
from llmterm.framing import Framing
from llmterm.transport.content import FileContent

Method: TypeAlias = Literal["PATCH", "DELETE"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A POST of `payload`, or of a `content` in a file, or a GET where there is neither, unless there is a `method`.

    `who` is the provider.

    `secrets` never appear in an error. In a payload is what JSON has, and `Embedded` for bytes. `proxy` is what may be
    shown of the proxy that it goes through, "" for none; the transport knows.
    """

    who: str
    url: str
    payload: Mapping[str, Any] | None = None
    content: FileContent | None = None
    model: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: Iterable[str] = field(default=(), repr=False)
    framing: Framing = "sse"
    proxy: str = ""
    method: Method | None = None

    @property
    def has_port(self) -> bool:
        """Whether the port, if the URL has one, can be one; the HTTP client would fail in ways of its own."""
        try:
            return (urlsplit(self.url).port or 0) >= 0
        except ValueError:
            return False

    @property
    def address(self) -> str:
        """The URL without what may be secret in it: user, password, query."""
        return shown(self.url)

    @property
    def way(self) -> str:
        """The address, and the proxy on the way to it."""
        return f"{self.address} through the proxy {self.proxy}" if self.proxy else self.address
